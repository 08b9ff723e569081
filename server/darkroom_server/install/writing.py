"""One way for all clients: read the file, bring our entry up to date, read the result back, and only then write it.

A file is copied first and then replaced all or nothing, with the mode and the link it had.
"""

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pydantic import JsonValue

from darkroom.errors import SettingsError
from darkroom_server.install import json_text
from darkroom_server.install.clients import Client
from darkroom_server.install.entries import Values, merged_entry, questions_for


class Editor(Protocol):
    """A module that changes texts of one format and leaves everything else in them as it was. Both raise ValueError."""

    def read(self, text: str) -> JsonValue: ...
    def put(self, text: str, path: Sequence[str], value: Values) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What was done to `path`; `backup` is the copy of the file before."""

    action: Literal["added", "updated", "unchanged"]
    path: Path
    backup: Path | None = None


def shown_entry(client: Client, name: str, entry: Values) -> str:
    """The entry as a whole file of its format, to read or to copy from."""
    return _with_questions(client, _editor(client).put("", (client.table, name), entry), entry)


def write_entry(
    client: Client, path: Path, name: str, entry: Values, *, given: Mapping[str, str], stamp: str
) -> Installed:
    """Bring the servers in `path` up to `entry`, which is `fresh_entry`'s; everything else in the file stays as it is.

    `given` are the variables that replace values that are there. `stamp` is the time for the name of the copy.

    Raises: SettingsError where the file cannot be understood, read or written; it is then as it was.
    """
    old = _read_text(path)
    try:
        existing = _entry_in(client, old, name)
        wanted = merged_entry(client, entry, existing, given)
        new = old if existing == wanted else _editor(client).put(old, (client.table, name), wanted)
        new = _with_questions(client, new, wanted)
        if _entry_in(client, new, name) != wanted or _rest_of(client, new, name) != _rest_of(client, old, name):
            raise ValueError("the change would touch more than this entry")
    except ValueError as error:
        words = f"{str(path)[:120]!r} is not as {client.title} writes it: {str(error)[:80]}."
        raise SettingsError(f"{words} Nothing was changed.") from error
    if new == old:
        return Installed(action="unchanged", path=path)
    backup = _replace_text(path, old, new, stamp=stamp)
    return Installed(action="added" if existing is None else "updated", path=path, backup=backup)


def write_page(path: Path, text: str, *, stamp: str) -> Installed:
    """Make `text` the whole content of a file of ours; another content is copied first.

    Raises: SettingsError where it cannot be read or written; it is then as it was.
    """
    is_there = path.exists()
    old = _read_text(path)
    if is_there and old == text:
        return Installed(action="unchanged", path=path)
    backup = _replace_text(path, old, text, stamp=stamp)
    return Installed(action="updated" if is_there else "added", path=path, backup=backup)


def _entry_in(client: Client, text: str, name: str) -> Values | None:
    """Raises: ValueError where the text or the way to the entry is broken."""
    value = _editor(client).read(text)
    for key, words in ((client.table, "is not a table of servers"), (name, "is not an entry")):
        if not isinstance(value, dict):
            raise ValueError("it is not a table")
        if key not in value:
            return None
        value = value[key]
        if value is None and key == client.table:  # in YAML, a table without a server
            return None
        if not isinstance(value, dict):
            raise ValueError(f"{key!r} {words}")
    return value


def _rest_of(client: Client, text: str, name: str) -> str:
    """Everything but our entry and our questions, to compare before and after. In words, which tell 1 from true."""
    document = _editor(client).read(text)
    if not isinstance(document, dict):
        raise ValueError("it is not a table")
    servers = document.get(client.table)
    if isinstance(servers, dict):
        servers.pop(name, None)
    if not servers:
        document.pop(client.table, None)
    if client.has_inputs:
        document["inputs"] = [each for each in _inputs(document) if not _is_our_question(each)]
    return repr(document)


def _editor(client: Client) -> Editor:
    """The libraries for TOML and YAML are loaded only for a client that needs them."""
    if client.format == "toml":
        from darkroom_server.install import toml_text

        return toml_text
    if client.format == "yaml":
        from darkroom_server.install import yaml_text

        return yaml_text
    return json_text


def _with_questions(client: Client, text: str, entry: Values) -> str:
    for question in questions_for(client, entry):
        document = json_text.read(text)
        inputs = _inputs(document) if isinstance(document, dict) else []
        if not any(isinstance(each, dict) and each.get("id") == question["id"] for each in inputs):
            text = json_text.append(text, "inputs", question)
    return text


def _is_our_question(value: JsonValue) -> bool:
    return isinstance(value, dict) and str(value.get("id")).startswith("darkroom-")


def _inputs(document: Values) -> list[JsonValue]:
    inputs = document.get("inputs", [])
    if not isinstance(inputs, list):
        raise ValueError("'inputs' is not a list")
    return inputs


def _read_text(path: Path) -> str:
    """The text with its line ends as they are; empty where there is no file.

    Raises: SettingsError where it cannot be read.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{str(path)[:160]!r} cannot be read ({_reason(error)}). Nothing was changed.") from error


def _replace_text(path: Path, old: str, new: str, *, stamp: str) -> Path | None:
    """Put `new` in the place of `old`; gives the copy of the old file, `<file>.bak-<stamp>`, if there was one.

    A link stays a link: its target is replaced. A new file is readable by its owner only, because it may hold a key.

    Raises: SettingsError where it cannot be written, or changed meanwhile.
    """
    if _read_text(path) != old:
        raise SettingsError(f"{str(path)[:160]!r} was changed by another program just now. Nothing was changed.")
    try:
        backup = _copy(path, stamp) if path.exists() else None
        _write(path.resolve(), new)
    except OSError as error:
        words = f"{str(path)[:160]!r} cannot be written ({_reason(error)}). Nothing was changed."
        raise SettingsError(words) from error
    return backup


def _copy(path: Path, stamp: str) -> Path:
    names = (path.with_name(f"{path.name}.bak-{stamp}{suffix}") for suffix in ("", *(f"-{n}" for n in range(2, 100))))
    backup = next(name for name in names if not name.exists())
    shutil.copy2(path, backup)
    return backup


def _write(target: Path, text: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, name)
        os.replace(name, target)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else "it is not UTF-8"
