"""Changes in a TOML text that leave every other line as it was.

Only the plain way of writing is changed: a `[table.name]` header with `key = value` lines under it. Whatever else is
found is refused, and the caller reads the result back before it is used.
"""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_HEADER = re.compile(r"\s*\[")


def read(text: str) -> dict[str, JsonValue]:
    """The value of a TOML text. Raises: ValueError naming the line."""
    return tomllib.loads(text)


def put(text: str, path: Sequence[str], value: Mapping[str, JsonValue]) -> str:
    """`text` with the table at `path` brought up to `value`; a missing one is appended, keys that are there stay.

    Raises: ValueError where the table is written in another way.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    old = _table(read(text), path)
    if old is None:
        lines = [f"[{_dotted(path)}]", *(f"{_key(key)} = {_value(item)}" for key, item in value.items())]
        gap = newline if text.strip() else ""
        body = text if not text or text.endswith("\n") else text + newline
        return body + gap + newline.join(lines) + newline
    for key, item in value.items():
        if key not in old or old[key] != item:
            text = _set(text, path, key, item)
    return text


def _set(text: str, path: Sequence[str], key: str, item: JsonValue) -> str:
    """Change or add one key; a value with a header of its own is changed key by key."""
    lines = text.splitlines(keepends=True)
    if isinstance(item, dict) and _header(lines, [*path, key]) is not None:
        return put(text, [*path, key], item)
    header = _header(lines, path)
    if header is None:
        raise ValueError(f"[{_dotted(path)}] is written in another way")
    end = next((at for at in range(header + 1, len(lines)) if _HEADER.match(lines[at])), len(lines))
    newline = "\r\n" if "\r\n" in text else "\n"
    new = f"{_key(key)} = {_value(item)}"
    for at in range(header + 1, end):
        if re.match(rf"\s*{re.escape(_key(key))}\s*=", lines[at]):
            lines[at] = new + _comment(lines[at]) + newline
            return "".join(lines)
    if not lines[header].endswith("\n"):
        lines[header] += newline
    return "".join([*lines[: header + 1], new + newline, *lines[header + 1 :]])


def _header(lines: Sequence[str], path: Sequence[str]) -> int | None:
    parts = [rf"(?:{re.escape(part)}|\"{re.escape(part)}\"|'{re.escape(part)}')" for part in path]
    pattern = re.compile(r"\s*\[\s*" + r"\s*\.\s*".join(parts) + r"\s*\]\s*(#.*)?$")
    return next((at for at, line in enumerate(lines) if pattern.match(line)), None)


def _comment(line: str) -> str:
    """The comment after a `key = value`, with its space. Raises: ValueError where the value goes on in the next line."""
    line = line.rstrip()
    for at in [*(at for at, sign in enumerate(line) if sign == "#"), len(line)]:
        try:
            tomllib.loads(line[:at])
        except ValueError:
            continue
        return "  " + line[at:] if line[at:] else ""
    raise ValueError(f"{line.strip()[:40]!r} goes on in the next line")


def _table(value: JsonValue, path: Sequence[str]) -> dict[str, JsonValue] | None:
    for key in path:
        if not isinstance(value, dict):
            raise ValueError(f"{_dotted(path)} is not a table")
        if key not in value:
            return None
        value = value[key]
    if not isinstance(value, dict):
        raise ValueError(f"{_dotted(path)} is not a table")
    return value


def _dotted(path: Sequence[str]) -> str:
    return ".".join(_key(part) for part in path)


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else json.dumps(key)


def _value(value: JsonValue) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False).replace(
        "\x7f", "\\u007f"
    )  # a JSON text, number or boolean is TOML too
