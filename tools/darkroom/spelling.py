"""The known words that are spelt most like a wrong one, for refusals that say what may have been meant."""

from collections.abc import Iterable

_LONGEST_WORD = 100


def closest(word: str, known: Iterable[str], *, limit: int = 3, cutoff: float = 0.6) -> list[str]:
    """At most `limit` of the known words, closest first; `cutoff` is how alike they must be, from 0 to 1.

    A word of more than 100 characters is a slip of another kind, and comparing it would take long: nothing is near it.
    """
    if len(word) > _LONGEST_WORD:
        return []
    import difflib

    return difflib.get_close_matches(word, list(known), n=limit, cutoff=cutoff)


def closest_words(word: str, known: Iterable[str]) -> str:
    """` Closest: 'replicate'.`, however far that is; empty where no word is known."""
    near = closest(word, known, limit=1, cutoff=0.0)
    return f" Closest: {near[0]!r}." if near else ""
