"""Prices as a model file of version 0.1.0 states them: one `[[prices]]` table for each price of an image.

People have such files in their models folder, so they are still read; the models that come with darkroom have none.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from pydantic import Field, JsonValue

from darkroom.registry.model_input import Facts, ModelInput
from darkroom.registry.price import MOST_USD, Confidence, PriceTable

_SEVERAL_IN_WORDS = "The model file has several prices; the highest that may apply is taken."


class OldPrice(Facts):
    """US dollars for one image; `condition` in words, and `when` in input values where the words name some."""

    usd: float = Field(ge=0, le=MOST_USD)
    unit: Literal["image"] = "image"
    condition: str = ""
    when: dict[str, JsonValue] = {}
    source: str = ""
    date: str = ""
    confidence: str = ""


def table_of(prices: Sequence[OldPrice], inputs: Mapping[str, ModelInput]) -> PriceTable:
    """The price table of a file with these prices, at least one.

    Prices for the same inputs were alternatives, of which the highest counted, while tiers add up: the highest stays.
    One without a condition in input values counted where no other fitted. Tiers cannot say that, so it is left out,
    unless it is the highest of all: then it alone stays.
    """
    whens = [price.when if _may_hold(price.when, inputs) else {} for price in prices]
    highest_first = sorted(zip(prices, whens, strict=True), key=lambda pair: pair[0].usd, reverse=True)
    dearest, condition = highest_first[0]
    tiers = [(dearest, condition)]
    for price, when in highest_first[1:]:
        if condition and when and all(when != other for _, other in tiers):
            tiers.append((price, when))
    return PriceTable.model_validate(
        {
            "tiers": [{"metric": "image_output_count", "usd": price.usd, "when": when} for price, when in tiers],
            "confidence": dearest.confidence if dearest.confidence in get_args(Confidence) else "user",
            "source": dearest.source,
            "date": dearest.date,
            "doubt": _SEVERAL_IN_WORDS if len(tiers) < len(prices) else "",
        }
    )


def _may_hold(when: Mapping[str, JsonValue], inputs: Mapping[str, ModelInput]) -> bool:
    """Whether all inputs of the condition exist and can have these values."""
    return all(
        name in inputs and (not inputs[name].enum or not inputs[name].enum_complete or value in inputs[name].enum)
        for name, value in when.items()
    )
