"""What the images of a call say before anything is sent: do they fit each other, and what was asked for.

They are read for that where they can be read here; a URL is passed on unfetched, so nothing is known of it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pydantic import JsonValue

from darkroom.darkroom import Darkroom
from darkroom.errors import InvalidInput
from darkroom.images import ReadImage, WantedOutput
from darkroom.like import Wish
from darkroom.pricing import needs_sizes
from darkroom.registry import ImageRequest, MappedInput, Model
from darkroom.registry.mapping.ratios import is_near_ratio, read_ratio, read_size

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
Size = tuple[int, int]
_UNKNOWN: Size = (0, 0)


async def checked_images(
    darkroom: Darkroom, wish: Wish, model: Model, mapped: MappedInput
) -> tuple[MappedInput, Mapping[str, Size]]:
    """The input with the size that its mask must have, and the size in pixels of each image that can be read here.

    Raises: InvalidInput where an image cannot be used, a mask or a shape does not fit, or what `like` took over is
    another image by now.
    """
    asked = _asked_ratio(wish.request) if _follows_image(model) else None
    read: tuple[ReadImage, ...] = ()
    if needs_sizes(model) or mapped.mask_field or wish.known or asked:
        try:
            read = await darkroom.look_at(mapped)
        except InvalidInput as error:
            raise wish.unreadable(error) from error
    wish.refuse_other_images(read)
    sizes = {each.given: (each.width_px, each.height_px) for each in read if each.width_px}
    source = _first_size(model, mapped, sizes)
    if asked and source != _UNKNOWN and not is_near_ratio(source[0] / source[1], asked):
        raise _other_shape(model, wish.request, source)
    mapped = replace(mapped, mask_size=source) if mapped.mask_field else mapped
    darkroom.check_mask(mapped, sizes)
    return mapped, sizes


def wanted_output(model: Model, request: ImageRequest, mapped: MappedInput, read: Sequence[ReadImage]) -> WantedOutput:
    """What the results can be measured by, so that one that is smaller or of another format is not taken for it."""
    input, concepts = model.with_defaults(mapped.input), model.concepts
    own = model.output.formats
    is_open = model.checked and not concepts.output_format and not model.output.svg and not own
    format = request.output_format if is_open and request.output_format != "auto" else ""
    scale = _number(input.get(concepts.upscale_factor))
    width, height = _first_size(model, mapped, {each.given: (each.width_px, each.height_px) for each in read})
    if scale and width:
        return WantedOutput(width_px=round(width * scale), height_px=round(height * scale), scale=scale, format=format)
    if not (request.width or {concepts.width, concepts.size} & request.options.keys()):
        return WantedOutput(format=format)
    width, height = read_size(mapped.input.get(concepts.size)) or (
        mapped.input.get(concepts.width),
        mapped.input.get(concepts.height),
    )
    if isinstance(width, int) and isinstance(height, int):
        return WantedOutput(width_px=width, height_px=height, format=format)
    return WantedOutput(format=format)


def _follows_image(model: Model) -> bool:
    """Whether the result has the shape of the image, whatever is asked for."""
    concepts = model.concepts
    return model.checked and model.needs_image and not (concepts.aspect_ratio or concepts.size or concepts.width)


def _asked_ratio(request: ImageRequest) -> float | None:
    if request.width and request.height:
        return request.width / request.height
    return read_ratio(request.aspect_ratio)


def _other_shape(model: Model, request: ImageRequest, size: Size) -> InvalidInput:
    asked = f"{request.width}x{request.height}" if request.width else request.aspect_ratio
    return InvalidInput(
        f"'{model.name}' keeps the shape of its image, {size[0]}x{size[1]}, so {asked} is not possible. Nothing was "
        "sent. Leave the shape out, give an image of that shape, or take a model with aspect_ratio.",
        field="width" if request.width else "aspect_ratio",
    )


def _first_size(model: Model, mapped: MappedInput, sizes: Mapping[str, Size]) -> Size:
    """Of the image that is changed: the first one."""
    value = mapped.input.get(model.concepts.image)
    first = value[0] if isinstance(value, list) and value else value
    return sizes.get(first, _UNKNOWN) if isinstance(first, str) else _UNKNOWN


def _number(value: JsonValue) -> float:
    """4 of 4, "4x" or "x4"; 0 of anything else."""
    if isinstance(value, int | float):
        return float(value)
    found = _NUMBER.search(value) if isinstance(value, str) else None
    return float(found[0]) if found else 0.0
