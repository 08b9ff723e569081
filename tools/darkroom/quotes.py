"""What a call would send and what that costs, before anything is sent or written down."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from darkroom.alike import unmet_wishes, with_other_models
from darkroom.darkroom import Darkroom
from darkroom.errors import InvalidInput
from darkroom.input_facts import checked_images
from darkroom.journal import Intent
from darkroom.like import Wish
from darkroom.model_choice import closest_words, find_model, mapped_by, named_model
from darkroom.pricing import FREE, Estimate, estimate
from darkroom.registry import MappedInput, Model
from darkroom.reports import Quote
from darkroom.reports.amounts import usd


async def quote(darkroom: Darkroom, wish: Wish) -> Quote:
    """Raises: UnknownModel, InvalidInput; JournalError where earlier bills cannot be read."""
    model, why = find_model(darkroom, wish.request)
    try:
        model, parts, told = await mapped_by(darkroom, model, wish.request)
    except InvalidInput as refusal:
        raise with_other_models(darkroom, model, wish.request, refusal) from refusal
    first, sizes = await checked_images(darkroom, wish, model, parts[0])
    parts = [replace(part, mask_size=first.mask_size) for part in parts]
    parts[0] = replace(parts[0], notes=(*told, *parts[0].notes))
    notes = list(wish.notes)
    if not wish.request.model:
        notes += (f"no model was named; '{model.name}' was taken: {why}.", *unmet_wishes(model, wish.request))
    estimates, price_notes = await _estimates(darkroom, model, parts, sizes)
    return Quote(
        model=model,
        why=why,
        parts=tuple(parts),
        estimates=tuple(estimates),
        notes=tuple(notes),
        price_notes=tuple(price_notes),
        closest=closest_words(darkroom, model),
    )


async def _estimates(
    darkroom: Darkroom, model: Model, parts: Sequence[MappedInput], sizes: Mapping[str, tuple[int, int]]
) -> tuple[list[Estimate], list[str]]:
    """What each part costs at most, and what there is to say of the price. Raises: JournalError."""
    price_notes: list[str] = []
    if darkroom.gateway.is_sandbox:
        return [FREE for _ in parts], price_notes
    if model.price and model.price.is_stale(date.fromtimestamp(darkroom.options.clock())):
        price_notes.append(f"the price of '{model.name}' is stale: read {model.price.date or 'at an unknown date'}.")
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
    return estimates, price_notes


def quote_again(darkroom: Darkroom, earlier: Sequence[Intent]) -> Quote:
    """What a repeat may send of the rows of its request_id: those with no id yet that nobody here works on.

    One in doubt is among these, because a repeat sends it once the gateway turns out not to have it.
    """
    rows = [row for row in earlier if not row.prediction_id and darkroom.work.watched(row) is None]
    return Quote(
        model=named_model(darkroom, earlier[0].model),
        why=f"request_id '{earlier[0].request_id}' was used before",
        parts=tuple(MappedInput(input=row.input, image_count=row.image_count) for row in rows),
        estimates=tuple(map(noted_estimate, rows)),
        price_notes=("only what was never created would be sent." if rows else "nothing new would be started.",),
    )


def noted_estimate(row: Intent) -> Estimate:
    """What it was written down with."""
    return Estimate(most_usd=row.estimate_usd, usual_usd=row.estimate_usd, is_bound=row.has_bound)


def _at_least(known: Estimate, billed_usd: float) -> Estimate:
    """The larger of what the price list says and what this gateway billed."""
    most_usd = max(known.most_usd or 0.0, round(billed_usd, 6))
    return replace(known, most_usd=most_usd, usual_usd=round(billed_usd, 6))
