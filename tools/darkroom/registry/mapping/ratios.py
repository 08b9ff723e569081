"""Aspect ratios and sizes as text: reading them, and choosing the nearest. Plain arithmetic, no models."""

import math
import re
from collections.abc import Iterable

from pydantic import JsonValue

_RATIO = re.compile(r"(\d{1,5}(?:\.\d{1,3})?)\s*[:/xX×]\s*(\d{1,5}(?:\.\d{1,3})?)")
_SIZE = re.compile(r"(\d{2,5})[x*](\d{2,5})")
_NEAR = 0.03 + 1e-9
_SIZE_CLASS = re.compile(r"(\d)K")


def read_ratio(text: str) -> float | None:
    """Width over height of "16:9", "16/9", "16x9" or "19.5:9"; None for anything else."""
    match = _RATIO.fullmatch(text.strip())
    if match is None:
        return None
    width, height = float(match[1]), float(match[2])
    return width / height if width and height else None


def read_size(text: JsonValue) -> tuple[int, int] | None:
    """Width and height in pixels of "1024x1536" or "1024*1536"; None for anything else."""
    match = _SIZE.fullmatch(text) if isinstance(text, str) else None
    return (int(match[1]), int(match[2])) if match else None


def ratio_of(width: int, height: int) -> str:
    """The ratio of a size in its smallest whole numbers: "16:9" of 1920 x 1080."""
    shared = math.gcd(width, height)
    return f"{width // shared}:{height // shared}"


def is_same_ratio(one: float, other: float) -> bool:
    """Whether two ratios are equal but for the rounding of their digits."""
    return math.isclose(one, other, rel_tol=1e-3)


def is_near_ratio(one: float, other: float) -> bool:
    """Whether nobody would call the two different shapes: at most 3 % apart."""
    return math.isclose(one, other, rel_tol=_NEAR)


def nearest_ratio(wanted: float, offered: Iterable[JsonValue]) -> str:
    """The offered text whose ratio is nearest, measured on a logarithmic scale; empty where none is a ratio."""
    ratios = {text: ratio for text in offered if isinstance(text, str) and (ratio := read_ratio(text))}
    return min(ratios, key=lambda text: _distance(ratios[text], wanted), default="")


def nearest_size(wanted: float, offered: Iterable[JsonValue], usual: JsonValue) -> str:
    """The offered size of the nearest ratio; of equals the one with the area nearest to the `usual` size or class."""
    sizes = {text: size for text in offered if isinstance(text, str) and (size := read_size(text))}
    area = _usual_area(usual)

    def rank(text: str) -> tuple[float, float]:
        width, height = sizes[text]
        return round(_distance(width / height, wanted), 2), _distance(width * height, area)

    return min(sizes, key=rank, default="")


def fitted_size(wanted: float, area: float, limits: tuple[float, float], step: int) -> tuple[int, int]:
    """Width and height of a ratio and about an area, as multiples of `step`, both within `limits` (lowest, highest)."""
    low, high = limits
    width, height = math.sqrt(area * wanted), math.sqrt(area / wanted)
    shrink = min(1.0, high / width, high / height)
    smallest, largest = math.ceil(low / step), math.floor(high / step)
    steps = (min(max(round(side * shrink / step), smallest), largest) for side in (width, height))
    return next(steps) * step, next(steps) * step


def to_multiple(value: int, step: int, low: float | None, high: float | None) -> int:
    """The multiple of `step` nearest to a value, kept inside the limits that the value itself keeps."""
    rounded = round(value / step) * step
    if high is not None and rounded > high:
        return rounded - step
    return rounded + step if low is not None and rounded < low else rounded


def _usual_area(usual: JsonValue) -> float:
    if size := read_size(usual):
        return size[0] * size[1]
    match = _SIZE_CLASS.fullmatch(usual) if isinstance(usual, str) else None
    return (int(match[1]) * 1024) ** 2 if match else 1024**2


def _distance(one: float, other: float) -> float:
    return abs(math.log(one / other))
