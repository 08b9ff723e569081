"""A gateway's own words, made safe to quote: an assistant reads them, so they must carry nothing hidden."""

import html
import re
import unicodedata

_READ_AT_MOST = 20_000
_HIDDEN_MARKUP = re.compile(r"<(script|style|head)\b.*?(</\1\s*>|$)|<!--.*?(-->|$)", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"</?[A-Za-z!?][^<>]*>")
# A scheme of any length would cost quadratic time on "a.a.a.a"; what is left of a longer one is no link any more.
_LINK = re.compile(
    r"[a-z][a-z0-9+.-]{0,30}://(?:[^\s/@\"'<>]*@)?([^\s/\"'<>?#]*)[^\s\"'<>]*"
    r"|(?<![\w:/])//([\w-]+\.[^\s/\"'<>?#]*)[^\s\"'<>]*"
    r"|\bwww\.([^\s/\"'<>?#]+)[^\s\"'<>]*"
    r"|\b(?:javascript|vbscript|data|blob|file|mailto|tel):[^\s\"'<>]+",
    re.IGNORECASE,
)
_BEGUN_TAG = re.compile(r"<(?=[A-Za-z!?/|])")
_KEY = re.compile(
    r"\b(?:r8|hf)_[A-Za-z0-9*.]{4,}|\b[shp]k-[A-Za-z0-9_*.-]{4,}|\b(?:Bearer|Token)\s+[A-Za-z0-9_*.~+/=-]{6,}",
    re.IGNORECASE,
)
# Letters by category, but invisible: Hangul and Khmer fillers, grapheme joiner, variation selectors, braille blank.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
# Every mark that could be read as the end of a quotation.
_QUOTES = dict.fromkeys(
    map(ord, '"\u00ab\u00bb\u201c\u201d\u201e\u201f\u2033\u2036\u275d\u275e\u301d\u301e\u301f\uff02'), "'"
)
_DROPPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


# So that nobody takes it for the request_id of a call of ours.
_LOG_ID = re.compile(r"\brequest[\s_-]?id(?=\W{1,3}\w)", re.IGNORECASE)


def quoted(text: str, limit: int = 300) -> str:
    """`clean_words` in quotation marks, which nothing inside can end; empty where nothing is left."""
    words = clean_words(_LOG_ID.sub("the gateway's log id", text[:_READ_AT_MOST]), limit).translate(_QUOTES)
    return f'"{words}"' if words else ""


def clean_words(text: str, limit: int = 300) -> str:
    """One line of at most `limit` characters without markup, control, bidi or invisible characters, keys and links."""
    seen = _without_invisible(html.unescape(text[:_READ_AT_MOST]))
    plain = _BEGUN_TAG.sub("< ", _TAG.sub(" ", _HIDDEN_MARKUP.sub(" ", seen)))
    redacted = _LINK.sub(_named_link, _KEY.sub("[key]", plain))
    line = " ".join(redacted.replace("](", "] (").split())
    return line if len(line) <= limit else line[: max(limit - 1, 0)].rstrip() + "…"


def _named_link(link: re.Match[str]) -> str:
    host = next((name for name in link.groups() if name), "").rstrip(".,;:!?)]}")
    return f"[link to {host}]" if host else "[link]"


def _without_invisible(text: str) -> str:
    spaced = "".join(" " if character.isspace() else character for character in text)
    kept = (character for character in spaced if unicodedata.category(character) not in _DROPPED_CATEGORIES)
    return _INVISIBLE.sub("", "".join(kept))
