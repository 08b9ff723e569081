"""What an author wrote, made harmless: one line without control or invisible characters, cut."""

import re
import unicodedata

MOST_SHOWN = 300
_SPACES = re.compile(r"\s+")


def one_line(text: object, limit: int = MOST_SHOWN) -> str:
    """At most `limit` characters; characters of the Unicode categories C* become spaces. "" for what is no text."""
    if not isinstance(text, str):
        return ""
    seen = text[: limit * 4]
    if not (seen.isascii() and seen.isprintable()):
        seen = "".join(" " if unicodedata.category(each)[0] == "C" else each for each in seen)
    line = _SPACES.sub(" ", seen).strip()
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
