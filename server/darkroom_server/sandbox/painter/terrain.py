"""Skylines of hills, mountains and woods as polygons."""

import math
import random
from collections.abc import Callable

from darkroom_server.sandbox.painter.scene import Point, Polygon

Skyline = Callable[[float], float]
"""The height over x, about -1 (the highest) to 1."""


def rolling(rng: random.Random, ratio: float, *, roughness: float, octaves: int) -> Skyline:
    """Soft hills over the width `ratio`; `roughness` is the share each finer octave keeps."""
    waves = [
        ((1.1 + rng.random() * 0.7) * 2**octave / max(ratio, 0.7), rng.random(), roughness**octave)
        for octave in range(octaves)
    ]
    return lambda x: sum(weight * math.sin((pace * x + turn) * 2 * math.pi) for pace, turn, weight in waves)


def jagged(rng: random.Random, ratio: float) -> Skyline:
    """Mountains: a few peaks with straight flanks, roughened by triangle waves of ever finer pace."""
    count = max(2, round(ratio * rng.uniform(2.2, 3.2)))
    peaks = [
        (ratio * (number + rng.uniform(0.15, 0.85)) / count, rng.uniform(0.5, 1.0), rng.uniform(2.4, 4.2))
        for number in range(count)
    ]
    flanks = [*peaks, (0, -0.5, 0)]
    waves = [(1.7 * 1.9**octave * rng.uniform(0.85, 1.15), rng.random(), 0.6**octave) for octave in range(9)]

    def height(x: float) -> float:
        crags = sum(weight * (4 * abs((x * pace + turn) % 1 - 0.5) - 1) for pace, turn, weight in waves)
        return 0.45 - max(top - abs(x - peak) * slope for peak, top, slope in flanks) - 0.22 * crags

    return height


def outline(skyline: Skyline, ratio: float) -> list[Point]:
    """Points of the skyline from a little left of the image to a little right of it."""
    steps = max(120, round(320 * ratio))
    xs = (ratio * (step / steps * 1.04 - 0.02) for step in range(steps + 1))
    return [(x, skyline(x)) for x in xs]


def land(skyline: Skyline, y: float, height: float, ratio: float) -> Polygon:
    """The skyline at level `y`, `height` tall, closed along the bottom edge."""
    top = [(x, y + value * height) for x, value in outline(skyline, ratio)]
    return (*top, (ratio + 0.06, 1.02), (-0.06, 1.02))


def conifer(x: float, foot: float, height: float, rng: random.Random) -> Polygon:
    """A fir: drooping tiers, a little uneven."""

    def side(sign: int) -> list[Point]:
        points: list[Point] = []
        for share in (tier / 6 for tier in range(1, 7)):
            reach = sign * height * 0.21 * share**0.85
            y = foot - height + height * 0.94 * share
            points += [(x + reach * rng.uniform(0.85, 1.1), y), (x + reach * 0.5, y - height * 0.035)]
        return points

    return ((x, foot - height), *side(1), *reversed(side(-1)))


def wood_line(
    skyline: Skyline, y: float, height: float, tree: float, ratio: float, rng: random.Random
) -> tuple[Polygon, ...]:
    """Firs of about `tree` units standing closely along a skyline."""
    trees: list[Polygon] = []
    x = -tree * 0.2
    while x < ratio + tree * 0.2:
        trees.append(conifer(x, y + skyline(x) * height + tree * 0.08, tree * rng.uniform(0.55, 1.15), rng))
        x += tree * rng.uniform(0.16, 0.42)
    return tuple(trees)
