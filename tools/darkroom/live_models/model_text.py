"""A model file in TOML from what the gateway says; words, concepts and prices of a curated model are kept."""

from typing import Any, cast

from darkroom.live_models.second_opinion import overlaid
from darkroom.registry import Model
from darkroom.registry.coherence import find_incoherences
from darkroom.registry.live_schema import Description

_LEFT_OUT = frozenset({"checked", "unmapped", "predict_s", "gateways", "provenance"})


def model_text(description: Description, curated: Model | None, *, gateway: str, today: str) -> str:
    """TOML that a models folder takes, with what is unclear as comments on top."""
    import tomlkit

    live = description.model
    model = overlaid(curated, live) if curated else live
    if curated is None and description.is_official is False:
        model = live.at_version(description.version)
    is_priced = not any(place[0] == "price" for place, _ in find_incoherences(model))
    if not is_priced:
        model = model.model_copy(update={"price": None})
    facts: dict[str, Any] = {
        "inputs": [],
        **model.model_dump(mode="json", exclude_defaults=True, exclude=set(_LEFT_OUT)),
    }
    facts["provenance"] = {"sources": [f"gateway {gateway}, {today}"]}
    comments = [
        f"{live.name}, as gateway {gateway} described it on {today}.",
        "Edit it, and put it into the folder that DARKROOM_MODELS_DIR names.",
        *(f"Unclear: {word}: {why}" for word, why in live.unmapped.items()),
        *(f"Note: {note}" for note in description.notes),
        *([] if is_priced else ["The registry's price is left out, for inputs that it goes by have changed."]),
        *([] if model.price else ["Price: unknown. A [price] table says what it costs."]),
    ]
    return "".join(f"# {line}\n" for line in comments) + "\n" + tomlkit.dumps(_without_null(facts))


def _without_null(value: Any) -> Any:
    """TOML has no null."""
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {name: _without_null(each) for name, each in fields.items() if each is not None}
    if isinstance(value, list):
        return [_without_null(each) for each in cast("list[Any]", value) if each is not None]
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
