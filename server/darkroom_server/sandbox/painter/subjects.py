"""Subjects that a prompt can name: read from subjects.txt, then coloured and placed in a scene."""

import math
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from darkroom_server.sandbox.painter.palette import Palette, prompt_words
from darkroom_server.sandbox.painter.scene import Fill, Glow, Items, Point, Polygon, Rgb, disc, mix

_STEPS = 6  # points between two of a smooth line


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Outlines of one colour in the subject's own units: its height is 1, its foot is at (0, 0), y grows upwards."""

    color: str
    opacity: float
    outlines: tuple[Polygon, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One paragraph of subjects.txt, which explains the fields; its hundredths are whole units here."""

    ground: str
    stands: str
    height: float
    color: str
    copies: int
    shapes: tuple[Shape, ...]  # from back to front

    @property
    def reach(self) -> float:
        """How far it goes to either side, in its own units; what is translucent does not count."""
        solid = (shape for shape in self.shapes if shape.opacity == 1)
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
            shapes = (found[line].shapes if line in found else (_shape(line),) for line in lines)
            subject = Subject(
                ground=ground,
                stands=stands,
                height=int(height) / 100,
                color=color,
                copies=int(more[0].lstrip("*")) if more else 1,
                shapes=tuple(shape for group in shapes for shape in group),
            )
            found |= dict.fromkeys(words.split(), subject)
    return found


def _shape(line: str) -> Shape:
    paint, kind, *numbers = line.split()
    color, _, opacity = paint.partition("%")
    values = [float(number) / 100 for number in numbers]
    outlines = _outlines(kind.removesuffix("s"), list(zip(values[::2], values[1::2], strict=True)))
    if kind.endswith("s"):
        outlines += tuple(tuple((-x, y) for x, y in outline) for outline in outlines)
    return Shape(color=color, opacity=float(opacity or 100) / 100, outlines=outlines)


def _outlines(kind: str, points: list[Point]) -> tuple[Polygon, ...]:
    """The first pair of a limb is its widths, the second of an oval its radii."""
    if kind == "oval":
        (x, y), (wide, tall) = points
        return (disc(x, y, wide, squash=tall / wide),)
    if kind == "limb":
        return _limb(*points[0], points[1:])
    return (tuple(_smooth([points[-1], *points, *points[:2]]) if kind == "blob" else points),)


def _limb(first: float, last: float, points: list[Point]) -> tuple[Polygon, ...]:
    """A line with round ends, `first` wide where it begins and `last` where it ends."""
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


def _smooth(points: list[Point]) -> list[Point]:
    """A Catmull-Rom line through all but the first and the last point, which only bend it."""
    line: list[Point] = []
    for four in zip(points, points[1:], points[2:], points[3:], strict=False):
        for t in (step / _STEPS for step in range(_STEPS)):
            weights = (-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2)
            x, y = (sum(w * point[axis] for w, point in zip(weights, four, strict=True)) / 2 for axis in (0, 1))
            line.append((x, y))
    return [*line, points[-2]]


def placed(subject: Subject, coat: str, palette: Palette, foot: Point, size: float, *, is_mirrored: bool) -> Items:
    """The subject with its foot at `foot`, `size` tall, in the light of the palette."""
    (middle, level), side = foot, -size if is_mirrored else size
    items: list[Fill | Glow] = []
    for shape in subject.shapes:
        color = _color(shape.color, coat or subject.color, palette)
        outlines = tuple(tuple((middle + side * x, level - size * y) for x, y in points) for points in shape.outlines)
        if shape.color == "glow":
            (left, y), (right, _) = min(outlines[0]), max(outlines[0])
            items.append(Glow(x=(left + right) / 2, y=y, radius=(right - left) / 2, color=color, opacity=shape.opacity))
            continue
        is_lit = shape.color != "lamp"  # lit by the sky, and does not shine by itself
        top, bottom = mix(color, palette.light, 0.1 * is_lit), mix(color, palette.ground, 0.16 * is_lit)
        blur = 0 if shape.opacity == 1 else size * 0.025
        items.append(Fill(polygons=outlines, top=top, bottom=bottom, opacity=shape.opacity, blur=blur))
    return tuple(items)


def _color(name: str, coat: str, palette: Palette) -> Rgb:
    if name in ("lamp", "glow"):
        return mix(palette.light, (255, 226, 160), 0.35)
    colors = prompt_words().colors
    own = colors[coat]
    dark = mix(own, (30, 26, 40), 0.35) if sum(own) > 150 else mix(own, (255, 255, 255), 0.18)
    tones = {"coat": own, "shade": dark, "tint": mix(own, (255, 248, 235), 0.5 if sum(own) > 150 else 0.3)}
    return mix(tones.get(name) or colors[name], palette.ground, palette.dimness)
