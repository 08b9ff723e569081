"""Inputs that hold a secret of the caller: told by their names, written down and shown nowhere."""

import re
from collections.abc import Callable, Mapping

from pydantic import JsonValue

_SECRET_NAME = re.compile(
    r"(?:^|_)(?:(?:api|access|secret|private|auth)_?keys?|token|secrets?|pass(?:word|wd|phrase)s?"
    r"|credentials?|authorization|bearer)$"
)
_WORD_BREAK = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")
MASK = "[secret]"


def is_secret(name: str) -> bool:
    """True for names such as `openai_api_key`, `hfToken`, `password`; not for `max_tokens`."""
    return bool(_SECRET_NAME.search(_WORD_BREAK.sub("_", name).lower()))


def masked_secrets(
    input: Mapping[str, JsonValue], mask: Callable[[JsonValue], str] = lambda secret: MASK
) -> dict[str, JsonValue]:
    """The same input with a mask in the place of every secret, at any depth."""
    return {name: mask(value) if is_secret(name) and value else _masked(value, mask) for name, value in input.items()}


def secrets_of(input: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The inputs that are a secret or hold one, whole, by name."""
    masked = masked_secrets(input)
    return {name: value for name, value in input.items() if masked[name] != value}


def is_masked(name: str, value: JsonValue) -> bool:
    """True where a mask stands in the place of a secret, at any depth."""
    if isinstance(value, dict):
        return any(is_masked(inner, item) for inner, item in value.items())
    if isinstance(value, list):
        return any(is_masked(name, item) for item in value)
    return value == MASK and is_secret(name)


def _masked(value: JsonValue, mask: Callable[[JsonValue], str]) -> JsonValue:
    if isinstance(value, list):
        return [_masked(item, mask) for item in value]
    return masked_secrets(value, mask) if isinstance(value, dict) else value
