"""What hangs in the sky."""

from darkroom_server.sandbox.painter.scene import Fill, Glow, Polygon, disc, flat, mix
from darkroom_server.sandbox.painter.view import Items, View, streak


def sky(view: View) -> Items:
    """Stars, the sun or moon with its glow, and thin clouds."""
    x, y = view.light
    small = min(1.0, view.ratio)
    radius = small * view.rng.uniform(0.042, 0.062)
    pale = mix(view.palette.light, view.palette.sky[-1], 0.25)
    items: list[Fill | Glow] = []
    if view.palette.is_night:
        items += _stars(view)
    items += [
        Glow(x=x, y=y, radius=0.85, color=pale, opacity=0.3 if view.palette.is_night else 0.5),
        Glow(x=x, y=y, radius=radius * 4.2, color=view.palette.light, opacity=0.5),
        flat((disc(x, y, radius, corners=72),), view.palette.light, opacity=0.97, blur=0.0012),
    ]
    if view.palette.is_night:
        craters = tuple(
            disc(x + radius * a, y + radius * b, radius * c, corners=24)
            for a, b, c in ((-0.3, -0.2, 0.26), (0.25, 0.3, 0.2), (0.34, -0.32, 0.13), (-0.15, 0.45, 0.12))
        )
        items.append(flat(craters, mix(view.palette.light, view.palette.sky[2], 0.35), opacity=0.45, blur=0.004))
    return (*items, *_clouds(view))


def _stars(view: View) -> list[Fill | Glow]:
    def scatter(count: int, size: float) -> tuple[Polygon, ...]:
        return tuple(
            disc(
                view.rng.random() * view.ratio,
                view.rng.random() ** 1.4 * view.horizon,
                size * view.rng.uniform(0.6, 1.2),
                corners=8,
            )
            for _ in range(round(count * max(0.5, view.ratio)))
        )

    white = mix(view.palette.light, (255, 255, 255), 0.5)
    return [
        flat(scatter(150, 0.0011), white, opacity=0.6),
        flat(scatter(26, 0.002), white, opacity=0.85),
        flat(scatter(7, 0.0028), white),
    ]


def _clouds(view: View) -> list[Fill | Glow]:
    """Streaks of thin cloud, lit from below near the view.horizon."""
    items: list[Fill | Glow] = []
    for _ in range(view.rng.randint(2, 4)):
        level = view.horizon * view.rng.uniform(0.22, 0.86)
        nearness = level / view.horizon
        color = mix(view.palette.sky[1], view.palette.light, 0.35 + 0.5 * nearness)
        centre = view.rng.random() * view.ratio
        streaks = tuple(
            streak(
                centre + view.rng.gauss(0, 0.2),
                level + view.rng.gauss(0, 0.014),
                view.rng.uniform(0.12, 0.36),
                view.rng.uniform(0.004, 0.011),
            )
            for _ in range(view.rng.randint(4, 8))
        )
        opacity = 0.22 if view.palette.is_night else 0.42
        items.append(flat(streaks, color, opacity=opacity, blur=0.006))
    return items
