"""One way for all clients: read the file, bring our entry up to date, read the result back, and only then write it."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pydantic import JsonValue

from darkroom.errors import SettingsError
from darkroom_server.install import json_text
from darkroom_server.install.clients import Client
from darkroom_server.install.entries import Values, merged_entry, questions_for
from darkroom_server.install.files import read_text, replace_text


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
    return _with_questions(client, _with_entry(client, "", name, entry), entry)


def write_entry(
    client: Client, path: Path, name: str, entry: Values, *, given: Mapping[str, str], stamp: str
) -> Installed:
    """Bring the servers in `path` up to `entry`, which is `fresh_entry`'s; everything else in the file stays as it is.

    `given` are the variables that replace values that are there. `stamp` is the time for the name of the copy.

    Raises: SettingsError where the file cannot be understood, read or written; it is then as it was.
    """
    old = read_text(path)
    existing = _understood(client, path, old, name)
    wanted = merged_entry(client, entry, existing, given)
    new = _changed(client, path, old, name, wanted)
    if new == old:
        return Installed(action="unchanged", path=path)
    backup = replace_text(path, old, new, stamp=stamp)
    return Installed(action="added" if existing is None else "updated", path=path, backup=backup)


def _understood(client: Client, path: Path, text: str, name: str) -> Values | None:
    try:
        return _entry_in(client, text, name)
    except ValueError as error:
        raise _refusal(client, path, error) from error


def _changed(client: Client, path: Path, old: str, name: str, wanted: Values) -> str:
    """The new text, checked: it holds what we wanted, and otherwise what was there."""
    try:
        new = old if _entry_in(client, old, name) == wanted else _with_entry(client, old, name, wanted)
        new = _with_questions(client, new, wanted)
        if _entry_in(client, new, name) != wanted or _rest_of(client, new, name) != _rest_of(client, old, name):
            raise ValueError("the change would touch more than this entry")
    except ValueError as error:
        raise _refusal(client, path, error) from error
    return new


def _refusal(client: Client, path: Path, error: ValueError) -> SettingsError:
    return SettingsError(
        f"{str(path)[:120]!r} is not as {client.title} writes it: {str(error)[:80]}. Nothing was changed."
    )


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
    document = copy.deepcopy(_editor(client).read(text))
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


def _with_entry(client: Client, text: str, name: str, entry: Values) -> str:
    return _editor(client).put(text, (client.table, name), entry)


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


def _inputs(document: Values) -> list[JsonValue]:
    inputs = document.get("inputs", [])
    if not isinstance(inputs, list):
        raise ValueError("'inputs' is not a list")
    return inputs


def _is_our_question(value: JsonValue) -> bool:
    return isinstance(value, dict) and str(value.get("id")).startswith("darkroom-")
