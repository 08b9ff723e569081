"""What a white pixel of a mask means, as far as its author says so; silence and contradiction are not guessed."""

import re

from darkroom.registry.concepts import MaskPolarity
from darkroom.registry.live_schema.findings import rules

_BOTH_COLOURS = re.compile(r"\b(black|white)(-|\s)*(and|&|/|or)(-|\s)*(white|black)\b")
_ASIDE = re.compile(r"\((?:(?!white|black)[^()]){0,24}\)")
_CLAUSES = re.compile(r"[.;,()/]|\band\b|\bwhile\b|\bwhereas\b|\bbut\b")
_VERBS = (
    r"(?:re-?paint|in-?paint|edit|chang|replac|re-?generat|\bgenerat|\bfill|modif|alter|affect|redraw|eras|remov|"
    r"to be painted)"
)
_HOLDS = r"(?:preserv|\bkeep|\bkept|remain|protect|ignor|retain|maintain|stay|left as|intact)"
_EDITED, _KEPT = re.compile(_VERBS), re.compile(_HOLDS)
_NOT = r"(?:\bnot|n't|\bnever|\bwithout|\bnothing)(?:\s+\w+){0,2}?\s+"
# A verb that is denied says the other thing.
_NOT_EDITED = re.compile(rf"\bun(?:changed|edited|modified|altered|touched|affected)\b|{_NOT}{_VERBS}\w*")
_NOT_KEPT = re.compile(rf"{_NOT}{_HOLDS}\w*")
# Speaks of what lies elsewhere, or of another colour than the one it names.
_ELSEWHERE = re.compile(
    r"outside|except|other than|everything|\brest\b|apart|surround|original|non-?\s?(?:white|black)|"
    r"n[o']t (?:white|black)|inver[ts]"
)
_MARKS_KEPT = re.compile(r"(areas?|parts?|pixels?|regions?|mark)[^.]{0,40}(?:preserved|be kept|to keep)")
_COLOURS = {name: re.compile(rf"\b{name}\b") for name in ("white", "black")}


def mask_polarity(text: str) -> MaskPolarity | None:
    """None where the text does not say it, or says both."""
    if text in rules()["masks"]:
        return rules()["masks"][text]
    plain = _ASIDE.sub(" ", _BOTH_COLOURS.sub(" ", text.lower()))
    votes: set[MaskPolarity] = {vote for clause in _CLAUSES.split(plain) if (vote := _vote(clause))}
    if votes:
        return votes.pop() if len(votes) == 1 else None
    is_clear = not any(colour.search(plain) for colour in _COLOURS.values()) and not _ELSEWHERE.search(plain)
    is_kept = is_clear and bool(_MARKS_KEPT.search(_NOT_KEPT.sub(" ", plain)))
    return "marks_area_to_preserve" if is_kept else None


def _vote(clause: str) -> MaskPolarity | None:
    """What one clause says of the one colour that it names."""
    colours = [name for name, pattern in _COLOURS.items() if pattern.search(clause)]
    if len(colours) != 1 or _ELSEWHERE.search(clause):
        return None
    rest, denied_edits = _NOT_EDITED.subn(" ", clause)
    rest, denied_keeps = _NOT_KEPT.subn(" ", rest)
    is_edited = bool(_EDITED.search(rest)) or denied_keeps > 0
    is_kept = bool(_KEPT.search(rest)) or denied_edits > 0
    if is_edited == is_kept:
        return None
    return "white_is_edited" if (colours[0] == "white") == is_edited else "black_is_edited"
