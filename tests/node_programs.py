"""Programs of tests/package.json, run by the Node that stands there too; absent ones fail in CI and skip elsewhere."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
# Both are read at import, before the clean environment of the tests.
NODE_MODULES = Path(os.environ.get("DARKROOM_TEST_NODE_MODULES") or HERE / "node_modules")
# Where Node keeps what it has compiled, so that only its first start compiles thousands of lines of each program.
os.environ.setdefault("NODE_COMPILE_CACHE", str(NODE_MODULES / ".cache" / "node-compile"))
_IS_CI = bool(os.environ.get("CI"))
_NODE = "node.exe" if os.name == "nt" else "node"


def node_command(entry: str, *words: str) -> list[str]:
    """The command that runs `entry`, a path below tests/node_modules, or below tests/ where it begins with `./`."""
    node = NODE_MODULES / "node" / "bin" / _NODE
    program = HERE / entry if entry.startswith("./") else NODE_MODULES / entry
    for path in (node, program):
        if not path.is_file():
            message = f"{path} is missing: npm install --prefix tests"
            pytest.fail(message) if _IS_CI else pytest.skip(message)
    return [str(node), str(program), *words]


def json_of(entry: str, *words: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """What a program of ours prints, given the node_modules folder and these words."""
    done = subprocess.run(
        node_command(entry, str(NODE_MODULES), *words),
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def node_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """With that Node first on the PATH, as programs start further ones by its name."""
    path = os.pathsep.join([str(NODE_MODULES / "node" / "bin"), environ.get("PATH", "")])
    return {**environ, "PATH": path}
