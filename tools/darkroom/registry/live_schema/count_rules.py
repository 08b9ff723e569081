"""Which input says how many images one prediction makes, and which may make several without being asked."""

import re

from darkroom.registry.live_schema.findings import Findings
from darkroom.registry.live_schema.schema import LiveInput
from darkroom.registry.live_schema.shape_rules import requires

_LISTS = frozenset({"uri_list", "object_list", "unknown_list", "object"})
_NAME = re.compile(
    r"num(ber)?_?(of_)?(outputs?|images?|samples?|pictures?|generations?|results?)|(n|num)_(images|samples|outputs)|"
    r"num_images_per_prompt|number_picture|image_number|images?_count|max_images|n_images|num_imgs|images?_num|"
    r"batch_(size|count)|number_of_(images|outputs)_.*|amount|count|samples|outputs"
)
_USUAL = frozenset(
    {"num_outputs", "number_of_images", "num_images", "num_images_per_prompt", "max_images", "number_of_outputs"}
)
_SAYS_COUNT = re.compile(
    r"number of (?:the )?(?:output |generated |result(?:ing)? |final )?(?:images?|outputs?|samples?|pictures?|results|"
    r"variations?|photos?|logos?|icons?)|(?:images?|outputs?|samples?|pictures?) to (?:generate|output|create|produce|"
    r"return)|how many (?:images?|outputs?|pictures?|samples?)|output images?$|images? per (?:prompt|run|prediction|"
    r"batch)|number of (?:\w+ ){0,2}generat|num(?:ber of)? samples|number of .{0,20}(?:to generate|to output)",
    re.IGNORECASE,
)
_HINTS = re.compile(r"(num|number|n)_?(of_)?(outputs?|images?|samples?|pictures?)(_.*)?|batch_(size|count)|images?_num")
_AS_TEXT = re.compile(r"num(ber)?_?(of_)?(outputs?|images?|samples?)")


def find_count(found: Findings) -> None:
    could = _candidates(found)
    if len(could) != 1:
        found.put_only("count", could)
    elif found.output in _LISTS:
        _take(found, could[0])
    else:
        found.unmapped["count"] = f"{could[0].name} exists, but the output is not a list of images"
    texts = [each for each in found.inputs if each.item.type == "string" and _AS_TEXT.fullmatch(each.key)]
    if texts and "count" not in found.concepts:
        found.unmapped["count"] = f"{texts[0].name} is text, not a number"
    _note_several(found, could)


def _candidates(found: Findings) -> list[LiveInput]:
    could = [each for each in found.inputs if each.is_whole and _NAME.fullmatch(each.key) and _is_of_images(each)]
    if len(could) > 1:
        strong = [each for each in could if not each.key.startswith("batch")]
        if len(strong) == 1 and all(each.item.default in (None, 1) for each in could if each is not strong[0]):
            return strong
    return could


def _is_of_images(each: LiveInput) -> bool:
    is_usual = each.key in _USUAL and (each.item.default in (None, 1) or not each.text)
    return is_usual or bool(_SAYS_COUNT.search(each.text))


def _take(found: Findings, each: LiveInput) -> None:
    needed = dict(requires(each, found))
    is_limit = each.name == "max_images" and not needed
    if is_limit:
        needed = {one.name: "auto" for one in found.inputs if "sequential" in one.name and "auto" in one.strings}
    if (each.item.min or 0) > 1 or (each.numbers and 1 not in each.numbers):
        found.unmapped["count"] = f"{each.name} cannot be 1"
    elif is_limit and not needed:
        found.unmapped["count"] = "max_images is a limit, not a number to make"
    elif found.put("count", each) and needed:
        found.concepts["count_requires"] = needed


def _note_several(found: Findings, could: list[LiveInput]) -> None:
    hinted = [each for each in found.inputs if each.item.type == "integer" and _HINTS.fullmatch(each.key)]
    for each in {each.name: each for each in (*could, *hinted)}.values():
        default = each.item.default
        if found.concepts.get("count") != each.name and isinstance(default, int | float) and default > 1:
            found.notes.append(f"{each.name} is {default} by default: one call may make and bill several images")
