"""Width and height in pixels, for the models that take them."""

from darkroom.registry.mapping.options import range_words
from darkroom.registry.mapping.part import Part, listed, refusal
from darkroom.registry.mapping.ratios import fitted_size, read_size, to_multiple
from darkroom.registry.model import Model
from darkroom.registry.model_input import ModelInput
from darkroom.registry.request import ImageRequest

_USUAL_SIDE_PX = 1024
_USUAL_STEP_PX = 8
_LARGEST_SIDE_PX = 4096
# No model draws beyond these; a number outside them is a slip (16:9 given as pixels), not a size.
_SIDES_PX = range(16, 16385)


def map_exact_size(model: Model, request: ImageRequest) -> Part | None:
    """The size as the model takes it: one of its size names, or two numbers with the pair a custom size requires.

    None where it takes no exact size.

    Raises:
        InvalidInput: one of the two is missing, or out of range; a size is rounded to the model's step, never clamped.
    """
    _refuse_what_is_no_size(request)
    if name := _named_size(model, request.width, request.height):
        return Part(argument="width", asked={model.concepts.size: name})
    if not (model.concepts.width and model.concepts.height):
        return None
    width, height = _side(model, "width", request.width), _side(model, "height", request.height)
    asked = {model.concepts.width: width, model.concepts.height: height, **model.concepts.custom_size_requires}
    step = model.inputs_by_name[model.concepts.width].multiple_of
    note = (
        f"{request.width}x{request.height} was rounded to {width}x{height}: '{model.name}' takes multiples of {step}."
    )
    is_rounded = (width, height) != (request.width, request.height)
    return Part(argument="width", asked=asked, notes=(note,) if is_rounded else ())


def free_size_part(model: Model, text: str, wanted: float) -> Part:
    """Width and height for a ratio, at the area the model draws by default."""
    across, down = model.inputs_by_name[model.concepts.width], model.inputs_by_name[model.concepts.height]
    area = _usual_side(across) * _usual_side(down)
    step = across.multiple_of or _USUAL_STEP_PX
    width, height = fitted_size(wanted, area, _limits(across), step)
    note = f"aspect_ratio {text} was sent as {across.name} {width} and {down.name} {height}."
    return Part(argument="aspect_ratio", asked={across.name: width, down.name: height}, notes=(note,))


def _refuse_what_is_no_size(request: ImageRequest) -> None:
    for argument, side in (("width", request.width), ("height", request.height)):
        if side and side not in _SIDES_PX:
            allowed = f"{_SIDES_PX[0]} to {_SIDES_PX[-1]}"
            raise refusal(
                argument, f"{argument} {side} is not a size in pixels. Allowed: {allowed}, or an aspect_ratio."
            )
    if not request.width or not request.height:
        given, missing = ("width", "height") if request.width else ("height", "width")
        words = f"{given} {getattr(request, given)} is given without {missing}. Give both, or an aspect_ratio."
        raise refusal(missing, words)


def _named_size(model: Model, width: int, height: int) -> str:
    size = model.inputs_by_name.get(model.concepts.size)
    names = (name for name in size.enum if read_size(name) == (width, height)) if size else ()
    return str(next(iter(names), ""))


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
