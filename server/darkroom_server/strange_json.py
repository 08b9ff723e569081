"""Messages that the SDK or the journal cannot read: half characters, JSON without end, numbers without a value.

The SDK drops such a message, so that the host waits for ever. Here it is rewritten into one that can be read, with FLAW
among its params; the server answers that in words (`mcp_server`).
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, cast

from pydantic_core import from_json

FLAW = "darkroom/flaw"
LONGEST_TEXT = 32_000
_DEEPEST = 100
_MOST_VALUES = 50_000
_LARGEST_NUMBER = 2**63
_MOST_MESSAGES = 100
_DECODER = json.JSONDecoder()
_HOLD_IMAGES = ("images", "mask", "model_options", "options", "picture")
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")


def readable(message: str) -> str:
    """The message as it is where the SDK can read it, else one with the same id that says what is wrong with it.

    What is not JSON at all stays as it is.
    """
    with suppress(ValueError):
        from_json(message)
        return message
    from darkroom.gateways.replies import cut_below

    try:
        parsed = json.loads(cut_below(_DEEPEST - 1, message), parse_int=_whole_number)
    except (ValueError, RecursionError):
        return message
    if isinstance(parsed, dict) and "method" in parsed:
        body = cast("dict[str, Any]", parsed)
        params = cast("dict[str, Any]", body["params"]) if isinstance(body.get("params"), dict) else {}
        body["params"] = {**params, FLAW: flaw_in(params) or f"more than {_DEEPEST} levels of JSON"}
    return json.dumps(cleaned(parsed))


def messages_in(line: str) -> list[str]:
    """The messages in one line, in a list or one after the other; the line as it is where it holds but one, or none."""
    found, rest = list[Any](), line.strip()
    try:
        while rest and len(found) <= _MOST_MESSAGES:
            value, end = _DECODER.raw_decode(rest)
            found += cast("list[Any]", value) if isinstance(value, list) else [value]
            rest = rest[end:].lstrip()
    except (ValueError, RecursionError):
        return [line]
    are_several = 1 < len(found) <= _MOST_MESSAGES or line.lstrip()[:1] == "["
    return [json.dumps(each) for each in found] if are_several and not rest else [line]


def object_in(text: str) -> dict[str, Any] | None:
    """The JSON object that the text is, None where it is none."""
    with suppress(ValueError, RecursionError):
        if isinstance(read := json.loads(text), dict):
            return cast("dict[str, Any]", read)
    return None


def flaw_in(params: Mapping[str, Any], *, longest: int = LONGEST_TEXT) -> str:
    """What makes these values unusable, in words that name the place; empty where nothing does.

    `longest` is the length of a text in characters; a data URI in an argument that takes images may have any length.
    """
    for count, (place, value, depth) in enumerate(_values(params)):
        if count > _MOST_VALUES:
            return f"{place} holds more than {_MOST_VALUES:,} values"
        if depth > _DEEPEST:
            return f"{place} is nested deeper than {_DEEPEST} levels"
        if isinstance(value, str) and not value.isascii() and _HALF_CHARACTER.search(value):
            return f"{place} holds half a character (a lone surrogate)"
        is_file = place in _HOLD_IMAGES and isinstance(value, str) and value[:5].lower() == "data:"
        if isinstance(value, str) and len(value) > longest and not is_file:
            return f"{place} has {len(value):,} characters; at most {longest:,} are taken"
        if isinstance(value, int | float) and not abs(value) < _LARGEST_NUMBER:
            return f"{place} is a number that cannot be used"
    return ""


def cleaned(value: Any) -> Any:
    """The same JSON value with U+FFFD for every half character, and null for NaN and infinity."""
    match value:
        case str():
            return value if value.isascii() else _HALF_CHARACTER.sub("\ufffd", value)
        case float():
            return value if abs(value) < float("inf") else None
        case Mapping():
            return {cleaned(name): cleaned(each) for name, each in cast("Mapping[str, Any]", value).items()}
        case list() | tuple():
            return [cleaned(each) for each in cast("Sequence[Any]", value)]
        case _:
            return value


def _values(params: Mapping[str, Any]) -> Iterator[tuple[str, Any, int]]:
    """Every name and value in params: the argument in which it stands, itself, and how deep it lies."""
    open_: list[tuple[str, Any, int]] = [("", params, 0)]
    while open_:
        place, value, depth = open_.pop()
        yield place or "the message", value, depth
        if isinstance(value, Mapping):
            for name, each in islice(cast("Mapping[str, Any]", value).items(), _MOST_VALUES):
                inside = place if place not in ("", "arguments") else name[:40] if name.isascii() else "a name"
                open_ += ((inside, name, depth), (inside, each, depth + 1))
        elif isinstance(value, list):
            open_ += ((place, each, depth + 1) for each in cast("list[Any]", value)[: _MOST_VALUES + 1])


def _whole_number(digits: str) -> float | int:
    return int(digits) if len(digits) < 40 else float("inf")
