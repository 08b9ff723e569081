"""The colours of an image, read from words.toml, and how words pick from them."""

import random
import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from darkroom_server.sandbox.painter.scene import Rgb, mix

Words = Annotated[tuple[str, ...], BeforeValidator(str.split)]
Color = Annotated[Rgb, BeforeValidator(lambda text: tuple(bytes.fromhex(text)))]


class Palette(BaseModel):
    """Colours of one time of day or season. `sky` runs from the zenith to the horizon, land from `haze` to `ground`.

    `light_height` is where sun or moon stand: 0 is the horizon, 1 the top edge. `dimness` is how far a subject's own
    colours turn into the ground's, 0 to 1. `extra` is what else is in the air.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    words: Words
    sky: Annotated[tuple[Color, ...], BeforeValidator(str.split)]
    light: Color
    haze: Color
    ground: Color
    water: Color
    light_height: float
    dimness: float
    extra: Literal["stars", "snow", "mist", ""] = ""

    def land(self, share: float) -> Rgb:
        """The land's colour from far (0) to near (1)."""
        return mix(self.haze, self.ground, share)


class PromptWords(BaseModel):
    """What the words of a prompt stand for; words.toml says more."""

    grounds: dict[str, Words]
    colors: dict[str, Color]
    palettes: tuple[Palette, ...]


@lru_cache(maxsize=1)
def prompt_words() -> PromptWords:
    text = files("darkroom_server.sandbox.painter").joinpath("words.toml").read_text(encoding="utf-8")
    return PromptWords.model_validate(tomllib.loads(text))


def pick_palette(words: tuple[str, ...], rng: random.Random) -> Palette:
    """The palette that most of the words ask for; a random one of the first four if none is asked for."""
    palettes = prompt_words().palettes
    hits = [sum(word in palette.words for word in words) for palette in palettes]
    return palettes[hits.index(max(hits))] if any(hits) else rng.choice(palettes[:4])
