"""The shape of the result: an aspect ratio, an exact size, or that of the image given."""

from dataclasses import replace

from darkroom.errors import InvalidInput
from darkroom.registry.mapping.argument_inputs import ArgumentInputs, Input, listed, quoted, refusal
from darkroom.registry.mapping.options import range_words
from darkroom.registry.mapping.ratios import (
    fitted_size,
    is_near_ratio,
    is_same_ratio,
    nearest_ratio,
    nearest_size,
    ratio_of,
    read_ratio,
    read_size,
    to_multiple,
)
from darkroom.registry.model import Model
from darkroom.registry.model_input import ModelInput
from darkroom.registry.request import ImageRequest

MATCH_INPUT = "match_input_image"
_USUAL_SIDE_PX = 1024
_USUAL_STEP_PX = 8
_LARGEST_SIDE_PX = 4096
# No model draws beyond these; a number outside them is a slip (16:9 given as pixels), not a size.
_SIDES_PX = range(16, 16385)


def map_shape(model: Model, request: ImageRequest, options: Input) -> ArgumentInputs:
    """Width and height where both are given and the model takes them, else the aspect ratio, else that of the image.

    Raises: InvalidInput for one of width and height alone, a size out of range, an aspect ratio that is none, or one
    that the model has not.
    """
    if request.width or request.height:
        return _from_size(model, request)
    if request.aspect_ratio == MATCH_INPUT:
        return _from_input_image(model, request)
    if request.aspect_ratio:
        return _from_ratio(model, request.aspect_ratio)
    return ArgumentInputs(implied=_match_input(model, options) if request.images else {})


def offers_shape(model: Model, text: str) -> bool:
    """Whether an image of this model can have the shape that `width:height` names."""
    wanted, concepts = read_ratio(text), model.concepts
    if wanted is None:
        return False
    if concepts.width and concepts.height:
        return True
    item = model.inputs_by_name.get(concepts.aspect_ratio or concepts.size)
    offered = [_as_ratio(each) for each in item.enum if isinstance(each, str)] if item else []
    return is_near_ratio(read_ratio(nearest_ratio(wanted, offered)) or 0, wanted)


def _from_size(model: Model, request: ImageRequest) -> ArgumentInputs:
    if found := _exact_from_size(model, request):
        note = "width and height decide the shape, so aspect_ratio was not sent."
        return replace(found, notes=(*found.notes, note)) if request.aspect_ratio else found
    ratio = request.aspect_ratio or ratio_of(request.width, request.height)
    asked = "" if request.aspect_ratio else f"the shape of {request.width}x{request.height}"
    found = _from_ratio(model, ratio, asked)
    note = f"'{model.name}' takes no exact size, so {request.width}x{request.height} was sent as a shape only."
    return replace(found, argument="width", notes=(note, *found.notes) if found.asked else found.notes)


def _from_ratio(model: Model, text: str, asked: str = "") -> ArgumentInputs:
    """`asked` is what refusals call it, where that is not the ratio itself."""
    asked = asked or f"aspect_ratio {quoted(text)}"
    item = model.inputs_by_name.get(model.concepts.aspect_ratio)
    if item is not None and text in item.enum:
        if text in model.concepts.custom_size_requires.values():
            words = f"aspect_ratio {quoted(text)} needs width and height. Give both, and leave it out."
            raise refusal("aspect_ratio", words)
        return ArgumentInputs(argument="aspect_ratio", asked={item.name: text})
    wanted = read_ratio(text)
    if wanted is None:
        offered = f" Allowed by '{model.name}': {listed(item.enum)}." if item and item.enum else ""
        raise refusal("aspect_ratio", f"aspect_ratio {quoted(text)} is not width:height, such as 16:9.{offered}")
    if item is None:
        return _shape_without_ratio(model, text, wanted, asked)
    if not item.enum:
        note = f"Which aspect ratios '{model.name}' takes is not known, so {text} was not checked."
        return ArgumentInputs(argument="aspect_ratio", asked={item.name: text}, notes=(note,))
    nearest = nearest_ratio(wanted, item.enum)
    if not nearest:
        return ArgumentInputs(notes=(f"'{model.name}' offers no aspect ratios, so {text} was not sent.",))
    if not is_near_ratio(read_ratio(nearest) or 0, wanted):
        raise _not_offered(model, asked, item, nearest)
    is_same = is_same_ratio(read_ratio(nearest) or 0, wanted)
    note = f"aspect_ratio {text} is not offered by '{model.name}'; the nearest, {nearest}, was used."
    return ArgumentInputs(argument="aspect_ratio", asked={item.name: nearest}, notes=() if is_same else (note,))


def _shape_without_ratio(model: Model, text: str, wanted: float, asked: str) -> ArgumentInputs:
    """A ratio for a model that knows only pixels, or no shape at all."""
    if model.concepts.width and model.concepts.height and not model.concepts.custom_size_requires:
        return _size_for_ratio(model, text, wanted, asked)
    size = model.inputs_by_name.get(model.concepts.size)
    if size is not None and (nearest := nearest_size(wanted, size.enum, size.default)):
        across, down = read_size(nearest) or (0, 1)
        if not is_near_ratio(across / down, wanted):
            raise _not_offered(model, asked, size, nearest)
        note = f"aspect_ratio {text} was sent as {size.name} {nearest}."
        return ArgumentInputs(argument="aspect_ratio", asked={size.name: nearest}, notes=(note,))
    follows = "its result has the shape of the image" if model.needs_image else "it chooses the shape itself"
    return ArgumentInputs(notes=(f"'{model.name}' takes no aspect ratio, so {text} was not sent: {follows}.",))


def _not_offered(model: Model, asked: str, item: ModelInput, nearest: str) -> InvalidInput:
    """A shape that would come out as another one."""
    has_size = bool(model.concepts.width and model.concepts.height)
    own = f" (nearest: {_as_ratio(nearest)}){'; or give width and height' if has_size else ''}"
    offered = [_as_ratio(each) for each in item.enum if isinstance(each, str) and read_ratio(each)]
    words = f"{asked} is not offered by '{model.name}'. Allowed: {listed(dict.fromkeys(offered))}{own}."
    return refusal("aspect_ratio", words)


def _as_ratio(name: str) -> str:
    """An offered shape as a caller may ask for it: "3:2" of "1536x1024"."""
    size = read_size(name)
    return ratio_of(*size) if size else name


def _from_input_image(model: Model, request: ImageRequest) -> ArgumentInputs:
    if not request.images:
        return ArgumentInputs(notes=(f"aspect_ratio {MATCH_INPUT} was not sent: no image was given to match.",))
    item = model.inputs_by_name.get(model.concepts.aspect_ratio)
    if item is not None and MATCH_INPUT in item.enum:
        return ArgumentInputs(argument="aspect_ratio", asked={item.name: MATCH_INPUT})
    if model.concepts.match_input:
        return ArgumentInputs(argument="aspect_ratio", asked={model.concepts.match_input: True})
    if item is None:
        return ArgumentInputs()
    note = f"'{model.name}' cannot match the image's shape; it uses aspect_ratio {item.default or 'of its own'}."
    return ArgumentInputs(notes=(note,))


def _match_input(model: Model, options: Input) -> Input:
    """What makes the result follow the image, where it is offered, not the default and not left to options."""
    concepts = model.concepts
    item = model.inputs_by_name.get(concepts.aspect_ratio)
    if any(name in options for name in (concepts.aspect_ratio, concepts.match_input, concepts.width)):
        return {}
    if item is not None and MATCH_INPUT in item.enum and item.default != MATCH_INPUT:
        return {item.name: MATCH_INPUT}
    return {concepts.match_input: True} if concepts.match_input else {}


def _exact_from_size(model: Model, request: ImageRequest) -> ArgumentInputs | None:
    """The size as the model takes it: one of its size names, or two numbers with the pair a custom size requires.

    None where it takes no exact size. A size is rounded to the model's step, never clamped.
    """
    _refuse_what_is_no_size(request)
    if size := model.inputs_by_name.get(model.concepts.size):
        for name in size.enum:
            if read_size(name) == (request.width, request.height):
                return ArgumentInputs(argument="width", asked={size.name: name})
    if not (model.concepts.width and model.concepts.height):
        return None
    width, height = _side(model, "width", request.width), _side(model, "height", request.height)
    asked = {model.concepts.width: width, model.concepts.height: height, **model.concepts.custom_size_requires}
    step = model.inputs_by_name[model.concepts.width].multiple_of
    note = (
        f"{request.width}x{request.height} was rounded to {width}x{height}: '{model.name}' takes multiples of {step}."
    )
    is_rounded = (width, height) != (request.width, request.height)
    return ArgumentInputs(argument="width", asked=asked, notes=(note,) if is_rounded else ())


def _size_for_ratio(model: Model, text: str, wanted: float, asked: str) -> ArgumentInputs:
    """Width and height for a ratio, at the area the model draws by default."""
    across, down = model.inputs_by_name[model.concepts.width], model.inputs_by_name[model.concepts.height]
    area = _usual_side(across) * _usual_side(down)
    step, limits = across.multiple_of or _USUAL_STEP_PX, _limits(across)
    width, height = fitted_size(wanted, area, limits, step)
    if min(wanted, 1 / wanted) * max(width, height) < limits[0] - step / 2:
        sides = f"sides of {limits[0]:g} to {limits[1]:g} pixels"
        raise refusal("aspect_ratio", f"{asked} is too narrow for '{model.name}': it draws {sides}.")
    note = f"aspect_ratio {text} was sent as {across.name} {width} and {down.name} {height}."
    return ArgumentInputs(argument="aspect_ratio", asked={across.name: width, down.name: height}, notes=(note,))


def _refuse_what_is_no_size(request: ImageRequest) -> None:
    for argument, side in (("width", request.width), ("height", request.height)):
        if side and side not in _SIDES_PX:
            allowed = f"{_SIDES_PX[0]} to {_SIDES_PX[-1]}"
            words = f"{argument} {side} is not a size in pixels. Allowed: {allowed}, or an aspect_ratio."
            raise refusal(argument, words)
    if not request.width or not request.height:
        given, missing = ("width", "height") if request.width else ("height", "width")
        words = f"{given} {getattr(request, given)} is given without {missing}. Give both, or an aspect_ratio."
        raise refusal(missing, words)


def _side(model: Model, argument: str, value: int) -> int:
    item = model.inputs_by_name[model.concepts.width if argument == "width" else model.concepts.height]
    if (item.min is not None and value < item.min) or (item.max is not None and value > item.max):
        raise refusal(argument, f"{argument} {value} is outside what '{model.name}' takes: {range_words(item)}.")
    rounded = to_multiple(value, item.multiple_of, item.min, item.max) if item.multiple_of else value
    if item.enum and item.enum_complete and rounded not in item.enum:
        raise refusal(argument, f"{argument} {value} is not offered by '{model.name}'. Allowed: {listed(item.enum)}.")
    return rounded


def _usual_side(item: ModelInput) -> float:
    return float(item.default) if isinstance(item.default, int | float) else _USUAL_SIDE_PX


def _limits(item: ModelInput) -> tuple[float, float]:
    sides = [float(side) for side in item.enum if isinstance(side, int | float)]
    low = min(sides, default=item.min or _USUAL_STEP_PX)
    return low, max(sides, default=item.max or _LARGEST_SIDE_PX)
