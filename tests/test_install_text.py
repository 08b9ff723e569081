"""Changing a settings file as text: whatever was in it is still in it, for files of any shape."""

import json
import os
import re
import tomllib
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from darkroom_server.install import json_text, toml_text, yaml_text

ENTRY: dict[str, Any] = {"command": "/opt/uv/uvx", "args": ["darkroom-mcp"], "env": {"A": "1"}}
GOOSE_ENTRY: dict[str, Any] = {"enabled": True, "cmd": "/opt/uv/uvx", "args": ["darkroom-mcp"], "timeout": 300}

GOOSE_PATH = ("extensions", "darkroom")
CODEX_PATH = ("mcp_servers", "darkroom")
YAML_STYLES: list[dict[str, Any]] = [
    {"indent": 2},
    {"indent": 4},
    {"width": 20},
    {"explicit_start": True},
    {"allow_unicode": True},
    {"default_flow_style": None},
    {"default_flow_style": True},
    {"default_style": "|"},
]

words = st.text("abc xyz-_#:'\"{}[]\\/,\n\té", max_size=12)
leaves = st.none() | st.booleans() | st.integers(-5, 5) | words
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3), max_leaves=8
)
servers = st.dictionaries(words, st.dictionaries(words, values, max_size=3), max_size=3)


def yaml_dumped(document: Any, style: dict[str, Any]) -> str:
    dump: Any = yaml.safe_dump
    return dump(document, sort_keys=False, **style)


def is_one_insertion(before: str, after: str) -> bool:
    """Whether every byte of `before` is still there, with the new ones in one place."""
    same = len(os.path.commonprefix([before, after]))
    return any(after.endswith(before[at:]) for at in range(same + 1))


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
    others=st.dictionaries(st.text("abc-_", min_size=1, max_size=8), values, max_size=3) | st.none(),
    head=st.dictionaries(st.text("ABC_", min_size=1, max_size=8), values, max_size=2),
    style=st.sampled_from(YAML_STYLES),
    line_end=st.sampled_from(["\n", "\r\n"]),
    cut=st.booleans(),
)
def test_a_yaml_text_gets_the_entry_in_one_place_and_nothing_else(
    others: Any, head: Any, style: dict[str, Any], line_end: str, cut: bool
) -> None:
    text = yaml_dumped(head if others is None else head | {"extensions": others}, style).replace("\n", line_end)
    text = text.removesuffix(line_end) if cut else text
    before = yaml.safe_load(text)
    changed = yaml_text.put(text, GOOSE_PATH, GOOSE_ENTRY)
    assert yaml.safe_load(changed) == before | {"extensions": (others or {}) | {"darkroom": GOOSE_ENTRY}}
    assert yaml_text.put(changed, GOOSE_PATH, GOOSE_ENTRY) == changed
    if others:
        assert is_one_insertion(text, changed)
        assert line_end == "\n" or not re.search(r"(?<!\r)\n", changed)


@given(
    old=st.dictionaries(st.sampled_from(["cmd", "args", "timeout", "envs", "mine"]), values, max_size=4),
    style=st.sampled_from(YAML_STYLES),
)
def test_a_yaml_entry_of_any_values_gets_ours_and_keeps_the_other_keys(old: Any, style: dict[str, Any]) -> None:
    around = {"a": {"cmd": "x", "args": ["1", 2]}}, {"z": {"cmd": "z", "envs": {"A": "#"}}}
    text = yaml_dumped({"extensions": around[0] | {"darkroom": old} | around[1], "after": [1]}, style)
    changed = yaml_text.put(text, GOOSE_PATH, GOOSE_ENTRY)
    assert yaml.safe_load(changed) == {
        "extensions": around[0] | {"darkroom": old | GOOSE_ENTRY} | around[1],
        "after": [1],
    }


@given(value=st.text(max_size=30))
def test_any_text_survives_yaml(value: str) -> None:
    changed = yaml_text.put("a: 1\n", GOOSE_PATH, {"envs": {"KEY": value}})
    assert yaml.safe_load(changed) == {"a": 1, "extensions": {"darkroom": {"envs": {"KEY": value}}}}


def test_a_goose_file_as_goose_writes_it_is_understood() -> None:
    text = (
        "extensions:\n  developer:\n    enabled: true\n    type: builtin\n    name: developer\n    display_name: null\n"
        "    description: 'Edit: files'\n    available_tools: []\n  memory:\n    enabled: false\n    args:\n    - -y\n"
        "    - x\n    envs: {}\n    bundled: true\nGOOSE_PROVIDER: p\n"
    )
    changed = yaml_text.put(text, GOOSE_PATH, GOOSE_ENTRY)
    assert list(yaml.safe_load(changed)["extensions"]) == ["developer", "memory", "darkroom"]
    assert changed.startswith(text.removesuffix("GOOSE_PROVIDER: p\n"))
    assert changed.endswith("    timeout: 300\nGOOSE_PROVIDER: p\n")


def test_keys_that_goose_added_to_our_entry_stay() -> None:
    text = "extensions:\n  darkroom:\n    bundled: null\n    cmd: old # mine\n    args:\n    - a\n  z:\n    cmd: z\n"
    changed = yaml_text.put(text, GOOSE_PATH, {"cmd": "new", "args": ["b"], "timeout": 300})
    assert changed == (
        "extensions:\n  darkroom:\n    bundled: null\n    cmd: new # mine\n    args:\n    - b\n    timeout: 300\n"
        "  z:\n    cmd: z\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "extensions: {}\n",
        "extensions: {} # none yet",
        "extensions:\n",
        "extensions:",
        "extensions: ~\n",
        "extensions:\n  # none yet\n",
        "",
        "# only this\n",
        "# only this",
        "---\n",
        "\ufeff",
        "{}\n",
    ],
)
def test_an_empty_table_of_extensions_is_filled(text: str) -> None:
    changed = yaml_text.put(text, GOOSE_PATH, GOOSE_ENTRY)
    assert yaml.safe_load(changed) == {"extensions": {"darkroom": GOOSE_ENTRY}}
    assert [comment for comment in ("# none yet", "# only this") if (comment in text) != (comment in changed)] == []


@pytest.mark.parametrize(
    "text",
    [
        "extensions: {a: {cmd: x}}\n",
        "extensions: {a: {cmd: x},}\n",
        "{extensions: {a: {cmd: x}}}",
        "extensions: &all\n  a: &a\n    cmd: x\nother: *all\n",
        "extensions:\n  a: &a\n    cmd: x\n  b: *a # the same\n",
        "base: &base\n  cmd: x\nextensions:\n  a:\n    <<: *base\n",
        "extensions:\n  a: {cmd: x} # one line\n\n\n# the end",
        "a: 1\r\nextensions:\n  b:\r\n    cmd: x\n",
        "\ufeffextensions:\n  a:\n    cmd: x\n",
        "%YAML 1.1\n---\nextensions:\n  a:\n    cmd: |-\n      x\n      # in it\n\n...\n",
        "extensions:\n    a:\n        cmd: >\n            x\n\n            y\n\n\nnext: 1\n",
        'extensions:\n  "a": {"cmd": "x"}\n  b:\n    args: [1,\n      2]\n',
        "extensions:\n  a:\n    cmd: x\n    # said of a\n  # said of all\n\nnext: 1\n",
    ],
)
def test_a_yaml_text_of_an_odd_shape_gets_the_entry_in_one_place(text: str) -> None:
    before = yaml.safe_load(text)
    changed = yaml_text.put(text, GOOSE_PATH, GOOSE_ENTRY)
    after = yaml.safe_load(changed)
    assert after["extensions"].pop("darkroom") == GOOSE_ENTRY
    assert is_one_insertion(text, changed)
    assert [each for each in before if each != "other" and before[each] != after[each]] == []


@pytest.mark.parametrize(
    "text",
    [
        "extensions:\n\ta: 1\n",
        "- a\n- b\n",
        "a: 1\n---\nb: 2\n",
        "extensions: 3\n",
        "extensions:\n- darkroom\n",
        "extensions:\n  darkroom: on\n",
        "a: &a {cmd: x}\nextensions:\n  darkroom: *a\n",
        "a: [\n",
        "a: \x00\n",
        "extensions:\n  ? a\n  : cmd: x\n",
        "[" * 700,  # more than can be read one inside the other
    ],
)
def test_a_yaml_text_without_a_place_for_the_entry_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        yaml_text.put(text, GOOSE_PATH, GOOSE_ENTRY)


@pytest.mark.parametrize("key", ["on", "NO", "1"])
def test_a_yaml_key_that_reads_as_no_text_is_not_written_over(key: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        yaml_text.put(f"extensions:\n  {key}:\n    cmd: x\n", ["extensions", key], GOOSE_ENTRY)


def test_a_text_block_at_the_end_stays_whole() -> None:
    text = "extensions:\n  a:\n    description: |\n      one\n      # two\n\n# the end\n"
    changed = yaml_text.put(text, GOOSE_PATH, GOOSE_ENTRY)
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
        'model = "m" # fast\n[mcp_servers.darkroom] # ours\ncommand = "old" # was here\n'
        'args = [\n  "darkroom-mcp",\n]\nenabled_tools = ["list_models"]\n'
        '[mcp_servers.darkroom.env]\nA = "0"\n# end\n[tui]\nx = 1\n'
    )
    changed = toml_text.put(text, CODEX_PATH, ENTRY)
    assert tomllib.loads(changed)["mcp_servers"]["darkroom"] == ENTRY | {"enabled_tools": ["list_models"]}
    assert changed == text.replace('command = "old"', 'command = "/opt/uv/uvx"').replace('A = "0"', 'A = "1"')


TOML_TEXTS = [
    "",
    "# only this",
    "\ufeffa = 1\n",
    'a = 1\r\n[mcp_servers.other]\r\ncommand = "x" # goes on\r\n',
    '[mcp_servers.other]\ncommand = "x"',
    'mcp_servers.other.command = "x"\nb = 2\n',
    '[mcp_servers]\n\tother = { command = "x" }\n\n\n[tui]\nx = 1\n',
    '[mcp_servers.a]\ncommand = "x"\n[tui]\nx = 1\n[mcp_servers.b]\ncommand = "y"\n',
    "[mcp_servers.a]\ncommand = '''\n[mcp_servers.darkroom]\n'''\n",
    "[[profiles]]\na = nan\n[[profiles]]\nb = 1979-05-27T07:32:00Z\n",
]


@pytest.mark.parametrize("text", TOML_TEXTS)
def test_a_toml_text_of_an_odd_shape_gets_the_entry_in_one_place(text: str) -> None:
    changed = toml_text.put(text, CODEX_PATH, ENTRY)
    after = tomllib.loads(changed.removeprefix("\ufeff"))
    assert after["mcp_servers"].pop("darkroom") == ENTRY
    empty: dict[str, Any] = {"mcp_servers": {}}
    before = empty | tomllib.loads(text.removeprefix("\ufeff"))
    assert repr(sorted(after.items())) == repr(sorted(before.items()))
    assert is_one_insertion(text, changed)
    assert toml_text.put(changed, CODEX_PATH, ENTRY) == changed
    assert "\r" not in text or not re.search(r"(?<!\r)\n", changed)


@pytest.mark.parametrize(
    "old",
    [
        '[mcp_servers.darkroom]\nargs = [\n  "x", # why\n]\n',
        '[mcp_servers.darkroom]\n# said of it\ncommand = "old" # was here\n\n[mcp_servers.darkroom.env]\nB = "2"\n',
        '[mcp_servers]\ndarkroom = { command = "old", env = { B = "2" } } # one line\n',
        'mcp_servers = { darkroom = { command = "old" } }\n',
        'mcp_servers.darkroom.command = "old"\nmcp_servers.darkroom.env.B = "2"\n',
        '["mcp_servers".\'darkroom\']\n\t"command" = "old"\n',
    ],
)
@pytest.mark.parametrize("around", ["%s", "a = 1 # one\n%s", "%s\n# between\n\n[x]\ny = [1,\n 2] # two\n"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_toml_entry_of_an_odd_shape_is_brought_up_to_date_and_the_rest_stays(
    old: str, around: str, line_end: str
) -> None:
    text = (around % old).replace("\n", line_end)
    changed = toml_text.put(text, CODEX_PATH, ENTRY)
    before, after = tomllib.loads(text), tomllib.loads(changed)
    was, now = before["mcp_servers"].pop("darkroom"), after["mcp_servers"].pop("darkroom")
    assert now == was | ENTRY | {"env": was.get("env", {}) | ENTRY["env"]}
    assert before == after
    for part in (around % "\0").replace("\n", line_end).split("\0"):
        assert part in changed
    assert line_end == "\n" or not re.search(r"(?<!\r)\n", changed)


def test_toml_servers_in_one_line_get_one_more() -> None:
    text = 'a = 1\nmcp_servers = { other = { command = "x" } } # one line\n[tui]\nx = 1\n'
    changed = toml_text.put(text, CODEX_PATH, ENTRY)
    assert tomllib.loads(changed)["mcp_servers"] == {"other": {"command": "x"}, "darkroom": ENTRY}
    assert changed.startswith('a = 1\nmcp_servers = { other = { command = "x" }')
    assert changed.endswith(" # one line\n[tui]\nx = 1\n")


def test_a_toml_entry_in_two_places_is_brought_up_to_date() -> None:
    text = '[mcp_servers.darkroom.env]\nB = "2"\n[tui] # look\ny = 1\n[mcp_servers.darkroom]\ncommand = "old"\n# end\n'
    changed = toml_text.put(text, CODEX_PATH, ENTRY)
    env = ENTRY["env"] | {"B": "2"}
    assert tomllib.loads(changed) == {"mcp_servers": {"darkroom": ENTRY | {"env": env}}, "tui": {"y": 1}}
    assert "[tui] # look\ny = 1\n" in changed and "# end\n" in changed


@pytest.mark.parametrize(
    "text",
    [
        "mcp_servers = 3\n",
        "[[mcp_servers]]\n",
        "[[mcp_servers.darkroom]]\n",
        "[mcp_servers]\ndarkroom = 1\n",
        "[mcp_servers\n",
        "a = " + "[" * 10_000,
    ],
)
def test_a_toml_text_without_a_place_for_the_entry_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        toml_text.put(text, CODEX_PATH, ENTRY)
