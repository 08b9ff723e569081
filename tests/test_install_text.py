"""Changing a settings file as text: whatever was in it is still in it, for files of any shape."""

import json
import tomllib
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from darkroom_server.install import json_text, toml_text, yaml_text

ENTRY: dict[str, Any] = {"command": "/opt/uv/uvx", "args": ["darkroom-mcp"], "env": {"A": "1"}}
GOOSE_ENTRY: dict[str, Any] = {"enabled": True, "cmd": "/opt/uv/uvx", "args": ["darkroom-mcp"], "timeout": 300}

words = st.text("abc xyz-_#:'\"{}[]\\/,\n\té", max_size=12)
leaves = st.none() | st.booleans() | st.integers(-5, 5) | words
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3), max_leaves=8
)
servers = st.dictionaries(words, st.dictionaries(words, values, max_size=3), max_size=3)


def yaml_dumped(document: Any, style: dict[str, Any]) -> str:
    dump: Any = yaml.safe_dump
    return dump(document, sort_keys=False, **style)


@given(
    document=st.dictionaries(words, values, max_size=3),
    servers=servers | st.none(),
    indent=st.sampled_from([None, 1, 2, 4, "\t"]),
)
def test_a_json_text_gets_the_entry_and_nothing_else(
    document: dict[str, Any], servers: dict[str, Any] | None, indent: Any
) -> None:
    document |= {} if servers is None else {"mcpServers": servers}
    changed = json_text.put(json.dumps(document, indent=indent), ("mcpServers", "darkroom"), ENTRY)
    expected = document | {"mcpServers": (servers or {}) | {"darkroom": ENTRY}}
    assert json.loads(changed) == json_text.read(changed) == expected


@given(
    others=st.dictionaries(st.text("abc-_", min_size=1, max_size=8), values, max_size=3),
    head=st.dictionaries(st.text("ABC_", min_size=1, max_size=8), values, max_size=2),
    style=st.sampled_from(
        [{"indent": 2}, {"indent": 4}, {"width": 20}, {"explicit_start": True}, {"allow_unicode": True}]
    ),
)
def test_a_yaml_text_gets_the_entry_or_is_refused(others: Any, head: Any, style: dict[str, Any]) -> None:
    assume("darkroom" not in others)
    document = head | {"extensions": others}
    text = yaml_dumped(document, style)
    try:
        changed = yaml_text.put(text, ("extensions", "darkroom"), GOOSE_ENTRY)
    except ValueError:
        return
    assert yaml.safe_load(changed) == head | {"extensions": others | {"darkroom": GOOSE_ENTRY}}
    assert yaml_text.read(changed, ("extensions", "darkroom")) == GOOSE_ENTRY
    assert yaml_text.put(changed, ("extensions", "darkroom"), GOOSE_ENTRY) == changed


@given(old=st.dictionaries(st.text("abcd", min_size=1, max_size=4), leaves | st.lists(leaves, max_size=2), max_size=4))
def test_a_plain_yaml_entry_is_read_as_a_yaml_parser_reads_it(old: Any) -> None:
    text = yaml.safe_dump({"extensions": {"darkroom": old}})
    try:
        ours = yaml_text.read(text, ("extensions", "darkroom"))
    except ValueError:
        return
    assert ours == old


def test_a_goose_file_as_goose_writes_it_is_understood() -> None:
    text = (
        "extensions:\n  developer:\n    enabled: true\n    type: builtin\n    name: developer\n    display_name: null\n"
        "    description: 'Edit: files'\n    available_tools: []\n  memory:\n    enabled: false\n    args:\n    - -y\n"
        "    - x\n    envs: {}\n    bundled: true\nGOOSE_PROVIDER: p\n"
    )
    changed = yaml_text.put(text, ("extensions", "darkroom"), GOOSE_ENTRY)
    assert list(yaml.safe_load(changed)["extensions"]) == ["developer", "memory", "darkroom"]
    assert changed.startswith(text.removesuffix("GOOSE_PROVIDER: p\n"))
    assert changed.endswith("    timeout: 300\nGOOSE_PROVIDER: p\n")


def test_keys_that_goose_added_to_our_entry_stay() -> None:
    text = "extensions:\n  darkroom:\n    bundled: null\n    cmd: old # mine\n    args:\n    - a\n  z:\n    cmd: z\n"
    text = text.replace(" # mine", "")
    changed = yaml_text.put(text, ("extensions", "darkroom"), {"cmd": "new", "args": ["b"], "timeout": 300})
    assert changed == (
        "extensions:\n  darkroom:\n    bundled: null\n    cmd: new\n    args:\n    - b\n    timeout: 300\n"
        "  z:\n    cmd: z\n"
    )


@pytest.mark.parametrize(
    "text", ["extensions: {}\n", "extensions:\n", "extensions:\n  # none yet\n", "", "# only this\n"]
)
def test_an_empty_table_of_extensions_is_filled(text: str) -> None:
    changed = yaml_text.put(text, ("extensions", "darkroom"), GOOSE_ENTRY)
    assert yaml.safe_load(changed) == {"extensions": {"darkroom": GOOSE_ENTRY}}


@pytest.mark.parametrize(
    "text",
    [
        "extensions: {a: {cmd: x}}\n",
        "extensions: &all\n  a:\n    cmd: x\n",
        "extensions:\n\ta: 1\n",
        "- a\n- b\n",
        "a: 1\n---\nb: 2\n",
        "a: [1,\n2]\n",
        "a: 1\r\nb: 2\n",
    ],
)
def test_a_yaml_text_that_is_not_plain_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        yaml_text.put(text, ("extensions", "darkroom"), GOOSE_ENTRY)


def test_a_text_block_at_the_end_stays_whole() -> None:
    text = "extensions:\n  a:\n    description: |\n      one\n      # two\n\n# the end\n"
    changed = yaml_text.put(text, ("extensions", "darkroom"), GOOSE_ENTRY)
    assert yaml.safe_load(changed)["extensions"]["a"]["description"] == "one\n# two\n"
    assert changed.endswith("# the end\n")


def test_a_comment_behind_the_last_server_stays_behind_it() -> None:
    text = '{\n\t"a": 1, // first\n\t"b": 2 // second\n}\n'
    assert json_text.put(text, ["c"], [1]) == '{\n\t"a": 1, // first\n\t"b": 2, // second\n\t"c": [\n\t\t1\n\t]\n}\n'


def test_a_trailing_comma_stays_a_style() -> None:
    assert json_text.put('{\n  "a": 1,\n}', ["b"], 2) == '{\n  "a": 1,\n  "b": 2,\n}'


def test_only_the_changed_member_is_exchanged() -> None:
    text = '{"s": {"d": {"command": "old", /* mine */ "args": [ "x" ], "z":1}}}'
    changed = json_text.put(text, ["s", "d"], {"command": "new", "args": ["x"]})
    assert changed == text.replace("old", "new")


def test_of_equal_keys_the_one_that_counts_is_changed() -> None:
    assert json_text.put('{"a": 1, "a": 2}', ["a"], 3) == '{"a": 1, "a": 3}'


def test_a_byte_order_mark_stays() -> None:
    assert json_text.put('\ufeff{"a": 1}', ["a"], 2) == '\ufeff{"a": 2}'


@pytest.mark.parametrize(
    ("text", "line"),
    [('{\n"a": \n}', "line 3"), ('{\n"a" 1}', "line 2"), ("{\n a: 1}", "line 2"), ('{"a": 1', "line 1")],
)
def test_a_broken_json_text_is_refused_with_the_line(text: str, line: str) -> None:
    with pytest.raises(ValueError, match=line):
        json_text.read(text)


def test_a_toml_table_keeps_its_comments_and_its_own_keys() -> None:
    text = (
        'model = "m" # fast\n[mcp_servers.darkroom] # ours\ncommand = "old" # was here\nargs = [\n  "darkroom-mcp",\n]\n'
        'enabled_tools = ["list_models"]\n[mcp_servers.darkroom.env]\nA = "0"\n# end\n[tui]\nx = 1\n'
    )
    changed = toml_text.put(text, ("mcp_servers", "darkroom"), ENTRY)
    assert tomllib.loads(changed)["mcp_servers"]["darkroom"] == ENTRY | {"enabled_tools": ["list_models"]}
    assert changed == text.replace('command = "old"', 'command = "/opt/uv/uvx" ').replace('A = "0"', 'A = "1"')


@pytest.mark.parametrize(
    "text",
    [
        'mcp_servers = { darkroom = { command = "x" } }\n',
        'mcp_servers.darkroom.command = "x"\n',
        '[mcp_servers.darkroom]\nargs = [\n  "x",\n]\n',
        "mcp_servers = 3\n",
        "[[mcp_servers.darkroom]]\n",
    ],
)
def test_a_toml_table_in_another_way_of_writing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        toml_text.put(text, ("mcp_servers", "darkroom"), ENTRY)
