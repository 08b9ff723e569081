"""From a prompt to a scene. The same prompt, seed and index always give the same scene, other ones a related one."""

import hashlib
import math
import random
import re

from darkroom_server.sandbox.painter.palette import Palette, pick_palette
from darkroom_server.sandbox.painter.scene import Fill, Glow, Point, Polygon, Rgb, Scene, box, disc, flat, mix
from darkroom_server.sandbox.painter.subjects import AFLOAT, FLYING, SUBJECTS, Spot, Subject, lighthouse
from darkroom_server.sandbox.painter.terrain import dune, height_at, jagged, land, rolling, town, wood

_SNOW_LINE = -0.16  # in skyline heights, -1 the highest
_WORD = re.compile(r"[a-z-]+")
# kind of ground -> words that ask for it
GROUNDS = {
    "sea": "sea ocean beach lake water boat ship sail sailboat sailing harbour harbor coast lighthouse island lagoon river wave waves",
    "mountain": "mountain mountains alps peak summit alpine volcano snow himalaya valley fjord glacier castle dragon",
    "wood": "forest wood woods pine pines fir jungle cabin deer fox bear wolf moss",
    "dune": "desert dune dunes sand sahara mars canyon camel planet",
    "town": "city town skyline street building buildings tower urban tokyo york paris london neon cyberpunk robot car",
    "hill": "hill hills field fields meadow countryside farm vineyard grass tree oak house cottage cat dog sheep horse garden flowers",
}


def compose(prompt: str, seed: int, index: int, ratio: float) -> Scene:
    """`ratio` is width by height; `index` is the number of the image within its prediction."""
    words = tuple(_WORD.findall(prompt.lower()))
    mood = _rng(prompt, 0, 0)
    rng = _rng(prompt, seed, index)
    palette = pick_palette(words, mood)
    ground = _pick_ground(words, mood)
    named = [SUBJECTS[word] for word in words if word in SUBJECTS]
    subject = next((one for one in named if one not in FLYING), None)
    flying = next((one for one in named if one in FLYING), None)
    horizon = rng.uniform(0.6, 0.68) if ground == "sea" else rng.uniform(0.56, 0.64)
    light = (
        ratio * rng.choice((rng.uniform(0.24, 0.38), rng.uniform(0.62, 0.76))),
        _light_level(palette, horizon, rng),
    )
    items = (
        *_sky(palette, light, horizon, ratio, rng),
        *_GROUND[ground](palette, light, horizon, ratio, subject, rng),
    )
    if flying:
        x = _stand(light, ratio, rng)
        items += _place(flying, palette, x, horizon * rng.uniform(0.38, 0.5), 0.2, 0.8, light, ratio, rng)
    return Scene(ratio=ratio, sky=palette.sky, horizon=horizon, items=items)


def _rng(prompt: str, seed: int, index: int) -> random.Random:
    return random.Random(hashlib.sha256(f"{prompt}|{seed}|{index}".encode()).digest())


def _pick_ground(words: tuple[str, ...], rng: random.Random) -> str:
    for word in words:
        for ground, asked in GROUNDS.items():
            if word in asked.split():
                return ground
    return rng.choice(("sea", "mountain", "wood", "dune", "hill"))


def _light_level(palette: Palette, horizon: float, rng: random.Random) -> float:
    height = min(0.78, palette.light_height * rng.uniform(0.8, 1.25))
    return horizon - horizon * height


def _sky(palette: Palette, light: Point, horizon: float, ratio: float, rng: random.Random) -> tuple[Fill | Glow, ...]:
    x, y = light
    small = min(1.0, ratio)
    radius = small * rng.uniform(0.042, 0.062)
    pale = mix(palette.light, palette.sky[-1], 0.25)
    items: list[Fill | Glow] = []
    if palette.is_night:
        items += _stars(palette, horizon, ratio, rng)
    items += [
        Glow(x=x, y=y, radius=0.85, color=pale, opacity=0.3 if palette.is_night else 0.5),
        Glow(x=x, y=y, radius=radius * 4.2, color=palette.light, opacity=0.5),
        flat((disc(x, y, radius, corners=72),), palette.light, opacity=0.97, blur=0.0012),
    ]
    if palette.is_night:
        craters = tuple(
            disc(x + radius * a, y + radius * b, radius * c, corners=24)
            for a, b, c in ((-0.3, -0.2, 0.26), (0.25, 0.3, 0.2), (0.34, -0.32, 0.13), (-0.15, 0.45, 0.12))
        )
        items.append(flat(craters, mix(palette.light, palette.sky[2], 0.35), opacity=0.45, blur=0.004))
    return (*items, *_clouds(palette, horizon, ratio, rng))


def _stars(palette: Palette, horizon: float, ratio: float, rng: random.Random) -> list[Fill | Glow]:
    def scatter(count: int, size: float) -> tuple[Polygon, ...]:
        return tuple(
            disc(rng.random() * ratio, rng.random() ** 1.4 * horizon, size * rng.uniform(0.6, 1.2), corners=8)
            for _ in range(round(count * max(0.5, ratio)))
        )

    white = mix(palette.light, (255, 255, 255), 0.5)
    return [
        flat(scatter(150, 0.0011), white, opacity=0.6),
        flat(scatter(26, 0.002), white, opacity=0.85),
        flat(scatter(7, 0.0028), white),
    ]


def _clouds(palette: Palette, horizon: float, ratio: float, rng: random.Random) -> list[Fill | Glow]:
    """Streaks of thin cloud, lit from below near the horizon."""
    items: list[Fill | Glow] = []
    for _ in range(rng.randint(2, 4)):
        level = horizon * rng.uniform(0.22, 0.86)
        nearness = level / horizon
        color = mix(palette.sky[1], palette.light, 0.35 + 0.5 * nearness)
        centre = rng.random() * ratio
        streaks = tuple(
            _streak(
                centre + rng.gauss(0, 0.2),
                level + rng.gauss(0, 0.014),
                rng.uniform(0.12, 0.36),
                rng.uniform(0.004, 0.011),
            )
            for _ in range(rng.randint(4, 8))
        )
        opacity = 0.22 if palette.is_night else 0.42
        items.append(flat(streaks, color, opacity=opacity, blur=0.006))
    return items


def _streak(x: float, y: float, half: float, thick: float) -> Polygon:
    return disc(x, y, half, squash=thick / half, corners=28)


def _layer_color(palette: Palette, share: float) -> Rgb:
    return mix(palette.haze, palette.ground, share)


def _band(palette: Palette, polygons: tuple[Polygon, ...], share: float, *, mist: float = 0.4) -> Fill:
    """One layer of land: its own colour along the top, mist at its foot."""
    color = _layer_color(palette, share)
    return Fill(polygons=polygons, top=color, bottom=mix(color, palette.haze, mist * (1 - share * 0.75)))


def _hill(
    palette: Palette, light: Point, horizon: float, ratio: float, subject: Subject | None, rng: random.Random
) -> tuple[Fill | Glow, ...]:
    items: list[Fill | Glow] = []
    layers = 6
    for layer in range(layers):
        share = layer / (layers - 1)
        skyline = rolling(rng, ratio, roughness=0.42, octaves=3 + layer // 3)
        level = horizon + 0.02 + (0.98 - horizon) * 0.82 * share**1.25
        height = 0.018 + 0.028 * share
        items.append(_band(palette, (land(skyline, level, height, ratio),), share**0.9))
        if layer == 2:
            items.extend(_mist(palette, level + 0.03, ratio, rng))
        if subject and layer == layers - 2:
            x = _stand(light, ratio, rng)
            items.extend(
                _place(subject, palette, x, level + height_at(skyline, x) * height, 0.3, share**0.9, light, ratio, rng)
            )
    return tuple(items)


def _mountain(
    palette: Palette, light: Point, horizon: float, ratio: float, subject: Subject | None, rng: random.Random
) -> tuple[Fill | Glow, ...]:
    items: list[Fill | Glow] = []
    for layer, (level, height, share) in enumerate(((-0.04, 0.25, 0.14), (0.07, 0.17, 0.34), (0.16, 0.1, 0.56))):
        skyline = jagged(rng, ratio)
        y = horizon + level
        items.append(_band(palette, (land(skyline, y, height, ratio),), share, mist=0.75))
        if layer < 2:
            items.append(_snow(palette, skyline, y, height, share, rng))
        items.extend(_mist(palette, y + 0.11, ratio, rng))
    low = rolling(rng, ratio, roughness=0.4, octaves=4)
    items.append(
        _band(palette, (land(low, horizon + 0.24, 0.02, ratio), *wood(low, horizon + 0.24, 0.02, 0.075, rng)), 0.78)
    )
    if subject:
        x = _stand(light, ratio, rng)
        items.extend(
            _place(subject, palette, x, horizon + 0.25 + height_at(low, x) * 0.02, 0.26, 0.9, light, ratio, rng)
        )
    near = rolling(rng, ratio, roughness=0.4, octaves=4)
    items.append(_band(palette, (land(near, 0.95, 0.02, ratio), *wood(near, 0.95, 0.02, 0.17, rng)), 1.0, mist=0.1))
    return tuple(items)


def _snow(palette: Palette, skyline: list[Point], y: float, height: float, share: float, rng: random.Random) -> Fill:
    """White on what rises above the snow line, hanging down in ragged tongues."""
    caps: list[Polygon] = []
    run: list[Point] = []
    for x, value in [*skyline, (skyline[-1][0], 9.0)]:
        if value < _SNOW_LINE:
            run.append((x, value))
        elif len(run) > 2:
            caps.append(tuple((px, y + pv * height) for px, pv in [*run, *reversed(_tongues(run, rng))]))
            run = []
        else:
            run = []
    white = mix(mix(palette.light, (255, 255, 255), 0.5), _layer_color(palette, share), 0.12)
    return flat(tuple(caps) or (box(-1, -1, -0.9, -0.9),), white, opacity=0.88)


def _tongues(run: list[Point], rng: random.Random) -> list[Point]:
    """The lower edge of a cap: up and down between the ridge and a little below the snow line."""
    lower: list[Point] = []
    for number, (x, value) in enumerate(run[:: max(1, len(run) // 14)]):
        depth = rng.uniform(0.75, 1.15) if number % 2 else rng.uniform(0.3, 0.6)
        lower.append((x, value + (_SNOW_LINE - value) * depth))
    return lower


def _wood(
    palette: Palette, light: Point, horizon: float, ratio: float, subject: Subject | None, rng: random.Random
) -> tuple[Fill | Glow, ...]:
    items: list[Fill | Glow] = [_band(palette, (land(jagged(rng, ratio), horizon - 0.02, 0.1, ratio),), 0.12, mist=0.7)]
    layers = 5
    for layer in range(layers):
        share = 0.25 + 0.75 * layer / (layers - 1)
        skyline = rolling(rng, ratio, roughness=0.45, octaves=3)
        level = horizon + 0.05 + (0.93 - horizon) * (layer / (layers - 1)) ** 1.2
        height = 0.018 + 0.012 * layer
        tree = 0.045 + 0.042 * layer
        items.append(
            _band(palette, (land(skyline, level, height, ratio), *wood(skyline, level, height, tree, rng)), share)
        )
        if subject and layer == 2:
            x = _stand(light, ratio, rng)
            items.extend(
                _place(subject, palette, x, level + height_at(skyline, x) * height + 0.01, 0.24, 0.8, light, ratio, rng)
            )
        if layer < 3:
            items.extend(_mist(palette, level + 0.045, ratio, rng))
    return tuple(items)


def _dune(
    palette: Palette, light: Point, horizon: float, ratio: float, subject: Subject | None, rng: random.Random
) -> tuple[Fill | Glow, ...]:
    items: list[Fill | Glow] = [
        _band(palette, (land(rolling(rng, ratio, roughness=0.5, octaves=4), horizon, 0.012, ratio),), 0.12, mist=0.7)
    ]
    layers = 4
    for layer in range(layers):
        share = 0.16 + 0.6 * layer / (layers - 1)
        skyline, crests = dune(rng, ratio)
        level = horizon + 0.03 + (0.92 - horizon) * (layer / (layers - 1)) ** 1.2
        height = 0.05 + 0.045 * layer
        sunny = mix(_layer_color(palette, share), palette.light, 0.34 * (1 - share * 0.6))
        items.append(
            Fill(
                polygons=(land(skyline, level, height, ratio),),
                top=sunny,
                bottom=_layer_color(palette, min(1.0, share + 0.16)),
            )
        )
        items.extend(_lee(palette, skyline, crest, level, height, share) for crest in crests if -0.1 < crest < ratio)
        if subject and layer == layers - 2:
            x = _stand(light, ratio, rng)
            foot = level + height_at(skyline, x) * height
            items.extend(_place(subject, palette, x, foot, 0.26, 1.0, light, ratio, rng))
    return tuple(items)


def _lee(palette: Palette, skyline: list[Point], crest: float, y: float, height: float, share: float) -> Fill:
    """The shadow side of one crest: right of a line that winds down from it towards the viewer."""
    right = [(x, y + value * height) for x, value in skyline if x >= crest]
    top = (crest, y + height_at(skyline, crest) * height)
    end = right[-1] if right else top
    steps = [step / 24 for step in range(25)]
    drop = height * 2.6
    edge = [
        (crest + height * (0.55 * math.sin(6.0 * s) * (1 - 0.4 * s) - 1.9 * s), top[1] + drop * s**1.15) for s in steps
    ]
    color = _layer_color(palette, min(1.0, share + 0.24))
    return Fill(
        polygons=((top, *right, (end[0], top[1] + drop), *reversed(edge)),),
        top=color,
        bottom=_layer_color(palette, min(1.0, share + 0.14)),
        opacity=0.9,
        blur=0.0008,
    )


def _town(
    palette: Palette, light: Point, horizon: float, ratio: float, subject: Subject | None, rng: random.Random
) -> tuple[Fill | Glow, ...]:
    items: list[Fill | Glow] = []
    for height, width, share, level in ((0.4, 0.055, 0.2, 0.1), (0.36, 0.075, 0.48, 0.18), (0.27, 0.1, 0.82, 0.3)):
        houses, windows = town(rng, ratio, horizon + level, height, width)
        items.append(_band(palette, houses, share, mist=0.6))
        if windows:
            lamp = mix(palette.light, (255, 214, 140), 0.5)
            items.append(flat(windows, lamp, opacity=0.25 + 0.5 * share if share > 0.3 else 0.2))
        items.extend(_mist(palette, horizon + level + 0.03, ratio, rng))
    front = rolling(rng, ratio, roughness=0.4, octaves=3)
    items.append(_band(palette, (land(front, 0.93, 0.012, ratio),), 1.0, mist=0.0))
    if subject:
        x = _stand(light, ratio, rng)
        items.extend(_place(subject, palette, x, 0.935 + height_at(front, x) * 0.012, 0.3, 1.0, light, ratio, rng))
    return tuple(items)


def _sea(
    palette: Palette, light: Point, horizon: float, ratio: float, subject: Subject | None, rng: random.Random
) -> tuple[Fill | Glow, ...]:
    items: list[Fill | Glow] = [
        _band(palette, (_headland(rng, ratio, horizon, 0.05, from_left=rng.random() < 0.5),), 0.15, mist=0.5),
        Fill(
            polygons=(box(-0.02, horizon, ratio + 0.02, 1.02),),
            top=mix(palette.sky[-1], palette.water, 0.22),
            bottom=mix(palette.water, palette.ground, 0.45),
        ),
        flat((box(-0.02, horizon - 0.003, ratio + 0.02, horizon + 0.006),), palette.sky[-1], opacity=0.7, blur=0.003),
    ]
    items.extend(_ripples(palette, light, horizon, ratio, rng))
    from_left = light[0] > ratio / 2
    if subject and subject in AFLOAT:
        size = 0.26
        x = ratio * (rng.uniform(0.3, 0.4) if from_left else rng.uniform(0.6, 0.7))
        items.extend(_place(subject, palette, x, horizon + 0.12, size, 0.85, light, ratio, rng))
    elif subject:
        items.extend(_cliff(subject, palette, light, horizon, ratio, from_left, rng))
    else:
        items.append(
            _band(palette, (_headland(rng, ratio, horizon + 0.1, 0.16, from_left=from_left),), 0.72, mist=0.15)
        )
    return tuple(items)


def _ripples(palette: Palette, light: Point, horizon: float, ratio: float, rng: random.Random) -> list[Fill | Glow]:
    """Dark swell lines over the whole water, and the light's broken path towards the viewer."""
    swell: list[Polygon] = []
    path: list[Polygon] = []
    for _ in range(round(90 * max(0.6, ratio))):
        depth = rng.random() ** 1.6
        y = horizon + 0.012 + depth * (1 - horizon)
        swell.append(_streak(rng.random() * ratio, y, 0.02 + 0.11 * depth * rng.random(), 0.0006 + 0.0026 * depth))
    for _ in range(150):
        depth = rng.random() ** 1.5
        y = horizon + 0.004 + depth * (1 - horizon) * 0.95
        spread = 0.012 + 0.085 * depth
        half = (0.006 + 0.034 * depth) * rng.uniform(0.4, 1.3)
        path.append(_streak(light[0] + rng.gauss(0, spread), y, half, 0.0007 + 0.0022 * depth))
    return [
        flat(tuple(swell), mix(palette.water, palette.ground, 0.5), opacity=0.34, blur=0.0008),
        flat(tuple(path), palette.light, opacity=0.78),
    ]


def _headland(rng: random.Random, ratio: float, y: float, height: float, *, from_left: bool) -> Polygon:
    """Land that falls into the sea from one side of the picture."""
    reach = ratio * rng.uniform(0.42, 0.58)
    bumps = rolling(rng, 1.0, roughness=0.5, octaves=5)
    steps = [step / 60 for step in range(61)]
    points = [(s * reach, y - height * (1 - s**1.7) * (1 + 0.16 * height_at(bumps, s)) * 0.8) for s in steps]
    shape = [
        *points,
        (reach + 0.015, y + 0.004),
        (reach * 0.8, y + height * 0.3),
        (-0.05, y + height * 0.55),
        (-0.05, y - height),
    ]
    return tuple((x if from_left else ratio - x, level) for x, level in shape)


def _cliff(
    subject: Subject, palette: Palette, light: Point, horizon: float, ratio: float, from_left: bool, rng: random.Random
) -> list[Fill | Glow]:
    """A rock shore for whatever should stand by the sea."""
    small = min(1.0, ratio)
    x = small * rng.uniform(0.2, 0.26)
    top = horizon + 0.05
    bumps = rolling(rng, 1.0, roughness=0.55, octaves=5)
    reach = small * rng.uniform(0.54, 0.62)
    steps = [step / 70 for step in range(71)]
    shore = [(s * reach, _shore_level(s * reach, x, top, reach) + 0.012 * height_at(bumps, s)) for s in steps]
    shape = [*shore, (-0.05, 1.06), (-0.05, top)]
    rock = tuple((px if from_left else ratio - px, py) for px, py in shape)
    spot_x = x if from_left else ratio - x
    size = 0.42 if subject is lighthouse else 0.3
    return [
        *_place(subject, palette, spot_x, top + 0.012, size, 0.9, light, ratio, rng),
        _band(palette, (rock,), 0.97, mist=0.12),
    ]


def _shore_level(px: float, x: float, top: float, reach: float) -> float:
    if px < x * 1.5:
        return top
    share = (px - x * 1.5) / (reach - x * 1.5)
    return top + (1.05 - top) * share**1.5


def _mist(palette: Palette, y: float, ratio: float, rng: random.Random) -> list[Fill | Glow]:
    streaks = tuple(
        _streak(rng.random() * ratio, y + rng.gauss(0, 0.012), rng.uniform(0.25, 0.6), 0.018) for _ in range(3)
    )
    return [flat(streaks, mix(palette.haze, palette.sky[-1], 0.5), opacity=0.3, blur=0.02)]


def _stand(light: Point, ratio: float, rng: random.Random) -> float:
    """A place across from the light, near a third of the width."""
    return ratio * (rng.uniform(0.28, 0.38) if light[0] > ratio / 2 else rng.uniform(0.62, 0.72))


def _place(
    subject: Subject,
    palette: Palette,
    x: float,
    y: float,
    size: float,
    share: float,
    light: Point,
    ratio: float,
    rng: random.Random,
) -> tuple[Fill | Glow, ...]:
    spot = Spot(
        x=x,
        y=y,
        size=size * min(1.0, ratio) ** 0.5,
        dark=_layer_color(palette, min(1.0, share)),
        light=mix(palette.light, (255, 226, 160), 0.35),
        faces_left=light[0] < x,
    )
    return subject(spot, rng)


_GROUND = {"hill": _hill, "mountain": _mountain, "wood": _wood, "dune": _dune, "town": _town, "sea": _sea}
