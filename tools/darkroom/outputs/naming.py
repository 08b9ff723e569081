"""The name of a saved image: readable, made only of what its row holds, and safe on every file system."""

import re
import unicodedata
from dataclasses import dataclass

from darkroom.file_systems import is_device
from darkroom.gateways import clean_words

MAX_NAME_BYTES = 120
_PROMPT_BYTES = 60
_SIDECAR_ENDING = ".json"  # the sidecar of an image has the same name with this ending


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageName:
    """Output number `index` (from 0) of a prediction; `prompt` and `model` (`owner/name`) lend words to the name."""

    prediction_id: str
    index: int
    prompt: str = ""
    model: str = ""

    @property
    def handle(self) -> str:
        """`rrr4z55ocneqzikepnug6xezpe-1`: the prediction's id and the number from 1, in every name of this image."""
        return f"{re.sub(r'[^A-Za-z0-9_~-]', '', self.prediction_id)[:70]}-{self.index + 1}"

    def with_ending(self, ending: str) -> str:
        """`a-lighthouse-at-dawn-flux-schnell-rrr4z55ocneqzikepnug6xezpe-1.png`; at most 120 bytes of UTF-8, NFC."""
        model = re.sub(r"[^a-z0-9.]+", "-", self.model.lower().partition(":")[0].rpartition("/")[2]).strip("-.")
        name = self.handle
        for word, most_bytes in ((model or "image", MAX_NAME_BYTES), (_words(self.prompt), _PROMPT_BYTES)):
            left = MAX_NAME_BYTES - len(f"-{name}{max(ending, _SIDECAR_ENDING, key=len)}".encode())
            name = "-".join(filter(None, (_cut(word, min(left, most_bytes)), name)))
        return _no_device(name) + ending


def file_words(text: str) -> str:
    """The words of a text as a part of a file's name: some 60 bytes of UTF-8 at most, perhaps none."""
    return _no_device(_cut(_words(text), _PROMPT_BYTES))


def _no_device(name: str) -> str:
    """What Windows would take for a device gets another beginning, on each system alike."""
    return f"image-{name}" if is_device(name) else name


def _words(prompt: str) -> str:
    """Letters, their marks and digits of any script in lower case, a hyphen in place of all else.

    What cannot be seen or turns the direction of writing is gone, so that a name looks like what it is.
    """
    kept = ""
    for character in unicodedata.normalize("NFC", clean_words(prompt, 400).lower()):
        kind = unicodedata.category(character)[0]
        if kind in "LN" or (kind == "M" and kept[-1:] not in ("", "-")):
            kept += character
        elif kept[-1:] != "-":
            kept += "-"
    return kept.strip("-")


def _cut(text: str, limit_bytes: int) -> str:
    """As many whole characters as fit, with their marks, and whole words where that costs less than half."""
    if len(text.encode()) <= limit_bytes:
        return text
    cut = text.encode()[: max(limit_bytes, 0)].decode(errors="ignore")
    while cut and unicodedata.category(text[len(cut)])[0] == "M":
        cut = cut[:-1]
    words = cut if text[len(cut)] == "-" else cut.rpartition("-")[0]
    return (words if len(words) * 2 > len(cut) else cut).rstrip("-.")
