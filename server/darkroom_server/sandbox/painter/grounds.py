"""The grounds: skylines, what lies below the sky, and the near land on which subjects stand."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from darkroom_server.sandbox.painter.scene import Fill, Glow, Items, Point, Polygon, Rgb, box, flat, mix
from darkroom_server.sandbox.painter.view import View, streak

Skyline = Callable[[float], float]
"""The height over x, about -1 (the highest) to 1."""
SAND = (232, 204, 156)
_SNOW = (240, 245, 250)


def _rolling(rng: random.Random, ratio: float, *, roughness: float, octaves: int) -> Skyline:
    """Soft hills over the width `ratio`; `roughness` is the share each finer octave keeps."""
    waves = [
        (
            (1.1 + rng.random() * 0.7) * 2**octave / max(ratio, 0.7) * math.tau,
            rng.random() * math.tau,
            roughness**octave,
        )
        for octave in range(octaves)
    ]
    sin = math.sin
    return lambda x: sum([weight * sin(pace * x + turn) for pace, turn, weight in waves])


def _jagged(rng: random.Random, ratio: float) -> Skyline:
    """Mountains: a few peaks with straight flanks, roughened by triangle waves of ever finer pace."""
    count = max(2, round(ratio * rng.uniform(2.2, 3.2)))
    peaks = [
        (ratio * (number + rng.uniform(0.15, 0.85)) / count, rng.uniform(0.5, 1.0), rng.uniform(2.4, 4.2))
        for number in range(count)
    ]
    flanks = [*peaks, (0, -0.5, 0)]
    waves = [(1.7 * 1.9**octave * rng.uniform(0.85, 1.15), rng.random(), 0.6**octave) for octave in range(9)]

    def height(x: float) -> float:
        crags = sum([weight * (4 * abs((x * pace + turn) % 1 - 0.5) - 1) for pace, turn, weight in waves])
        return 0.45 - max([top - abs(x - peak) * slope for peak, top, slope in flanks]) - 0.22 * crags

    return height


def _land(skyline: Skyline, y: float, height: float, ratio: float) -> Polygon:
    """The skyline at level `y`, `height` tall, a little wider than the image, closed along the bottom edge."""
    steps = max(120, round(320 * ratio))
    xs = (ratio * (step / steps * 1.04 - 0.02) for step in range(steps + 1))
    return (*((x, y + skyline(x) * height) for x in xs), (ratio + 0.06, 1.02), (-0.06, 1.02))


def hill(view: View) -> Items:
    """Soft ranges one behind the other."""
    items: list[Fill | Glow] = []
    for layer in range(6):
        share = layer / 5
        skyline = _rolling(view.rng, view.ratio, roughness=0.42, octaves=3 + layer // 3)
        level = view.horizon + 0.02 + (0.98 - view.horizon) * 0.82 * share**1.25
        items.append(view.band((_land(skyline, level, 0.018 + 0.028 * share, view.ratio),), share**0.9))
        if layer == 2:
            items.extend(view.mist(level + 0.03))
    return tuple(items)


def wood(view: View) -> Items:
    """Ridges of firs in the mist."""
    far = _land(_jagged(view.rng, view.ratio), view.horizon - 0.02, 0.1, view.ratio)
    items: list[Fill | Glow] = [view.band((far,), 0.12, mist=0.7)]
    for layer in range(5):
        level = view.horizon + 0.05 + (0.93 - view.horizon) * (layer / 4) ** 1.2
        items.append(_firs(view, level, 0.018 + 0.012 * layer, 0.045 + 0.042 * layer, 0.25 + 0.75 * layer / 4))
        if layer < 3:
            items.extend(view.mist(level + 0.045))
    return tuple(items)


def mountain(view: View) -> Items:
    """Peaks over a wooded valley."""
    items: list[Fill | Glow] = []
    for level, height, share in ((-0.04, 0.25, 0.14), (0.07, 0.17, 0.34), (0.16, 0.1, 0.56)):
        y = view.horizon + level
        peaks = _land(_jagged(view.rng, view.ratio), y, height, view.ratio)
        items.append(view.band((peaks,), share, mist=0.75))
        items.extend(view.mist(y + 0.11))
    trees = _firs(view, view.horizon + 0.24, 0.02, 0.075, 0.78)
    return (*items, trees, _firs(view, 0.95, 0.02, 0.17, 1.0, mist=0.1))


def _firs(view: View, level: float, height: float, tree: float, share: float, *, mist: float = 0.4) -> Fill:
    """A ridge about `level` with firs standing closely along it, each about `tree` tall."""
    ridge = _rolling(view.rng, view.ratio, roughness=0.45, octaves=3)
    trees: list[Polygon] = []
    x = -tree * 0.2
    while x < view.ratio + tree * 0.2:
        foot = level + ridge(x) * height + tree * 0.08
        trees.append(_fir(x, foot, tree * view.rng.uniform(0.55, 1.15), view.rng))
        x += tree * view.rng.uniform(0.16, 0.42)
    return view.band((_land(ridge, level, height, view.ratio), *trees), share, mist=mist)


def _fir(x: float, foot: float, height: float, rng: random.Random) -> Polygon:
    """A fir: drooping tiers, a little uneven."""

    def side(sign: int) -> list[Point]:
        points: list[Point] = []
        for share in (tier / 6 for tier in range(1, 7)):
            reach = sign * height * 0.21 * share**0.85
            y = foot - height + height * 0.94 * share
            points += [(x + reach * rng.uniform(0.85, 1.1), y), (x + reach * 0.5, y - height * 0.035)]
        return points

    return ((x, foot - height), *side(1), *reversed(side(-1)))


def sea(view: View) -> Items:
    """Water with the light's path, and low land far off."""
    palette, horizon, right = view.palette, view.horizon, view.ratio + 0.02
    top, bottom = mix(palette.sky[-1], palette.water, 0.22), mix(palette.water, palette.ground, 0.45)
    coast = _rolling(view.rng, view.ratio, roughness=0.5, octaves=5)
    return (
        view.band((_land(coast, horizon - 0.012, 0.014, view.ratio),), 0.15, mist=0.5),
        Fill(polygons=(box(-0.02, horizon, right, 1.02),), top=top, bottom=bottom),
        flat((box(-0.02, horizon - 0.003, right, horizon + 0.006),), palette.sky[-1], opacity=0.7, blur=0.003),
        *_ripples(view),
    )


def _ripples(view: View) -> Items:
    """Dark swell lines over the whole water, and the light's broken path towards the viewer."""
    rng, horizon = view.rng, view.horizon
    swell: list[Polygon] = []
    path: list[Polygon] = []
    for _ in range(round(90 * max(0.6, view.ratio))):
        depth = rng.random() ** 1.6
        half = 0.02 + 0.11 * depth * rng.random()
        y = horizon + 0.012 + depth * (1 - horizon)
        swell.append(streak(rng.random() * view.ratio, y, half, 0.0006 + 0.0026 * depth))
    for _ in range(150):
        depth = rng.random() ** 1.5
        half = (0.006 + 0.034 * depth) * rng.uniform(0.4, 1.3)
        x = view.light[0] + rng.gauss(0, 0.012 + 0.085 * depth)
        path.append(streak(x, horizon + 0.004 + depth * (1 - horizon) * 0.95, half, 0.0007 + 0.0022 * depth))
    return (
        flat(tuple(swell), mix(view.palette.water, view.palette.ground, 0.5), opacity=0.34, blur=0.0008),
        flat(tuple(path), view.palette.light, opacity=0.78),
    )


def plain(view: View) -> Items:
    """A studio: a seamless wall in soft light, and a floor."""
    palette = view.palette
    wall, floor = mix(palette.haze, palette.sky[-1], 0.55), mix(palette.haze, palette.ground, 0.25)
    return (
        flat((box(-0.1, -0.1, view.ratio + 0.1, 1.1),), wall),
        Glow(x=view.ratio / 2, y=0.4, radius=0.9, color=palette.light, opacity=0.8),
        Fill(polygons=(box(-0.1, 0.78, view.ratio + 0.1, 1.1),), top=mix(floor, wall, 0.5), bottom=floor, blur=0.01),
    )


def lake(view: View) -> Items:
    """Still water before mountains."""
    shore = _land(_jagged(view.rng, view.ratio), view.horizon - 0.1, 0.16, view.ratio)
    return (view.band((shore,), 0.3, mist=0.7), *sea(view))


GROUNDS = {ground.__name__: ground for ground in (sea, lake, mountain, wood, hill, plain)}


@dataclass(frozen=True, slots=True, kw_only=True)
class NearLand:
    """Land before the subjects' feet: `level` is the height of its edge at x; subjects stand from `left` to `right`."""

    level: Callable[[float], float]
    right: float
    left: float = 0.0
    items: Items = ()


def rise(view: View, level: float, color: Rgb | None = None) -> NearLand:
    """The crest of a near hill along the whole width at about `level`: of `color`, of snow, or of the land's colour."""
    palette = view.palette
    own = color or (_SNOW if palette.extra == "snow" else None)
    skyline = _rolling(view.rng, view.ratio, roughness=0.4, octaves=3)
    top = mix(own, palette.ground, palette.dimness) if own else palette.land(0.92)
    crest = Fill(polygons=(_land(skyline, level, 0.012, view.ratio),), top=top, bottom=mix(top, palette.ground, 0.12))
    edge = level + 0.012
    return NearLand(items=(crest,), level=lambda x: edge + skyline(x) * 0.012, right=view.ratio)


def open_sky(view: View) -> NearLand:
    """Levels in the half of the sky away from the light."""
    left = 0.0 if view.light[0] > view.ratio / 2 else view.ratio / 2
    level = view.horizon * 0.62
    return NearLand(level=lambda x: level + view.rng.gauss(0, 0.05), left=left, right=left + view.ratio / 2)


def cliff(view: View) -> NearLand:
    """A rock shore on the side away from the light."""
    is_left = view.light[0] > view.ratio / 2
    small = min(1.0, view.ratio)
    edge, reach, top = small * 0.36, small * view.rng.uniform(0.54, 0.62), view.horizon + 0.05
    bumps = _rolling(view.rng, 1.0, roughness=0.55, octaves=5)
    xs = [reach * step / 70 for step in range(71)]
    falls = [max(0.0, (x - edge) / (reach - edge)) ** 1.5 for x in xs]
    shore = [(x, top + (1.05 - top) * fall + 0.012 * bumps(x / reach)) for x, fall in zip(xs, falls, strict=True)]
    rock = tuple((x if is_left else view.ratio - x, y) for x, y in [*shore, (-0.05, 1.06), (-0.05, top)])
    left = small * 0.1 if is_left else view.ratio - edge
    items = (view.band((rock,), 0.97, mist=0.12),)
    return NearLand(items=items, level=lambda x: top + 0.012, left=left, right=left + small * 0.26)
