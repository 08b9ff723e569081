"""What no gateway can be sent, whatever the model: numbers and characters that JSON cannot carry, and endless nesting."""

import math
from collections.abc import Mapping
from dataclasses import fields

from pydantic import JsonValue

from darkroom.registry.mapping.part import refusal
from darkroom.registry.request import ImageRequest

_MOST_LEVELS = 100


def refuse_unsendable(request: ImageRequest) -> None:
    """Raises: InvalidInput naming the argument."""
    for argument in (field.name for field in fields(request)):
        if problem := _problem(getattr(request, argument), _MOST_LEVELS):
            raise refusal(argument, f"{argument} {problem}.")


def _problem(value: JsonValue | tuple[str, ...] | Mapping[str, JsonValue], levels: int) -> str:
    match value:
        case str():
            return "" if value.isascii() or _is_whole(value) else "holds half a character (a lone surrogate)"
        case int():
            return "" if value.bit_length() <= 64 else "holds a number that is too large (more than 64 bits)"
        case float():
            return "" if math.isfinite(value) else "holds a number that is not finite"
        case None:
            return ""
        case _ if not levels:
            return f"is nested more than {_MOST_LEVELS} levels deep"
        case Mapping():
            items = [*value.keys(), *value.values()]
        case _:
            items = value
    return next((problem for item in items if (problem := _problem(item, levels - 1))), "")


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
