"""What every ground and sky is composed in, and the sky itself: what hangs in it, and what falls from it."""

import random
from dataclasses import dataclass

from darkroom_server.sandbox.painter.palette import Palette
from darkroom_server.sandbox.painter.scene import Fill, Glow, Items, Point, Polygon, box, disc, flat, mix


def streak(x: float, y: float, half: float, thick: float) -> Polygon:
    """A thin lens, `half` long to either side."""
    return disc(x, y, half, squash=thick / half, corners=28)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """`light` is where the sun or moon stands. `rng` is drawn from in order, so that a scene is always the same."""

    palette: Palette
    light: Point
    horizon: float
    ratio: float
    rng: random.Random

    def band(self, polygons: tuple[Polygon, ...], share: float, *, mist: float = 0.4) -> Fill:
        """One layer of land from far (0) to near (1): its own colour along the top, mist at its foot."""
        color = self.palette.land(share)
        return Fill(polygons=polygons, top=color, bottom=mix(color, self.palette.haze, mist * (1 - share * 0.75)))

    def mist(self, y: float) -> Items:
        """Long soft streaks about level `y`."""
        rng = self.rng
        places = [(rng.random() * self.ratio, y + rng.gauss(0, 0.012), rng.uniform(0.25, 0.6)) for _ in range(3)]
        streaks = tuple(streak(*place, 0.018) for place in places)
        return (flat(streaks, mix(self.palette.haze, self.palette.sky[-1], 0.5), opacity=0.3, blur=0.02),)

    def dots(self, count: int, radius: float, lowest: float) -> tuple[Polygon, ...]:
        """Small discs strewn over the image down to level `lowest`, more of them higher up."""
        rng = self.rng
        return tuple(
            disc(rng.random() * self.ratio, rng.random() ** 1.4 * lowest, radius * rng.uniform(0.6, 1.2), corners=8)
            for _ in range(round(count * max(0.5, self.ratio)))
        )


def sky(view: View) -> Items:
    """Stars, the sun or moon with its glow, and thin clouds."""
    palette, (x, y) = view.palette, view.light
    is_night = palette.extra == "stars"
    radius = min(1.0, view.ratio) * view.rng.uniform(0.042, 0.062)
    items: list[Fill | Glow] = []
    if is_night:
        white = mix(palette.light, (255, 255, 255), 0.5)
        for count, size, opacity in ((150, 0.0011, 0.6), (26, 0.002, 0.85), (7, 0.0028, 1.0)):
            items.append(flat(view.dots(count, size, view.horizon), white, opacity=opacity))
    items += [
        Glow(x=x, y=y, radius=0.85, color=mix(palette.light, palette.sky[-1], 0.25), opacity=0.3 if is_night else 0.5),
        Glow(x=x, y=y, radius=radius * 4.2, color=palette.light, opacity=0.5),
        flat((disc(x, y, radius, corners=72),), palette.light, opacity=0.97, blur=0.0012),
    ]
    if is_night:
        craters = tuple(
            disc(x + radius * a, y + radius * b, radius * c, corners=24)
            for a, b, c in ((-0.3, -0.2, 0.26), (0.25, 0.3, 0.2), (0.34, -0.32, 0.13), (-0.15, 0.45, 0.12))
        )
        items.append(flat(craters, mix(palette.light, palette.sky[2], 0.35), opacity=0.45, blur=0.004))
    return (*items, *(_cloud(view, 0.22 if is_night else 0.42) for _ in range(view.rng.randint(2, 4))))


def _cloud(view: View, opacity: float) -> Fill:
    """Streaks of thin cloud, lit from below near the horizon."""
    rng = view.rng
    level = view.horizon * rng.uniform(0.22, 0.86)
    middle = rng.random() * view.ratio
    streaks: list[Polygon] = []
    for _ in range(rng.randint(4, 8)):
        x, y = middle + rng.gauss(0, 0.2), level + rng.gauss(0, 0.014)
        streaks.append(streak(x, y, rng.uniform(0.12, 0.36), rng.uniform(0.004, 0.011)))
    color = mix(view.palette.sky[1], view.palette.light, 0.35 + 0.5 * level / view.horizon)
    return flat(tuple(streaks), color, opacity=opacity, blur=0.006)


def air(view: View) -> Items:
    """Before everything else: falling snow, or a veil of mist."""
    if view.palette.extra == "snow":
        flakes = [*view.dots(120, 0.002, 1.0), *view.dots(50, 0.004, 1.0), *view.dots(12, 0.006, 1.0)]
        return (flat(tuple(flakes), (255, 255, 255), opacity=0.85),)
    if view.palette.extra == "mist":
        veil = box(-0.1, view.horizon - 0.12, view.ratio + 0.1, view.horizon + 0.2)
        return (flat((veil,), view.palette.sky[-1], opacity=0.3, blur=0.06), *view.mist(view.horizon + 0.1))
    return ()
