"""What a call would send and what that costs, before anything is sent or written down; and the person's limits."""

import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from darkroom.darkroom import Darkroom
from darkroom.errors import InvalidInput, SpendingRefused, UnknownModel
from darkroom.journal import Intent
from darkroom.pricing import FREE, Estimate, estimate, needs_sizes, price_range, total_estimate
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
from darkroom.reports.amounts import counted, usd

MOST_IMAGES = 10
_ROUNDING_USD = 1e-9
# What no schema decides.
_NEVER_OVERRULED = ("prompt", "model", "")


@dataclass(frozen=True, kw_only=True)
class Quote:
    """The model and why it was taken; an input and an estimate for each prediction; notes on choice and price."""

    model: Model
    why: str
    parts: tuple[MappedInput, ...]
    estimates: tuple[Estimate, ...]
    notes: tuple[str, ...] = ()
    price_notes: tuple[str, ...] = ()

    @property
    def wanted(self) -> list[tuple[int, Estimate]]:
        """Images and price of each prediction."""
        return [(part.image_count, each) for part, each in zip(self.parts, self.estimates, strict=True)]

    @property
    def total(self) -> Estimate:
        return total_estimate(self.estimates)

    @property
    def image_count(self) -> int:
        return sum(part.image_count for part in self.parts)


async def quote(darkroom: Darkroom, request: ImageRequest) -> Quote:
    """Raises: UnknownModel, InvalidInput; JournalError where earlier bills cannot be read."""
    model, why = _find_model(darkroom, request)
    model, told = await _as_described(darkroom, model)
    try:
        parts = _map_parts(model, request)
    except InvalidInput as refusal:
        model, parts, told = await _overruled(darkroom, model, request, refusal)
    parts[0] = replace(parts[0], notes=(*told, *parts[0].notes))
    is_chosen = not request.model and _has_limit(darkroom)
    notes = (f"no model was named; '{model.name}' was taken: {why}.",) if is_chosen else ()
    price_notes: list[str] = []
    if darkroom.gateway.is_sandbox:
        estimates = [FREE for _ in parts]
    else:
        if model.price and model.price.is_stale(date.fromtimestamp(darkroom.options.clock())):
            price_notes.append(
                f"the price of '{model.name}' is stale: read {model.price.date or 'at an unknown date'}."
            )
        sizes = await darkroom.sizes(parts[0]) if needs_sizes(model) else None
        estimates = [estimate(model, part.input, sizes) for part in parts]
        billed_usd = await darkroom.journal.last_bill(darkroom.gateway.origin, model.name)
        if billed_usd is not None:
            title, name = darkroom.gateway.title, model.name
            price_notes.append(f"{title} billed {usd(billed_usd)} for an image of '{name}' last time, by its own log.")
            estimates = [
                _at_least(each, billed_usd * part.image_count) for each, part in zip(estimates, parts, strict=True)
            ]
        elif darkroom.gateway.name != "replicate" and model.price:
            darkroom.say_once(
                f"prices are Replicate's list prices; gateway '{darkroom.gateway.name}' may bill another sum."
            )
    return Quote(
        model=model,
        why=why,
        parts=tuple(parts),
        estimates=tuple(estimates),
        notes=notes,
        price_notes=tuple(price_notes),
    )


def quote_again(darkroom: Darkroom, earlier: Sequence[Intent]) -> Quote:
    """What a repeat may send of the rows of its request_id: those with no id yet that nobody here works on.

    One in doubt is among these, because a repeat sends it once the gateway turns out not to have it.
    """
    rows = [row for row in earlier if not row.prediction_id and darkroom.work.watched(row) is None]
    return Quote(
        model=_named_model(darkroom, earlier[0].model),
        why=f"request_id '{earlier[0].request_id}' was used before",
        parts=tuple(MappedInput(input=row.input, image_count=row.image_count) for row in rows),
        estimates=tuple(map(noted_estimate, rows)),
        price_notes=("only what was never created would be sent." if rows else "nothing new would be started.",),
    )


def noted_estimate(row: Intent) -> Estimate:
    """What it was written down with."""
    return Estimate(most_usd=row.estimate_usd, usual_usd=row.estimate_usd, is_bound=row.has_bound)


async def check_limits(
    darkroom: Darkroom, wanted: Sequence[tuple[int, Estimate]], *, max_usd: float, with_day: bool = True
) -> None:
    """`wanted`: images and price of each prediction. `with_day` False: what is left of the day is asked elsewhere.

    Raises: InvalidInput for a `max_usd` below 0; SpendingRefused where they may cost more than `max_usd` (0: no limit)
    or one of the person's limits, or where their price is unknown under one.
    """
    if not 0 <= max_usd < float("inf"):  # nor may it be no number
        raise InvalidInput(f"max_usd {max_usd} is not possible. Allowed: US dollars, 0 or more.", field="max_usd")
    total = total_estimate([each for _, each in wanted])
    if not wanted or not (_has_limit(darkroom) or max_usd):
        return
    if total.most_usd is None:
        if darkroom.options.allow_unknown_price and not max_usd:
            return
        if darkroom.options.allow_unknown_price or not _has_limit(darkroom):
            raise SpendingRefused(
                "The price of this model is unknown, so max_usd cannot hold. Nothing was sent. Choose a model with a "
                "known price (list_models shows them), or leave max_usd out if the user agrees to an unknown price."
            )
        raise SpendingRefused(
            "The price of this model is unknown and there is a spending limit. Nothing was sent. Choose a model with a "
            "known price (list_models shows them), or ask the user to set DARKROOM_ALLOW_UNKNOWN_PRICE=true."
        )
    images = sum(count for count, _ in wanted)
    async for left_usd, words in _rooms(darkroom, max_usd, with_day=with_day):
        if total.most_usd > left_usd + _ROUNDING_USD:
            fitting = _fitting(wanted, left_usd)
            verb = "costs at most" if images == 1 else "cost at most"
            verb = verb if total.is_bound else "billed by run time, counted as"
            raise SpendingRefused(
                f"{counted(images, 'image')} {verb} {usd(total.most_usd)}; {words}: "
                f"{f'at most {fitting}' if fitting else 'not even one'}. Nothing was sent. "
                f"{'Ask for fewer images' if fitting else 'Choose a lower quality or size'} or a cheaper model, or ask "
                "the user."
            )


def _fitting(wanted: Sequence[tuple[int, Estimate]], left_usd: float) -> int:
    """How many images cost no more than that; the price of a part that has no bound does not go by its images."""
    fitting, left_usd = 0, left_usd + _ROUNDING_USD
    for images, each in wanted:
        if (most_usd := each.most_usd or 0.0) > left_usd:
            return fitting + (int(max(left_usd, 0.0) * images / most_usd) if each.is_bound else 0)
        fitting, left_usd = fitting + images, left_usd - most_usd
    return fitting


async def _rooms(darkroom: Darkroom, max_usd: float, *, with_day: bool) -> AsyncIterator[tuple[float, str]]:
    """Each limit: how much it leaves in US dollars, and in words."""
    if max_usd:
        yield max_usd, f"max_usd is {usd(max_usd)}"
    call_usd = darkroom.options.max_usd_per_call
    if call_usd is not None and not darkroom.gateway.is_sandbox:
        yield call_usd, f"the user's limit for a call is {usd(call_usd)} (DARKROOM_MAX_USD_PER_CALL)"
    if with_day and (day := await darkroom.day()):
        yield day.left_usd, f"{day.words} (DARKROOM_MAX_USD_PER_DAY)"


def _has_limit(darkroom: Darkroom) -> bool:
    limits = darkroom.options
    is_set = limits.max_usd_per_call is not None or limits.max_usd_per_day is not None
    return is_set and not darkroom.gateway.is_sandbox


def _at_least(known: Estimate, billed_usd: float) -> Estimate:
    """The larger of what the price list says and what this gateway billed."""
    most_usd = max(known.most_usd or 0.0, round(billed_usd, 6))
    return replace(known, most_usd=most_usd, usual_usd=round(billed_usd, 6))


def _find_model(darkroom: Darkroom, request: ImageRequest) -> tuple[Model, str]:
    """The model that was named, else the first that can do this: the person's default, the usual one, any other.

    Under a limit only models of known price are taken by themselves. Raises: UnknownModel.
    """
    if request.model:
        return _named_model(darkroom, request.model), "it was named"
    must_be_priced = _has_limit(darkroom) and not darkroom.options.allow_unknown_price
    for model, why in _candidates(darkroom, request):
        if (not model.checked or _can_do(model, request)) and not (must_be_priced and price_range(model) is None):
            return model, f"{why}, of known price" if must_be_priced else why
    return darkroom.registry.get(default_model_for(request)), "the usual one for this"


def _candidates(darkroom: Darkroom, request: ImageRequest) -> Iterator[tuple[Model, str]]:
    if darkroom.options.default_model:
        yield _named_model(darkroom, darkroom.options.default_model), "the user's default"
    yield darkroom.registry.get(default_model_for(request)), "the usual one for this"
    yield from ((model, "it can do this") for model in darkroom.registry.search())


def _named_model(darkroom: Darkroom, name: str) -> Model:
    """A listed model, or one that nobody described where the name is whole (`owner/name`)."""
    try:
        return darkroom.registry.get(name)
    except UnknownModel:
        if "/" not in name and not is_version(name):
            raise
        return unlisted_model(ModelRef.parse(name))


async def _as_described(darkroom: Darkroom, model: Model) -> tuple[Model, tuple[str, ...]]:
    """A model that nobody curated, as the gateway describes it. Raises: UnknownModel, InvalidInput."""
    if model.checked and not (model.version and darkroom.live.can_ask):
        return model, ()
    from darkroom.live_models import as_described

    return await as_described(darkroom.live, darkroom.registry, model)


async def _overruled(
    darkroom: Darkroom, model: Model, request: ImageRequest, refusal: InvalidInput
) -> tuple[Model, list[MappedInput], tuple[str, ...]]:
    """What the gateway's schema of today allows, though an old file of ours does not. Raises: the refusal."""
    from darkroom.live_models.second_opinion import today

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
    return found[0], parts, (f"{words} in its schema of {found[1]}, so it is sent.",)


def map_again(model: Model, request: ImageRequest, seeds: Sequence[int | None]) -> list[MappedInput]:
    """The parts of a request once more, with the seeds that were drawn for it. Raises: InvalidInput."""
    drawn = iter(seeds)
    return _map_parts(model, request, lambda: next(drawn, None) or _draw_seed())


def _can_do(model: Model, request: ImageRequest) -> bool:
    if request.output_format == "svg" and not model.output.svg:
        return False
    if request.mask and not model.concepts.mask:
        return False
    return model.edits if request.images else not model.needs_image


def _map_parts(model: Model, request: ImageRequest, draw_seed: Callable[[], int] | None = None) -> list[MappedInput]:
    """One mapped input for each prediction that the wished number of images takes; their seeds count up."""
    if not 1 <= request.count <= MOST_IMAGES:
        raise InvalidInput(
            f"count {request.count} is not possible. Allowed: 1 to {MOST_IMAGES} images a call.", field="count"
        )
    parts: list[MappedInput] = []
    for number, count in enumerate(model.split_count(request.count)):
        seed = request.seed + number if request.seed >= 0 else request.seed
        parts.append(map_request(model, replace(request, count=count, seed=seed), draw_seed or _draw_seed))
    return parts


def _draw_seed() -> int:
    return secrets.randbelow(2**31)
