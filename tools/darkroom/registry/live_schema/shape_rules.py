"""Which inputs carry the shape: an aspect ratio, width and height, a size class."""

import re
from collections.abc import Mapping

from pydantic import JsonValue

from darkroom.registry.live_schema.findings import Findings, rules
from darkroom.registry.live_schema.schema import LiveInput

_RATIO = re.compile(r"\d{1,5}(\.\d{1,3})?\s*[:/]\s*\d{1,5}(\.\d{1,3})?")
_RATIO_NAME = re.compile(r"(image_|output_|target_)?(aspect_?ratio|ratio)s?")
_SIZE_NAME = re.compile(
    r"(image_|output_|target_|img_)?(size|resolution|megapixels|dimensions?)|size_preset|image_dimensions"
)
_SIZE = re.compile(
    r"\d{2,5}\s*[x*×]\s*\d{2,5}|\d(\.\d+)?\s*k|\d+(\.\d+)?\s*mp|0\.\d+|[1-9]|\d{3,4}(p|px)?|match_input(_image)?|custom|"
    r"auto|none|regular|small|medium|large|\dx|(square|portrait|landscape)\S*",
    re.IGNORECASE,
)
_OTHER_SIZE = re.compile(r"detect|control|input")
_CONDITIONAL = re.compile(r"only (?:used|applies|works|when)|ignored (?:if|when|unless)", re.IGNORECASE)
_EQUALS = r"\b\W{0,3}(?:==?|is set to|set to|is)\W{0,4}"
_SMALLEST_DEFAULT_PX = 32
_SMALLEST_LIMIT_PX = 128
_LONGEST_TOKEN = 60
_FEWEST_RATIOS = 2


def find_shape(found: Findings) -> None:
    _find_ratio(found)
    _find_sides(found)
    _find_size(found)


def _find_ratio(found: Findings) -> None:
    texts = [each for each in found.inputs if each.item.type == "string" and not each.is_uri]
    named = [each for each in texts if _RATIO_NAME.fullmatch(each.key)]
    good = [each for each in named if _ratios(each) >= _FEWEST_RATIOS or not each.item.enum]
    found.put_only("aspect_ratio", good or [each for each in found.inputs if _lists_ratios(each)])
    if named and not good and "aspect_ratio" not in found.concepts:
        found.unmapped["aspect_ratio"] = f"the values of {named[0].name} are not width:height"


def _lists_ratios(each: LiveInput) -> bool:
    return _ratios(each) >= max(_FEWEST_RATIOS, len(each.strings) / 2)


def _ratios(each: LiveInput) -> int:
    return sum(bool(_RATIO.fullmatch(value.strip())) for value in each.strings)


def _find_sides(found: Findings) -> None:
    for across, down in rules()["size"]["pairs"]:
        width, height = found.by_key.get(across), found.by_key.get(down)
        if width and height and _is_side(width) and _is_side(height):
            found.put("width", width)
            found.put("height", height)
            _find_condition(found, width, height)
            return


def _is_side(each: LiveInput) -> bool:
    default, limit = each.item.default, each.item.max
    is_large = default is None or (isinstance(default, int | float) and default >= _SMALLEST_DEFAULT_PX)
    return each.is_number and is_large and (limit is None or limit >= _SMALLEST_LIMIT_PX)


def _find_condition(found: Findings, width: LiveInput, height: LiveInput) -> None:
    """What else must be set so that width and height count: `custom` where it is offered, else what the text says."""
    needed = requires(width, found) or requires(height, found)
    for key in ("aspect_ratio", "size"):
        other = found.by_key.get(key) or found.of(key)
        custom = [value for value in other.strings if value.lower() == "custom"] if other else []
        if other and custom:
            needed = {other.name: custom[0]}
    if needed:
        found.concepts["custom_size_requires"] = needed
        return
    is_optional = width.item.default is None or "custom" in width.words
    if is_optional and _CONDITIONAL.search(width.text):
        why = f"{width.name} counts only under a condition that is not clear: {width.text[:120]}"
        found.give_up("width", why)
        found.give_up("height", why)


def requires(each: LiveInput, found: Findings) -> Mapping[str, JsonValue]:
    """`{other: value}` where the text says that an input counts only while another has a value that it offers."""
    text = each.text.lower()
    for other in found.inputs:
        if other is each or other.name.lower() not in text:
            continue
        for value in other.strings:
            said = rf"\b{re.escape(other.name.lower())}{_EQUALS}{re.escape(value.lower())}\b"
            if len(value) <= _LONGEST_TOKEN and value.lower() in text and re.search(said, text):
                return {other.name: value}
    return {}


def _find_size(found: Findings) -> None:
    sizes = [
        each
        for each in found.inputs
        if each.name not in found.taken and each.item.enum and _SIZE_NAME.fullmatch(each.key) and _lists_sizes(each)
    ]
    if len(sizes) > 1:
        sizes = [each for each in sizes if not _OTHER_SIZE.search(each.words)] or sizes
    found.put_only("size", sizes)


def _lists_sizes(each: LiveInput) -> bool:
    values = [str(value).strip() for value in each.item.enum]
    return sum(bool(_SIZE.fullmatch(value)) for value in values) >= len(values) / 2
