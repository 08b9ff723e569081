"""The way out of each client: the file as it was, byte for byte, or without our entry where others have changed it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import systems
import yaml
from test_install import BROKEN, NAMES, OTHERS, WITH_COMMENTS, put_in, read_back, settings_file

from darkroom.errors import SettingsError
from darkroom_server.install.clients import client_named
from darkroom_server.install.entries import Launch
from darkroom_server.install.removing import remove_entry
from darkroom_server.install.writing import Done

FLAT = {
    "json": '{"a": 1, "%s": {"other": {"command": "x"}}, "z": [1, 2]}',
    "toml": 'a = 1\n%s = {other = {command = "x"}}\n',
    "yaml": "a: 1\n%s: {other: {cmd: x}}\nz: 2\n",
}
EMPTY = {"json": "", "toml": "", "yaml": ""}
TEXTS = pytest.mark.parametrize(
    "texts", [OTHERS, WITH_COMMENTS, FLAT, EMPTY], ids=["others", "comments", "flat", "empty"]
)


def take_out(name: str, path: Path) -> Done:
    return remove_entry(client_named(name), path, "darkroom", stamp="20260203-040506")


def filled(texts: dict[str, str], name: str) -> str:
    text = texts[client_named(name).format]
    return text % client_named(name).table if text else ""


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("name", NAMES)
@TEXTS
def test_an_untouched_file_becomes_what_it_was_byte_for_byte(
    name: str, texts: dict[str, str], ends: str, tmp_path: Path
) -> None:
    path = tmp_path / "settings"
    before = filled(texts, name).replace("\n", ends).encode()
    path.write_bytes(before)
    put_in(client_named(name), path)
    put_in(client_named(name), path, "DARKROOM_WAIT_SECONDS=30", launch=Launch(command="/new/darkroom-mcp"))
    assert take_out(name, path).action == "restored"
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["settings"], "the copies may hold a key"


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_installing_made_is_gone_again(name: str, tmp_path: Path) -> None:
    path = tmp_path / "settings"
    put_in(client_named(name), path, "DARKROOM_API_KEY=secret")
    put_in(client_named(name), path, "DARKROOM_API_KEY=other")
    assert take_out(name, path).action == "deleted"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", NAMES)
@TEXTS
def test_what_others_changed_since_stays_with_every_comment(name: str, texts: dict[str, str], tmp_path: Path) -> None:
    client = client_named(name)
    path = tmp_path / "settings"
    path.write_text(filled(texts, name))
    put_in(client, path, "DARKROOM_WAIT_SECONDS=30")
    mark = "// later\n" if client.format == "json" else "# later\n"
    path.write_text(mark + path.read_text())
    done = take_out(name, path)
    after = path.read_text()
    assert done.action == "removed" and done.backup and "darkroom" in done.backup.read_text()
    wanted = read_back(client, filled(texts, name) or ("{}" if client.format == "json" else "")) or {}
    got = read_back(client, after) or {}
    assert without_empty(got) == without_empty(wanted)
    assert after.startswith(mark)
    for comment in re.findall(r"(?:#|//|/\*) ?[a-z ]+", filled(texts, name)):
        assert comment in after
    assert "darkroom" not in after


def without_empty(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if value not in ({}, [], None)}


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_between_others_goes_alone(name: str, tmp_path: Path) -> None:
    client = client_named(name)
    path = settings_file(tmp_path, client, OTHERS[client.format])
    put_in(client, path)
    put_in(client, path, name="another")
    before = read_back(client, path.read_text())
    assert take_out(name, path).action == "removed"
    after = read_back(client, path.read_text())
    assert set(before[client.table]) - set(after[client.table]) == {"darkroom"}
    before[client.table].pop("darkroom")
    assert after == before, "the questions are still asked for the other entry"


@pytest.mark.parametrize(
    "text",
    [
        '{"mcpServers": {"darkroom": {"command": "x"}}}',
        '{"mcpServers": {"darkroom": {"command": "x"}, "b": {}}}',
        '{"mcpServers": {"b": {}, "darkroom": {"command": "x"},}}',
        '{"mcpServers": {"b": {} /* c */ , /* d */ "darkroom": {"command": "x"} /* e */ }}',
        '{"mcpServers": {\n// a\n"darkroom": {"command": "x"} // b\n, // c\n"b": {} // d\n}\n}',
        '{"mcpServers": {"darkroom": {"command": "y"}, "b": {}, "darkroom": {"command": "x"}}}',
        '\ufeff{\t"mcpServers"\t:\t{\t"darkroom"\t:\t{"command": "x"}\t}\t}',
    ],
)
def test_an_entry_written_by_hand_goes_in_any_layout(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_bytes(text.encode())
    assert take_out("cursor", path).action == "removed"
    after = path.read_bytes().decode().removeprefix("\ufeff")
    assert set(read_back(client_named("cursor"), after)["mcpServers"]) == ({"b"} if '"b"' in text else set())
    assert set(re.findall(r"/\* \w \*/|// \w", text)) == set(re.findall(r"/\* \w \*/|// \w", after))


@pytest.mark.parametrize(
    "text",
    [
        "[mcp_servers]\ndarkroom = {command = 'x'}\nb = {command = 'y'}\n",
        "mcp_servers.darkroom.command = 'x'\nmcp_servers.b.command = 'y'\n",
        "[mcp_servers.darkroom]\ncommand = 'x'\n\n[mcp_servers.darkroom.env]\nA = '1'\n"
        "# of b\n[mcp_servers.b]\ncommand = 'y'\n",
        '[mcp_servers."darkroom"] # c\ncommand = "x"\n[mcp_servers.b]\ncommand = "y"\n',
    ],
)
def test_a_table_goes_in_any_way_of_writing(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    assert take_out("codex", path).action == "removed"
    after = path.read_text()
    assert read_back(client_named("codex"), after) == {"mcp_servers": {"b": {"command": "y"}}}
    assert ("# of b" in text) is ("# of b" in after)


def test_a_yaml_entry_in_one_line_goes(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("extensions: {a: {cmd: x}, darkroom: {cmd: y}}\nb: 1\n")
    assert take_out("goose", path).action == "removed"
    assert yaml.safe_load(path.read_text()) == {"extensions": {"a": {"cmd": "x"}}, "b": 1}


def test_a_question_that_another_server_asks_too_stays(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    put_in(client_named("vscode"), path)
    document = json.loads(path.read_text())
    document["servers"]["mine"] = {"command": "x", "env": {"K": "${input:darkroom-key}"}}
    path.write_text(json.dumps(document))
    take_out("vscode", path)
    assert [each["id"] for each in json.loads(path.read_text())["inputs"]] == ["darkroom-key"]


@pytest.mark.parametrize("name", NAMES)
def test_a_client_without_the_entry_is_left_alone(name: str, tmp_path: Path) -> None:
    client = client_named(name)
    path = settings_file(tmp_path, client, OTHERS[client.format])
    before = path.read_bytes()
    assert take_out(name, path).action == "absent"
    assert take_out(name, tmp_path / "nowhere" / "settings").action == "absent"
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_file_is_not_touched(name: str, tmp_path: Path) -> None:
    client = client_named(name)
    path = settings_file(tmp_path, client, BROKEN[client.format])
    before = path.read_bytes()
    with pytest.raises(SettingsError, match="Nothing was changed") as refused:
        take_out(name, path)
    assert path.read_bytes() == before
    assert len(refused.value.message) <= 300


@systems.links
def test_a_linked_file_stays_a_link(tmp_path: Path) -> None:
    kept = tmp_path / "dotfiles" / "mcp.json"
    kept.parent.mkdir()
    kept.write_text("{}")
    (tmp_path / "mcp.json").symlink_to(kept)
    put_in(client_named("cursor"), tmp_path / "mcp.json")
    assert take_out("cursor", tmp_path / "mcp.json").action == "restored"
    assert (tmp_path / "mcp.json").is_symlink() and kept.read_text() == "{}"
