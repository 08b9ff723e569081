"""Skylines of hills, mountains and woods as polygons."""

import math
import random
from collections.abc import Callable

from darkroom_server.sandbox.painter.scene import Point, Polygon


def rolling(rng: random.Random, ratio: float, *, roughness: float, octaves: int) -> list[Point]:
    """A skyline around y = 0 with heights of about -1..1; `roughness` is the share each finer octave keeps."""
    waves = [
        ((1.1 + rng.random() * 0.7) * 2**octave, rng.random() * 2 * math.pi, roughness**octave)
        for octave in range(octaves)
    ]
    steps = max(60, round(170 * ratio))
    xs = [ratio * step / steps for step in range(steps + 1)]
    return [
        (x, sum(weight * math.sin(pace * 2 * math.pi * x / max(ratio, 0.7) + turn) for pace, turn, weight in waves))
        for x in xs
    ]


def jagged(rng: random.Random, ratio: float) -> list[Point]:
    """A mountain skyline: a few peaks with straight flanks, roughened by crags; heights of about -1..1."""
    count = max(2, round(ratio * rng.uniform(2.2, 3.2)))
    peaks = [
        (ratio * (number + rng.uniform(0.15, 0.85)) / count, rng.uniform(0.5, 1.0), rng.uniform(2.4, 4.2))
        for number in range(count)
    ]
    crags = _crags(rng, 9)
    steps = max(120, round(320 * ratio))
    xs = [ratio * (step / steps * 1.04 - 0.02) for step in range(steps + 1)]
    flanks = [*peaks, (0, -0.5, 0)]
    return [(x, 0.45 - max(top - abs(x - peak) * slope for peak, top, slope in flanks) - 0.22 * crags(x)) for x in xs]


def _crags(rng: random.Random, octaves: int) -> Callable[[float], float]:
    """Ragged noise over x, about -1..1: triangle waves of ever finer pace."""
    waves = [(1.7 * 1.9**octave * rng.uniform(0.85, 1.15), rng.random(), 0.6**octave) for octave in range(octaves)]
    return lambda x: sum(weight * (4 * abs((x * pace + turn) % 1 - 0.5) - 1) for pace, turn, weight in waves)


def land(skyline: list[Point], y: float, height: float, ratio: float) -> Polygon:
    """The skyline at level `y`, `height` tall, closed along the bottom edge."""
    top = [(x, y + value * height) for x, value in skyline]
    return (*top, (ratio + 0.06, 1.02), (-0.06, 1.02))


def height_at(skyline: list[Point], x: float) -> float:
    """The skyline's value at `x`, between its points."""
    for (x1, y1), (x2, y2) in zip(skyline, skyline[1:], strict=False):
        if x1 <= x <= x2:
            return y1 + (y2 - y1) * (x - x1) / max(x2 - x1, 1e-9)
    return skyline[-1][1]


def conifer(x: float, foot: float, height: float, rng: random.Random) -> Polygon:
    """A fir: drooping tiers, a little uneven, on a short trunk."""

    def side(sign: int) -> list[Point]:
        points: list[Point] = []
        for share in (tier / 6 for tier in range(1, 7)):
            reach = sign * height * 0.21 * share**0.85
            y = foot - height + height * 0.94 * share
            points += [(x + reach * rng.uniform(0.85, 1.1), y), (x + reach * 0.5, y - height * 0.035)]
        trunk = x + sign * height * 0.018
        return [*points[:-1], (trunk, foot - height * 0.06), (trunk, foot + 0.01)]

    return ((x, foot - height), *side(1), *reversed(side(-1)))


def wood_line(skyline: list[Point], y: float, height: float, tree: float, rng: random.Random) -> tuple[Polygon, ...]:
    """Firs of about `tree` units standing closely along a skyline."""
    ratio = skyline[-1][0]
    trees: list[Polygon] = []
    x = -tree * 0.2
    while x < ratio + tree * 0.2:
        foot = y + height_at(skyline, min(max(x, 0.0), ratio)) * height
        trees.append(conifer(x, foot + tree * 0.08, tree * rng.uniform(0.55, 1.15), rng))
        x += tree * rng.uniform(0.16, 0.42)
    return tuple(trees)
