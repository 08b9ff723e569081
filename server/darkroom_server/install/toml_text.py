"""Changes in a TOML text that leave other lines as they were: a new table goes to the end, a known one is edited."""

import re
import tomllib
from collections.abc import Mapping, MutableMapping, Sequence
from typing import cast

import tomlkit
from pydantic import JsonValue
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import InlineTable, Table

from darkroom_server.install.json_text import nested, newline_of

_BOM = "\ufeff"
_SAYS_SOMETHING = re.compile(r"\s*[^\s#]")


def read(text: str) -> JsonValue:
    """The value of a TOML text. Raises: ValueError naming the line."""
    try:
        return tomllib.loads(text.removeprefix(_BOM))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def put(text: str, path: Sequence[str], value: Mapping[str, JsonValue]) -> str:
    """`text` with the table at `path` (table, name) brought up to `value`; keys that are there stay.

    Raises: ValueError where the text is broken, or something else than a table is on the way.
    """
    body = text.removeprefix(_BOM)
    try:
        new = _put(body, path, value)
    except (TOMLKitError, RecursionError) as error:
        raise ValueError(str(error) or "it is nested too deeply") from error
    return text[: len(text) - len(body)] + re.sub(r"\r?\n", newline_of(text), new)


def remove(text: str, path: Sequence[str]) -> str:
    """`text` without the table at `path`; comments that stand behind it stay, because they speak of what comes next.

    Raises: ValueError where the text is broken.
    """
    read(text)
    lines = text.splitlines(keepends=True)
    heads = [at for at, line in enumerate(lines) if _header(line)]
    if not any(_header(lines[at])[: len(path)] == tuple(path) for at in heads):
        return _without_key(text, path)
    kept: list[str] = lines[: heads[0]]
    for at, end in zip(heads, [*heads[1:], len(lines)], strict=True):
        if _header(lines[at])[: len(path)] == tuple(path):
            own = max(place for place in range(at, end) if place == at or _SAYS_SOMETHING.match(lines[place]))
            at = own + 1
            if at == len(lines) or not lines[at].strip():
                while kept and not kept[-1].strip():
                    kept.pop()
        kept += lines[at:end]
    return "".join(kept)


def _header(line: str) -> tuple[str, ...]:
    """The keys of a line that begins a table; none for any other line."""
    if not line.lstrip().startswith("["):
        return ()
    try:
        value: object = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return ()
    keys: list[str] = []
    while True:
        if isinstance(value, list):
            value = cast("list[object]", value)[0]
        if not isinstance(value, dict) or not value:
            return tuple(keys)
        key, value = next(iter(cast("dict[str, object]", value).items()))
        keys.append(key)


def _without_key(text: str, path: Sequence[str]) -> str:
    """The same for a table that stands in its parent's own lines."""
    body = text.removeprefix(_BOM)
    try:
        document = tomlkit.parse(body)
        table = cast("MutableMapping[str, object]", document)
        for key in path[:-1]:
            table = cast("MutableMapping[str, object]", table[key])
        del table[path[-1]]
    except (TOMLKitError, KeyError, TypeError) as error:
        raise ValueError(f"{path[-1]!r} cannot be taken out") from error
    return text[: len(text) - len(body)] + re.sub(r"\r?\n", newline_of(text), tomlkit.dumps(document))


def _put(text: str, path: Sequence[str], value: Mapping[str, JsonValue]) -> str:
    document = tomlkit.parse(text)
    table = cast("MutableMapping[str, object]", document)
    for key in path:
        if key not in table:
            if not isinstance(table, InlineTable):
                return _appended(text, path, value)
            table[key] = {}
        place = table[key]
        if not isinstance(place, MutableMapping):
            raise ValueError(f"{key!r} is not a table")
        table = cast("MutableMapping[str, object]", place)
    _update(table, value)
    return tomlkit.dumps(document)


def _appended(text: str, path: Sequence[str], value: Mapping[str, JsonValue]) -> str:
    end = "" if not text or text.endswith("\n") else "\n"
    return text + end + ("\n" if text.strip() else "") + tomlkit.dumps({path[0]: nested(path[1:], dict(value))})


def _update(table: MutableMapping[str, object], value: Mapping[str, JsonValue]) -> None:
    plain: object = table
    body = plain.value.body if isinstance(plain, Table) else []
    # Comments and empty lines at its end speak of what comes next: new keys go before them.
    first = next((at for at in range(len(body), 0, -1) if body[at - 1][0] is not None), 0)
    tail, body[first:] = body[first:], []
    for key, item in value.items():
        old = table.get(key)
        if isinstance(item, dict) and isinstance(old, MutableMapping):
            _update(cast("MutableMapping[str, object]", old), item)
        elif key not in table or old != item:
            table[key] = item
    body += tail
