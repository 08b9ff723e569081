"""The arguments that stand for one input each: the prompts, the count, the seed and the file format."""

from collections.abc import Callable

from darkroom.registry.mapping import suggestions
from darkroom.registry.mapping.argument_inputs import ArgumentInputs, Input, listed, quoted, refusal, refuse_unclear
from darkroom.registry.mapping.options import range_words
from darkroom.registry.model import Model
from darkroom.registry.request import ImageRequest

_NO_SEED = -1
_HIGHEST_SEED = 2**31 - 1
_FORMATS = ("auto", "png", "jpg", "webp", "svg")
_SPELLINGS = {"jpg": ("jpg", "jpeg"), "jpeg": ("jpeg", "jpg")}


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
