"""How large the outputs are, how many, and in which format, as the model would decide from its input."""

import math
import re
from collections.abc import Mapping
from typing import Literal

from pydantic import JsonValue

from darkroom.registry import Model

Format = Literal["png", "jpg", "webp", "svg"]
Size = tuple[int, int]
MEGAPIXEL = 1024 * 1024
MAX_SIDE_PX = 4096
_MAX_FOLLOWED_PX = 2048  # a side of an output that takes the size of its source
_MIN_SIDE_PX = 16
_STEP_PX = 16
_PAIR = re.compile(r"(\d{2,5})\s*[x*]\s*(\d{2,5})")
_RATIO = re.compile(r"(\d+(?:\.\d+)?):(\d+(?:\.\d+)?)")
_CLASS = re.compile(r"(\d+(?:\.\d+)?)\s*(MP|K|p)?", re.IGNORECASE)
MIME_TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp", "svg": "image/svg+xml"}
_FORMATS: dict[str, Format] = {"png": "png", "jpg": "jpg", "jpeg": "jpg", "webp": "webp", "svg": "svg"}


def image_count(model: Model, input: Mapping[str, JsonValue]) -> int:
    """How many images this input asks for; 1 where the model has no count or its condition is not met."""
    full = model.with_defaults(input)
    if any(full.get(name) != value for name, value in model.concepts.count_requires.items()):
        return 1
    asked = full.get(model.concepts.count)
    return max(1, int(asked)) if isinstance(asked, int | float) else 1


def format_of(model: Model, input: Mapping[str, JsonValue]) -> Format:
    """The file format asked for, else the model's first one, else PNG."""
    if model.output.svg:
        return "svg"
    asked = model.with_defaults(input).get(model.concepts.output_format)
    usual = model.output.formats[0] if model.output.formats else "png"
    return _FORMATS.get(str(asked).lower(), _FORMATS.get(usual, "png"))


def size_of(model: Model, input: Mapping[str, JsonValue], source: Size | None) -> Size:
    """Width and height in pixels: exact where the input says so, else an aspect ratio over a size class."""
    full = model.with_defaults(input)
    ratio = _ratio(model, full, source)
    if exact := _exact(model, full, takes_size=ratio is None or model.concepts.size in input):
        return _bounded(*exact)
    if ratio is None and source:
        return _bounded(*source, _MAX_FOLLOWED_PX)
    area = _area(model, full, source)
    steps = [math.sqrt(area * shape) / _STEP_PX for shape in (ratio or 1.0, 1.0 / (ratio or 1.0))]
    width, height = (max(1, round(each)) * _STEP_PX for each in steps)
    if math.ceil(width * height / MEGAPIXEL) > math.ceil(area / MEGAPIXEL):  # a class is the most that is billed
        width, height = (max(1, math.floor(each + 1e-9)) * _STEP_PX for each in steps)
    return _bounded(width, height)


def _exact(model: Model, full: Mapping[str, JsonValue], *, takes_size: bool) -> Size | None:
    """The pixels that the input names: width and height, a canvas or, if it takes one, a size such as "1365x1024"."""
    concepts = model.concepts
    is_custom = all(full.get(name) == value for name, value in concepts.custom_size_requires.items())
    if is_custom and (sides := _pixels([full.get(concepts.width), full.get(concepts.height)])):
        return sides
    if sides := _pixels(full.get("canvas_size")):
        return sides
    pair = _PAIR.fullmatch(str(full.get(concepts.size, "")))
    return (int(pair[1]), int(pair[2])) if pair and takes_size else None


def _pixels(sides: JsonValue) -> Size | None:
    """A list of two numbers that can be a width and a height, as whole pixels."""
    match sides:
        case [int() | float() as width, int() | float() as height] if width >= _MIN_SIDE_PX <= height:
            return int(width), int(height)
        case _:
            return None


def _ratio(model: Model, full: Mapping[str, JsonValue], source: Size | None) -> float | None:
    """Width by height; None where the input names none, or where it follows an image that was not given."""
    asked = str(full.get(model.concepts.aspect_ratio, ""))
    if found := _RATIO.fullmatch(asked):
        return float(found[1]) / float(found[2])
    if source and (asked in ("match_input_image", "auto") or full.get(model.concepts.match_input) is True):
        return source[0] / source[1]
    return None


def _area(model: Model, full: Mapping[str, JsonValue], source: Size | None) -> int:
    """Pixels of a size class: "1", "0.5 MP", "2K", "1080p", a side length, or that of the source."""
    asked = full.get(model.concepts.size)
    if asked in ("match_input", "match_input_image") and source:
        return source[0] * source[1]
    found = _CLASS.fullmatch(str(asked))
    if not found:
        return MEGAPIXEL
    number, unit = float(found[1]), (found[2] or "").lower()
    if unit == "k":
        return int(number * number * MEGAPIXEL)
    if unit == "p":
        return int(number * number * 16 / 9)
    return int(number * MEGAPIXEL) if number < _MIN_SIDE_PX else int(number * number)


def _bounded(width: int, height: int, most_px: int = MAX_SIDE_PX) -> Size:
    """At most so many pixels a side, in the same shape."""
    shrink = min(1.0, most_px / max(width, height))
    return max(1, round(width * shrink)), max(1, round(height * shrink))
