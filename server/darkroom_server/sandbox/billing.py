"""What a run is billed by, counted by the sandbox itself, and what it costs by the price table of its model.

The prices are public facts of the registry; choosing a tier and counting its units is done here once more, so that a
client's own rules are tested against others.
"""

import math
from collections.abc import Iterator

from pydantic import JsonValue

from darkroom.registry import Model, Tier
from darkroom_server.sandbox.life import Prediction

_MEGAPIXEL = 1024 * 1024
_USUAL_USD = 0.01  # for models whose price nobody knows


def is_by_size(model: Model) -> bool:
    """Whether megapixels of the output or of the input images change the price."""
    return any(tier.units or "megapixel" in tier.metric for tier in _tiers(model))


def whole_megapixels(pixels: int) -> int:
    return math.ceil(pixels / _MEGAPIXEL)


def billing_metrics(prediction: Prediction) -> dict[str, JsonValue]:
    """What an official model counts once it has ended with output; nothing for models that are billed by time."""
    tiers = _tiers(prediction.model)
    if prediction.model.run_by != "model" or any(tier.is_by_time for tier in tiers):
        return {}
    metrics: dict[str, JsonValue] = {"image_output_count": prediction.output_count}
    for tier in tiers:
        if tier.metric != "run":
            name = f"{tier.metric}_count" if tier.metric.endswith("megapixel") else tier.metric
            metrics[name] = _units(prediction, tier)
    return metrics | {name: word for tier in _billed_tiers(prediction) for name, word in tier.criteria.items()}


def price_usd(prediction: Prediction) -> float:
    """What the run costs if it ends with output."""
    if not _tiers(prediction.model):
        return _USUAL_USD
    return sum(tier.usd * _units(prediction, tier) for tier in _billed_tiers(prediction))


def image_references(model: Model, input: dict[str, JsonValue]) -> Iterator[str]:
    """Every image that the input holds, masks too."""
    for item in (each for each in model.inputs if model.holds_image(each) and "lora" not in each.name):
        value = input.get(item.name)
        yield from (str(each) for each in (value if isinstance(value, list) else [value]) if each)


def _tiers(model: Model) -> tuple[Tier, ...]:
    return model.price.tiers if model.price else ()


def _billed_tiers(prediction: Prediction) -> list[Tier]:
    """Those without conditions and those whose conditions the input meets, else the dearest that has any."""
    tiers = [tier for tier in _tiers(prediction.model) if not tier.after_only]
    always, conditional = [tier for tier in tiers if not tier.when], [tier for tier in tiers if tier.when]
    met = [tier for tier in conditional if _is_met(prediction, tier)]
    return always + (met or sorted(conditional, key=lambda tier: -tier.usd)[:1])


def _is_met(prediction: Prediction, tier: Tier) -> bool:
    model = prediction.model
    given = model.with_defaults(prediction.stored.input)
    for name, wanted in tier.when.items():
        value = given.get(name)
        is_about_images = wanted == [] or (wanted == "any" and model.holds_image(model.inputs_by_name[name]))
        is_met = bool(value) is (wanted == "any") if is_about_images else str(value).lower() == str(wanted).lower()
        if not is_met:
            return False
    return True


def _units(prediction: Prediction, tier: Tier) -> float:
    stored, outputs = prediction.stored, prediction.output_count
    if tier.is_by_time:
        return stored.run_s
    if tier.units:
        megapixels = stored.output_px / 1e6
        return outputs * next((units for most, units in tier.units if megapixels <= most), tier.units[-1][1])
    counted = {
        "run": 1,
        "image_output_megapixel": outputs * whole_megapixels(stored.output_px),
        "image_input_megapixel": stored.input_megapixels,
        "image_input_count": len(list(image_references(prediction.model, stored.input))),
    }
    return counted.get(tier.metric, outputs)
