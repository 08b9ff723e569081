"""Changes in a YAML text that leave every other byte as it was.

The text is read with the place of each node, and only the span of one that changes is exchanged; then it is read anew.
A way of writing for which the splice is wrong (an alias, say) shows when the caller reads the result back, and nothing
is written.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import cast

import yaml
from pydantic import JsonValue
from yaml.nodes import CollectionNode, MappingNode, Node

from darkroom_server.install.json_text import nested, newline_of

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*")
_NO_TEXT = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
_Splice = tuple[int, int, str]
"""Start and end of a span, and what to put there."""


def read(text: str) -> JsonValue:
    """The value of a YAML text; an empty text is an empty mapping. Raises: ValueError naming the line."""
    try:
        value = cast("JsonValue", yaml.safe_load(text))
    except (yaml.YAMLError, RecursionError) as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        raise ValueError(f"line {mark.line + 1}: {problem}" if mark else "it is no YAML text") from error
    return {} if value is None else value


def put(text: str, path: Sequence[str], value: Mapping[str, JsonValue]) -> str:
    """`text` with the mapping at `path` brought up to `value`; mappings on the way are made, keys that are there stay.

    Raises: ValueError where the text is broken, or where something else than a mapping is on the way.
    """
    wanted: dict[str, JsonValue] = {path[0]: nested(path[1:], dict(value))}
    for _ in range(_keys(wanted) + 1):
        known = read(text)
        root = yaml.SafeLoader(text).get_single_node()
        if not known and not isinstance(root, MappingNode):
            return text + ("\n" if text and not text.endswith("\n") else "") + _dumped(wanted, 0, newline_of(text))
        if not isinstance(known, dict) or not isinstance(root, MappingNode):
            raise ValueError("it is not a mapping")
        splice = _next_splice(text, root, known, wanted)
        if splice is None:
            return text
        start, end, new = splice
        text = text[:start] + new + text[end:]
    raise ValueError("it is written in a way that cannot be changed here")


def _keys(value: JsonValue) -> int:
    """How many keys it has at all its levels; a change brings at least one to its place."""
    return sum(1 + _keys(each) for each in value.values()) if isinstance(value, dict) else 0


def remove(text: str, path: Sequence[str]) -> str:
    """`text` without the key at `path`; comments behind it stay. Raises: ValueError where the text is broken."""
    read(text)
    node: object = yaml.SafeLoader(text).get_single_node()
    for at, step in enumerate(path):
        if not isinstance(node, MappingNode):
            return text
        place = next((place for place, pair in enumerate(node.value) if pair[0].value == step), None)
        if place is None:
            return text
        if at == len(path) - 1:
            start, end, new = _removal(text, node, place)
            return text[:start] + new + text[end:]
        node = node.value[place][1]
    return text


def _removal(text: str, node: MappingNode, place: int) -> _Splice:
    key, start, end = node.value[place][0], node.value[place][0].start_mark.index, _end(node.value[place][1])
    if node.flow_style:
        if place + 1 < len(node.value):
            return start, node.value[place + 1][0].start_mark.index, ""
        return (_end(node.value[place - 1][1]) if place else start), end, ""
    if text[end - 1] != "\n":
        end = text.find("\n", end) + 1 or len(text)
    if len(node.value) == 1:  # a mapping of nothing has to be written
        return node.start_mark.index, end, "{}" + newline_of(text)
    return start - key.start_mark.column, end, ""


def _next_splice(text: str, node: MappingNode, known: JsonValue, wanted: Mapping[str, JsonValue]) -> _Splice | None:
    """The first change that brings `node` nearer to `wanted`; None where it is there."""
    known = known if isinstance(known, dict) else {}
    for key, item in wanted.items():
        old = known.get(key)
        if key in known and old == item:
            continue
        child = next((each for each in reversed(node.value) if each[0].value == key), None)
        if child is None:
            return _insertion(text, node, key, item)
        if child[1].start_mark.index < child[0].end_mark.index:
            raise ValueError(f"{key!r} is an alias of another place")
        if isinstance(item, dict) and isinstance(old, dict) and old:
            if splice := _next_splice(text, child[1], old, item):
                return splice
        elif isinstance(item, dict) and old:
            raise ValueError(f"{key!r} is not a mapping")
        else:
            return _replacement(text, node, child, item)
    return None


def _insertion(text: str, node: MappingNode, key: str, item: JsonValue) -> _Splice:
    """A new key behind the last one."""
    if node.flow_style:
        member = f"{_written(key)}: {_written(item)}"
        end = node.value[-1][1].end_mark.index if node.value else text.index("{", node.start_mark.index) + 1
        return end, end, f", {member}" if node.value else member
    newline = newline_of(text)
    new = _dumped({key: item}, node.value[0][0].start_mark.column, newline)
    end = _end(node)
    if text[end - 1] == "\n":
        return end, end, new
    line_end = text.find("\n", end) + 1
    return (line_end, line_end, new) if line_end else (len(text), len(text), newline + new)


def _replacement(text: str, node: MappingNode, child: tuple[Node, Node], item: JsonValue) -> _Splice:
    """The value of a key exchanged, from its colon on."""
    key, old = child
    start, end = text.index(":", key.end_mark.index) + 1, _end(old)
    if node.flow_style or not isinstance(item, dict | list) or not item:
        new = " " + _written(item)
    else:
        newline = newline_of(text)
        new = _dumped({"": item}, key.start_mark.column, newline).partition(":")[2].removesuffix(newline)
    return start, end, new + (newline_of(text) if text[end - 1 : end] == "\n" else "")


def _end(node: Node) -> int:
    """Where its last character stands; a block reaches to the next token, so its last child is asked."""
    if not isinstance(node, CollectionNode) or node.flow_style or not node.value:
        return node.end_mark.index
    if not isinstance(node, MappingNode):
        return _end(cast("Node", node.value[-1]))
    key, value = node.value[-1]
    is_alias = value.start_mark.index < key.end_mark.index  # what an alias stands for lies further up
    return key.end_mark.index if is_alias else _end(value)


def _dumped(value: Mapping[str, JsonValue], indent: int, newline: str) -> str:
    """Lines in the style of Goose: items of a list stand as far left as their key."""
    space, text = " " * indent, ""
    for key, item in value.items():
        text += f"{space}{key}:"
        if isinstance(item, dict) and item:
            text += newline + _dumped(item, indent + 2, newline)
        elif isinstance(item, list) and item:
            text += newline + "".join(f"{space}- {_written(each)}{newline}" for each in item)
        else:
            text += f" {_written(item)}{newline}"
    return text


def _written(value: JsonValue) -> str:
    """On one line, so that YAML 1.1 and 1.2 read it alike: a plain word, or JSON in ASCII."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _NO_TEXT:
        return value
    text = json.dumps(value, ensure_ascii=False)  # which would write a character beyond 16 bits as two halves
    return re.sub(r"[^ -~]", lambda found: f"\\U{ord(found[0]):08x}", text)
