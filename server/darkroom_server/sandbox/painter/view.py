"""What every ground is composed in: colours, light and shape of the picture, and the pieces that all grounds share."""

import random
from dataclasses import dataclass

from darkroom_server.sandbox.painter.palette import Palette
from darkroom_server.sandbox.painter.scene import Fill, Glow, Point, Polygon, Rgb, disc, flat, mix
from darkroom_server.sandbox.painter.subjects import Spot, Subject

Items = tuple[Fill | Glow, ...]


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
    subject: Subject | None
    rng: random.Random

    def layer_color(self, share: float) -> Rgb:
        """The land's colour from far (0) to near (1)."""
        return mix(self.palette.haze, self.palette.ground, share)

    def band(self, polygons: tuple[Polygon, ...], share: float, *, mist: float = 0.4) -> Fill:
        """One layer of land: its own colour along the top, mist at its foot."""
        color = self.layer_color(share)
        return Fill(polygons=polygons, top=color, bottom=mix(color, self.palette.haze, mist * (1 - share * 0.75)))

    def mist(self, y: float) -> Items:
        """Long soft streaks about level `y`."""
        rng = self.rng
        streaks = tuple(
            streak(rng.random() * self.ratio, y + rng.gauss(0, 0.012), rng.uniform(0.25, 0.6), 0.018) for _ in range(3)
        )
        return (flat(streaks, mix(self.palette.haze, self.palette.sky[-1], 0.5), opacity=0.3, blur=0.02),)

    def stand(self) -> float:
        """A place across from the light, near a third of the width."""
        is_right = self.light[0] > self.ratio / 2
        return self.ratio * (self.rng.uniform(0.28, 0.38) if is_right else self.rng.uniform(0.62, 0.72))

    def place(self, subject: Subject, x: float, y: float, size: float, share: float) -> Items:
        """The subject with its foot at (x, y), in the colour of the land at `share`."""
        spot = Spot(
            x=x,
            y=y,
            size=size * min(1.0, self.ratio) ** 0.5,
            dark=self.layer_color(min(1.0, share)),
            light=mix(self.palette.light, (255, 226, 160), 0.35),
            faces_left=self.light[0] < x,
        )
        return subject(spot, self.rng)
