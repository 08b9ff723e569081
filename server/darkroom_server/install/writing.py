"""One way for all clients: read the file, bring our entry up to date, read the result back, and only then write it.

A file is copied first and then replaced all or nothing, with the mode and the link it had.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pydantic import JsonValue

from darkroom.errors import SettingsError
from darkroom_server.install import json_text
from darkroom_server.install.clients import Client
from darkroom_server.install.entries import Values, merged_entry, questions_for
from darkroom_server.install.settings_files import read_text, replace_text


class Editor(Protocol):
    """A module that changes texts of one format and leaves everything else in them as it was. All raise ValueError."""

    def read(self, text: str) -> JsonValue: ...
    def put(self, text: str, path: Sequence[str], value: Values) -> str: ...
    def remove(self, text: str, path: Sequence[str]) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What was done to `path`; `backup` is the copy of the file before."""

    action: Literal["added", "updated", "unchanged", "restored", "deleted", "removed", "absent"]
    path: Path
    backup: Path | None = None


def shown_entry(client: Client, name: str, entry: Values) -> str:
    """The entry as a whole file of its format, to read or to copy from."""
    return _with_questions(client, editor_for(client).put("", (client.table, name), entry), entry)


def write_entry(client: Client, path: Path, name: str, entry: Values, *, given: Mapping[str, str], stamp: str) -> Done:
    """Bring the servers in `path` up to `entry`, which is `fresh_entry`'s; everything else in the file stays as it is.

    `given` are the variables that replace values that are there. `stamp` is the time for the name of the copy.

    Raises: SettingsError where the file cannot be understood, read or written; it is then as it was.
    """
    old = read_text(path)
    try:
        existing = entry_in(client, old, name)
        wanted = merged_entry(client, entry, existing, given)
        new = with_entry(client, old, name, wanted)
        if entry_in(client, new, name) != wanted or rest_of(client, new, name) != rest_of(client, old, name):
            raise ValueError("the change would touch more than this entry")
    except ValueError as error:
        words = f"{str(path)[:120]!r} is not as {client.title} writes it: {str(error)[:80]}."
        raise SettingsError(f"{words} Nothing was changed.") from error
    if new == old:
        return Done(action="unchanged", path=path)
    backup = replace_text(path, old, new, stamp=stamp)
    return Done(action="added" if existing is None else "updated", path=path, backup=backup)


def write_page(path: Path, text: str, *, stamp: str) -> Done:
    """Make `text` the whole content of a file of ours; another content is copied first.

    Raises: SettingsError where it cannot be read or written; it is then as it was.
    """
    is_there = path.exists()
    old = read_text(path)
    if is_there and old == text:
        return Done(action="unchanged", path=path)
    backup = replace_text(path, old, text, stamp=stamp)
    return Done(action="updated" if is_there else "added", path=path, backup=backup)


def with_entry(client: Client, text: str, name: str, entry: Values) -> str:
    """`text` with this entry and the questions that it needs. Raises: ValueError."""
    there = entry_in(client, text, name)
    if there != entry:
        old, new = ((each or {}).get(client.env_key) for each in (there, entry))
        if isinstance(old, dict) and isinstance(new, dict):
            for variable in sorted(old.keys() - new.keys()):
                text = editor_for(client).remove(text, (client.table, name, client.env_key, variable))
        text = editor_for(client).put(text, (client.table, name), entry)
    return _with_questions(client, text, entry)


def entry_in(client: Client, text: str, name: str) -> Values | None:
    """Raises: ValueError where the text or the way to the entry is broken."""
    value = editor_for(client).read(text)
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


def rest_of(client: Client, text: str, name: str) -> str:
    """Everything but our entry and our questions, to compare before and after. In words, which tell 1 from true."""
    document = editor_for(client).read(text)
    if not isinstance(document, dict):
        raise ValueError("it is not a table")
    servers = document.get(client.table)
    if isinstance(servers, dict):
        servers.pop(name, None)
    if not servers:
        document.pop(client.table, None)
    if client.has_inputs:
        document["inputs"] = [each for each in _inputs(document) if not is_our_question(each)]
    return repr(document)


def editor_for(client: Client) -> Editor:
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


def is_our_question(value: JsonValue) -> bool:
    return isinstance(value, dict) and str(value.get("id")).startswith("darkroom-")


def _inputs(document: Values) -> list[JsonValue]:
    inputs = document.get("inputs", [])
    if not isinstance(inputs, list):
        raise ValueError("'inputs' is not a list")
    return inputs
