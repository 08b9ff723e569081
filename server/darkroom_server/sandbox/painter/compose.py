"""From a prompt to a scene. The same prompt, seed and index always give the same scene."""

import random
import re
from dataclasses import dataclass

from darkroom_server.sandbox.painter.caption import drawable
from darkroom_server.sandbox.painter.grounds import GROUNDS, SAND, NearLand, cliff, open_sky, rise
from darkroom_server.sandbox.painter.palette import pick_palette, prompt_words
from darkroom_server.sandbox.painter.scene import Items, Scene
from darkroom_server.sandbox.painter.subjects import Subject, placed, subjects
from darkroom_server.sandbox.painter.view import View, air, sky

_WORD = re.compile(r"[a-z]+")
_LETTERING = re.compile(r'\btext: *"?([^".\n]{1,120})"?|["“]([^"”]{1,120})["”]', re.IGNORECASE)
_NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5}
_SANDY = {"beach", "sand", "sandy", "dunes", "shore"}


@dataclass(frozen=True, slots=True)
class Named:
    """A subject that the prompt names, with the colour and the number it gives."""

    subject: Subject
    color: str
    count: int


def compose(prompt: str, seed: int, index: int, ratio: float) -> Scene:
    """`ratio` is width by height; `index` is the number of the image within its prediction."""
    lettering = _lettering(prompt)
    words = words_of(_LETTERING.sub("", prompt))
    mood, rng = random.Random(prompt), random.Random(f"{prompt}|{seed}|{index}")
    named = _named(words)
    colors = prompt_words().colors
    palette = pick_palette(tuple(word for word in words if not named or word not in colors), mood)
    ground = _ground(words, named, mood)
    horizon = rng.uniform(0.6, 0.68) if ground in ("sea", "lake") else rng.uniform(0.56, 0.64)
    light_x = ratio * rng.choice((rng.uniform(0.24, 0.38), rng.uniform(0.62, 0.76)))
    light = (light_x, horizon - horizon * min(0.78, palette.light_height * rng.uniform(0.8, 1.25)))
    view = View(palette=palette, light=light, horizon=horizon, ratio=ratio, rng=rng)
    items = () if ground == "plain" else sky(view)
    items += GROUNDS[ground](view)
    items += _with_subjects(view, ground, named, is_sandy=bool(_SANDY & set(words)))
    return Scene(ratio=ratio, sky=palette.sky, horizon=horizon, items=(*items, *air(view)), lettering=lettering)


def words_of(prompt: str) -> tuple[str, ...]:
    """Its words in lower case, without numbers and signs."""
    return tuple(_WORD.findall(prompt.lower()))


def _lettering(prompt: str) -> tuple[str, ...]:
    """At most three lines: the words behind `text:` up to a full stop, or between quotation marks, split at commas."""
    found = _LETTERING.search(prompt)
    lines = re.split(r"[,;/\n]", found[1] or found[2]) if found else []
    return tuple(line for line in (drawable(line)[:40] for line in lines) if line)[:3]


def _named(words: tuple[str, ...]) -> list[Named]:
    """At most three subjects, each with the colour and the number that stand before it."""
    found: list[Named] = []
    color, count, last = "", 1, None
    for word in words:
        subject = subjects().get(word)
        if subject and subject is not last:  # "oak tree" is one tree
            found.append(Named(subject, color, max(count, subject.copies)))
            color, count = "", 1
        elif not subject:
            color = word if word in prompt_words().colors else color
            count = _NUMBERS.get(word, count)
        last = subject
    return found[:3]


def _ground(words: tuple[str, ...], named: list[Named], rng: random.Random) -> str:
    asked = (ground for word in words for ground, names in prompt_words().grounds.items() if word in names)
    return next(asked, named[0].subject.ground if named else rng.choice(("sea", "lake", "mountain", "wood", "hill")))


def _with_subjects(view: View, ground: str, named: list[Named], *, is_sandy: bool) -> Items:
    """The near land with the named subjects behind its edge, those afloat farther out, those that fly above."""
    afloat = [one for one in named if one.subject.stands == "water" and ground in ("sea", "lake")]
    flying = [one for one in named if one.subject.stands == "air"]
    standing = [one for one in named if one not in afloat and one not in flying]
    near = _near_land(view, ground, standing, is_sandy=is_sandy)
    water = NearLand(level=lambda x: view.horizon + 0.13, right=view.ratio)
    return (*_row(view, afloat, water), *_row(view, standing, near), *near.items, *_row(view, flying, open_sky(view)))


def _near_land(view: View, ground: str, standing: list[Named], *, is_sandy: bool) -> NearLand:
    if is_sandy:
        return rise(view, 0.86 if standing else 0.78, SAND)
    if ground == "sea" and [(one.subject.ground, one.count) for one in standing] == [("sea", 1)]:
        return cliff(view)
    if standing and ground != "plain":
        return rise(view, 0.86)
    return NearLand(level=lambda x: 0.87, right=view.ratio)


def _row(view: View, named: list[Named], near: NearLand) -> Items:
    """The subjects side by side; a single one stands away from the light."""
    row = [one for one in named for _ in range(one.count)]
    items: Items = ()
    for number, one in enumerate(row):
        width = (near.right - near.left) / len(row)
        share = 0.5 + view.rng.uniform(-0.1, 0.1)
        if len(row) == 1 and near.items:
            share += 0.1 if view.light[0] < view.ratio / 2 else -0.1
        x = near.left + width * (number + share)
        usual = (
            one.subject.height * view.rng.uniform(0.8 if one.count > 1 else 0.95, 1.05) * min(1.0, view.ratio) ** 0.5
        )
        size = min(usual, 0.55 * width / one.subject.reach)
        foot = x, max(near.level(x), size + 0.03)
        items += placed(one.subject, one.color, view.palette, foot, size, is_mirrored=view.light[0] < x)
    return items
