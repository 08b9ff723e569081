"""Changes in a JSON text that leave every other character as it was: comments, key order, indentation, line ends.

Settings files of editors are JSON with comments and trailing commas, and people write their own; parsing and dumping
would lose what they wrote. So the text is read with positions and only the spans that change are exchanged.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue

_SPACE = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_REST_OF_LINE = re.compile(r"[ \t]*(?:/\*[^\n]*?\*/[ \t]*)*(?://[^\r\n]*)?")
_LIST_OF_ONE = re.compile(r'\[\n\s*("(?:[^"\\\n]|\\.)*")\n\s*\]')
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class _Node:
    """A value with its place. Of each child: where it starts, which is at the key, the key, and its own node."""

    start: int
    end: int
    value: JsonValue
    children: tuple[tuple[int, str, "_Node"], ...] = ()

    @property
    def members(self) -> dict[str, "_Node"]:
        return {key: node for _, key, node in self.children}


def read(text: str) -> JsonValue:
    """The value of a JSON text with comments and trailing commas; an empty text is an empty object.

    Raises: ValueError naming the line.
    """
    return _root(_filled(text)).value


def put(text: str, path: Sequence[str], value: JsonValue) -> str:
    """`text` with `value` at `path`; objects on the way are made. An object that is there is changed member by member.

    Raises: ValueError where the text is broken, or where something else than an object is on the way.
    """
    text = _filled(text)
    node = _root(text)
    for depth, key in enumerate(path):
        if key not in node.members:
            return _insert(text, node, key, nested(path[depth + 1 :], value))
        node = node.members[key]
    if isinstance(value, dict) and isinstance(node.value, dict):
        for key in value:
            if key not in node.value or node.value[key] != value[key]:
                text = put(text, [*path, key], value[key])
        return text
    indent, unit, newline = _indent(text, node.start), _unit(text), newline_of(text)
    return text[: node.start] + _dumped(value, indent, unit, newline) + text[node.end :]


def append(text: str, key: str, value: JsonValue) -> str:
    """`text` with `value` at the end of the list at the top-level `key`, which is made where it is missing.

    Raises: ValueError as for `put`, and where `key` is no list.
    """
    text = _filled(text)
    root = _root(text)
    if key not in root.members:
        return _insert(text, root, key, [value])
    return _insert(text, root.members[key], None, value)


def remove(text: str, path: Sequence[str | int]) -> str:
    """`text` without the member (or, by its number, the item of a list) at `path`; comments around it stay.

    Raises: ValueError where the text is broken.
    """
    *way, last = path
    while True:
        node = _root(_filled(text))
        for step in way:
            if step not in node.members:
                return text
            node = node.members[str(step)]
        places = [at for at, (_, key, _) in enumerate(node.children) if last in (key, at)]
        if not places:
            return text
        text = _without(text, node, places[-1])
        if isinstance(last, int):
            return text  # of equal keys none may stay, but another item has this number now


def _without(text: str, node: _Node, place: int) -> str:
    start, _, child = node.children[place]
    comma = _end_of_space(text, child.end)
    if text[comma] == ",":
        end = comma + 1 if comma == child.end else child.end
        text = text if end > comma else text[:comma] + text[comma + 1 :]
    else:
        end = child.end
        if place:
            before = node.children[place - 1][2].end
            comma = _end_of_space(text, before)
            if not text[comma + 1 : start].strip():
                return text[:before] + text[end:]
            text, start, end = text[:comma] + text[comma + 1 :], start - 1, end - 1
    if len(node.children) == 1 and not (text[node.start + 1 : start] + text[end : node.end - 1]).strip(" \t\r\n,"):
        return text[: node.start + 1] + text[node.end - 1 :]
    line_start, line_end = text.rfind("\n", 0, start) + 1, text.find("\n", end)
    if line_end >= 0 and not (text[line_start:start] + text[end:line_end]).strip():
        return text[:line_start] + text[line_end + 1 :]
    return text[:start] + text[end:].lstrip(" ")


def _filled(text: str) -> str:
    return text if _first(text) < len(text) else text + "{}\n"


def _first(text: str) -> int:
    """Where the first value begins."""
    return _end_of_space(text, 1 if text.startswith("\ufeff") else 0)


def nested(path: Sequence[str], value: JsonValue) -> JsonValue:
    """The value inside one object for each key of the path."""
    for key in reversed(path):
        value = {key: value}
    return value


def _insert(text: str, node: _Node, key: str | None, value: JsonValue) -> str:
    """Put a child at the end of an object (or a list, with `key` None), in the style of the ones before it."""
    if not isinstance(node.value, list if key is None else dict):
        found = text[node.start : node.end][:30]
        raise ValueError(f"line {_line(text, node.start)} has {found!r} where servers belong")
    label = "" if key is None else json.dumps(key, ensure_ascii=False) + ": "
    unit, newline = _unit(text), newline_of(text)
    if not node.children:
        outer = _indent(text, node.start)
        body = text[node.start + 1 : node.end - 1].rstrip()
        child = newline + outer + unit + label + _dumped(value, outer + unit, unit, newline) + newline + outer
        return text[: node.start + 1] + body + child + text[node.end - 1 :]
    first_start, (last_start, _, last) = node.children[0][0], node.children[-1]
    last_end = last.end
    if text[text.rfind("\n", 0, first_start) + 1 : first_start].strip():  # it stands on one line
        return text[:last_end] + ", " + label + json.dumps(value, ensure_ascii=False) + text[last_end:]
    indent = _indent(text, last_start)
    child = newline + indent + label + _dumped(value, indent, unit, newline)
    comma = _end_of_space(text, last_end)
    has_comma = text[comma] == ","
    rest = _REST_OF_LINE.match(text, comma + 1 if has_comma else last_end)
    place = rest.end() if rest else last_end
    if has_comma:
        return text[:place] + child + "," + text[place:]
    return text[:last_end] + "," + text[last_end:place] + child + text[place:]


def _dumped(value: JsonValue, indent: str, unit: str, newline: str) -> str:
    text = _LIST_OF_ONE.sub(r"[\1]", json.dumps(value, indent=unit, ensure_ascii=False))
    return text.replace("\n", newline + indent)


def _indent(text: str, at: int) -> str:
    line = text[text.rfind("\n", 0, at) + 1 :]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _unit(text: str) -> str:
    """One step of indentation, as the first indented line has it."""
    found = re.search(r"^([ \t]+)[\"}\]]", text, re.MULTILINE)
    return found[1] if found else "  "


def newline_of(text: str) -> str:
    """How its lines end."""
    return "\r\n" if "\r\n" in text else "\n"


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _end_of_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _root(text: str) -> _Node:
    try:
        node = _node(text, _first(text))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(node.value, dict):
        raise ValueError("it is not an object")
    if (end := _end_of_space(text, node.end)) != len(text):
        raise ValueError(f"line {_line(text, end)} has more after the end")
    return node


def _node(text: str, at: int) -> _Node:
    if text[at : at + 1] in ("{", "["):
        return _container(text, at)
    try:
        value, end = _DECODER.raw_decode(text, at)
    except ValueError as error:
        raise ValueError(f"line {_line(text, at)} has no JSON value where one belongs") from error
    return _Node(at, end, value)


def _container(text: str, start: int) -> _Node:
    """Read an object or a list; a comma after the last child is allowed. Of equal keys the last one counts."""
    closing = "}" if text[start] == "{" else "]"
    children: list[tuple[int, str, _Node]] = []
    at = _end_of_space(text, start + 1)
    while text[at : at + 1] != closing:
        key, place = _key(text, at) if closing == "}" else ("", at)
        child = _node(text, place)
        children.append((at, key, child))
        at = _end_of_space(text, child.end)
        if text[at : at + 1] == ",":
            at = _end_of_space(text, at + 1)
        elif text[at : at + 1] != closing:
            raise ValueError(f"line {_line(text, at)} misses a ',' or '{closing}'")
    values = [child.value for *_, child in children]
    members = {key: child.value for _, key, child in children}
    return _Node(start, at + 1, members if closing == "}" else values, tuple(children))


def _key(text: str, at: int) -> tuple[str, int]:
    """The key of a member, and where its value begins."""
    key = _node(text, at)
    colon = _end_of_space(text, key.end)
    if not isinstance(key.value, str) or text[colon : colon + 1] != ":":
        raise ValueError(f"line {_line(text, at)} misses a quoted key and ':'")
    return key.value, _end_of_space(text, colon + 1)
