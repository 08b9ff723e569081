"""Taking darkroom out of a client again.

Where the file is still exactly what installing made of an earlier copy, that copy comes back, byte for byte, and the
copies that installing left are cleared away. Where somebody has changed the file since, only our entry goes.
"""

from pathlib import Path

from pydantic import JsonValue

from darkroom.errors import SettingsError
from darkroom_server.install import json_text
from darkroom_server.install.clients import Client
from darkroom_server.install.settings_files import put_back, read_text, replace_text
from darkroom_server.install.writing import Done, editor_for, entry_in, is_our_question, rest_of, with_entry


def remove_entry(client: Client, path: Path, name: str, *, stamp: str) -> Done:
    """Undo `write_entry`. `stamp` is the time for the name of a copy, made where only the entry is taken out.

    Raises: SettingsError where the file cannot be understood, read or written; it is then as it was.
    """
    text = read_text(path)
    try:
        if entry_in(client, text, name) is None:
            return Done(action="absent", path=path)
        if way := _way_back(client, path, name, text):
            before, copies = way
            put_back(path, before, copies)
            return Done(action="deleted" if before is None else "restored", path=path)
        new = _without(client, text, name)
        if entry_in(client, new, name) is not None or rest_of(client, new, name) != rest_of(client, text, name):
            raise ValueError("the change would touch more than this entry")
    except ValueError as error:
        words = f"{str(path)[:120]!r} is not as {client.title} writes it: {str(error)[:80]}."
        raise SettingsError(f"{words} Nothing was changed; take {name!r} out by hand.") from error
    return Done(action="removed", path=path, backup=replace_text(path, text, new, stamp=stamp))


def _way_back(client: Client, path: Path, name: str, text: str) -> tuple[str | None, list[Path]] | None:
    """The text before we came, None where we made the file, and the copies on the way; None where others changed it."""
    copies = {copy: copied for copy in _copies(path) if (copied := _text_of(copy)) is not None}
    trail: list[Path] = []
    while (entry := entry_in(client, text, name)) is not None:
        before = next((copy for copy, old in copies.items() if _made(client, old, name, entry) == text), None)
        if before is None:
            return (None, trail) if with_entry(client, "", name, entry) == text else None
        trail.append(before)
        text = copies.pop(before)
    return text, trail


def _made(client: Client, old: str, name: str, entry: dict[str, JsonValue]) -> str | None:
    """What installing this entry makes of an earlier text."""
    try:
        return with_entry(client, old, name, entry) if entry_in(client, old, name) != entry else None
    except ValueError:
        return None


def _copies(path: Path) -> list[Path]:
    """Newest first."""
    found = [each for each in path.parent.iterdir() if each.name.startswith(f"{path.name}.bak-")]
    return sorted(found, key=lambda each: (len(each.name), each.name), reverse=True)


def _text_of(copy: Path) -> str | None:
    try:
        return read_text(copy)
    except SettingsError:
        return None


def _without(client: Client, text: str, name: str) -> str:
    text = editor_for(client).remove(text, (client.table, name))
    if not client.has_inputs:
        return text
    document = json_text.read(text)
    inputs = document.get("inputs") if isinstance(document, dict) else None
    for at, each in reversed(list(enumerate(inputs if isinstance(inputs, list) else []))):
        # Another server may ask the same question.
        if is_our_question(each) and isinstance(each, dict) and f"${{input:{each['id']}}}" not in text:
            text = json_text.remove(text, ("inputs", at))
    return text
