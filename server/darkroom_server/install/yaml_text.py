"""Changes in a YAML text of the plain kind: `extensions:` with one indented block for each, as Goose writes it.

darkroom depends on no YAML library. What is not plain (flow style, anchors, tabs, several documents) is refused, and
the person gets the entry to put in by hand; a wrong guess could cost all the other extensions.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

_TOP_LINE = re.compile(r"[A-Za-z_][\w.-]*:(\s|$)")
_PLAIN = re.compile(r"[A-Za-z_/][\w./-]*|[0-9]+")
_NUMBER = re.compile(r"0|[1-9][0-9]*", re.ASCII)
_TEXT = re.compile(r"-?[A-Za-z_/].*[^:]|[A-Za-z_/]")
_NO_TEXT = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
_WORDS: Mapping[str, JsonValue] = {"true": True, "false": False, "null": None, "~": None, "": None, "{}": {}, "[]": []}
_LINE = re.compile(r"(?P<indent> *)(?P<key>\w[\w ./()-]*|\"[^\"\\]*\"|'[^']*'):(?: +(?P<value>.*))?$")


@dataclass(frozen=True, slots=True)
class _Block:
    """Lines [start, end) of a mapping's value, and the indentation of its keys."""

    start: int
    end: int
    indent: int


def read(text: str, path: Sequence[str]) -> dict[str, JsonValue] | None:
    """The entry at `path` (table, name); None where there is none.

    Raises: ValueError where the text is not of the plain kind.
    """
    lines = _lines(text, path[0])
    entry = _entry(lines, path)
    if entry is None:
        return None
    return {key: _parsed(lines[block.start : block.end]) for key, block in _children(lines, entry).items()}


def put(text: str, path: Sequence[str], value: Mapping[str, JsonValue]) -> str:
    """`text` with the entry at `path` brought up to `value`; lines of keys that stay are not touched.

    Raises: ValueError where the text is not of the plain kind.
    """
    lines = _lines(text, path[0])
    table = _table(lines, path[0])
    entry = _entry(lines, path)
    if table is None:
        lines += [f"{path[0]}:", f"  {path[1]}:", *_dumped(value, 4)]
    elif entry is None:
        indent = table.indent
        lines[table.end : table.end] = [f"{' ' * indent}{path[1]}:", *_dumped(value, indent + 2)]
    else:
        _update(lines, entry, value)
    newline = "\r\n" if "\r\n" in text else "\n"
    return newline.join(lines) + newline


def other_lines(text: str, path: Sequence[str]) -> list[str]:
    """All lines but those of the entry and an empty table. Raises: ValueError as `read` does."""
    lines = _lines(text, path[0])
    if entry := _entry(lines, path):
        del lines[entry.start - 1 : entry.end]
    table = _table(lines, path[0])
    if table and not _children(lines, table):
        del lines[table.start - 1]
    return lines


def _lines(text: str, table: str) -> list[str]:
    """The lines, with an empty table in flow style (`extensions: {}`) opened for its first entry."""
    if "\r" in text.replace("\r\n", "") or ("\r\n" in text and re.search(r"(?<!\r)\n", text)):
        raise ValueError("its line ends are mixed")
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n") if text else []
    return [f"{table}:" if line.rstrip() == f"{table}: {{}}" else line for line in lines]


def _update(lines: list[str], entry: _Block, value: Mapping[str, JsonValue]) -> None:
    for key, item in value.items():
        block = _children(lines, entry).get(key)
        if block and _parsed(lines[block.start : block.end]) == item:
            continue
        new = _dumped({key: item}, entry.indent)
        start, end = (block.start, block.end) if block else (entry.end, entry.end)
        lines[start:end] = new
        entry = _Block(entry.start, entry.end + len(new) - (end - start), entry.indent)


def _table(lines: Sequence[str], name: str) -> _Block | None:
    """The block of a top-level key. Raises: ValueError where the top level is not a plain mapping."""
    for number, line in enumerate(lines, 1):
        is_plain = (
            not line.strip() or line[0] in " #" or _TOP_LINE.match(line) or (number == 1 and line.strip() == "---")
        )
        if not is_plain or "\t" in line[: len(line) - len(line.lstrip())]:
            raise ValueError(f"line {number} is not of the plain kind")
    return _block(lines, _Block(0, len(lines), 0), name)


def _entry(lines: Sequence[str], path: Sequence[str]) -> _Block | None:
    table = _table(lines, path[0])
    return _block(lines, table, path[1]) if table else None


def _block(lines: Sequence[str], outer: _Block, name: str) -> _Block | None:
    """What is indented under `name:`. Raises: ValueError where its value stands on the same line."""
    found = _children(lines, outer).get(name)
    if found is None:
        return None
    head = _LINE.match(lines[found.start])
    if head and (head["value"] or "").partition("#")[0].strip():
        raise ValueError(f"line {found.start + 1}: {name!r} is written in one line")
    first = next((at for at in range(found.start + 1, found.end) if _is_content(lines[at])), None)
    indent = _indent(lines[first]) if first is not None else outer.indent + 2
    return _Block(found.start + 1, found.end, indent)


def _children(lines: Sequence[str], outer: _Block) -> dict[str, _Block]:
    """Of each key its lines, the one with the key first; empty lines and comments between two keys belong to none."""
    heads = [
        at
        for at in range(outer.start, outer.end)
        if _is_content(lines[at])
        and _indent(lines[at]) <= outer.indent
        and not lines[at].strip().startswith("-")  # an item of a list, which may stand as far left as its key; or `---`
    ]
    found: dict[str, _Block] = {}
    for at, following in zip(heads, [*heads[1:], outer.end], strict=False):
        head = _LINE.match(lines[at])
        if not head or len(head["indent"]) != outer.indent:
            raise ValueError(f"line {at + 1} is not of the plain kind")
        found[head["key"].strip("\"'")] = _Block(at, _end(lines, at, following), outer.indent)
    return found


def _end(lines: Sequence[str], start: int, end: int) -> int:
    """A comment that is indented further than the key may be part of a text, so it stays with it."""
    while end - 1 > start and not _is_content(lines[end - 1]) and _indent(lines[end - 1]) <= _indent(lines[start]):
        end -= 1
    return end


def _is_content(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _parsed(lines: Sequence[str]) -> JsonValue:
    """The value of `key: value`, or of `key:` with a list or a mapping of plain values under it.

    Raises: ValueError for any other.
    """
    head = _LINE.match(lines[0])
    text = (head["value"] or "").strip() if head else ""
    rest = [line.strip() for line in lines[1:] if _is_content(line)]
    if not rest:
        return _scalar(text)
    if not text and all(line.startswith("- ") for line in rest):
        return [_scalar(line[2:].strip()) for line in rest]
    pairs = [_LINE.match(line) for line in rest]
    if text or not all(pairs):
        raise ValueError(f"{lines[0].strip()[:40]!r} is not of the plain kind")
    return {pair["key"].strip("\"'"): _scalar((pair["value"] or "").strip()) for pair in pairs if pair}


def _scalar(text: str) -> JsonValue:
    if text in _WORDS:
        return _WORDS[text]
    if text.startswith(('"', "[", "{")):
        return json.loads(text)
    if text.startswith("'") and text.endswith("'") and len(text) > 1:
        return text[1:-1].replace("''", "'")
    if _NUMBER.fullmatch(text):
        return int(text)
    if not _TEXT.fullmatch(text) or " #" in text or ": " in text or text.lower() in _NO_TEXT:
        raise ValueError(f"{text[:40]!r} is not of the plain kind")
    return text


def _dumped(value: Mapping[str, JsonValue], indent: int) -> list[str]:
    lines: list[str] = []
    for key, item in value.items():
        if isinstance(item, dict) and item:
            lines += [f"{' ' * indent}{key}:", *_dumped(item, indent + 2)]
        elif isinstance(item, list) and item:
            lines += [f"{' ' * indent}{key}:", *(f"{' ' * indent}- {_written(each)}" for each in item)]
        else:
            lines.append(f"{' ' * indent}{key}: {_written(item)}")
    return lines


def _written(value: JsonValue) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and not value.isdecimal() and value.lower() not in _NO_TEXT:
        return value
    return json.dumps(value)  # a JSON text is YAML too
