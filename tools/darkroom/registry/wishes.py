"""What the words of a query ask for, in our tasks and in the words of the models' own texts.

The words are data (search_words.toml), in several languages; nothing is translated.
"""

import re
import tomllib
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

Sort = Literal["best", "price", "speed"]
NEW_IMAGE = ("text_to_image", "text_to_svg")
_MARKS = re.compile(r"[\u0300-\u036f]")
_BETWEEN = re.compile(r"[^\w.*]+|_|\.(?!\d)")
# Chinese and Japanese are written without spaces, so that their words are found anywhere.
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_EDGE = re.compile(rf"(?<=[a-z0-9])(?={_UNSPACED.pattern})|(?<={_UNSPACED.pattern})(?=[a-z0-9])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a query asks for.

    Of each of `tasks` a model needs one, the first best; of each of `musts` and `likes` its texts hold one (a must
    counts where it is missing). `names` are makers or families. `rest` are words that nothing is known of.
    """

    tasks: tuple[tuple[str, ...], ...] = ()
    names: tuple[str, ...] = ()
    musts: tuple[tuple[str, ...], ...] = ()
    likes: tuple[tuple[str, ...], ...] = ()
    sort: Sort = "best"
    rest: tuple[str, ...] = ()
    rest_names: tuple[str, ...] = ()
    is_understood: bool = False


def plain(text: str) -> str:
    """Lower case without accents, with one space between words."""
    bare = unicodedata.normalize("NFKC", _MARKS.sub("", unicodedata.normalize("NFKD", text.casefold())))
    return " ".join(_EDGE.sub(" ", _BETWEEN.sub(" ", bare)).split())


def read_wish(query: str, *, has_task: bool) -> Wish:
    """What a query asks for; a row that only hints at a task counts where no other names one."""
    words = _words()
    text = plain(query)
    found: list[dict[str, Any]] = []
    for said, parts, rows in words.said:
        if all(map(text.__contains__, parts)):  # of most nothing is there, and a pattern takes longer
            text, count = _pattern(said).subn(" . ", text)
            found += rows if count else []
    rows = list({id(row): row for row in found}.values())
    sure = [row for row in rows if "tasks" in row and not row.get("hint")]
    hints = [row for row in rows if row.get("hint")][:1] if not sure and not has_task else []
    rest = tuple(word for word in dict.fromkeys(text.split()) if word not in words.filler and len(word) > 1)
    return Wish(
        tasks=tuple(tuple(row["tasks"]) for row in [*sure, *hints]),
        names=tuple(plain(name) for row in rows for name in row.get("names", ())),
        musts=tuple(tuple(map(plain, row["must"])) for row in rows if "must" in row),
        likes=tuple(tuple(map(plain, row["likes"])) for row in rows if "likes" in row),
        sort=next((row["sort"] for row in rows if "sort" in row), "best"),
        rest=tuple(word for word in rest if len(word) > 3 or any(map(str.isdigit, word)) or word in words.everyday),
        rest_names=tuple(word for word in rest if word not in words.everyday and word.isalpha() and len(word) > 2),
        is_understood=bool(rows),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    """What may be `said`, the longest first, each with its parts and the rows of the file in which it stands."""

    filler: frozenset[str]
    everyday: frozenset[str]
    said: tuple[tuple[str, list[str], list[dict[str, Any]]], ...]


@cache
def _words() -> _Words:
    read = tomllib.loads(Path(__file__).with_name("search_words.toml").read_text(encoding="utf-8"))
    rows_of: dict[str, list[dict[str, Any]]] = {}
    for row in read["wishes"]:
        for said in row["said"]:
            rows_of.setdefault(plain(said), []).append(row)
    longest_first = sorted(rows_of, key=lambda said: (-len(said) * (3 if _UNSPACED.search(said) else 1), said))
    return _Words(
        filler=frozenset(map(plain, read["filler"])),
        everyday=frozenset(read["everyday"]),
        said=tuple((said, said.split("*"), rows_of[said]) for said in longest_first),
    )


@cache
def _pattern(said: str) -> re.Pattern[str]:
    if _UNSPACED.search(said):
        return re.compile(re.escape(said))
    return re.compile(rf"(?<!\w){re.escape(said)}(?!\w)".replace(r"\*", r"\w*"))
