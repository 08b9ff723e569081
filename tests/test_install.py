"""Each client's entry, written into every kind of file that can be there and read back by a parser of that format."""

import json
import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
import systems
import yaml

from darkroom.errors import DarkroomError, InvalidRequest, SettingsError
from darkroom_server.install.clients import CLIENTS, Client, Machine, client_named
from darkroom_server.install.entries import Launch, environment_for, fresh_entry, uvx_launch
from darkroom_server.install.writing import Done, shown_entry, write_entry

UVX = Launch(command="/opt/uv/uvx", args=("darkroom-mcp",))
NAMES = [client.name for client in CLIENTS]
JSON_NAMES = [client.name for client in CLIENTS if client.format == "json"]

OTHERS = {
    "json": '{\n    "theme": "dark",\n    "%s": {\n        "other": {"command": "x", "args": ["a", "b"]}\n    }\n}\n',
    "toml": 'model = "m"\n\n[%s.other]\ncommand = "x"\nargs = ["a", "b"]\n\n[profiles.a]\nmodel = "n"\n',
    "yaml": "GOOSE_MODEL: m\n%s:\n  other:\n    enabled: true\n    cmd: x\n    args:\n    - a\n    - b\nkeyring: off\n",
}
WITH_COMMENTS = {
    "json": (
        '// settings, by hand\n{\n  /* look */\n  "theme": "dark", // at night\n'
        '  "%s": {\n    // the other one\n    "other": {"command": "x"}, // goes on\n    // nothing more\n  },\n}\n'
    ),
    "toml": '# by hand\nmodel = "m" # fast\n\n[%s.other] # the other one\ncommand = "x"\n# nothing more\n',
    "yaml": (
        "# by hand\n%s:\n  # the other one\n  other:\n    cmd: x # goes on\n"
        "  # nothing more\n\n# the end\nkeyring: off\n"
    ),
}
BROKEN = {"json": '{"%s": {"other": }', "toml": "[%s.other\ncommand = ", "yaml": "%s: [a,\n  b: {c\n"}


def read_back(client: Client, text: str) -> dict[str, Any]:
    """The whole file, by a parser that is not ours."""
    if client.format == "toml":
        return tomllib.loads(text)
    if client.format == "yaml":
        return yaml.safe_load(text)
    return json.loads(without_comments(text))


def without_comments(text: str) -> str:
    """JSON with comments and trailing commas -> JSON; strings are left alone."""
    pattern = r'("(?:[^"\\]|\\.)*")|//[^\n]*|/\*.*?\*/'
    text = re.sub(pattern, lambda found: found[1] or "", text, flags=re.DOTALL)
    return re.sub(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', lambda found: found[1] or "", text)


def put_in(client: Client, path: Path, *env: str, launch: Launch = UVX, name: str = "darkroom") -> Done:
    environment = environment_for(client, env)
    entry = fresh_entry(client, name, launch, environment)
    return write_entry(client, path, name, entry, given=environment.given, stamp="20260102-030405")


def settings_file(folder: Path, client: Client, text: str) -> Path:
    path = folder / f"settings.{client.format}"
    path.write_bytes((text % client.table).encode())
    return path


def command_of(client: Client, entry: dict[str, Any]) -> list[str]:
    return [entry[client.command_key], *entry["args"]]


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_is_written_where_no_file_is(name: str, tmp_path: Path) -> None:
    client = client_named(name)
    path = tmp_path / "new" / "folder" / "settings"
    done = put_in(client, path)
    assert (done.action, done.backup) == ("added", None)
    entry = read_back(client, path.read_text())[client.table]["darkroom"]
    assert command_of(client, entry) == ["/opt/uv/uvx", "darkroom-mcp"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("texts", [OTHERS, WITH_COMMENTS], ids=["others", "comments"])
def test_an_entry_joins_the_others_and_leaves_every_line_as_it_was(
    name: str, texts: dict[str, str], tmp_path: Path
) -> None:
    client = client_named(name)
    path = settings_file(tmp_path, client, texts[client.format])
    before = path.read_text()
    assert put_in(client, path).action == "added"
    after = read_back(client, path.read_text())
    assert command_of(client, after[client.table].pop("darkroom")) == ["/opt/uv/uvx", "darkroom-mcp"]
    after.pop("inputs", None)
    assert after == read_back(client, before)
    left = iter(path.read_text().splitlines())
    lost = [line for line in before.splitlines() if not any(line.rstrip(",") == each.rstrip(",") for each in left)]
    assert lost == []


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_of_the_file_before_is_kept(name: str, tmp_path: Path) -> None:
    client = client_named(name)
    path = settings_file(tmp_path, client, OTHERS[client.format])
    before = path.read_bytes()
    backup = put_in(client, path).backup
    assert backup and backup == path.with_name(f"{path.name}.bak-20260102-030405")
    assert backup.read_bytes() == before
    second = put_in(client, path, "DARKROOM_GATEWAY=sandbox").backup
    assert second == path.with_name(f"{path.name}.bak-20260102-030405-2")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("texts", [OTHERS, WITH_COMMENTS], ids=["others", "comments"])
def test_a_second_time_nothing_is_written(name: str, texts: dict[str, str], tmp_path: Path) -> None:
    client = client_named(name)
    path = settings_file(tmp_path, client, texts[client.format])
    put_in(client, path)
    before = path.read_bytes()
    done = put_in(client, path)
    assert (done.action, done.backup) == ("unchanged", None)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2  # the file and one copy


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_that_is_there_gets_the_new_command_and_keeps_what_the_person_set(name: str, tmp_path: Path) -> None:
    client = client_named(name)
    path = settings_file(tmp_path, client, OTHERS[client.format])
    put_in(client, path, "DARKROOM_API_KEY=secret", "DARKROOM_GATEWAY=replicate", launch=Launch(command="/old/uvx"))
    done = put_in(client, path, "DARKROOM_GATEWAY=deerapi", "DARKROOM_WAIT_SECONDS=30")
    entry = read_back(client, path.read_text())[client.table]["darkroom"]
    assert done.action == "updated"
    assert command_of(client, entry) == ["/opt/uv/uvx", "darkroom-mcp"]
    assert entry[client.env_key] == {
        "DARKROOM_API_KEY": "secret",
        "DARKROOM_GATEWAY": "deerapi",
        "DARKROOM_WAIT_SECONDS": "30",
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_file_is_refused_and_not_touched(name: str, tmp_path: Path) -> None:
    client = client_named(name)
    path = settings_file(tmp_path, client, BROKEN[client.format])
    before = path.read_bytes()
    with pytest.raises(SettingsError, match="Nothing was changed") as refused:
        put_in(client, path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    assert len(refused.value.message) <= 300


@pytest.mark.parametrize("name", NAMES)
def test_windows_line_ends_stay(name: str, tmp_path: Path) -> None:
    client = client_named(name)
    path = settings_file(tmp_path, client, OTHERS[client.format].replace("\n", "\r\n"))
    put_in(client, path)
    put_in(client, path, "DARKROOM_GATEWAY=sandbox")
    assert not re.search(rb"(?<!\r)\n", path.read_bytes())
    assert "darkroom" in read_back(client, path.read_bytes().decode())[client.table]


@pytest.mark.parametrize("name", NAMES)
def test_odd_values_survive_the_format(name: str, tmp_path: Path) -> None:
    client = client_named(name)
    value = 'C:\\new "x" \u00e9 \u2028 #1: {a}, 100%'
    put_in(client, tmp_path / "settings", f"DARKROOM_OUTPUT_DIR={value}", "A=true", "B=12", "C=", "D=null")
    entry = read_back(client, (tmp_path / "settings").read_text())[client.table]["darkroom"]
    env = entry[client.env_key]
    assert [env[each] for each in ("DARKROOM_OUTPUT_DIR", "A", "B", "C", "D")] == [value, "true", "12", "", "null"]


@pytest.mark.parametrize("name", NAMES)
def test_no_value_of_a_key_is_written_unasked(name: str, tmp_path: Path) -> None:
    client = client_named(name)
    put_in(client, tmp_path / "settings")
    env = read_back(client, (tmp_path / "settings").read_text())[client.table]["darkroom"].get(client.env_key, {})
    assert all(value.startswith("${") for value in env.values())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("claude-code", "${DARKROOM_API_KEY:-}"),
        ("cursor", "${env:DARKROOM_API_KEY}"),
        ("vscode", "${input:darkroom-key}"),
        ("windsurf", "${env:DARKROOM_API_KEY}"),
        ("gemini-cli", "${DARKROOM_API_KEY}"),
    ],
)
def test_a_key_is_referred_to_in_the_way_of_the_client(name: str, value: str, tmp_path: Path) -> None:
    client = client_named(name)
    put_in(client, tmp_path / "settings")
    entry = read_back(client, (tmp_path / "settings").read_text())[client.table]["darkroom"]
    assert entry["env"]["DARKROOM_API_KEY"] == value


def test_codex_hands_on_two_variables_and_waits_long_enough(tmp_path: Path) -> None:
    put_in(client_named("codex"), tmp_path / "config.toml")
    entry = tomllib.loads((tmp_path / "config.toml").read_text())["mcp_servers"]["darkroom"]
    assert entry["env_vars"] == ["DARKROOM_GATEWAY", "DARKROOM_API_KEY"]
    assert (entry["startup_timeout_sec"], entry["tool_timeout_sec"]) == (60, 300)


def test_goose_looks_up_only_what_it_is_told_to(tmp_path: Path) -> None:
    goose = client_named("goose")
    put_in(goose, tmp_path / "config.yaml")
    assert "env_keys" not in yaml.safe_load((tmp_path / "config.yaml").read_text())["extensions"]["darkroom"]
    put_in(goose, tmp_path / "config.yaml", "DARKROOM_API_KEY", "DARKROOM_GATEWAY=replicate")
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["extensions"]["darkroom"] == {
        "enabled": True,
        "type": "stdio",
        "name": "darkroom",
        "cmd": "/opt/uv/uvx",
        "args": ["darkroom-mcp"],
        "envs": {"DARKROOM_GATEWAY": "replicate"},
        "env_keys": ["DARKROOM_API_KEY"],
        "timeout": 300,
    }


def test_vscode_asks_once_for_what_is_referred_to(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_text('{"inputs": [{"id": "darkroom-key", "type": "promptString", "description": "mine"}]}')
    put_in(client_named("vscode"), path)
    inputs = json.loads(path.read_text())["inputs"]
    assert [each["id"] for each in inputs] == ["darkroom-key", "darkroom-gateway"]
    assert inputs[0]["description"] == "mine"


def test_vscode_asks_for_nothing_that_is_given(tmp_path: Path) -> None:
    put_in(client_named("vscode"), tmp_path / "mcp.json", "DARKROOM_GATEWAY=replicate", "DARKROOM_API_KEY=k")
    assert "inputs" not in json.loads((tmp_path / "mcp.json").read_text())


def test_a_remote_server_of_the_same_name_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_text('{"mcpServers": {"darkroom": {"url": "http://127.0.0.1:8000/mcp"}}}')
    with pytest.raises(SettingsError, match="--name"):
        put_in(client_named("cursor"), path)
    assert put_in(client_named("cursor"), path, name="darkroom2").action == "added"


@pytest.mark.parametrize("text", ["[]", '"x"', '{"mcpServers": []}', '{"mcpServers": {"darkroom": 3}}', "{} {}"])
def test_a_file_of_another_shape_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_text(text)
    with pytest.raises(SettingsError):
        put_in(client_named("cursor"), path)
    assert path.read_text() == text


@systems.links
def test_a_linked_file_stays_a_link_and_keeps_its_mode(tmp_path: Path) -> None:
    kept = tmp_path / "dotfiles" / "mcp.json"
    kept.parent.mkdir()
    kept.write_text("{}")
    kept.chmod(0o640)
    (tmp_path / "mcp.json").symlink_to(kept)
    put_in(client_named("cursor"), tmp_path / "mcp.json")
    assert (tmp_path / "mcp.json").is_symlink()
    assert "darkroom" in kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o640


@systems.mode_bits
def test_a_new_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    put_in(client_named("cursor"), tmp_path / "mcp.json", "DARKROOM_API_KEY=secret")
    assert stat.S_IMODE((tmp_path / "mcp.json").stat().st_mode) == 0o600


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be"):
        put_in(client_named("cursor"), tmp_path / "file" / "mcp.json")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_bytes(b"\xff\xfe{\x00}\x00")
    with pytest.raises(SettingsError, match="UTF-8"):
        put_in(client_named("cursor"), tmp_path / "mcp.json")


@pytest.mark.parametrize("name", NAMES)
def test_what_is_shown_is_a_whole_file_of_its_format(name: str) -> None:
    client = client_named(name)
    entry = fresh_entry(client, "darkroom", UVX, environment_for(client, ()))
    assert read_back(client, shown_entry(client, "darkroom", entry))[client.table]["darkroom"] == entry


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_every_client_has_a_place_on_every_system(platform: Any, tmp_path: Path) -> None:
    machine = Machine(platform=platform, home=tmp_path / "home", config=tmp_path / "config", project=tmp_path / "p")
    places = [client.path(machine) for client in CLIENTS if client.file]
    assert len(set(places)) == len(places) == len(CLIENTS) - 1
    assert all(place and place.is_relative_to(tmp_path) and "{" not in str(place) for place in places)


def test_a_project_file_lies_in_the_project(tmp_path: Path) -> None:
    machine = Machine(platform="linux", home=tmp_path / "home", config=tmp_path / "config", project=tmp_path / "p")
    assert client_named("claude-code").path(machine, in_project=True) == tmp_path / "p" / ".mcp.json"
    with pytest.raises(InvalidRequest, match="no project file"):
        client_named("zed").path(machine, in_project=True)


def test_desktop_programs_get_an_absolute_command_and_terminals_a_short_one() -> None:
    uvx = "/opt/uv/uvx"
    assert uvx_launch(client_named("zed"), uvx).command == uvx
    assert uvx_launch(client_named("gemini-cli"), uvx).command == "uvx"
    assert uvx_launch(client_named("cursor"), uvx, in_project=True).command == "uvx"


def test_a_command_that_is_not_here_is_refused_with_what_to_do() -> None:
    with pytest.raises(InvalidRequest, match="Install uv"):
        uvx_launch(client_named("claude-desktop"), None)


def test_an_unknown_client_error_names_the_closest_one() -> None:
    with pytest.raises(InvalidRequest, match="Closest: 'claude-desktop'") as unknown:
        client_named("claude-dektop")
    assert len(unknown.value.message) <= 300


def test_a_variable_without_a_value_needs_a_client_that_can_look_it_up() -> None:
    assert environment_for(client_named("cursor"), ["REPLICATE_API_TOKEN"]).referred[0] == "REPLICATE_API_TOKEN"
    with pytest.raises(DarkroomError, match="give its value"):
        environment_for(client_named("zed"), ["REPLICATE_API_TOKEN"])


def test_the_copy_keeps_the_time_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_text("{}")
    os.utime(path, (1_000_000_000, 1_000_000_000))
    backup = put_in(client_named("cursor"), path).backup
    assert backup is not None
    assert backup.stat().st_mtime == 1_000_000_000
