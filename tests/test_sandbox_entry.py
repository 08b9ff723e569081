"""The embedded sandbox: found by name, where it is installed, in a checkout, and not at all."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from darkroom.registry import ModelRegistry
from darkroom.sandbox_entry import load_sandbox


def test_the_installed_distribution_names_a_sandbox_that_starts(tmp_path: Path) -> None:
    app = load_sandbox()(tmp_path / "sandbox.sqlite3", ModelRegistry.load(None))
    assert callable(app)


def test_a_checkout_that_is_not_installed_has_the_same_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = load_sandbox()

    def not_installed(name: str) -> metadata.Distribution:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", not_installed)
    assert load_sandbox() is installed


def test_without_the_server_darkroom_says_that_no_sandbox_is_here_and_a_gateway_still_works(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules.update(mcp=None, darkroom_server=None)\n"
        "from darkroom.settings import Settings\n"
        "home = sys.argv[1]\n"
        "key = {'DARKROOM_GATEWAY': 'replicate', 'DARKROOM_API_KEY': 'k'}\n"
        "print(Settings.read({'HOME': home} | key).options().gateway.name)\n"
        "try: Settings.read({'HOME': home}).options()\n"
        "except Exception as error: print(error)\n"
    )
    run = [sys.executable, "-c", script, str(tmp_path)]
    answer = subprocess.run(run, capture_output=True, text=True, check=True)
    assert answer.stdout == (
        "replicate\nThe sandbox is not installed here. Nothing was sent. Install darkroom-mcp, or set DARKROOM_GATEWAY "
        "and a key.\n"
    )
