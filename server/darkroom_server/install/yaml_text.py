"""Changes in a YAML text that leave every other byte as it was.

The text is read with the place of each node, only the span of one that changes is exchanged, and the result is read
back: a way of writing for which the splice is wrong is refused.
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


def read(text: str) -> JsonValue:
    """The value of a YAML text; an empty text is an empty mapping. Raises: ValueError naming the line."""
    try:
        value = cast("JsonValue", yaml.safe_load(text))
    except (yaml.YAMLError, RecursionError) as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        raise ValueError(f"line {mark.line + 1}: {problem}" if mark else "it is no YAML text") from error
    return {} if value is None else value


def put(text: str, path: Sequence[str], value: JsonValue) -> str:
    """`text` with `value` at `path`; mappings on the way are made, and a mapping that is there is changed key by key.

    Raises: ValueError where the text is broken, or where something else than a mapping is on the way.
    """
    known, node = read(text), yaml.SafeLoader(text).get_single_node()
    if not known and not isinstance(node, MappingNode):
        wanted = {path[0]: nested(path[1:], value)}
        return text + ("\n" if text and not text.endswith("\n") else "") + _dumped(wanted, 0, newline_of(text))
    for depth, key in enumerate(path):
        if not isinstance(known, dict) or not isinstance(node, MappingNode):
            raise ValueError(f"{path[depth - 1]!r} is not a mapping" if depth else "it is not a mapping")
        child = next((each for each in reversed(node.value) if each[0].value == key), None)
        if child is None:
            return _checked(_insertion(text, node, key, nested(path[depth + 1 :], value)), path, value)
        if child[1].start_mark.index < child[0].end_mark.index:
            raise ValueError(f"{key!r} is an alias of another place")
        if not known.get(key) or (depth == len(path) - 1 and not isinstance(value, dict)):
            return _checked(_replacement(text, node, child, nested(path[depth + 1 :], value)), path, value)
        known, node = known[key], child[1]
    if not isinstance(known, dict) or not isinstance(value, dict):
        raise ValueError(f"{path[-1]!r} is not a mapping")
    for key, item in value.items():
        if key not in known or known[key] != item:
            text = put(text, [*path, key], item)
    return text


def _checked(text: str, path: Sequence[str], value: JsonValue) -> str:
    """The text, which has this value at this path. Raises: ValueError where it has not."""
    found = read(text)
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    if found != value:
        raise ValueError("it is written in a way that cannot be changed here")
    return text


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
            return _without(text, node, place)
        node = node.value[place][1]
    return text


def _without(text: str, node: MappingNode, place: int) -> str:
    key, start, end = node.value[place][0], node.value[place][0].start_mark.index, _end(node.value[place][1])
    if node.flow_style:
        if place + 1 < len(node.value):
            return text[:start] + text[node.value[place + 1][0].start_mark.index :]
        return text[: _end(node.value[place - 1][1]) if place else start] + text[end:]
    if text[end - 1] != "\n":
        end = text.find("\n", end) + 1 or len(text)
    if len(node.value) == 1:  # a mapping of nothing has to be written
        return text[: node.start_mark.index] + "{}" + newline_of(text) + text[end:]
    return text[: start - key.start_mark.column] + text[end:]


def _insertion(text: str, node: MappingNode, key: str, item: JsonValue) -> str:
    """`text` with a new key behind the last one."""
    if node.flow_style:
        member = f"{_written(key)}: {_written(item)}"
        end = node.value[-1][1].end_mark.index if node.value else text.index("{", node.start_mark.index) + 1
        return text[:end] + (f", {member}" if node.value else member) + text[end:]
    newline = newline_of(text)
    new = _dumped({key: item}, node.value[0][0].start_mark.column, newline)
    end = _end(node)
    if text[end - 1] != "\n":
        end = text.find("\n", end) + 1
    return text[:end] + new + text[end:] if end else text + newline + new


def _replacement(text: str, node: MappingNode, child: tuple[Node, Node], item: JsonValue) -> str:
    """`text` with the value of a key exchanged, from its colon on."""
    key, old = child
    start, end = text.index(":", key.end_mark.index) + 1, _end(old)
    if node.flow_style or not isinstance(item, dict | list) or not item:
        new = " " + _written(item)
    else:
        newline = newline_of(text)
        new = _dumped({"": item}, key.start_mark.column, newline).partition(":")[2].removesuffix(newline)
    return text[:start] + new + (newline_of(text) if text[end - 1 : end] == "\n" else "") + text[end:]


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
