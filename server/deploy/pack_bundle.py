"""Build the .mcpb bundle: tracked files -> temporary folder -> `uv lock` there, pinned -> `mcpb pack` -> checks.

Run from the repository root: python server/deploy/pack_bundle.py [out.mcpb]. Needs git, uv and Node. uv.lock is made
here and never committed, because it carries the address of a registry. The bundle is not signed: a signature stands
after the end of the zip, and Claude Desktop refuses such a file (checked 2026-11-20).
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

MCPB = "@anthropic-ai/mcpb@2.1.2"
REQUIRED = {"manifest.json", "pyproject.toml", "uv.lock", "README.md", "LICENSE", "server/main.py"}

_PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*==[^ ;\\]+)( ; [^\\]+?)? *\\?$")
_EXPORT = "uv export --quiet --frozen --no-config --all-extras --all-groups --no-emit-project --no-hashes"


def pins(requirements: str) -> list[str]:
    """Sorted `name==version ; marker` lines, without hashes."""
    found = (_PIN.match(line) for line in requirements.splitlines())
    return sorted(pin[1] + (pin[2] or "") for pin in found if pin)


def pack(root: Path, out: Path) -> None:
    """Build `out` from what git tracks below `root`.

    Raises: SystemExit where the bundle would differ from the lock or hold the wrong files.
    """
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder)
        _copy_tracked(root, bundle)
        _lock(bundle)
        installed = root / "tests/node_modules/@anthropic-ai/mcpb/dist/cli/cli.js"
        npx = [shutil.which("npx") or "npx", "--yes", MCPB]
        mcpb = ["node", str(installed)] if installed.is_file() else npx
        subprocess.run([*mcpb, "validate", "manifest.json"], cwd=bundle, check=True)
        subprocess.run([*mcpb, "pack", ".", str(out.resolve())], cwd=bundle, check=True)
    with zipfile.ZipFile(out) as packed:
        names = set(packed.namelist())
    unwanted = sorted(name for name in names if name.startswith((".", "tests/", "server/deploy/")) or ".pyc" in name)
    if unwanted or not names >= REQUIRED:
        sys.exit(f"wrong content: {unwanted or sorted(REQUIRED - names)}")


def _copy_tracked(root: Path, bundle: Path) -> None:
    """Nothing that is ignored can leak."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (root / name).is_file():
            (bundle / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, bundle / name)


def _lock(bundle: Path) -> None:
    """Write uv.lock with exactly the versions of requirements.lock, from the registry that uv has by default."""
    wanted = pins((bundle / "requirements.lock").read_text(encoding="utf-8"))
    project = bundle / "pyproject.toml"
    head, table, tail = project.read_text(encoding="utf-8").partition("[tool.uv]\n")
    if not table:
        sys.exit("pyproject.toml has no [tool.uv] table")
    pinned = f"constraint-dependencies = {json.dumps(wanted, indent=2)}\n"
    project.write_text(head + table + pinned + tail, encoding="utf-8")
    environ = {name: value for name, value in os.environ.items() if not re.match(r"UV_.*(INDEX|FIND_LINKS)", name)}
    subprocess.run(["uv", "lock", "--quiet", "--no-config"], cwd=bundle, env=environ, check=True)
    registries = set(re.findall(r'registry = "([^"]+)"', (bundle / "uv.lock").read_text(encoding="utf-8")))
    if len(registries) != 1:
        sys.exit(f"uv.lock names {sorted(registries)}")
    exported = subprocess.run(_EXPORT.split(), cwd=bundle, env=environ, check=True, capture_output=True, text=True)
    if differing := set(pins(exported.stdout)) ^ set(wanted):
        sys.exit(f"uv.lock and requirements.lock differ: {sorted(differing)}")


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "darkroom.mcpb")
    pack(Path.cwd(), target)
    print(target, target.stat().st_size, "bytes, sha256", hashlib.sha256(target.read_bytes()).hexdigest())
