"""The ground of sea, coast and lake."""

from darkroom_server.sandbox.painter.scene import Fill, Glow, Polygon, box, flat, mix
from darkroom_server.sandbox.painter.subjects import AFLOAT, Subject, lighthouse
from darkroom_server.sandbox.painter.terrain import height_at, rolling
from darkroom_server.sandbox.painter.view import Items, View, streak


def sea(view: View) -> Items:
    """Water with the light's path, and land, a boat or a cliff before it."""
    items: list[Fill | Glow] = [
        view.band((_headland(view, view.horizon, 0.05, from_left=view.rng.random() < 0.5),), 0.15, mist=0.5),
        Fill(
            polygons=(box(-0.02, view.horizon, view.ratio + 0.02, 1.02),),
            top=mix(view.palette.sky[-1], view.palette.water, 0.22),
            bottom=mix(view.palette.water, view.palette.ground, 0.45),
        ),
        flat(
            (box(-0.02, view.horizon - 0.003, view.ratio + 0.02, view.horizon + 0.006),),
            view.palette.sky[-1],
            opacity=0.7,
            blur=0.003,
        ),
    ]
    items.extend(_ripples(view))
    from_left = view.light[0] > view.ratio / 2
    if view.subject and view.subject in AFLOAT:
        size = 0.26
        x = view.ratio * (view.rng.uniform(0.3, 0.4) if from_left else view.rng.uniform(0.6, 0.7))
        items.extend(view.place(view.subject, x, view.horizon + 0.12, size, 0.85))
    elif view.subject:
        items.extend(_cliff(view, view.subject, from_left=from_left))
    else:
        items.append(view.band((_headland(view, view.horizon + 0.1, 0.16, from_left=from_left),), 0.72, mist=0.15))
    return tuple(items)


def _ripples(view: View) -> list[Fill | Glow]:
    """Dark swell lines over the whole water, and the light's broken path towards the viewer."""
    swell: list[Polygon] = []
    path: list[Polygon] = []
    for _ in range(round(90 * max(0.6, view.ratio))):
        depth = view.rng.random() ** 1.6
        y = view.horizon + 0.012 + depth * (1 - view.horizon)
        swell.append(
            streak(view.rng.random() * view.ratio, y, 0.02 + 0.11 * depth * view.rng.random(), 0.0006 + 0.0026 * depth)
        )
    for _ in range(150):
        depth = view.rng.random() ** 1.5
        y = view.horizon + 0.004 + depth * (1 - view.horizon) * 0.95
        spread = 0.012 + 0.085 * depth
        half = (0.006 + 0.034 * depth) * view.rng.uniform(0.4, 1.3)
        path.append(streak(view.light[0] + view.rng.gauss(0, spread), y, half, 0.0007 + 0.0022 * depth))
    return [
        flat(tuple(swell), mix(view.palette.water, view.palette.ground, 0.5), opacity=0.34, blur=0.0008),
        flat(tuple(path), view.palette.light, opacity=0.78),
    ]


def _headland(view: View, y: float, height: float, *, from_left: bool) -> Polygon:
    """Land that falls into the sea from one side of the picture."""
    reach = view.ratio * view.rng.uniform(0.42, 0.58)
    bumps = rolling(view.rng, 1.0, roughness=0.5, octaves=5)
    steps = [step / 60 for step in range(61)]
    points = [(s * reach, y - height * (1 - s**1.7) * (1 + 0.16 * height_at(bumps, s)) * 0.8) for s in steps]
    shape = [
        *points,
        (reach + 0.015, y + 0.004),
        (reach * 0.8, y + height * 0.3),
        (-0.05, y + height * 0.55),
        (-0.05, y - height),
    ]
    return tuple((x if from_left else view.ratio - x, level) for x, level in shape)


def _cliff(view: View, subject: Subject, *, from_left: bool) -> list[Fill | Glow]:
    """A rock shore for whatever should stand by the sea."""
    small = min(1.0, view.ratio)
    x = small * view.rng.uniform(0.2, 0.26)
    top = view.horizon + 0.05
    bumps = rolling(view.rng, 1.0, roughness=0.55, octaves=5)
    reach = small * view.rng.uniform(0.54, 0.62)
    steps = [step / 70 for step in range(71)]
    shore = [(s * reach, _shore_level(s * reach, x, top, reach) + 0.012 * height_at(bumps, s)) for s in steps]
    shape = [*shore, (-0.05, 1.06), (-0.05, top)]
    rock = tuple((px if from_left else view.ratio - px, py) for px, py in shape)
    spot_x = x if from_left else view.ratio - x
    size = 0.42 if subject is lighthouse else 0.3
    return [
        *view.place(subject, spot_x, top + 0.012, size, 0.9),
        view.band((rock,), 0.97, mist=0.12),
    ]


def _shore_level(px: float, x: float, top: float, reach: float) -> float:
    if px < x * 1.5:
        return top
    share = (px - x * 1.5) / (reach - x * 1.5)
    return top + (1.05 - top) * share**1.5
