"""The model of a call and what it is sent: named or chosen, as the registry knows it or as the gateway describes it."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from darkroom.darkroom import Darkroom
from darkroom.errors import InvalidInput, UnknownModel
from darkroom.pricing import price_range
from darkroom.registry import (
    ImageRequest,
    MappedInput,
    Model,
    ModelRef,
    default_model_for,
    is_version,
    map_request,
    unlisted_model,
)
from darkroom.spending_limits import has_limit

MOST_IMAGES = 10
_LONGEST_NAME = 80
# What no schema decides.
_NEVER_OVERRULED = ("prompt", "model", "")


def find_model(darkroom: Darkroom, request: ImageRequest) -> tuple[Model, str]:
    """The model that was named, else the first that can do this: the person's default, the usual one, any other.

    Under a limit only models of known price are taken by themselves. Raises: UnknownModel.
    """
    if request.model:
        return named_model(darkroom, request.model), "it was named"
    must_be_priced = has_limit(darkroom) and not darkroom.options.allow_unknown_price
    for model, why in _candidates(darkroom, request):
        if (not model.checked or can_do(model, request)) and not (must_be_priced and price_range(model) is None):
            return model, f"{why}, of known price" if must_be_priced else why
    return darkroom.registry.get(default_model_for(request)), "the usual one for this"


def _candidates(darkroom: Darkroom, request: ImageRequest) -> Iterator[tuple[Model, str]]:
    if darkroom.options.default_model:
        yield named_model(darkroom, darkroom.options.default_model), "the user's default"
    yield darkroom.registry.get(default_model_for(request)), "the usual one for this"
    yield from ((model, "it can do this") for model in darkroom.registry.search())


def named_model(darkroom: Darkroom, name: str) -> Model:
    """A listed model, or one that nobody described where the name is whole (`owner/name`)."""
    try:
        return darkroom.registry.get(name)
    except UnknownModel:
        if "/" not in name and not is_version(name):
            raise
        return unlisted_model(ModelRef.parse(name))


def closest_words(darkroom: Darkroom, model: Model) -> str:
    """For a name that nobody could check: what may have been meant. Empty for any other, or where nothing is near."""
    if model.checked or not (near := darkroom.registry.closest(model.name, limit=2)):
        return ""
    return f"'{model.name[:_LONGEST_NAME]}' is not in the registry. Closest: {', '.join(map(repr, near))}."


async def mapped_by(
    darkroom: Darkroom, model: Model, request: ImageRequest
) -> tuple[Model, list[MappedInput], tuple[str, ...]]:
    """The model as it is known best, the inputs of all predictions, and what there is to say of the model.

    Raises: UnknownModel, InvalidInput.
    """
    told: tuple[str, ...] = ()
    if not model.checked or (model.version and darkroom.live.can_ask):
        from darkroom.live_models import as_described

        model, told = await as_described(darkroom.live, darkroom.registry, model)
    try:
        return model, _map_parts(model, request), told
    except InvalidInput as refusal:
        return await _overruled(darkroom, model, request, refusal)


async def _overruled(
    darkroom: Darkroom, model: Model, request: ImageRequest, refusal: InvalidInput
) -> tuple[Model, list[MappedInput], tuple[str, ...]]:
    """What the gateway's schema of today allows, though an old file of ours does not. Raises: the refusal."""
    from darkroom.live_models.second_opinion import price_words, today

    if model.is_live or refusal.field in _NEVER_OVERRULED or not 1 <= request.count <= MOST_IMAGES:
        raise refusal
    if (found := await today(darkroom.live, model)) is None:
        raise refusal
    try:
        parts = _map_parts(found[0], request)
    except InvalidInput:
        raise refusal from None
    words = (
        f"the registry's file of '{model.name}' refuses {refusal.field}; gateway '{darkroom.gateway.name}' allows it"
    )
    allowed = f"{words} in its schema of {found[1]}, so it is sent."
    return found[0], parts, (allowed, *price_words(model, found[0]))


def map_again(model: Model, request: ImageRequest, seeds: Sequence[int | None]) -> list[MappedInput]:
    """The parts of a request once more, with the seeds that were drawn for it. Raises: InvalidInput."""
    return _map_parts(model, request, seeds)


def can_do(model: Model, request: ImageRequest) -> bool:
    """Whether it has what the request needs at all."""
    if request.output_format == "svg" and not model.output.svg:
        return False
    if request.mask and not model.concepts.mask:
        return False
    return model.edits if request.images else not model.needs_image


def _map_parts(model: Model, request: ImageRequest, seeds: Sequence[int | None] = ()) -> list[MappedInput]:
    """One mapped input for each prediction that the wished number of images takes; their seeds count up.

    `seeds` were drawn before.
    """
    if not 1 <= request.count <= MOST_IMAGES:
        raise InvalidInput(
            f"count {request.count} is not possible. Allowed: 1 to {MOST_IMAGES} images a call.", field="count"
        )
    parts: list[MappedInput] = []
    drawn = secrets.randbelow(2**31)
    for number, count in enumerate(model.split_count(request.count)):
        seed = request.seed + number if request.seed >= 0 else request.seed
        before = seeds[number] if number < len(seeds) else None
        draw_seed = partial(int, drawn + number if before is None else before)
        parts.append(map_request(model, replace(request, count=count, seed=seed), draw_seed=draw_seed))
    return parts
