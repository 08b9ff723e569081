"""Which inputs take pictures, which of them is the one to work on, and which is its mask."""

import re

from darkroom.registry.live_schema.findings import Findings, only, rules
from darkroom.registry.live_schema.live_input import LiveInput
from darkroom.registry.live_schema.masks import mask_polarity
from darkroom.registry.live_schema.roles import image_role

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


def find_pictures(found: Findings) -> None:
    pictures = [each for each in found.inputs if _is_picture(each)]
    masks = [each for each in pictures if _is_mask(each)]
    others = [each for each in pictures if each not in masks]
    mask = _find_mask(found, masks)
    main = _main(found, others)
    if main is not None and "mask" in found.concepts and (owner := _owner_of_mask(main, others)):
        found.give_up("mask", f"{found.concepts['mask']} seems to belong to {owner.name}, not to {main.name}")
    if main is None or not found.put("image", main):
        return
    concepts = found.concepts
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
        if masks:
            found.say_ambiguous("mask", masks)
        return None
    if (said := mask_polarity(mask.text)) is None:
        found.unmapped["mask"] = f"{mask.name} does not say which colour is edited"
    elif found.put("mask", mask):
        found.concepts["mask_polarity"] = said
    return mask


def _main(found: Findings, pictures: list[LiveInput]) -> LiveInput | None:
    """The picture to work on; None, and why, where several have meanings of their own."""
    needed = [each for each in pictures if each.item.required]
    primary = [each for each in pictures if each.key in rules()["image"]["primary"]]
    if len(pictures) == 1:
        return pictures[0]
    if len(needed) > 1:
        names = ", ".join(each.name for each in needed[:_MOST_NAMED])
        found.unmapped["image"] = f"takes several images with different meanings: {names}"
        return None
    main = only(needed) or (None if needed else only(primary))
    if main is None and pictures:
        found.say_ambiguous("image", pictures)
    elif main is not None and _OF_SEVERAL.search(main.key):
        found.unmapped["image"] = f"{main.name} is one of several images with different meanings"
        return None
    return main


def _owner_of_mask(main: LiveInput, pictures: list[LiveInput]) -> LiveInput | None:
    """The picture with a usual name, where the one to work on has another: a mask goes with the usual one."""
    primary = rules()["image"]["primary"]
    usual = [each for each in pictures if each.key in primary]
    return usual[0] if usual and main.key not in primary else None


def _needs_mask(main: LiveInput, mask: LiveInput) -> bool:
    both = mask.item.required and main.item.required
    said = _NEEDS_MASK.search(main.text)
    return both or bool(said and not _SAME_SIZE.search(said[0]))


def _at_most(text: str) -> int:
    found = next((match for pattern in _AT_MOST if (match := pattern.search(text))), None)
    number = int(found[1]) if found else 0
    return number if 1 <= number <= _MOST_IMAGES else 0
