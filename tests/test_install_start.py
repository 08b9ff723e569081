"""An entry is written only after it has started as a host would start it: from a clone, a tool, a module, or uvx."""

import json
import os
import shlex
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

import pytest
import systems
from forking_program import python_command
from pages import bare_environ

from darkroom_server.install.entries import Launch
from darkroom_server.install.starting import seen_at_start

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = Path(sysconfig.get_path("scripts")) / "darkroom-mcp"
KEY = "canary-0123456789-canary"

pytestmark = [
    systems.shell_scripts,
    pytest.mark.skipif(not SCRIPT.is_file(), reason="darkroom-mcp is not installed in this environment"),
]


def run(home: Path, *command: str, path: str = "/usr/bin:/bin", stdin: str = "") -> subprocess.CompletedProcess[str]:
    """A command in a person's terminal, with a home of its own and nothing else."""
    environ = {"HOME": str(home), "PATH": path}
    return subprocess.run(
        command, env=environ, cwd=home, input=stdin, capture_output=True, text=True, timeout=120, check=False
    )


def told(
    home: Path, *words: str, path: str = "/usr/bin:/bin", stdin: str = "", script: Path = SCRIPT
) -> subprocess.CompletedProcess[str]:
    """The script with these words, where what it says matters and not how it starts: a fork where there are forks."""
    environ = bare_environ() | {"HOME": str(home), "PATH": path}
    command = python_command(environ, str(script), *words)
    return subprocess.run(
        command, env=environ, cwd=home, input=stdin, capture_output=True, text=True, timeout=120, check=False
    )


def entry_of(home: Path) -> dict[str, Any]:
    return json.loads((home / ".cursor" / "mcp.json").read_text())["mcpServers"]["darkroom"]


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_a_clone_writes_its_own_command_and_says_what_it_saw(tmp_path: Path) -> None:
    done = told(tmp_path, "install", "cursor")
    assert done.returncode == 0, done.stderr
    assert entry_of(tmp_path)["command"] == str(SCRIPT) and entry_of(tmp_path)["args"] == []
    assert "Started it as Cursor will: darkroom" in done.stderr
    assert "3 tools (generate_image, get_prediction, list_models), ready after" in done.stderr
    assert "Added to" in done.stderr
    files = [each.relative_to(tmp_path).as_posix() for each in tmp_path.rglob("*") if each.is_file()]
    assert files == [".cursor/mcp.json"], "to be seen to start, it leaves nothing behind"
    listed = told(tmp_path, "install", "--list", "--check")
    assert listed.returncode == 0 and "; starts (" in listed.stdout


def test_what_the_started_entry_keeps_goes_with_it(tmp_path: Path) -> None:
    serve = shlex.join(python_command(bare_environ(), str(SCRIPT)))
    script = (
        f'#!/bin/sh\necho kept > "$DARKROOM_DATA_DIR/kept"; ls "$DARKROOM_DATA_DIR"/* > "$HOME/seen"; exec {serve}\n'
    )
    entry = program(tmp_path / "bin" / "darkroom-mcp", script)
    assert seen_at_start(Launch(command=str(entry)), {}, tmp_path).name == "darkroom"
    kept = Path((tmp_path / "seen").read_text().strip())
    assert kept.name == "kept" and not kept.parent.exists() and not kept.is_relative_to(tmp_path)


def test_a_link_in_a_folder_of_commands_is_written_as_it_was_called(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "darkroom-mcp").symlink_to(SCRIPT)
    assert told(tmp_path, "install", "cursor", script=Path("bin/darkroom-mcp")).returncode == 0
    assert entry_of(tmp_path)["command"] == str(tmp_path / "bin" / "darkroom-mcp")


def test_a_module_is_started_as_a_module(tmp_path: Path) -> None:
    assert run(tmp_path, sys.executable, "-m", "darkroom_server", "install", "cursor").returncode == 0
    assert entry_of(tmp_path)["args"] == ["-m", "darkroom_server"]
    assert Path(entry_of(tmp_path)["command"]).is_absolute()


def test_what_starts_in_a_terminal_only_is_not_written(tmp_path: Path) -> None:
    """A module that is found by PYTHONPATH alone, which no host sets."""
    venv.create(tmp_path / "bare", with_pip=False)
    sources = os.pathsep.join([str(ROOT / "server"), str(ROOT / "tools"), sysconfig.get_path("purelib")])
    python = str(tmp_path / "bare" / "bin" / "python")
    environ = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONPATH": sources}
    done = subprocess.run(
        [python, "-m", "darkroom_server", "install", "cursor", "--env", f"REPLICATE_API_TOKEN={KEY}"],
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert "No module named" in done.stderr and "ended before it answered" in done.stderr
    assert "Nothing was written to Cursor" in done.stderr and "Added" not in done.stderr
    assert not (tmp_path / ".cursor").exists()
    assert KEY not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("#!/bin/sh\necho no >&2; exit 3\n", "ended before it answered"),
        ("#!/bin/sh\nread a; echo hello\n", "answered something that is not MCP"),
        ("#!/bin/sh\nread a; echo '[1]'\n", "answered something that is not MCP"),
        ('#!/bin/sh\nread a; echo \'{"id": 1, "error": {"code": 1}}\'\n', "answered something that is not MCP"),
        (f"#!/bin/sh\nread a; echo '{'[' * 100_000}'\n", "answered something that is not MCP"),
        ("#!/nowhere/sh\n", "is not found where a host looks"),
        ("no program\n", "cannot be started"),
        ("#!/bin/sh\necho $REPLICATE_API_TOKEN >&2; exit 1\n", "[key]"),
    ],
)
def test_an_entry_that_does_not_speak_is_not_written(text: str, words: str, tmp_path: Path) -> None:
    program(tmp_path / "tools" / "uvx", text)
    install = ("install", "cursor", "--command", "uvx", "--env", f"REPLICATE_API_TOKEN={KEY}")
    done = told(tmp_path, *install, path=f"{tmp_path / 'tools'}:/usr/bin:/bin")
    assert done.returncode == 2
    assert words in done.stderr and KEY not in done.stderr
    assert not (tmp_path / ".cursor").exists()


@pytest.mark.parametrize(("client", "file"), [("zed", ".config/zed/settings.json"), ("cursor", ".cursor/mcp.json")])
def test_a_variable_without_a_value_is_read_from_stdin(client: str, file: str, tmp_path: Path) -> None:
    words = ("--env", "REPLICATE_API_TOKEN", "--env", "COMETAPI_KEY", "--no-check")
    done = told(tmp_path, "install", client, *words, stdin=f"{KEY}\nsk-0123456789\n")
    assert done.returncode == 0, done.stderr
    assert KEY not in done.stdout + done.stderr
    env = {"REPLICATE_API_TOKEN": KEY, "COMETAPI_KEY": "sk-0123456789"}
    [servers] = json.loads((tmp_path / file).read_text()).values()
    assert servers["darkroom"]["env"] == env


def test_with_a_stored_key_a_client_asks_for_nothing(tmp_path: Path) -> None:
    told(tmp_path, "install", "vscode", "--no-check")  # which asks for both
    assert told(tmp_path, "key", "set", "replicate", "--file", stdin=KEY).returncode == 0
    told(tmp_path, "install", "vscode", "--no-check")
    done = told(tmp_path, "install", "cursor", "--no-check")
    assert "It uses replicate, whose key is stored." in done.stderr
    assert "env" not in entry_of(tmp_path)
    document = json.loads((tmp_path / ".config" / "Code" / "User" / "mcp.json").read_text())
    assert not document["servers"]["darkroom"].get("env")


def test_a_variable_of_which_nothing_comes_is_looked_up_where_the_client_can(tmp_path: Path) -> None:
    words = ("--env", "REPLICATE_API_TOKEN", "--no-check")
    assert told(tmp_path, "install", "zed", *words).returncode == 2
    done = told(tmp_path, "install", "cursor", *words)
    assert done.returncode == 0 and "No value came for REPLICATE_API_TOKEN" in done.stderr
    assert entry_of(tmp_path)["env"]["REPLICATE_API_TOKEN"] == "${env:REPLICATE_API_TOKEN}"


def test_what_was_added_and_starts_no_more_is_listed_so(tmp_path: Path) -> None:
    link = tmp_path / "darkroom-mcp"
    link.symlink_to(SCRIPT)
    assert told(tmp_path, "install", "cursor", "--no-check", script=link).returncode == 0
    assert entry_of(tmp_path)["command"] == str(link)
    link.unlink()
    listed = told(tmp_path, "install", "--list", "--check")
    assert listed.returncode == 1 and "does not start" in listed.stdout


class PassingEnvironment:
    """An environment in uv's cache, as `uvx` makes them, and a `uv` that installs tools by writing a small script."""

    def __init__(self, folder: Path) -> None:
        self.home, self.log = folder / "home", folder / "log"
        self.home.mkdir()
        place = folder / "cache" / "archive-v0" / "x1"
        venv.create(place, with_pip=False)
        self.python = str(place / "bin" / "python")
        site = next((place / "lib").glob("python*/site-packages"))
        sources = [str(ROOT / "server"), str(ROOT / "tools"), sysconfig.get_path("purelib")]
        (site / "here.pth").write_text("\n".join(sources))
        tool = folder / "bin" / "darkroom-mcp"
        run_it = f'#!/bin/sh\\nexec {shlex.quote(str(SCRIPT))} "$@"\\n'
        program(
            folder / "tools" / "uv",
            f'#!/bin/sh\necho "$@" >> {self.log}\n[ "$2" = install ] || {{ echo {tool.parent}; exit; }}\n'
            f"mkdir -p {tool.parent}; printf '{run_it}' > {tool}; chmod 755 {tool}\n",
        )
        program(folder / "tools" / "uvx", "#!/bin/sh\nexit 1\n")
        self.tool, self.path = tool, f"{folder / 'tools'}:/usr/bin:/bin"

    def install(self, *words: str) -> subprocess.CompletedProcess[str]:
        return run(self.home, self.python, "-m", "darkroom_server", "install", "cursor", *words, path=self.path)


def test_an_environment_that_passes_is_never_written(tmp_path: Path) -> None:
    passing = PassingEnvironment(tmp_path)
    refused = passing.install()
    assert refused.returncode == 2
    assert "uv tool install" in refused.stderr and "--yes" in refused.stderr
    assert not passing.log.exists() and not (passing.home / ".cursor").exists()
    done = passing.install("--yes")
    assert done.returncode == 0, done.stderr
    assert entry_of(passing.home) == {
        "command": str(passing.tool),
        "args": [],
        "env": {"DARKROOM_GATEWAY": "${env:DARKROOM_GATEWAY}", "DARKROOM_API_KEY": "${env:DARKROOM_API_KEY}"},
    }
    assert passing.log.read_text().startswith("tool install ")


def test_a_tool_that_uv_cannot_install_is_said(tmp_path: Path) -> None:
    passing = PassingEnvironment(tmp_path)
    program(tmp_path / "tools" / "uv", "#!/bin/sh\necho 'error: no such package' >&2; exit 1\n")
    done = passing.install("--yes")
    assert done.returncode == 2
    assert "no such package" in done.stderr and not (passing.home / ".cursor").exists()
    (tmp_path / "tools" / "uv").unlink()
    assert "uv was not found" in passing.install("--yes").stderr
