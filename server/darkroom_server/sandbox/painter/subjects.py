"""Subjects that a prompt can name: read from subjects.txt, then coloured and placed in a scene."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from darkroom_server.sandbox.painter.palette import COLORS, Palette
from darkroom_server.sandbox.painter.scene import Fill, Glow, Items, Point, Polygon, Rgb, disc, mix

_STEPS = 6  # points between two of a smooth line


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Outlines of one colour in the subject's own units: its height is 1, its foot is at (0, 0), y grows upwards."""

    color: str
    opacity: float
    outlines: tuple[Polygon, ...]
    is_glow: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """`stands` is land, water or air; `height` is a share of the image's; `copies` is how many are drawn."""

    ground: str
    stands: str
    height: float
    color: str
    copies: int
    holds: float
    shapes: tuple[Shape, ...]

    @property
    def reach(self) -> float:
        """How far it goes to either side, in its own units; light and shadow do not count."""
        solid = (shape for shape in self.shapes if shape.opacity == 1 and not shape.is_glow)
        return max(abs(x) for shape in solid for outline in shape.outlines for x, _ in outline)


@lru_cache(maxsize=1)
def subjects() -> dict[str, Subject]:
    """Every subject by each of its words."""
    text = files("darkroom_server.sandbox.painter").joinpath("subjects.txt").read_text(encoding="utf-8")
    found: dict[str, Subject] = {}
    for block in text.split("\n\n"):
        head, *lines = [line for line in block.splitlines() if not line.startswith("#")] or [""]
        words, _, row = head.rstrip(":").partition("|")
        if row:
            ground, stands, height, color, *more = row.split()
            marks = {mark[0]: int(mark[1:]) for mark in more}
            shapes = (found[line].shapes if line in found else (_shape(line),) for line in lines)
            subject = Subject(
                ground=ground,
                stands=stands,
                height=int(height) / 100,
                color=color,
                copies=marks.get("*", 1),
                holds=marks.get(">", 0) / 100,
                shapes=tuple(shape for some in shapes for shape in some),
            )
            found |= dict.fromkeys(words.split(), subject)
    return found


def _shape(line: str) -> Shape:
    paint, kind, *numbers = line.split()
    color, _, opacity = paint.partition("%")
    outlines = _OUTLINES[kind.removesuffix("s")]([float(number) / 100 for number in numbers])
    if kind.endswith("s"):
        outlines += tuple(tuple((-x, y) for x, y in outline) for outline in outlines)
    return Shape(color=color, opacity=float(opacity or 100) / 100, outlines=outlines, is_glow=kind == "glow")


def _points(numbers: list[float]) -> list[Point]:
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _poly(numbers: list[float]) -> tuple[Polygon, ...]:
    return (tuple(_points(numbers)),)


def _blob(numbers: list[float]) -> tuple[Polygon, ...]:
    points = _points(numbers)
    return (tuple(_smooth([points[-1], *points, *points[:2]])),)


def _oval(numbers: list[float]) -> tuple[Polygon, ...]:
    x, y, wide, tall = numbers
    return (disc(x, y, wide, squash=tall / wide),)


def _limb(numbers: list[float]) -> tuple[Polygon, ...]:
    """A line with round ends, `numbers[0]` wide at first and `numbers[1]` at last."""
    first, last, *rest = numbers
    points = _points(rest)
    line = _smooth([points[0], *points, points[-1]])
    left: list[Point] = []
    right: list[Point] = []
    for spot, (x, y) in enumerate(line):
        (x1, y1), (x2, y2) = line[max(0, spot - 1)], line[min(len(line) - 1, spot + 1)]
        length = math.hypot(x2 - x1, y2 - y1) or 1.0
        half = (first + (last - first) * spot / (len(line) - 1)) / 2
        across, up = half * (y1 - y2) / length, half * (x2 - x1) / length
        left.append((x + across, y + up))
        right.append((x - across, y - up))
    return (*left, *reversed(right)), disc(*line[0], first / 2, corners=16), disc(*line[-1], last / 2, corners=16)


def _glow(numbers: list[float]) -> tuple[Polygon, ...]:
    x, y, radius = numbers
    return (((x, y), (x + radius, y)),)


def _smooth(points: list[Point]) -> list[Point]:
    """A Catmull-Rom line through all but the first and the last point, which only bend it."""
    line: list[Point] = []
    for before, (x1, y1), (x2, y2), after in zip(points, points[1:], points[2:], points[3:], strict=False):
        for step in range(_STEPS):
            t = step / _STEPS
            a, b, c, d = -t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2
            line.append(
                (
                    (a * before[0] + b * x1 + c * x2 + d * after[0]) / 2,
                    (a * before[1] + b * y1 + c * y2 + d * after[1]) / 2,
                )
            )
    return [*line, points[-2]]


_OUTLINES: dict[str, Callable[[list[float]], tuple[Polygon, ...]]] = {
    "poly": _poly,
    "blob": _blob,
    "oval": _oval,
    "limb": _limb,
    "glow": _glow,
}


def placed(subject: Subject, coat: str, palette: Palette, foot: Point, size: float, *, is_mirrored: bool) -> Items:
    """The subject with its foot at `foot`, `size` tall, in the light of the palette."""
    side = -size if is_mirrored else size

    def at(point: Point) -> Point:
        return foot[0] + side * point[0], foot[1] - size * point[1]

    items: list[Fill | Glow] = []
    for shape in subject.shapes:
        color = _color(shape.color, coat or subject.color, palette)
        outlines = tuple(tuple(at(point) for point in outline) for outline in shape.outlines)
        if shape.is_glow:
            (x, y), (edge, _) = outlines[0]
            items.append(Glow(x=x, y=y, radius=abs(edge - x), color=palette.light, opacity=0.6))
            continue
        is_lamp = shape.color == "lamp"
        items.append(
            Fill(
                polygons=outlines,
                top=color if is_lamp else mix(color, palette.light, 0.1),
                bottom=color if is_lamp else mix(color, palette.ground, 0.16),
                opacity=shape.opacity,
                blur=0 if shape.opacity == 1 else size * 0.025,
            )
        )
    return tuple(items)


def _color(name: str, coat: str, palette: Palette) -> Rgb:
    if name == "lamp":
        return mix(palette.light, (255, 226, 160), 0.35)
    own = COLORS[coat]
    dark = mix(own, (30, 26, 40), 0.35) if sum(own) > 150 else mix(own, (255, 255, 255), 0.18)
    tones = {"coat": own, "shade": dark, "tint": mix(own, (255, 248, 235), 0.5 if sum(own) > 150 else 0.3)}
    return mix(tones.get(name) or COLORS[name], palette.ground, palette.dimness)
