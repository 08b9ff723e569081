"""What every ground and sky is composed in: colours, light and shape of the image, and the pieces that they share."""

import random
from dataclasses import dataclass

from darkroom_server.sandbox.painter.palette import Palette
from darkroom_server.sandbox.painter.scene import Fill, Items, Point, Polygon, disc, flat, mix


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
        streaks = tuple(
            streak(rng.random() * self.ratio, y + rng.gauss(0, 0.012), rng.uniform(0.25, 0.6), 0.018) for _ in range(3)
        )
        return (flat(streaks, mix(self.palette.haze, self.palette.sky[-1], 0.5), opacity=0.3, blur=0.02),)

    def dots(self, count: int, radius: float, lowest: float) -> tuple[Polygon, ...]:
        """Small discs strewn over the image down to level `lowest`, more of them higher up."""
        rng = self.rng
        return tuple(
            disc(rng.random() * self.ratio, rng.random() ** 1.4 * lowest, radius * rng.uniform(0.6, 1.2), corners=8)
            for _ in range(round(count * max(0.5, self.ratio)))
        )
