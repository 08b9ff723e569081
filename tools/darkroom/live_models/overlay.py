"""A curated model with the inputs that the gateway describes today; its words, concepts and prices stay ours."""

from collections.abc import Collection

from darkroom.registry import Model, ModelInput

_WITH_SIZE = ("width", "height")


def overlaid(model: Model, live: Model) -> Model:
    """Concepts whose input is gone are dropped; our descriptions of inputs stay where the names are the same."""
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
