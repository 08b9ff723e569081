"""A call that works, for the answer of list_models and for the tests."""

from pydantic import JsonValue

from darkroom.registry.model import Model
from darkroom.registry.model_input import ModelInput

_PHOTO = "https://example.com/photo.jpg"
_MASK = "https://example.com/mask.png"
_MOST_OPTIONS = 2
# Words of ours that are arguments of generate_image; what carries one of them is no option.
_ARGUMENTS = (
    *("prompt", "negative_prompt", "image", "mask", "aspect_ratio", "width", "height", "size", "count", "seed"),
    *("output_format",),
)
_STAND_INS: dict[str, JsonValue] = {
    "string": "text",
    "integer": 1,
    "number": 1.0,
    "boolean": True,
    "array": [],
    "any": "text",
}
# In the names of options that width, height and aspect_ratio may set.
_OF_THE_SHAPE = ("size", "resolution", "megapixel")


def example_call(model: Model) -> dict[str, JsonValue]:
    """Arguments of generate_image for this model; its image and mask are placeholders on example.com."""
    call: dict[str, JsonValue] = {"model": model.name}
    if model.concepts.prompt and (model.needs_prompt or "upscale" not in model.tasks) or not model.checked:
        call["prompt"] = _prompt(model)
    if model.needs_image:
        call["images"] = [_PHOTO]
        if model.concepts.mask and "inpaint" in model.tasks:
            call["mask"] = _MASK
    filled = (model.concepts.prompt, model.concepts.image, model.concepts.mask)
    others = [item for item in model.inputs if item.required and not item.secret and item.name not in filled]
    if options := {item.name: _stand_in(item) for item in others} | _own_options(model):
        call["model_options"] = options
    return call


def _own_options(model: Model) -> dict[str, JsonValue]:
    """A few of the options that only this model has, with its defaults: they show how and change nothing."""
    concepts = model.concepts
    arguments = {getattr(concepts, name) for name in _ARGUMENTS} | {concepts.match_input}
    arguments |= concepts.count_requires.keys() | concepts.custom_size_requires.keys()
    own = [
        item
        for item in model.inputs
        if item.default is not None
        and item.name not in arguments
        and not any(word in item.name for word in _OF_THE_SHAPE)
        and not (item.secret or item.deprecated or item.is_file or item.applies_when)
        and (item.enum or item.type in ("integer", "number"))
    ]
    own.sort(key=lambda item: not item.enum)
    return {item.name: item.default for item in own[:_MOST_OPTIONS]}


def _prompt(model: Model) -> str:
    if not model.needs_image:
        return "a minimal lighthouse logo" if model.output.svg else "a lighthouse at dawn, soft light"
    prompts = {"inpaint": "a red door", "outpaint": "a wide sandy beach", "background_replace": "a wide sandy beach"}
    return next((prompts[task] for task in model.tasks if task in prompts), "turn it into a watercolour painting")


def _stand_in(item: ModelInput) -> JsonValue:
    if item.enum:
        return item.enum[0]
    if item.is_file:
        return [_PHOTO] if item.type == "array" else _PHOTO
    return item.min if item.min is not None else _STAND_INS[item.type]
