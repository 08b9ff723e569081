"""A curated model whose file refuses a request, or whose gateway does: what its schema of today says of that."""

from collections.abc import Collection
from dataclasses import replace

from darkroom.gateways.model_answers import NotTold
from darkroom.live_models.directory import Directory
from darkroom.live_models.drift import PRICE_MAY_BE_OLD, input_changes, price_may_be_old
from darkroom.registry import Model, ModelInput, ModelRef

_ASKED_WITHIN_S = 3.0
_WITH_SIZE = ("width", "height")


async def today(directory: Directory, model: Model, *, is_fresh: bool = False) -> tuple[Model, str] | None:
    """The model with the inputs of today, and the date; None where the gateway does not tell, or where it is the same.

    A live model comes anew as it is described. `is_fresh`: ask now, whatever was said before.
    """
    if not directory.can_ask or not model.checked:
        return None
    version = model.version if model.run_by == "version" and not model.is_live else ""
    ref = replace(ModelRef.parse(model.name), version=version)
    found = await directory.find(ref, is_fresh=is_fresh, within_s=_ASKED_WITHIN_S)
    if isinstance(found, NotTold) or found.makes == "other":
        return None
    if not model.is_live:
        return overlaid(model, found.model), found.date
    return (found.model.at_version(found.version) if model.run_by == "version" else found.model), found.date


def price_words(model: Model, live: Model) -> tuple[str, ...]:
    """A note where the gateway has changed what the price goes by; `live` is the model with the inputs of today."""
    if not price_may_be_old(model, input_changes(model, live)):
        return ()
    return (f"{PRICE_MAY_BE_OLD}: the gateway has changed inputs of '{model.name}' that it goes by.",)


def overlaid(model: Model, live: Model) -> Model:
    """A curated model with the inputs that the gateway describes today; its words, concepts and prices stay ours.

    Concepts whose input is gone are dropped; our descriptions of inputs stay where the names are the same.
    """
    ours, names = model.inputs_by_name, live.inputs_by_name.keys()
    inputs = tuple(_known(item, ours[item.name], names) if item.name in ours else item for item in live.inputs)
    concepts = model.concepts
    gone = [concept for concept, name in concepts.input_names().items() if name not in names]
    if not concepts.custom_size_requires.keys() <= names:
        gone += _WITH_SIZE
    if not concepts.count_requires.keys() <= names:
        gone.append("count")
    kept = concepts.model_copy(update=dict.fromkeys(gone, ""))
    facts = {name: getattr(model, name) for name in Model.model_fields}
    return Model.model_validate({**facts, "inputs": inputs, "concepts": kept})


def _known(item: ModelInput, ours: ModelInput, names: Collection[str]) -> ModelInput:
    """With what a schema does not say and we know: our words, the step, and what it goes with."""
    known: dict[str, object] = {"description": ours.description or item.description}
    if ours.applies_when.keys() <= set(names):
        known["applies_when"] = ours.applies_when
    if item.multiple_of is None:
        known |= {"multiple_of": ours.multiple_of, "rounded": ours.rounded}
    return item.model_copy(update=known)
