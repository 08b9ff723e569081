"""Silhouettes that a prompt can ask for by name, as fills in scene units. Each stands with its foot at (x, y)."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from darkroom_server.sandbox.painter.scene import Fill, Glow, Point, Polygon, Rgb, box, disc, flat, mix


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where a subject stands, how tall it is, and in which light: `dark` is its own colour, `light` the lamp's."""

    x: float
    y: float
    size: float
    dark: Rgb
    light: Rgb
    faces_left: bool

    def at(self, across: float, up: float) -> Point:
        """A point of the subject: `across` to the side it faces away from, `up` from the foot, both in its sizes."""
        side = -across if self.faces_left else across
        return self.x + side * self.size, self.y - up * self.size

    def shape(self, *points: Point) -> Polygon:
        return tuple(self.at(across, up) for across, up in points)


Subject = Callable[[Spot, random.Random], tuple[Fill | Glow, ...]]


def lighthouse(spot: Spot, rng: random.Random) -> tuple[Fill | Glow, ...]:
    lamp_x, lamp_y = spot.at(0, 0.865)
    pale = mix(spot.dark, spot.light, 0.3)
    tower = spot.shape((-0.105, 0), (-0.062, 0.8), (0.062, 0.8), (0.105, 0))
    stripes = tuple(
        spot.shape(
            (-0.105 + 0.0537 * low, low),
            (-0.105 + 0.0537 * high, high),
            (0.105 - 0.0537 * high, high),
            (0.105 - 0.0537 * low, low),
        )
        for low, high in ((0.16, 0.32), (0.48, 0.64))
    )
    head = (
        spot.shape((-0.085, 0.8), (-0.085, 0.822), (0.085, 0.822), (0.085, 0.8)),
        spot.shape((-0.062, 0.91), (0, 0.985), (0.062, 0.91)),
        spot.shape((-0.006, 0.97), (-0.006, 1.03), (0.006, 1.03), (0.006, 0.97)),
        spot.shape((-0.05, 0.822), (-0.05, 0.91), (-0.04, 0.91), (-0.04, 0.822)),
        spot.shape((0.05, 0.822), (0.05, 0.91), (0.04, 0.91), (0.04, 0.822)),
    )
    hut = spot.shape((0.11, 0), (0.11, 0.15), (0.21, 0.23), (0.31, 0.15), (0.31, 0))
    beam = spot.shape((0, 0.865), (-2.6, 1.32), (-2.6, 0.86))
    return (
        flat((beam,), spot.light, opacity=0.22, blur=0.012),
        Glow(x=lamp_x, y=lamp_y, radius=spot.size * 0.5, color=spot.light, opacity=0.75),
        flat((spot.shape((-0.042, 0.822), (-0.042, 0.91), (0.042, 0.91), (0.042, 0.822)),), spot.light),
        flat((tower,), pale),
        flat(stripes, spot.dark),
        flat((*head, hut), spot.dark),
        flat((spot.shape((0.19, 0.06), (0.19, 0.11), (0.23, 0.11), (0.23, 0.06)),), spot.light, opacity=0.9),
    )


def boat(spot: Spot, rng: random.Random) -> tuple[Fill | Glow, ...]:
    hull = spot.shape((-0.42, 0.13), (-0.34, 0.03), (-0.25, 0), (0.24, 0), (0.33, 0.04), (0.4, 0.15), (0, 0.1))
    mast = spot.shape((-0.012, 0.1), (-0.008, 1.0), (0.008, 1.0), (0.012, 0.1))
    main = tuple(spot.at(a, u) for a, u in _bowed((0.03, 0.95), (0.36, 0.2), 0.07)) + (spot.at(0.03, 0.17),)
    jib = tuple(spot.at(a, u) for a, u in _bowed((-0.03, 0.88), (-0.38, 0.2), -0.05)) + (spot.at(-0.03, 0.2),)
    mirror = spot.shape((-0.3, -0.01), (0.3, -0.01), (0.12, -0.2), (0.0, -0.5), (-0.1, -0.2))
    return (
        flat((mirror,), spot.dark, opacity=0.3, blur=0.006),
        flat((main,), mix(spot.light, spot.dark, 0.12), opacity=0.96),
        flat((jib,), mix(spot.light, spot.dark, 0.28), opacity=0.96),
        flat((hull, mast), spot.dark),
    )


def _bowed(start: Point, end: Point, belly: float) -> list[Point]:
    """A line from `start` to `end` that swells sideways by `belly`."""
    (x1, y1), (x2, y2) = start, end
    shares = [step / 12 for step in range(13)]
    return [(x1 + (x2 - x1) * s + belly * math.sin(math.pi * s), y1 + (y2 - y1) * s) for s in shares]


def tree(spot: Spot, rng: random.Random) -> tuple[Fill | Glow, ...]:
    limbs: list[Polygon] = []
    tips: list[Point] = []
    _grow(0.0, 0.0, math.pi / 2 + rng.uniform(-0.06, 0.06), 0.36, 0.045, 6, rng, limbs, tips)
    crown = tuple(disc(*spot.at(*tip), spot.size * rng.uniform(0.055, 0.095), corners=14) for tip in tips)
    airy = tuple(disc(*spot.at(x, y), spot.size * rng.uniform(0.02, 0.03), corners=10) for x, y in _around(tips, rng))
    return (
        flat(tuple(spot.shape(*limb) for limb in limbs), spot.dark),
        flat(crown, spot.dark, opacity=0.92),
        flat(airy, spot.dark, opacity=0.85),
    )


def _around(tips: list[Point], rng: random.Random) -> list[Point]:
    return [(x + rng.gauss(0, 0.045), y + rng.gauss(0, 0.04)) for x, y in tips for _ in range(2)]


def _grow(
    x: float, y: float, turn: float, length: float, girth: float, depth: int,
    rng: random.Random, limbs: list[Polygon], tips: list[Point],
) -> None:  # fmt: skip
    end_x, end_y = x + length * math.cos(turn), y + length * math.sin(turn)
    side_x, side_y = math.sin(turn) * girth, -math.cos(turn) * girth
    thin = 0.68
    limbs.append(
        (
            (x - side_x, y - side_y),
            (end_x - side_x * thin, end_y - side_y * thin),
            (end_x + side_x * thin, end_y + side_y * thin),
            (x + side_x, y + side_y),
        )
    )
    if depth == 0:
        tips.append((end_x, end_y))
        return
    for lean in (-1, 1):
        angle = turn + lean * rng.uniform(0.26, 0.58)
        _grow(end_x, end_y, angle, length * rng.uniform(0.66, 0.8), girth * thin, depth - 1, rng, limbs, tips)


def cabin(spot: Spot, rng: random.Random) -> tuple[Fill | Glow, ...]:
    body = spot.shape((-0.4, 0), (-0.4, 0.36), (0.4, 0.36), (0.4, 0))
    roof = spot.shape((-0.52, 0.33), (-0.24, 0.78), (0.3, 0.78), (0.52, 0.33))
    chimney = spot.shape((0.14, 0.6), (0.14, 0.95), (0.26, 0.95), (0.26, 0.6))
    lit = (
        spot.shape((-0.26, 0.12), (-0.26, 0.27), (-0.1, 0.27), (-0.1, 0.12)),
        spot.shape((0.1, 0.12), (0.1, 0.27), (0.26, 0.27), (0.26, 0.12)),
    )
    puffs = tuple(
        disc(*spot.at(0.2 + 0.05 * n + 0.04 * n * n, 1.05 + 0.2 * n), spot.size * (0.06 + 0.035 * n)) for n in range(5)
    )
    return (
        flat(puffs, spot.light, opacity=0.28, blur=0.008),
        flat((body, roof, chimney), spot.dark),
        Glow(x=spot.x, y=spot.y - spot.size * 0.2, radius=spot.size * 0.6, color=spot.light, opacity=0.5),
        flat(lit, spot.light),
    )


def balloon(spot: Spot, rng: random.Random) -> tuple[Fill | Glow, ...]:
    x, y = spot.at(0, 0)
    size = spot.size
    turns = [math.pi * (0.78 + 1.44 * step / 40) for step in range(41)]
    envelope = (
        *((x + size * 0.5 * math.cos(turn), y - size * 0.1 + size * 0.52 * math.sin(turn)) for turn in turns),
        (x + size * 0.1, y + size * 0.62),
        (x - size * 0.1, y + size * 0.62),
    )
    gores = tuple(
        (
            *(_gore(x, y, size, width, step) for step in range(13)),
            *(_gore(x, y, size, width - 0.16, step) for step in range(12, -1, -1)),
        )
        for width in (0.34, 0.02, -0.3)
    )
    basket = box(x - size * 0.085, y + size * 0.78, x + size * 0.085, y + size * 0.92)
    ropes = tuple(
        (
            (x + side * size * 0.095, y + size * 0.6),
            (x + side * size * 0.08, y + size * 0.8),
            (x + side * size * 0.07, y + size * 0.8),
        )
        for side in (-1, 1)
    )
    return (
        flat((envelope,), mix(spot.dark, spot.light, 0.22)),
        flat(gores, spot.light, opacity=0.6),
        flat((basket, *ropes), spot.dark),
    )


def _gore(x: float, y: float, size: float, width: float, step: int) -> Point:
    share = step / 12
    bulge = math.sin(math.pi * (0.08 + share * 0.8)) ** 0.7
    return x + size * width * bulge, y - size * 0.6 + size * 1.2 * share


def cat(spot: Spot, rng: random.Random) -> tuple[Fill | Glow, ...]:
    body = _smooth(
        [
            (-0.2, 0),
            (-0.23, 0.12),
            (-0.19, 0.3),
            (-0.12, 0.46),
            (-0.1, 0.58),
            (0.08, 0.6),
            (0.17, 0.42),
            (0.25, 0.24),
            (0.28, 0.1),
            (0.24, 0),
        ]
    )
    head = disc(*spot.at(-0.04, 0.68), spot.size * 0.145, squash=0.88)
    ears = (spot.shape((-0.18, 0.7), (-0.165, 0.9), (-0.05, 0.8)), spot.shape((0.1, 0.7), (0.085, 0.9), (-0.03, 0.8)))
    tail = tuple(spot.at(a, u) for a, u in _tail())
    return (flat((tuple(spot.at(a, u) for a, u in body), head, *ears, tail), spot.dark),)


def _tail() -> list[Point]:
    middle = [(0.2 + 0.34 * s + 0.06 * math.sin(3 * s), 0.05 + 0.3 * s**2.2) for s in (n / 14 for n in range(15))]
    girth = [0.045 * (1 - 0.45 * n / 14) for n in range(15)]
    upper = [(a, u + g) for (a, u), g in zip(middle, girth, strict=True)]
    lower = [(a + g * 0.8, u - g) for (a, u), g in zip(middle, girth, strict=True)]
    return [*upper, *reversed(lower)]


def _smooth(points: list[Point]) -> list[Point]:
    """Chaikin's corner cutting, three times; the first and last point stay."""
    for _ in range(3):
        cut: list[Point] = [points[0]]
        for (x1, y1), (x2, y2) in zip(points, points[1:], strict=False):
            cut += [(x1 * 0.75 + x2 * 0.25, y1 * 0.75 + y2 * 0.25), (x1 * 0.25 + x2 * 0.75, y1 * 0.25 + y2 * 0.75)]
        points = [*cut, points[-1]]
    return points


def birds(spot: Spot, rng: random.Random) -> tuple[Fill | Glow, ...]:
    flock: list[Polygon] = []
    for _ in range(rng.randint(5, 9)):
        x, y = spot.x + rng.gauss(0, spot.size * 0.75), spot.y + rng.gauss(0, spot.size * 0.3)
        flock.append(_bird(x, y, spot.size * rng.uniform(0.09, 0.16), rng.uniform(0.35, 0.6)))
    return (flat(tuple(flock), spot.dark, opacity=0.85),)


def _bird(x: float, y: float, span: float, lift: float) -> Polygon:
    shares = [step / 8 for step in range(9)]
    upper = [(x + span * (2 * s - 1), y - span * lift * abs(math.sin(2 * math.pi * s)) ** 0.8) for s in shares]
    lower = [(px, py + span * 0.11 * math.sin(math.pi * s)) for (px, py), s in zip(upper, shares, strict=True)]
    return (*upper, *reversed(lower))


# word -> subject; `birds` and `balloon` fly, the others stand or swim.
SUBJECTS: dict[str, Subject] = {
    "lighthouse": lighthouse,
    "boat": boat,
    "ship": boat,
    "sail": boat,
    "sailboat": boat,
    "sailing": boat,
    "tree": tree,
    "oak": tree,
    "trees": tree,
    "bonsai": tree,
    "cabin": cabin,
    "house": cabin,
    "cottage": cabin,
    "home": cabin,
    "hut": cabin,
    "balloon": balloon,
    "balloons": balloon,
    "cat": cat,
    "kitten": cat,
    "cats": cat,
    "bird": birds,
    "birds": birds,
    "gulls": birds,
    "geese": birds,
}
AFLOAT: frozenset[Subject] = frozenset({boat})
FLYING: frozenset[Subject] = frozenset({balloon, birds})
