"""What a Python program gives for an image, read into a request: nothing of another type gets any further."""

import math
import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import cast

from pydantic import TypeAdapter, ValidationError

from darkroom.errors import InvalidInput
from darkroom.images import StoredFile
from darkroom.registry import ImageRequest
from darkroom.uris import data_uri, is_data_uri, is_url, scheme_of

Picture = str | os.PathLike[str] | bytes | StoredFile
"""A path, an http(s) URL, a data URI, `prediction:ID/n`, an image of a report, or the bytes of an image file."""

_OF_EARLIER_ONES = ("prediction", "upload")
_LONGEST_WAIT_S = 24 * 3600.0
_ENDLESS = 1e300


def request_of(given: Mapping[str, object]) -> ImageRequest:
    """The request; None is "not given". A relative path begins in the working folder, `~` is the home folder.

    Raises: InvalidInput naming the argument.
    """
    known = {name: value for name, value in given.items() if value is not None}
    known["has_count"] = "count" in known
    known["options"] = known.pop("model_options", {})
    known["images"] = tuple(_reference("images", each) for each in _as_list(known.get("images", ())))
    known["mask"] = _reference("mask", mask) if (mask := known.get("mask")) else ""
    options = cast("Mapping[str, object]", known["options"] if isinstance(known["options"], Mapping) else {})
    for name, value in [*known.items(), *options.items()]:
        if isinstance(value, int) and abs(value) >= _ENDLESS:
            raise _refusal(name, value, "a smaller number")
    try:
        return _requests().validate_python(known)
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        name = str(wrong["loc"][0]).replace("options", "model_options")
        words = f"{name} is {_shown(wrong['input'])}: {wrong['msg'][:100]}. Nothing was sent."
        raise InvalidInput(words, field=name) from error


def seconds_of(name: str, value: object, default_s: float) -> float:
    """`default_s` for None. Raises: InvalidInput for what is no number of seconds from 0 to a day."""
    if 0 <= (given := _number(value, default_s)) <= _LONGEST_WAIT_S:
        return given
    raise _refusal(name, value, f"seconds, 0 to {_LONGEST_WAIT_S:,.0f}")


def usd_of(name: str, value: object) -> float:
    """0 for None. Raises: InvalidInput for what is no number; its range is checked where limits are."""
    if (given := _number(value, 0.0)) == given:
        return given
    raise _refusal(name, value, "US dollars, 0 or more")


def whole_of(name: str, value: object) -> int:
    """Raises: InvalidInput for what is no whole number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise _refusal(name, value, "a whole number")


def text_of(name: str, value: object) -> str:
    """Empty for None. Raises: InvalidInput for what is no text."""
    value = "" if value is None else value
    if isinstance(value, str):
        return value
    raise _refusal(name, value, "a text")


@cache
def _requests() -> TypeAdapter[ImageRequest]:
    return TypeAdapter(ImageRequest)


def _as_list(value: object) -> Sequence[object]:
    """One picture is a list of one."""
    if isinstance(value, str | os.PathLike | bytes | bytearray | StoredFile):
        return [cast("object", value)]
    if isinstance(value, Sequence):
        return cast("Sequence[object]", value)
    raise _refusal("images", value, "a list of images")


def _reference(name: str, value: object) -> str:
    if isinstance(value, StoredFile):
        return value.location
    if isinstance(value, bytes | bytearray):
        return data_uri("application/octet-stream", bytes(value))  # its type is read from the content
    if isinstance(value, os.PathLike):
        value = cast("object", os.fspath(cast("os.PathLike[str]", value)))  # which may be bytes
    if not isinstance(value, str):
        raise InvalidInput(
            f"{name} holds {_shown(value)}. Allowed: a path, a URL, a data URI, prediction:ID/n, an image of a report, "
            "or the bytes of an image. Nothing was sent.",
            field=name,
        )
    is_no_path = not value.strip() or is_url(value) or is_data_uri(value) or scheme_of(value) in _OF_EARLIER_ONES
    return value if is_no_path else str(Path(value).expanduser().absolute())


def _number(value: object, default: float) -> float:
    """`default` for None, NaN for what is no number or has no end."""
    value = default if value is None else value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value) if abs(value) < _ENDLESS else math.nan


def _refusal(name: str, value: object, allowed: str) -> InvalidInput:
    return InvalidInput(f"{name} is {_shown(value)}. Allowed: {allowed}. Nothing was sent.", field=name)


def _shown(value: object) -> str:
    try:
        return f"{type(value).__name__} {repr(value)[:60]}"
    except ValueError:  # a whole number of thousands of digits
        return f"{type(value).__name__} too long to show"
