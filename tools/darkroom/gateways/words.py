"""A gateway's own words, made safe to quote: an assistant reads them, so they must carry nothing hidden."""

import html
import re
import unicodedata

_READ_AT_MOST = 20_000
_HIDDEN_MARKUP = re.compile(r"<(script|style|head)\b.*?(</\1\s*>|$)|<!--.*?(-->|$)", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"</?[A-Za-z!?][^<>]*>")
_LINK = re.compile(r"\b[a-z][a-z0-9+.-]*://(?:[^\s/@\"'<>]*@)?([^\s/\"'<>?#]*)[^\s\"'<>]*", re.IGNORECASE)
_KEY = re.compile(
    r"\b(?:r8|hf)_[A-Za-z0-9*.]{4,}|\b[shp]k-[A-Za-z0-9_*.-]{4,}|\b(?:Bearer|Token)\s+[A-Za-z0-9_*.~+/=-]{6,}",
    re.IGNORECASE,
)
# Letters by category, invisible on the screen: Hangul and Khmer fillers, grapheme joiner, variation selectors, braille blank.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_DROPPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def clean_words(text: str, limit: int = 300) -> str:
    """One line of at most `limit` characters: no markup, no control, bidi or invisible characters, no keys, no links."""
    seen = _without_invisible(html.unescape(text[:_READ_AT_MOST]))
    plain = _TAG.sub(" ", _HIDDEN_MARKUP.sub(" ", seen))
    redacted = _LINK.sub(_named_link, _KEY.sub("[key]", plain))
    line = " ".join(redacted.split())
    return line if len(line) <= limit else line[: max(limit - 1, 0)].rstrip() + "…"


def _named_link(link: re.Match[str]) -> str:
    return f"[link to {link[1]}]" if link[1] else "[link]"


def _without_invisible(text: str) -> str:
    spaced = "".join(" " if character.isspace() else character for character in text)
    kept = (character for character in spaced if unicodedata.category(character) not in _DROPPED_CATEGORIES)
    return _INVISIBLE.sub("", "".join(kept))
