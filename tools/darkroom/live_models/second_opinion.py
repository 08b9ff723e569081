"""A curated model whose file refuses a request, or whose gateway does: what its schema of today says of that."""

from dataclasses import replace

from darkroom.live_models.directory import Directory, Found
from darkroom.live_models.drift import PRICE_MAY_BE_OLD, input_changes, price_may_be_old
from darkroom.live_models.overlay import overlaid
from darkroom.registry import Model, ModelRef

_ASKED_WITHIN_S = 3.0


async def today(directory: Directory, model: Model, *, is_fresh: bool = False) -> tuple[Model, str] | None:
    """The model with the inputs of today, and the date; None where the gateway does not tell, or where it is the same.

    A live model comes anew as it is described. `is_fresh`: ask now, whatever was said before.
    """
    if not directory.can_ask or not model.checked:
        return None
    ref = replace(ModelRef.parse(model.name), version=model.version if model.run_by == "version" else "")
    if model.is_live and not ref.is_deployment:
        ref = replace(ref, version="")
    answer = await directory.find(ref, is_fresh=is_fresh, within_s=_ASKED_WITHIN_S)
    if not isinstance(answer, Found) or answer.description.makes == "other":
        return None
    found = answer.description
    if not model.is_live:
        return overlaid(model, found.model), answer.date
    return (found.model.at_version(found.version) if model.run_by == "version" else found.model), answer.date


def price_words(model: Model, live: Model) -> tuple[str, ...]:
    """A note where the gateway has changed what the price goes by; `live` is the model with the inputs of today."""
    if not price_may_be_old(model, input_changes(model, live)):
        return ()
    return (f"{PRICE_MAY_BE_OLD}: the gateway has changed inputs of '{model.name}' that it goes by.",)
