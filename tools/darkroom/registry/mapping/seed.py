"""The seed: always a concrete one where the model has it, so that a result can be repeated and recognised."""

from collections.abc import Callable

from darkroom.registry.mapping.options import range_words
from darkroom.registry.mapping.part import Input, Part, refusal
from darkroom.registry.model import Model
from darkroom.registry.request import ImageRequest

NOT_GIVEN = -1
_HIGHEST_SEED = 2**31 - 1


def map_seed(model: Model, request: ImageRequest, options: Input, draw_seed: Callable[[], int]) -> Part:
    """The caller's seed, or one that we draw."""
    if request.seed < NOT_GIVEN:
        raise refusal("seed", f"seed {request.seed} is negative. Give 0 or more, or -1 for a new one.")
    item = model.inputs_by_name.get(model.concepts.seed)
    is_given = request.seed != NOT_GIVEN
    if item is None:
        note = f"'{model.name}' has no seed: this result cannot be repeated."
        return Part(notes=(note,) if is_given else ())
    low, high = max(item.min or 0, 0), item.max if item.max is not None else _HIGHEST_SEED
    if not is_given:
        return Part(implied={item.name: int(low + draw_seed() % (high - low + 1))})
    if request.seed < low or (item.max is not None and request.seed > item.max):
        raise refusal("seed", f"seed {request.seed} is outside what '{model.name}' takes: {range_words(item)}.")
    return Part(argument="seed", asked={item.name: request.seed}, notes=_fast_mode_notes(model, options))


def sent_seed(model: Model, input: Input) -> int | None:
    """The seed that repeats this input; None where the model has none or an option leaves it to the model (-1)."""
    seed = input.get(model.concepts.seed) if model.concepts.seed else None
    return seed if isinstance(seed, int) and seed > NOT_GIVEN else None


def _fast_mode_notes(model: Model, options: Input) -> tuple[str, ...]:
    if model.concepts.fast_mode != "go_fast" or not model.with_defaults(options).get("go_fast"):
        return ()
    return ("go_fast is on, so the same seed may not give quite the same image; option go_fast=false repeats exactly.",)
