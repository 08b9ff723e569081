"""The shape of the result: an aspect ratio, an exact size, or that of the image given."""

from darkroom.registry.mapping.exact_size import free_size_part, map_exact_size
from darkroom.registry.mapping.part import Input, Part, listed, quoted, refusal
from darkroom.registry.mapping.ratios import is_same_ratio, nearest_ratio, nearest_size, ratio_of, read_ratio
from darkroom.registry.model import Model
from darkroom.registry.request import ImageRequest

MATCH_INPUT = "match_input_image"


def map_shape(model: Model, request: ImageRequest, options: Input) -> Part:
    """Width and height where both are given and the model takes them, else the aspect ratio, else the image's own shape.

    Raises:
        InvalidInput: one of width and height alone, a size out of range, or an aspect ratio that is none.
    """
    if request.width or request.height:
        return _size_part(model, request)
    if request.aspect_ratio == MATCH_INPUT:
        return _match_input_part(model, request)
    if request.aspect_ratio:
        return _ratio_part(model, request.aspect_ratio)
    return Part(implied=_match_input(model) if request.images and not _is_shaped(model, options) else {})


def _size_part(model: Model, request: ImageRequest) -> Part:
    if part := map_exact_size(model, request):
        if request.aspect_ratio:
            note = "width and height decide the shape, so aspect_ratio was not sent."
            return Part(argument=part.argument, asked=part.asked, notes=(*part.notes, note))
        return part
    ratio = request.aspect_ratio or ratio_of(request.width, request.height)
    part = _ratio_part(model, ratio)
    note = f"'{model.name}' takes no exact size, so {request.width}x{request.height} was sent as a shape only."
    return Part(argument="width", asked=part.asked, notes=(note, *part.notes) if part.asked else part.notes)


def _ratio_part(model: Model, text: str) -> Part:
    item = model.inputs_by_name.get(model.concepts.aspect_ratio)
    if item is not None and text in item.enum:
        _refuse_bare_custom(model, text)
        return Part(argument="aspect_ratio", asked={item.name: text})
    wanted = read_ratio(text)
    if wanted is None:
        offered = f" Allowed by '{model.name}': {listed(item.enum)}." if item and item.enum else ""
        raise refusal("aspect_ratio", f"aspect_ratio {quoted(text)} is not width:height, such as 16:9.{offered}")
    if item is None:
        return _shape_without_ratio(model, text, wanted)
    if not item.enum:
        note = f"Which aspect ratios '{model.name}' takes is not known, so {text} was not checked."
        return Part(argument="aspect_ratio", asked={item.name: text}, notes=(note,))
    nearest = nearest_ratio(wanted, item.enum)
    if not nearest:
        return Part(notes=(f"'{model.name}' offers no aspect ratios, so {text} was not sent.",))
    is_same = is_same_ratio(read_ratio(nearest) or 0, wanted)
    note = f"aspect_ratio {text} is not offered by '{model.name}'; the nearest, {nearest}, was used."
    return Part(argument="aspect_ratio", asked={item.name: nearest}, notes=() if is_same else (note,))


def _shape_without_ratio(model: Model, text: str, wanted: float) -> Part:
    """A ratio for a model that knows only pixels, or no shape at all."""
    if model.concepts.width and model.concepts.height and not model.concepts.custom_size_requires:
        return free_size_part(model, text, wanted)
    size = model.inputs_by_name.get(model.concepts.size)
    if size is not None and (nearest := nearest_size(wanted, size.enum, size.default)):
        note = f"aspect_ratio {text} was sent as {size.name} {nearest}."
        return Part(argument="aspect_ratio", asked={size.name: nearest}, notes=(note,))
    follows = "its result has the shape of the image" if model.needs_image else "it chooses the shape itself"
    return Part(notes=(f"'{model.name}' takes no aspect ratio, so {text} was not sent: {follows}.",))


def _refuse_bare_custom(model: Model, text: str) -> None:
    if text in model.concepts.custom_size_requires.values():
        raise refusal(
            "aspect_ratio", f"aspect_ratio {quoted(text)} needs width and height. Give both, and leave it out."
        )


def _match_input_part(model: Model, request: ImageRequest) -> Part:
    if not request.images:
        return Part(notes=(f"aspect_ratio {MATCH_INPUT} was not sent: no image was given to match.",))
    item = model.inputs_by_name.get(model.concepts.aspect_ratio)
    if item is not None and MATCH_INPUT in item.enum:
        return Part(argument="aspect_ratio", asked={item.name: MATCH_INPUT})
    if model.concepts.match_input:
        return Part(argument="aspect_ratio", asked={model.concepts.match_input: True})
    if item is None:
        return Part()
    note = f"'{model.name}' cannot match the image's shape; it uses aspect_ratio {item.default or 'of its own'}."
    return Part(notes=(note,))


def _match_input(model: Model) -> Input:
    """What makes the result follow the image, where that is offered and not the model's own habit."""
    item = model.inputs_by_name.get(model.concepts.aspect_ratio)
    if item is not None and MATCH_INPUT in item.enum and item.default != MATCH_INPUT:
        return {item.name: MATCH_INPUT}
    return {model.concepts.match_input: True} if model.concepts.match_input else {}


def _is_shaped(model: Model, options: Input) -> bool:
    concepts = model.concepts
    return any(name in options for name in (concepts.aspect_ratio, concepts.match_input, concepts.width) if name)
