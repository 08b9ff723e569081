"""Inputs compared as gateways echo them: one normal form on both sides, without what never comes back as it was sent.

Seen or provoked at gateways (2026-11): text trimmed, line ends changed, Unicode recomposed, numbers as text, `false`
and defaults dropped or added, secrets redacted, files under other addresses.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping

from pydantic import JsonValue

from darkroom.secrets_in_inputs import is_secret
from darkroom.uris import is_data_uri, is_url

NormalForm = dict[str, JsonValue]

_NUMBER = re.compile(r"-?\d{1,18}(?:\.\d{1,9})?")
_LINE_END = re.compile(r"\r\n?")
_REDACTED = re.compile(r"\W*(?:redacted|hidden|masked|secret|removed)?\W*", re.IGNORECASE)
_CUT_TEXT = 20  # a text that begins with this much of the other one may be the other one, cut


def normal_form(
    input: Mapping[str, JsonValue], file_fields: Collection[str] = (), defaults: Mapping[str, JsonValue] | None = None
) -> NormalForm:
    """What is compared: absent, null and the model's own default are one; files and secrets are left out."""
    known = {name: _normal(value) for name, value in (defaults or {}).items()}
    kept = {
        name: _normal(value)
        for name, value in input.items()
        if name not in file_fields and not is_secret(name) and not _is_file(value)
    }
    return {name: value for name, value in kept.items() if value is not None and value != known.get(name)}


def has_files(input: Mapping[str, JsonValue], file_fields: Collection[str]) -> bool:
    """True where an image is part of the input, so that its normal form does not tell all."""
    return any(input.get(name) for name in file_fields) or any(_is_file(value) for value in input.values())


def holds(sent: NormalForm, found: NormalForm) -> bool:
    """Everything that was sent came back; the gateway may have added to it."""
    return all(name in found and found[name] == value for name, value in sent.items())


def contradicts(sent: NormalForm, found: NormalForm) -> bool:
    """Some input that both name has a truly different value, or both name none in common."""
    shared = sent.keys() & found.keys()
    return not shared or any(_differ(sent[name], found[name]) for name in shared)


def _differ(sent: JsonValue, found: JsonValue) -> bool:
    if isinstance(found, str) and _REDACTED.fullmatch(found):
        return False
    if isinstance(sent, str) and isinstance(found, str) and min(len(sent), len(found)) >= _CUT_TEXT:
        return not (sent.startswith(found) or found.startswith(sent))
    return sent != found


def _is_file(value: JsonValue) -> bool:
    if isinstance(value, list):
        return bool(value) and all(_is_file(item) for item in value)
    return isinstance(value, str) and (is_data_uri(value) or is_url(value.strip()))


def _normal(value: JsonValue) -> JsonValue:
    match value:
        case str():
            return _normal_text(value)
        case float() if value.is_integer():
            return int(value)
        case list():
            return [_normal(item) for item in value]
        case dict():
            return {name: _normal(item) for name, item in value.items() if item is not None}
        case _:
            return value


def _normal_text(text: str) -> JsonValue:
    plain = unicodedata.normalize("NFC", _LINE_END.sub("\n", text)).strip()
    if plain.lower() in ("true", "false"):
        return plain.lower() == "true"
    return _normal(float(plain) if "." in plain else int(plain)) if _NUMBER.fullmatch(plain) else plain
