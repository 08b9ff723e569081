"""Which inputs take pictures, which of them is the one to work on, which is its mask, and what its colours mean."""

import re

from darkroom.registry.concepts import MaskPolarity
from darkroom.registry.live_schema.findings import Findings, only, rules
from darkroom.registry.live_schema.roles import image_role
from darkroom.registry.live_schema.schema import LiveInput

_NO_PICTURE = re.compile(
    r"\b(video|videos|audio|zip|tar|weights?|lora|checkpoint|safetensors?|csv|txt|pdf|mesh|glb|obj file|font|archive|"
    r"song|voice|speech|mp4|mp3|wav|embedding|trained|gguf|3d model)\b",
    re.IGNORECASE,
)
_PICTURE = re.compile(
    r"image|img|photo|picture|face|portrait|mask|logo|sketch|drawing|scribble|pose|depth|canny|garment|garm|png|jpe?g|"
    r"background|person|selfie|cloth",
    re.IGNORECASE,
)
_AS_TEXT = re.compile(r"(image|img|photo|reference|mask)\w*_url$|^(image|mask)$")
_SAYS_ADDRESS = re.compile(r"url|uri|http|base64", re.IGNORECASE)
_MASK = re.compile(r"(^|_)masks?($|_)|^inpaint(ing)?_mask")
_MASKED = re.compile(r"(^|_)masked_|unmask")
_OF_SEVERAL = re.compile(r"(^|_)(target|swap|garm|cloth|driving|background)")
_NEEDS_MASK = re.compile(r"(must|need|require)[^.]{0,40}\bmask|mask[^.]{0,30}(?:is )?required", re.IGNORECASE)
_SAME_SIZE = re.compile(r"same|match|size|dimension", re.IGNORECASE)
_AT_MOST = (
    re.compile(
        r"(?:up to|max(?:imum)?(?: of| number(?: of)?(?: images)?)?:?|at most)\s+(\d{1,2})(?!\d)"
        r"(?!\s*(?:mb|mp|px|pixels|megapixels|%|k\b))(?:\s+(?:input |reference )?images?)?",
        re.IGNORECASE,
    ),
    re.compile(r"\b1\s*(?:-|–|to)\s*(\d{1,2})\s+(?:input |reference )?images", re.IGNORECASE),
    re.compile(r"(\d{1,2})\s+images?\s+max", re.IGNORECASE),
)
_MOST_IMAGES = 50
_MOST_NAMED = 5
# What a white pixel of a mask means, as far as its author says so; silence and contradiction are not guessed.
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


def find_pictures(found: Findings) -> None:
    pictures = [each for each in found.inputs if _is_picture(each)]
    masks = [each for each in pictures if _is_mask(each)]
    others = [each for each in pictures if each not in masks]
    usual = [each for each in others if each.key in rules()["image"]["primary"]]
    mask = _find_mask(found, masks)
    main = _main(found, others, usual)
    if main is None:
        return
    concepts = found.concepts
    if "mask" in concepts and usual and main not in usual:  # a mask goes with the picture of a usual name
        found.give_up("mask", f"{concepts['mask']} seems to belong to {usual[0].name}, not to {main.name}")
    if not found.put("image", main):
        return
    concepts["image_arity"] = "list" if main.item.type == "array" else "single"
    if main.item.type == "array" and (most := main.item.max_items or _at_most(main.text)):
        concepts["image_max"] = most
    concepts["image_role"] = image_role(main, found, has_mask=mask is not None)
    if mask and "mask" in concepts and _needs_mask(main, mask):
        concepts["image_requires_mask"] = True
    if further := [each.name for each in others if each is not main]:
        found.notes.append(f"further images only through model_options: {', '.join(further[: _MOST_NAMED + 1])}")


def _is_picture(each: LiveInput) -> bool:
    item = each.item
    if item.secret or item.type not in ("string", "array"):
        return False
    if each.is_uri:
        is_named_otherwise = _NO_PICTURE.search(each.key.replace("_", " "))
        return not is_named_otherwise and bool(_PICTURE.search(each.words) or not _NO_PICTURE.search(each.text))
    is_text = item.type == "string" and not item.enum
    return is_text and bool(_AS_TEXT.search(each.key) and _SAYS_ADDRESS.search(each.words))


def _is_mask(each: LiveInput) -> bool:
    return each.item.type == "string" and bool(_MASK.search(each.key)) and not _MASKED.search(each.key)


def _find_mask(found: Findings, masks: list[LiveInput]) -> LiveInput | None:
    """The mask, mapped only where its text says which colour is edited."""
    mask = next((each for each in masks if each.key == "mask"), None) or only(masks)
    if mask is None:
        found.put_only("mask", masks)
    elif (said := _mask_polarity(mask.text)) is None:
        found.unmapped["mask"] = f"{mask.name} does not say which colour is edited"
    elif found.put("mask", mask):
        found.concepts["mask_polarity"] = said
    return mask


def _main(found: Findings, pictures: list[LiveInput], usual: list[LiveInput]) -> LiveInput | None:
    """The picture to work on; None, and why, where several have meanings of their own."""
    needed = [each for each in pictures if each.item.required]
    main = only(pictures) or only(needed or usual)
    if len(needed) > 1:
        names = ", ".join(each.name for each in needed[:_MOST_NAMED])
        found.unmapped["image"] = f"takes several images with different meanings: {names}"
    elif main is None:
        found.put_only("image", pictures)
    elif len(pictures) > 1 and _OF_SEVERAL.search(main.key):
        found.unmapped["image"] = f"{main.name} is one of several images with different meanings"
        return None
    return main


def _needs_mask(main: LiveInput, mask: LiveInput) -> bool:
    said = _NEEDS_MASK.search(main.text)
    return (mask.item.required and main.item.required) or bool(said and not _SAME_SIZE.search(said[0]))


def _at_most(text: str) -> int:
    numbers = (int(match[1]) for pattern in _AT_MOST if (match := pattern.search(text)))
    number = next(numbers, 0)
    return number if number <= _MOST_IMAGES else 0


def _mask_polarity(text: str) -> MaskPolarity | None:
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
