"""The name of a picture in the output folder: readable, the same each time, and safe on every file system."""

import re
import unicodedata

_SLUG_LENGTH = 40
_ID_LENGTH = 12


def picture_stem(prompt: str, prediction_id: str, index: int) -> str:
    """`a-lighthouse-at-dawn-rrr4z55ocnep-1`: words of the prompt, the id's start and the output's number from 1."""
    short_id = re.sub(r"[^A-Za-z0-9_-]", "", prediction_id)[:_ID_LENGTH] or "prediction"
    return f"{slug(prompt) or 'image'}-{short_id}-{index + 1}"


def slug(prompt: str) -> str:
    """At most 40 characters of `[a-z0-9-]`, cut between words; empty where the prompt has no Latin letter or digit."""
    latin = unicodedata.normalize("NFKD", prompt[:400]).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "-", latin.lower()).strip("-")
    if len(words) <= _SLUG_LENGTH:
        return words
    cut = words[: _SLUG_LENGTH + 1].rpartition("-")[0]
    return cut or words[:_SLUG_LENGTH]
