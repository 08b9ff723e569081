"""The arguments of a tool call as they are meant: what hosts write in another way is read, what no tool has is refused.

The SDK would drop an unknown argument, and the image would be paid for all the same.
"""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

from darkroom.errors import InvalidRequest
from darkroom.spelling import closest

# Taken, and not listed: what the argument was called before.
_EARLIER_NAMES = {"options": "model_options"}
# What other tools and models call it, where nothing of ours is spelt like that.
_ELSEWHERE = {
    **dict.fromkeys(("n", "num_images", "num_outputs", "number_of_images", "batch_size"), "count"),
    **dict.fromkeys(("size", "image_size"), "aspect_ratio"),
    **dict.fromkeys(("input_image", "init_image", "file"), "images"),
    **dict.fromkeys(("mask_image", "mask_url"), "mask"),
    **dict.fromkeys(("steps", "quality", "style", "guidance", "strength", "resolution"), "model_options"),
    **dict.fromkeys(("text", "description"), "prompt"),
    "search": "query",
    "timeout": "wait_seconds",
}
_KINDS = {"array": list, "object": dict}
_WORD_BEGINS = re.compile(r"(?<=[a-z])(?=[A-Z])")
_MOST_NAMED = 5
_LONGEST_NAME = 60


def as_meant(tool: str, arguments: Mapping[str, Any], schemas: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The arguments without nulls, under today's names, with a list where one value was given for a list of one.

    `schemas` are those of all arguments of the tool. Raises: InvalidRequest for an argument that it does not have.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    for earlier, name in _EARLIER_NAMES.items():
        if earlier in given and name in schemas:
            if name in given:
                words = f"{earlier} and {name} are the same argument. Give {name} only. Nothing was sent or spent."
                raise InvalidRequest(words)
            given[name] = given.pop(earlier)
    if unknown := [name for name in given if name not in schemas]:
        raise InvalidRequest(_unknown_words(tool, unknown, tuple(schemas)))
    read = {name: _read(value, schemas[name]) for name, value in given.items()}
    keeps_nulls = ("model_options",) if read.get("like") else ()  # there a null takes an option away
    return {name: value if name in keeps_nulls else _without_nulls(value) for name, value in read.items()}


def _read(value: Any, schema: Mapping[str, Any]) -> Any:
    """A text where a list is wanted is its only item, unless it is the whole list as JSON, as some hosts write it."""
    wanted = _KINDS.get(schema.get("type", ""))
    if not isinstance(value, str) or not wanted:
        return value
    with suppress(ValueError, RecursionError):
        if isinstance(read := json.loads(value), wanted):
            return cast("Any", read)
    if wanted is list:
        return [value] if value.strip() else []
    return value


def _without_nulls(value: Any) -> Any:
    """A null inside an argument is not given either; deeper ones belong to an input of the model."""
    if isinstance(value, list):
        return [each for each in cast("list[Any]", value) if each is not None]
    if isinstance(value, dict):
        return {name: each for name, each in cast("dict[str, Any]", value).items() if each is not None}
    return value


def _unknown_words(tool: str, unknown: Sequence[str], known: tuple[str, ...]) -> str:
    words = " ".join(_named(name, known) for name in unknown[:_MOST_NAMED])
    hint = " An input that only the model has goes into model_options." if "model_options" in known else ""
    return f"{words} Nothing was sent or spent. {tool} takes: {', '.join(known)}.{hint}"


def _named(name: str, known: tuple[str, ...]) -> str:
    plain = _WORD_BEGINS.sub("_", name[:_LONGEST_NAME]).lower().replace("-", "_")
    words, elsewhere = set(plain.split("_")), _ELSEWHERE.get(plain, "")
    close = [elsewhere] if elsewhere in known else closest(plain, known, limit=1)
    close = close or [each for each in known if words & set(each.split("_"))]
    end = f": did you mean {close[0]!r}?" if close else "."
    return f"Unknown argument {name[:_LONGEST_NAME]!r}{end}"
