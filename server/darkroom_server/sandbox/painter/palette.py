"""Which colours a prompt asks for: the table, and how words pick from it."""

import random
from dataclasses import dataclass

from darkroom_server.sandbox.painter.scene import Rgb


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """Colours of one mood. `sky` runs from the zenith to the horizon; land runs from `haze` (far) to `ground` (near)."""

    words: str
    sky: tuple[Rgb, ...]
    light: Rgb
    haze: Rgb
    ground: Rgb
    water: Rgb
    light_height: float  # 0 at the horizon, 1 at the top edge
    is_night: bool = False


def _rgb(hexes: str) -> tuple[Rgb, ...]:
    numbers = (int(part, 16) for part in hexes.split())
    return tuple((number >> 16, number >> 8 & 255, number & 255) for number in numbers)


def _palette(words: str, sky: str, others: str, light_height: float, is_night: bool = False) -> Palette:
    light, haze, ground, water = _rgb(others)
    return Palette(
        words=words,
        sky=_rgb(sky),
        light=light,
        haze=haze,
        ground=ground,
        water=water,
        light_height=light_height,
        is_night=is_night,
    )


# name -> words that ask for it, sky from zenith to horizon, then light, haze, ground, deep water.
PALETTES: dict[str, Palette] = {
    "dawn": _palette(
        "dawn sunrise morning daybreak soft pastel early peach",
        "2f4a7c 6f80b4 c9a3b4 f3c3a2 fde6bd",
        "fff4d9 d6a3a0 26263d 2e4468",
        0.16,
    ),
    "dusk": _palette(
        "dusk sunset evening golden orange warm twilight romantic fire amber",
        "221d52 5b3a7d b4527a ee7f66 fcc07c",
        "ffe6b0 b0627c 1b1430 3a2150",
        0.12,
    ),
    "day": _palette(
        "day noon sunny summer blue sky bright clear happy holiday",
        "3478c2 6fabe0 a9d1ee d9ecf0 f8f2dd",
        "fffbe6 a6c6d6 1f4a58 1f6a90",
        0.55,
    ),
    "night": _palette(
        "night moon midnight dark stars starry moonlight galaxy space cosmic milky",
        "070d26 0e1a40 1b2f5e 32507f 56769d",
        "f6f1de 3a5983 060a18 0b1a38",
        0.58,
        True,
    ),
    "forest": _palette(
        "forest wood woods jungle green moss fern pine garden nature emerald leaf",
        "5f9a98 93bfb0 c3d9b9 e6ead0 f7f3da",
        "fffbe0 9cc0a4 0f2f2a 2d6560",
        0.42,
    ),
    "desert": _palette(
        "desert dune dunes sand sahara canyon camel savanna egypt pyramid",
        "3f77a6 86a9b8 cfc6aa f2d9a8 fbe3b6",
        "fff3cf e6b183 5e2a2a 4d7180",
        0.34,
    ),
    "winter": _palette(
        "winter snow ice frost cold white arctic glacier polar christmas alpine",
        "7fa4cc a9c5e0 d0e0ee ecefF4 fbf3ec",
        "fffaf0 c3d5e6 3d587a 5b86a8",
        0.3,
    ),
    "red": _palette(
        "red mars crimson scarlet lava volcano rust blood ruby",
        "471827 86303a cb5a44 ef9662 fbcf9b",
        "ffeccb c7614a 2c0c18 5b1f2c",
        0.22,
    ),
    "storm": _palette(
        "storm fog mist misty rain grey gray cloud cloudy moody noir monochrome black silver",
        "3f4d5c 64737f 909ca4 b9c0c1 dcddd6",
        "f4f2e8 97a5ad 1e2a33 3d4f5b",
        0.34,
    ),
    "autumn": _palette(
        "autumn fall october harvest brown gold golden-hour copper maple vintage retro",
        "4a6d92 8aa2ae cdbfa0 f0cf97 fadfae",
        "fff1cc d39a66 43190f 49606a",
        0.2,
    ),
    "blossom": _palette(
        "blossom pink spring cherry sakura rose flower flowers kawaii dream dreamy lavender love",
        "7c7fc0 b59fd0 e6b3cb f8cfcf fdebdc",
        "fff6ea d3a0c0 3f2b57 7d6ca6",
        0.24,
    ),
    "neon": _palette(
        "neon cyberpunk purple violet synthwave futuristic robot electric magenta party tokyo",
        "0e0a2e 2a1560 6a2590 c2478f fb8a8a",
        "ffd9b8 7c3a98 0b0620 24114f",
        0.18,
    ),
    "lagoon": _palette(
        "teal turquoise lagoon island tropical beach coral aqua cyan ocean sea",
        "1d5f86 3f95a8 83c3bd c8e3cc f8edcf",
        "fffadf 8fc0ba 11343f 14606f",
        0.26,
    ),
}


_PLACES = ("forest", "desert", "lagoon")


def pick_palette(words: tuple[str, ...], rng: random.Random) -> Palette:
    """The palette that the words name, drawn from all where they name none.

    A time of day or a colour goes before a place, then more words before fewer, then the earlier word.
    """
    hits = {name: [spot for spot, word in enumerate(words) if word in p.words.split()] for name, p in PALETTES.items()}
    named = [name for name, spots in hits.items() if spots]
    if not named:
        return PALETTES[rng.choice(list(PALETTES))]
    return PALETTES[min(named, key=lambda name: (name in _PLACES, -len(hits[name]), hits[name][0]))]
