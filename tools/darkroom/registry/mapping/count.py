"""How many images one prediction gives."""

from darkroom.registry.mapping import suggestions
from darkroom.registry.mapping.part import Input, Part, refusal
from darkroom.registry.model import Model
from darkroom.registry.request import ImageRequest


def map_count(model: Model, request: ImageRequest, options: Input) -> Part:
    """The count under the model's name, with what several images require.

    Raises:
        InvalidInput: more than one prediction of this model can give; `Model.split_count` says how to spread them.
    """
    if request.count < 1:
        raise refusal("count", f"count {request.count} is not a number of images. Give 1 or more.")
    if request.count > model.max_count:
        makes = "one image" if model.max_count == 1 else f"at most {model.max_count} images"
        words = f"'{model.name}' makes {makes} in one prediction, and count is {request.count}."
        raise refusal("count", f"{words} Models that make several at once: {suggestions.SEVERAL_IMAGES_OUT}.")
    item = model.inputs_by_name.get(model.concepts.count)
    if item is None or (request.count == 1 and item.default in (None, 1)):
        return Part()
    if request.count == 1:
        return Part(implied={item.name: 1})
    asked = {item.name: request.count, **model.concepts.count_requires}
    note = f"'{model.name}' decides itself how many images the prompt calls for: up to {request.count}, maybe fewer."
    return Part(argument="count", asked=asked, notes=(note,) if model.concepts.count_requires else ())


def image_count(model: Model, input: Input) -> int:
    """How many images this input asks for."""
    seen = model.with_defaults(input)
    count = seen.get(model.concepts.count)
    requires = model.concepts.count_requires
    counts = isinstance(count, int) and all(seen.get(name) == value for name, value in requires.items())
    return count if isinstance(count, int) and counts else 1
