"""What an image is made of before it has pixels: `raster` and `vector` draw the same scene.

Scene units: the height is 1.0, the width is `ratio`; x grows to the right, y downwards.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

Rgb = tuple[int, int, int]
Point = tuple[float, float]
Polygon = tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """Polygons filled with one vertical gradient from `top` (at their highest point) to `bottom` (at their lowest)."""

    polygons: tuple[Polygon, ...]
    top: Rgb
    bottom: Rgb
    opacity: float = 1.0
    blur: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Glow:
    """A round light that fades to nothing at `radius`."""

    x: float
    y: float
    radius: float
    color: Rgb
    opacity: float = 1.0


Items = tuple[Fill | Glow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The sky in even stops down to `horizon`, `items` from far to near, and the lines of `lettering` along the top."""

    ratio: float
    sky: tuple[Rgb, ...]
    horizon: float
    items: Items
    lettering: tuple[str, ...] = ()

    def lines(self) -> Iterator[tuple[str, float, float]]:
        """Each line of the lettering with its size and the level of its foot: the first one large, the others small."""
        foot = 0.07
        for number, line in enumerate(self.lettering):
            size = min(0.06 if number else 0.13, 1.35 * self.ratio / len(line))
            foot += size
            yield line, size, foot
            foot += 0.02


def mix(first: Rgb, second: Rgb, share: float) -> Rgb:
    """`first` at share 0, `second` at share 1."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def disc(x: float, y: float, radius: float, *, squash: float = 1.0, corners: int = 40) -> Polygon:
    """A circle as a polygon; `squash` below 1 flattens it."""
    tall = radius * squash
    return tuple([(x + radius * across, y + tall * up) for across, up in _circle(corners)])


@lru_cache
def _circle(corners: int) -> Polygon:
    turns = (2 * math.pi * step / corners for step in range(corners))
    return tuple((math.cos(turn), math.sin(turn)) for turn in turns)


def box(left: float, top: float, right: float, bottom: float) -> Polygon:
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def flat(polygons: tuple[Polygon, ...], color: Rgb, *, opacity: float = 1.0, blur: float = 0.0) -> Fill:
    return Fill(polygons=polygons, top=color, bottom=color, opacity=opacity, blur=blur)
