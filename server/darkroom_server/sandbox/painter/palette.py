"""The colours of an image: the table of palettes, and how words pick from it."""

import random
from dataclasses import dataclass

from darkroom_server.sandbox.painter.scene import Rgb, mix


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of one time of day or season. `sky` runs from the zenith to the horizon, land from `haze` to `ground`.

    `light_height` is where sun or moon stand: 0 is the horizon, 1 the top edge. `dimness` is how far a subject's own
    colours turn into the ground's, 0 to 1. `extra` is what else is in the air: "stars", "snow", "mist" or "".
    """

    sky: tuple[Rgb, ...]
    light: Rgb
    haze: Rgb
    ground: Rgb
    water: Rgb
    light_height: float
    dimness: float
    extra: str

    def land(self, share: float) -> Rgb:
        """The land's colour from far (0) to near (1)."""
        return mix(self.haze, self.ground, share)


# Two lines for each palette: the words that ask for it, then
# sky from zenith to horizon | light, haze, ground, deep water | light_height and dimness in hundredths | extra
_TABLE = """
dawn sunrise morning daybreak soft pastel pink spring
2f4a7c 6f80b4 c9a3b4 f3c3a2 fde6bd | fff4d9 d6a3a0 26263d 2e4468 | 16 14 |
dusk sunset evening golden orange red warm twilight
221d52 5b3a7d b4527a ee7f66 fcc07c | ffe6b0 b0627c 1b1430 3a2150 | 12 18 |
day noon sunny summer blue bright clear sun
3478c2 6fabe0 a9d1ee d9ecf0 f8f2dd | fffbe6 a6c6d6 1f4a58 1f6a90 | 55 5 |
autumn fall october brown gold vintage
4a6d92 8aa2ae cdbfa0 f0cf97 fadfae | fff1cc d39a66 43190f 49606a | 20 10 |
night moon midnight dark stars starry moonlight space rocket astronaut jazz
070d26 0e1a40 1b2f5e 32507f 56769d | f6f1de 3a5983 060a18 0b1a38 | 58 30 | stars
winter snow snowy ice frost cold white
7fa4cc a9c5e0 d0e0ee ecefF4 fbf3ec | fffaf0 c3d5e6 3d587a 5b86a8 | 30 5 | snow
fog foggy mist misty grey gray cloud clouds cloudy
3f4d5c 64737f 909ca4 b9c0c1 dcddd6 | f4f2e8 97a5ad 1e2a33 3d4f5b | 34 14 | mist
"""


def _rgb(hexes: str) -> tuple[Rgb, ...]:
    numbers = (int(part, 16) for part in hexes.split())
    return tuple((number >> 16, number >> 8 & 255, number & 255) for number in numbers)


def _palette(row: str) -> Palette:
    sky, others, numbers, extra = row.split("|")
    light, haze, ground, water = _rgb(others)
    height, dimness = (int(number) / 100 for number in numbers.split())
    return Palette(_rgb(sky), light, haze, ground, water, height, dimness, extra.strip())


_LINES = _TABLE.strip().splitlines()
# words that ask for it -> palette
PALETTES = {tuple(words.split()): _palette(row) for words, row in zip(_LINES[::2], _LINES[1::2], strict=True)}

_COLOR_TABLE = """
red c8372d orange d9702a yellow f2c230 green 5b8c4f blue 3f74b5 purple 7d55a8 pink e58aa0 white f6f1e7 black 2b2a35
brown 8a5a3a grey 8e8f98 gray 8e8f98 silver b4bdc6 gold dba63a golden dba63a glass b9d8e2
"""
_CELLS = _COLOR_TABLE.split()
# The colours that a prompt can give a subject; subjects.txt paints with the same.
COLORS: dict[str, Rgb] = dict(zip(_CELLS[::2], _rgb(" ".join(_CELLS[1::2])), strict=True))


def pick_palette(words: tuple[str, ...], rng: random.Random) -> Palette:
    """The palette that most of the words ask for; a random one of the first four if none is asked for."""
    hits = {asked: sum(word in asked for word in words) for asked in PALETTES}
    best = max(hits, key=lambda asked: hits[asked])
    return PALETTES[best] if hits[best] else rng.choice(list(PALETTES.values())[:4])
