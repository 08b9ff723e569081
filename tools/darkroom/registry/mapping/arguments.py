"""The arguments that stand for one input each: the prompts, images, mask, count, seed and file format."""

from collections.abc import Callable

from pydantic import JsonValue

from darkroom.registry.mapping import suggestions
from darkroom.registry.mapping.argument_inputs import ArgumentInputs, Input, listed, quoted, refusal, refuse_unclear
from darkroom.registry.mapping.options import range_words
from darkroom.registry.mapping.shape import map_shape
from darkroom.registry.model import Model
from darkroom.registry.request import ImageRequest

_NO_SEED = -1
_HIGHEST_SEED = 2**31 - 1
_FORMATS = ("auto", "png", "jpg", "webp", "svg")
_SPELLINGS = {"jpg": ("jpg", "jpeg"), "jpeg": ("jpeg", "jpg")}
_ROLES = {
    "structure": "guides the structure of the result and is not edited itself",
    "style_or_composition_reference": "is a reference for style and composition and is not edited itself",
    "reference": "is a reference and is not edited itself",
    "variation": "is varied as a whole",
    "face_reference": "is a reference for the face",
    "character_reference": "is a reference for the character",
}


def map_prompt(model: Model, request: ImageRequest, options: Input) -> ArgumentInputs:
    """The prompt under the model's name for it; an empty one is refused where the model would draw its own example."""
    name = model.concepts.prompt
    prompt = request.prompt.strip()
    if prompt and not name:
        refuse_unclear(model, "prompt", "prompt")
        return ArgumentInputs(notes=(f"'{model.name}' takes no prompt, so it was not sent.",))
    is_bare = model.is_live and model.draws_from_text and not (request.images or options)
    is_given = name in options if model.is_live else bool(str(options.get(name) or "").strip())
    if not prompt and (model.needs_prompt or is_bare) and not is_given:
        raise refusal("prompt", f"prompt is empty, and '{model.name}' needs one: say what to draw or to change.")
    return ArgumentInputs(argument="prompt", asked={name: request.prompt} if prompt else {})


def map_negative_prompt(model: Model, request: ImageRequest, options: Input) -> ArgumentInputs:
    """The negative prompt where the model has one; it is never glued to the prompt."""
    if not request.negative_prompt:
        return ArgumentInputs()
    name = model.concepts.negative_prompt
    if not name:
        return ArgumentInputs(
            notes=(f"'{model.name}' has no negative prompt, so it was not sent: say it in the prompt.",)
        )
    return ArgumentInputs(argument="negative_prompt", asked={name: request.negative_prompt})


def map_images(model: Model, request: ImageRequest, options: Input) -> ArgumentInputs:
    """One image or the list, under the model's name for it, with a note where it is not simply edited."""
    name = model.concepts.image
    if not request.images:
        given = [each for each in model.inputs if options.get(each.name) and each.name != model.concepts.mask]
        if model.needs_image and not any(map(model.holds_image, given)):
            words = f"'{model.name}' needs an image: give images a path, a URL or an earlier prediction."
            raise refusal("images", words)
        return ArgumentInputs()
    if not name:
        refuse_unclear(model, "image", "images")
        raise refusal("images", f"'{model.name}' takes no images. Models that edit: {suggestions.EDITING}.")
    if "" in request.images:
        raise refusal("images", f"images[{request.images.index('')}] is empty.")
    given, is_list = len(request.images), model.concepts.image_arity == "list"
    limit = (model.concepts.image_max or given) if is_list else 1
    if given > limit:
        images = "one image" if limit == 1 else f"at most {limit} images"
        others = f" Models that take several: {suggestions.SEVERAL_IMAGES_IN}." if limit == 1 else ""
        raise refusal("images", f"'{model.name}' takes {images}, and {given} were given.{others}")
    value: JsonValue = list(request.images) if is_list else request.images[0]
    role = _ROLES.get(model.concepts.image_role)
    notes = (f"With '{model.name}' the image {role}.",) if role else ()
    return ArgumentInputs(argument="images", asked={name: value}, notes=notes)


def map_mask(model: Model, request: ImageRequest, options: Input) -> ArgumentInputs:
    """The mask as the caller gave it: edited where it is white."""
    name = model.concepts.mask
    has_image = bool(request.images) or bool(options.get(model.concepts.image))
    if not request.mask:
        if model.concepts.image_requires_mask and has_image and not options.get(name):
            words = f"'{model.name}' only repaints the masked part of an image, so it needs a mask beside the image."
            raise refusal("mask", f"{words} To edit without one: {suggestions.EDITING}.")
        return ArgumentInputs()
    if not name:
        refuse_unclear(model, "mask", "mask")
        raise refusal("mask", f"'{model.name}' takes no mask. Models that repaint a masked part: {suggestions.MASKED}.")
    if model.concepts.mask_polarity == "marks_area_to_preserve":
        words = (
            f"The mask of '{model.name}' marks what is kept, not what is edited, so the mask argument does not fit it."
        )
        raise refusal("mask", f"{words} Give it as option '{name}' if you mean that, or use {suggestions.MASKED}.")
    if not has_image:
        raise refusal("mask", "A mask needs the image it belongs to: give it in images.")
    return ArgumentInputs(argument="mask", asked={name: request.mask})


def map_count(model: Model, request: ImageRequest, options: Input) -> ArgumentInputs:
    """The count under the model's name, with what several images require.

    Raises: InvalidInput for more than one prediction of this model can give; `Model.split_count` says how to spread
    them.
    """
    if request.count < 1:
        raise refusal("count", f"count {request.count} is not a number of images. Give 1 or more.")
    if request.count > model.max_count:
        makes = "one image" if model.max_count == 1 else f"at most {model.max_count} images"
        words = f"'{model.name}' makes {makes} in one prediction, and count is {request.count}."
        raise refusal("count", f"{words} Models that make several at once: {suggestions.SEVERAL_IMAGES_OUT}.")
    item = model.inputs_by_name.get(model.concepts.count)
    if item is None or (request.count == 1 and item.default in (None, 1)):
        return ArgumentInputs()
    if request.count == 1:
        return ArgumentInputs(implied={item.name: 1})
    asked = {item.name: request.count, **model.concepts.count_requires}
    note = f"'{model.name}' decides itself how many images the prompt calls for: up to {request.count}, maybe fewer."
    return ArgumentInputs(argument="count", asked=asked, notes=(note,) if model.concepts.count_requires else ())


def image_count(model: Model, input: Input) -> int:
    """How many images this input asks for."""
    seen = model.with_defaults(input)
    count = seen.get(model.concepts.count)
    counts = all(seen.get(name) == value for name, value in model.concepts.count_requires.items())
    return count if isinstance(count, int) and counts else 1


def map_seed(model: Model, request: ImageRequest, options: Input, draw_seed: Callable[[], int]) -> ArgumentInputs:
    """The caller's seed, or one that we draw: with a concrete one a result can be repeated and recognised."""
    if request.seed < _NO_SEED:
        raise refusal("seed", f"seed {request.seed} is negative. Give 0 or more, or -1 for a new one.")
    item = model.inputs_by_name.get(model.concepts.seed)
    is_given = request.seed != _NO_SEED
    if item is None:
        note = f"'{model.name}' has no seed: this result cannot be repeated."
        return ArgumentInputs(notes=(note,) if is_given else ())
    low, high = max(item.min or 0, 0), item.max if item.max is not None else _HIGHEST_SEED
    if not is_given:
        return ArgumentInputs(implied={item.name: int(low + draw_seed() % (high - low + 1))})
    if request.seed < low or (item.max is not None and request.seed > item.max):
        raise refusal("seed", f"seed {request.seed} is outside what '{model.name}' takes: {range_words(item)}.")
    is_fast = model.concepts.fast_mode == "go_fast" and model.with_defaults(options).get("go_fast")
    note = "go_fast is on, so the same seed may not give quite the same image; option go_fast=false repeats exactly."
    return ArgumentInputs(argument="seed", asked={item.name: request.seed}, notes=(note,) if is_fast else ())


def sent_seed(model: Model, input: Input) -> int | None:
    """The seed that repeats this input; None where the model has none or an option leaves it to the model (-1)."""
    seed = input.get(model.concepts.seed)
    return seed if isinstance(seed, int) and seed > _NO_SEED else None


def map_output_format(model: Model, request: ImageRequest, options: Input) -> ArgumentInputs:
    """The format in the model's spelling; the model's own, with a note, where it does not offer the one asked for.

    Raises: InvalidInput for a format that does not exist, or vectors from a model that draws pixels.
    """
    wanted = request.output_format.lower()
    if wanted in ("", "auto"):
        return ArgumentInputs()
    if wanted not in (*_FORMATS, "jpeg"):
        raise refusal("output_format", f"output_format {quoted(wanted)} is not known. Allowed: {', '.join(_FORMATS)}.")
    if model.output.svg:
        note = f"'{model.name}' draws vectors: it gives svg, not {wanted}."
        return ArgumentInputs(notes=(note,) if wanted != "svg" else ())
    if wanted == "svg":
        words = f"'{model.name}' draws pixels, not vectors. Models that give svg: {suggestions.VECTOR}."
        raise refusal("output_format", words)
    item = model.inputs_by_name.get(model.concepts.output_format)
    if item is None:
        return ArgumentInputs(notes=_own_format(model, wanted))
    if not item.enum:
        note = f"Which formats '{model.name}' takes is not known, so {wanted} was not checked."
        return ArgumentInputs(argument="output_format", asked={item.name: wanted}, notes=(note,))
    spelt = next((spelling for spelling in _SPELLINGS.get(wanted, (wanted,)) if spelling in item.enum), None)
    if spelt is None:
        note = f"'{model.name}' does not give {wanted} ({listed(item.enum)}), so its default {item.default} is used."
        return ArgumentInputs(notes=(note,))
    return ArgumentInputs(argument="output_format", asked={item.name: spelt})


def _own_format(model: Model, wanted: str) -> tuple[str, ...]:
    """Silent where the wish may be met; a result in another format is noted when it is there."""
    own = model.output.formats
    if not own or any(spelling in own for spelling in _SPELLINGS.get(wanted, (wanted,))):
        return ()
    return (f"'{model.name}' takes no output_format; it gives {listed(own)}.",)


STEPS = (map_prompt, map_negative_prompt, map_images, map_mask, map_shape, map_count, map_output_format)
