"""From a prompt to a scene. The same prompt, seed and index always give the same scene, other ones a related one."""

import hashlib
import random
import re

from darkroom_server.sandbox.painter.land import hill, town, wood
from darkroom_server.sandbox.painter.palette import Palette, pick_palette
from darkroom_server.sandbox.painter.peaks import dune, mountain
from darkroom_server.sandbox.painter.scene import Scene
from darkroom_server.sandbox.painter.shore import sea
from darkroom_server.sandbox.painter.sky import sky
from darkroom_server.sandbox.painter.subjects import FLYING, SUBJECTS
from darkroom_server.sandbox.painter.view import View

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
    view = View(palette=palette, light=light, horizon=horizon, ratio=ratio, subject=subject, rng=rng)
    items = (*sky(view), *_GROUND[ground](view))
    if flying:
        x = view.stand()
        items += view.place(flying, x, horizon * rng.uniform(0.38, 0.5), 0.2, 0.8)
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


_GROUND = {"hill": hill, "mountain": mountain, "wood": wood, "dune": dune, "town": town, "sea": sea}
