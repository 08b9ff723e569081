"""The install command as a person runs it: what it writes below a home of its own, and what it says."""

import json
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from darkroom_server.cli import main
from darkroom_server.install import CLIENTS


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's home with nothing in it but uvx, and a project to stand in."""
    tools = tmp_path / "tools"
    for folder in (tools, tmp_path / "home", tmp_path / "project"):
        folder.mkdir()
    for tool in ("uvx", "uvx.exe"):
        (tools / tool).write_text("")
        (tools / tool).chmod(0o755)
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "home"


def files_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.skipif(sys.platform != "linux", reason="the places are those of Linux")
@pytest.mark.parametrize("name", [client.name for client in CLIENTS if client.file])
def test_the_entry_lands_in_the_file_of_the_client(name: str, home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["install", name]) == 0
    [file] = files_below(home)
    said = capfd.readouterr()
    assert said.out == ""
    assert f"Added to {home / file}" in said.err
    assert "darkroom-mcp" in (home / file).read_text()
    assert main(["install", name]) == 0
    assert "Already there in" in capfd.readouterr().err
    assert files_below(home) == [file]


@pytest.mark.parametrize("name", [client.name for client in CLIENTS])
def test_print_writes_nothing(name: str, home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["install", name, "--print"]) == 0
    assert "darkroom-mcp" in capfd.readouterr().out
    assert files_below(home.parent / "project") == files_below(home) == []


def test_claude_code_gets_its_own_command(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["install", "claude-code", "--env", "DARKROOM_API_KEY=a b", "--name", "pictures"]) == 0
    line = "claude mcp add pictures --scope user --env 'DARKROOM_API_KEY=a b' -- uvx darkroom-mcp\n"
    assert capfd.readouterr().out == line


def test_a_project_gets_its_file_without_a_path_of_this_computer(home: Path) -> None:
    for name in ("claude-code", "cursor", "vscode", "codex"):
        assert main(["install", name, "--project"]) == 0
    project = home.parent / "project"
    files = [".codex/config.toml", ".cursor/mcp.json", ".mcp.json", ".vscode/mcp.json"]
    assert files_below(project) == files
    assert not any(str(home.parent) in (project / file).read_text() for file in files)


def test_a_desktop_program_gets_the_whole_path_of_uvx(home: Path) -> None:
    assert main(["install", "goose", "--file", str(home / "g.yaml"), "--env", "DARKROOM_GATEWAY=sandbox"]) == 0
    entry = yaml.safe_load((home / "g.yaml").read_text())["extensions"]["darkroom"]
    assert Path(entry["cmd"]).is_absolute()
    assert entry["envs"] == {"DARKROOM_GATEWAY": "sandbox"}


def test_the_installed_script_can_be_the_command(home: Path, tmp_path: Path) -> None:
    script = tmp_path / "tools" / ("darkroom-mcp.exe" if sys.platform == "win32" else "darkroom-mcp")
    script.write_text("")
    script.chmod(0o755)
    assert main(["install", "codex", "--file", str(home / "c.toml"), "--command", "path"]) == 0
    entry = tomllib.loads((home / "c.toml").read_text())["mcp_servers"]["darkroom"]
    assert (entry["command"].lower(), entry["args"]) == (str(script).lower(), [])


def test_a_broken_file_is_refused_with_the_entry_to_put_in_by_hand(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = home / "mcp.json"
    broken.write_text("{")
    assert main(["install", "cursor", "--file", str(broken)]) == 2
    said = capfd.readouterr()
    assert "Nothing was changed." in said.err
    assert "darkroom" in json.loads(said.out)["mcpServers"]
    assert broken.read_text() == "{"


def test_an_unknown_client_is_refused_with_the_closest(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["install", "windsrf"]) == 2
    assert "Closest: 'windsurf'" in capfd.readouterr().err


def test_without_uvx_a_desktop_program_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(home))
    assert main(["install", "claude-desktop"]) == 2
    assert "Install uv" in capfd.readouterr().err
    assert files_below(home) == []


def test_the_help_names_every_client(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["install", "--help"]) == 0
    shown = capfd.readouterr().out
    assert [client.name for client in CLIENTS if client.name not in shown] == []
