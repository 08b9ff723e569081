"""The bundle as a host gets it: packed from the tracked files, unpacked elsewhere, started with a bare environment."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import anyio
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters

ROOT = Path(__file__).resolve().parent.parent
PACKER = ROOT / "tests" / "node_modules" / "@anthropic-ai" / "mcpb"
IS_CI = bool(os.environ.get("CI"))

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packed bundle; building it also validates the manifest and holds the lock against requirements.lock."""
    missing = [tool for tool in ("git", "uv", "node") if not shutil.which(tool)]
    missing += [] if PACKER.is_dir() else ["tests/node_modules"]
    missing += [] if (ROOT / ".git").exists() else ["a clone"]
    if missing and not IS_CI:
        pytest.skip(f"needs {' and '.join(missing)}")
    out = tmp_path_factory.mktemp("bundle") / "darkroom.mcpb"
    packing = subprocess.run(
        [sys.executable, "server/deploy/pack_bundle.py", str(out)],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert packing.returncode == 0, packing.stdout[-2000:] + packing.stderr[-2000:]
    return out


@pytest.fixture(scope="module")
def unpacked(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(bundle) as packed:
        packed.extractall(folder)
    return folder


def bare_environment(home: Path) -> dict[str, str]:
    """What a desktop program gives: a PATH and a home; and uv's own cache, so that nothing is fetched twice."""
    cache = subprocess.run(["uv", "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()
    needed = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "SSL_CERT_FILE")
    kept: Mapping[str, str] = {name: os.environ[name] for name in needed if name in os.environ}
    return {**kept, "HOME": str(home), "USERPROFILE": str(home), "UV_CACHE_DIR": cache, "PYTHONUTF8": "1"}


def test_the_bundle_holds_no_test_and_no_build_file(bundle: Path) -> None:
    with zipfile.ZipFile(bundle) as packed:
        tops = {name.partition("/")[0] for name in packed.namelist()}
    assert tops == {"LICENSE", "README.md", "manifest.json", "pyproject.toml", "server", "tools", "uv.lock"}


def test_the_bundle_stays_small(bundle: Path) -> None:
    assert bundle.stat().st_size < 3_000_000


async def test_the_unpacked_bundle_serves_the_three_tools_and_paints(unpacked: Path, tmp_path: Path) -> None:
    server = json.loads((unpacked / "manifest.json").read_text(encoding="utf-8"))["server"]["mcp_config"]
    run = [argument.replace("${__dirname}", str(unpacked)) for argument in server["args"]]
    unfilled = server["env"] | {"DARKROOM_OUTPUT_DIR": "${HOME}/Pictures/Darkroom"}
    environ = bare_environment(tmp_path) | unfilled
    host = StdioServerParameters(command=server["command"], args=run, env=environ, cwd=tmp_path)
    with anyio.fail_after(240):  # the first start fills an environment of its own
        async with Client(host) as client:
            listed = await client.list_tools()
            made = await client.call_tool("generate_image", {"prompt": "a lighthouse at dawn"})
    assert [tool.name for tool in listed.tools] == ["generate_image", "get_prediction", "list_models"]
    assert not made.is_error
    assert [
        path for path in (tmp_path / "Pictures" / "Darkroom").rglob("*") if path.suffix in (".png", ".webp", ".jpg")
    ]
