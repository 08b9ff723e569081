"""Grounds of mountains and dunes: ridges with a bright and a dark side."""

import math
import random

from darkroom_server.sandbox.painter.scene import Fill, Glow, Point, Polygon, box, flat, mix
from darkroom_server.sandbox.painter.terrain import dune as dune_line
from darkroom_server.sandbox.painter.terrain import height_at, jagged, land, rolling, wood
from darkroom_server.sandbox.painter.view import Items, View

_SNOW_LINE = -0.16  # in skyline heights, -1 the highest


def mountain(view: View) -> Items:
    """Peaks with snow over a wooded valley."""
    items: list[Fill | Glow] = []
    for layer, (level, height, share) in enumerate(((-0.04, 0.25, 0.14), (0.07, 0.17, 0.34), (0.16, 0.1, 0.56))):
        skyline = jagged(view.rng, view.ratio)
        y = view.horizon + level
        items.append(view.band((land(skyline, y, height, view.ratio),), share, mist=0.75))
        if layer < 2:
            items.append(_snow(view, skyline, y, height, share))
        items.extend(view.mist(y + 0.11))
    low = rolling(view.rng, view.ratio, roughness=0.4, octaves=4)
    items.append(
        view.band(
            (land(low, view.horizon + 0.24, 0.02, view.ratio), *wood(low, view.horizon + 0.24, 0.02, 0.075, view.rng)),
            0.78,
        )
    )
    if view.subject:
        x = view.stand()
        items.extend(view.place(view.subject, x, view.horizon + 0.25 + height_at(low, x) * 0.02, 0.26, 0.9))
    near = rolling(view.rng, view.ratio, roughness=0.4, octaves=4)
    items.append(
        view.band((land(near, 0.95, 0.02, view.ratio), *wood(near, 0.95, 0.02, 0.17, view.rng)), 1.0, mist=0.1)
    )
    return tuple(items)


def _snow(view: View, skyline: list[Point], y: float, height: float, share: float) -> Fill:
    """White on what rises above the snow line, hanging down in ragged tongues."""
    caps: list[Polygon] = []
    run: list[Point] = []
    for x, value in [*skyline, (skyline[-1][0], 9.0)]:
        if value < _SNOW_LINE:
            run.append((x, value))
        elif len(run) > 2:
            caps.append(tuple((px, y + pv * height) for px, pv in [*run, *reversed(_tongues(run, view.rng))]))
            run = []
        else:
            run = []
    white = mix(mix(view.palette.light, (255, 255, 255), 0.5), view.layer_color(share), 0.12)
    return flat(tuple(caps) or (box(-1, -1, -0.9, -0.9),), white, opacity=0.88)


def _tongues(run: list[Point], rng: random.Random) -> list[Point]:
    """The lower edge of a cap: up and down between the ridge and a little below the snow line."""
    lower: list[Point] = []
    for number, (x, value) in enumerate(run[:: max(1, len(run) // 14)]):
        depth = rng.uniform(0.75, 1.15) if number % 2 else rng.uniform(0.3, 0.6)
        lower.append((x, value + (_SNOW_LINE - value) * depth))
    return lower


def dune(view: View) -> Items:
    """Waves of sand, each with a sunny and a shadow side."""
    items: list[Fill | Glow] = [
        view.band(
            (land(rolling(view.rng, view.ratio, roughness=0.5, octaves=4), view.horizon, 0.012, view.ratio),),
            0.12,
            mist=0.7,
        )
    ]
    layers = 4
    for layer in range(layers):
        share = 0.16 + 0.6 * layer / (layers - 1)
        skyline, crests = dune_line(view.rng, view.ratio)
        level = view.horizon + 0.03 + (0.92 - view.horizon) * (layer / (layers - 1)) ** 1.2
        height = 0.05 + 0.045 * layer
        sunny = mix(view.layer_color(share), view.palette.light, 0.34 * (1 - share * 0.6))
        items.append(
            Fill(
                polygons=(land(skyline, level, height, view.ratio),),
                top=sunny,
                bottom=view.layer_color(min(1.0, share + 0.16)),
            )
        )
        items.extend(_lee(view, skyline, crest, level, height, share) for crest in crests if -0.1 < crest < view.ratio)
        if view.subject and layer == layers - 2:
            x = view.stand()
            foot = level + height_at(skyline, x) * height
            items.extend(view.place(view.subject, x, foot, 0.26, 1.0))
    return tuple(items)


def _lee(view: View, skyline: list[Point], crest: float, y: float, height: float, share: float) -> Fill:
    """The shadow side of one crest: right of a line that winds down from it towards the viewer."""
    right = [(x, y + value * height) for x, value in skyline if x >= crest]
    top = (crest, y + height_at(skyline, crest) * height)
    end = right[-1] if right else top
    steps = [step / 24 for step in range(25)]
    drop = height * 2.6
    edge = [
        (crest + height * (0.55 * math.sin(6.0 * s) * (1 - 0.4 * s) - 1.9 * s), top[1] + drop * s**1.15) for s in steps
    ]
    color = view.layer_color(min(1.0, share + 0.24))
    return Fill(
        polygons=((top, *right, (end[0], top[1] + drop), *reversed(edge)),),
        top=color,
        bottom=view.layer_color(min(1.0, share + 0.14)),
        opacity=0.9,
        blur=0.0008,
    )
