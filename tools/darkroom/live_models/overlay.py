"""A curated model with the inputs that the gateway describes today; its words, concepts and prices stay ours."""

from darkroom.registry import Model

_WITH_SIZE = ("width", "height")


def overlaid(model: Model, live: Model) -> Model:
    """Concepts whose input is gone are dropped; our descriptions of inputs stay where the names are the same."""
    ours = model.inputs_by_name
    inputs = tuple(
        item.model_copy(update={"description": ours[item.name].description or item.description})
        if item.name in ours
        else item
        for item in live.inputs
    )
    names = {item.name for item in inputs}
    concepts = model.concepts
    gone = [concept for concept, name in concepts.input_names().items() if name not in names]
    if not concepts.custom_size_requires.keys() <= names:
        gone += _WITH_SIZE
    if not concepts.count_requires.keys() <= names:
        gone.append("count")
    kept = concepts.model_copy(update=dict.fromkeys(gone, ""))
    facts = {name: getattr(model, name) for name in Model.model_fields}
    return Model.model_validate({**facts, "inputs": inputs, "concepts": kept})
