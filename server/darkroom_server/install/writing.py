"""One way for all clients: read the file, bring our entry up to date, read the result back, and only then write it."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from darkroom.errors import SettingsError
from darkroom_server.install import json_text, toml_text, yaml_text
from darkroom_server.install.clients import Client
from darkroom_server.install.entries import Values, merged_entry, questions_for
from darkroom_server.install.files import read_text, replace_text


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
    if client.format == "yaml":
        return yaml_text.read(text, (client.table, name))
    value = _document(client, text)
    for key in (client.table, name):
        if not isinstance(value, dict):
            raise ValueError(f"{client.table!r} is not a table of servers")
        if key not in value:
            return None
        value = value[key]
    if not isinstance(value, dict):
        raise ValueError(f"{name!r} is not an entry")
    return value


def _document(client: Client, text: str) -> JsonValue:
    return json_text.read(text) if client.format == "json" else toml_text.read(text)


def _rest_of(client: Client, text: str, name: str) -> JsonValue:
    """Everything but our entry and our questions, to compare before and after."""
    if client.format == "yaml":
        return [*yaml_text.other_lines(text, (client.table, name))]
    document = copy.deepcopy(_document(client, text))
    if not isinstance(document, dict):
        raise ValueError("it is not a table")
    servers = document.get(client.table)
    if isinstance(servers, dict):
        servers.pop(name, None)
    if not servers:
        document.pop(client.table, None)
    if client.has_inputs:
        document["inputs"] = [each for each in _inputs(document) if not _is_our_question(each)]
    return document


def _with_entry(client: Client, text: str, name: str, entry: Values) -> str:
    path = (client.table, name)
    if client.format == "yaml":
        return yaml_text.put(text, path, entry)
    if client.format == "toml":
        return toml_text.put(text, path, entry)
    return json_text.put(text, path, entry)


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
