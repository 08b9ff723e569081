"""The install command as a person runs it: what it writes below a home of its own, and what it says.

Whether an entry starts is held in test_install_start.py; here none is started.
"""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import systems
import yaml
from forking_program import python_command

from darkroom_server.cli import main
from darkroom_server.install.clients import CLIENTS

BY_UVX = ("--command", "uvx", "--no-check")


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


@systems.linux
@pytest.mark.parametrize("name", [client.name for client in CLIENTS if client.file])
def test_the_entry_lands_in_the_file_of_the_client(name: str, home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["install", name, "--no-check"]) == 0
    [file] = files_below(home)
    said = capfd.readouterr()
    assert said.out == ""
    assert f"Added to {home / file}" in said.err
    assert "darkroom" in (home / file).read_text().replace(file, "")
    assert main(["install", name, "--no-check"]) == 0
    assert "Already there in" in capfd.readouterr().err
    assert files_below(home) == [file]


@pytest.mark.parametrize("name", [client.name for client in CLIENTS])
def test_print_writes_nothing(name: str, home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["install", name, "--print"]) == 0
    assert "darkroom" in capfd.readouterr().out
    assert files_below(home.parent / "project") == files_below(home) == []


def test_claude_code_gets_its_own_command(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["install", "claude-code", "--env", "REPLICATE_API_TOKEN=ab", "--name", "pictures", *BY_UVX]) == 0
    line = "claude mcp add pictures --scope user --env REPLICATE_API_TOKEN=ab -- uvx darkroom-mcp\n"
    assert capfd.readouterr().out == line


def test_a_project_gets_its_file_without_a_path_of_this_computer(home: Path) -> None:
    for name in ("claude-code", "cursor", "vscode", "codex"):
        assert main(["install", name, "--project", *BY_UVX]) == 0
    project = home.parent / "project"
    files = [".codex/config.toml", ".cursor/mcp.json", ".mcp.json", ".vscode/mcp.json"]
    assert files_below(project) == files
    assert not any(str(home.parent) in (project / file).read_text() for file in files)


def test_a_desktop_program_gets_the_whole_path_of_uvx(home: Path) -> None:
    assert main(["install", "goose", "--file", str(home / "g.yaml"), "--env", "DARKROOM_GATEWAY=sandbox", *BY_UVX]) == 0
    entry = yaml.safe_load((home / "g.yaml").read_text())["extensions"]["darkroom"]
    assert Path(entry["cmd"]).is_absolute()
    assert entry["envs"] == {"DARKROOM_GATEWAY": "sandbox"}


def test_the_installed_script_can_be_the_command(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "tools" / ("darkroom-mcp.exe" if sys.platform == "win32" else "darkroom-mcp")
    script.write_text("")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(script)])
    assert main(["install", "codex", "--file", str(home / "c.toml"), "--command", "path", "--no-check"]) == 0
    entry = tomllib.loads((home / "c.toml").read_text())["mcp_servers"]["darkroom"]
    assert (entry["command"].lower(), entry["args"]) == (str(script).lower(), [])


def test_a_broken_file_is_refused_with_the_entry_to_put_in_by_hand(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = home / "mcp.json"
    broken.write_text("{")
    assert main(["install", "cursor", "--file", str(broken), "--no-check"]) == 2
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
    assert main(["install", "claude-desktop", *BY_UVX]) == 2
    assert "Install uv" in capfd.readouterr().err
    assert files_below(home) == []


def test_the_help_names_every_client(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["install", "--help"]) == 0
    shown = capfd.readouterr().out
    assert [client.name for client in CLIENTS if client.name not in shown] == []


@pytest.mark.parametrize(
    ("given", "closest"),
    [
        ("REPLICATE_API_TOKN=r8_0123456789", "REPLICATE_API_TOKEN"),
        ("DARKROOM_MAX_USD_DAY=1", "DARKROOM_MAX_USD_PER_DAY"),
        ("DARKROOM_FOO", "DARKROOM_"),
        ("darkroom_gateway=replicate", "DARKROOM_GATEWAY"),
    ],
)
def test_a_variable_that_darkroom_does_not_read_is_refused_with_the_one_that_was_meant(
    given: str, closest: str, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["install", "cursor", "--env", given, "--no-check"]) == 2
    said = capfd.readouterr().err
    assert f"Did you mean {closest}" in said
    assert "0123456789" not in said and files_below(home) == []


def test_a_variable_of_another_name_is_handed_on(home: Path) -> None:
    path = home / "m.json"
    assert main(["install", "cursor", "--env", "MY_COMPANY=x", "--file", str(path), "--no-check"]) == 0
    assert json.loads(path.read_text())["mcpServers"]["darkroom"]["env"]["MY_COMPANY"] == "x"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("DARKROOM_WAIT_SECONDS=soon", "Allowed: whole seconds"),
        ("DARKROOM_GATEWAY=nowhere", "known gateways"),
        ("DARKROOM_OUTPUT_HOSTS=https://x/", "host names"),
        ("DARKROOM_PROXY=proxy", "http://host:port"),
    ],
)
def test_a_value_that_darkroom_cannot_use_is_refused_before_it_is_written(
    given: str, words: str, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["install", "zed", "--env", given, "--no-check"]) == 2
    said = capfd.readouterr().err
    assert words in said and "Nothing was written" in said and "the user" not in said
    assert files_below(home) == []


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        (["REPLICATE_API_TOKEN=r8_0123456789"], []),
        (["DARKROOM_GATEWAY=sandbox"], []),
        (["DARKROOM_GATEWAY=replicate"], ["DARKROOM_API_KEY"]),
        (["DARKROOM_BASE_URL=https://relay.example.com"], ["DARKROOM_API_KEY"]),
        (["DARKROOM_API_KEY=0123456789"], ["DARKROOM_GATEWAY"]),
        (["DARKROOM_WAIT_SECONDS=20"], ["DARKROOM_GATEWAY", "DARKROOM_API_KEY"]),
    ],
)
def test_vscode_asks_for_nothing_that_was_given_or_follows_from_it(
    given: list[str], asked: list[str], home: Path
) -> None:
    path = home / "mcp.json"
    words = [word for each in given for word in ("--env", each)]
    assert main(["install", "vscode", "--file", str(path), "--no-check"]) == 0  # which asks for both
    assert main(["install", "vscode", "--file", str(path), "--no-check", *words]) == 0
    env = json.loads(path.read_text())["servers"]["darkroom"]["env"]
    assert [name for name, value in env.items() if value.startswith("${input:")] == asked
    assert {f"{name}={value}" for name, value in env.items()} >= set(given)


def test_the_list_says_which_clients_are_here_and_which_have_darkroom(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (home / ".codeium" / "windsurf").mkdir(parents=True)
    (home / ".claude.json").write_text('{"mcpServers": {"darkroom": {"command": "/x/darkroom-mcp", "args": []}}}')
    (home / ".lmstudio").mkdir()
    (home / ".lmstudio" / "mcp.json").write_text("{")
    assert main(["install", "cursor", "--no-check"]) == 0
    capfd.readouterr()
    assert main(["install", "--list"]) == 0
    lines = dict(line.split("  ", 1) for line in capfd.readouterr().out.splitlines())
    said = {title: words.strip() for title, words in lines.items()}
    assert len(said) == len(CLIENTS)
    assert said["Windsurf"] == "here, without darkroom"
    assert said["Goose"] == "not here"
    assert said["Claude Code"] == "has darkroom: /x/darkroom-mcp"
    assert said["Cursor"].startswith("has darkroom: ")
    assert "cannot be understood" in said["LM Studio"]


def test_uninstall_says_what_it_did(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = home / "mcp.json"
    path.write_text("{}")
    assert main(["install", "cursor", "--file", str(path), "--no-check"]) == 0
    assert main(["uninstall", "cursor", "--file", str(path)]) == 0
    assert f"{path} is as it was before darkroom." in capfd.readouterr().err
    assert path.read_text() == "{}"
    assert main(["uninstall", "cursor", "--file", str(path)]) == 2
    assert "no entry of this name" in capfd.readouterr().err
    assert main(["uninstall", "claude-code"]) == 0
    assert capfd.readouterr().out == "claude mcp remove darkroom --scope user\n"


@systems.posix_names
@pytest.mark.parametrize("name", ["狐狸", "caf\udce9"])
@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_a_home_that_the_terminal_cannot_write_ends_in_no_crash(name: str, encoding: str, tmp_path: Path) -> None:
    odd = tmp_path / name
    odd.mkdir()
    commands = [
        ["install", "cursor", "--no-check"],
        ["install", "cursor", "--print"],
        ["install", "--list"],
        ["install", "cursor", "--env", f"X={odd}", "--no-check"],
    ]
    program = "import json, sys; from darkroom_server.cli import main; print(*map(main, json.loads(sys.argv[1])))"
    environ = {**os.environ, "HOME": str(odd), "PYTHONIOENCODING": encoding, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        python_command(environ, "-c", program, json.dumps(commands)),
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert b"Traceback" not in done.stderr and done.returncode == 0, done.stderr.decode("ascii", "replace")
    codes = done.stdout.splitlines()[-1].split()
    assert len(codes) == len(commands) and set(codes) <= {b"0", b"2"}
