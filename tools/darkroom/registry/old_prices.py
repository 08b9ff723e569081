"""Prices as a model file of version 0.1.0 states them: one `[[prices]]` table for each price of an image.

People have such files in their models folder, so they are still read; the models that come with darkroom have none.
"""

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from darkroom.registry.model_input import Facts, ModelInput
from darkroom.registry.price import MOST_USD, Confidence

_SEVERAL_IN_WORDS = "The model file has several prices; the highest that may apply is taken."


class _OldPrice(Facts):
    """US dollars for one image; `condition` in words, and `when` in input values where the words name some."""

    usd: float = Field(ge=0, le=MOST_USD)
    unit: Literal["image"] = "image"
    condition: str = ""
    when: dict[str, JsonValue] = {}
    source: str = ""
    date: str = ""
    confidence: str = ""


class _OldFile(BaseModel):
    """The part of a model file that is needed to read its prices."""

    model_config = ConfigDict(defer_build=True)

    prices: tuple[_OldPrice, ...]
    inputs: tuple[ModelInput, ...]


def with_price_table(facts: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """The facts of a model file, with its `[[prices]]`, if it has any, as the tiers of a price table.

    Prices for the same inputs were alternatives, of which the highest counted, while tiers add up: the highest stays.

    Raises: ValidationError where a price has a wrong field.
    """
    if "prices" not in facts:
        return facts
    rest = {field: value for field, value in facts.items() if field != "prices"}
    file = _OldFile.model_validate(facts)
    if not file.prices or "price" in facts:
        return rest
    rest["price"] = _table_of(file)
    return rest


def _table_of(file: _OldFile) -> JsonValue:
    inputs = {item.name: item for item in file.inputs}
    prices = [
        price if _may_hold(price.when, inputs) else price.model_copy(update={"when": {}}) for price in file.prices
    ]
    tiers = _tiers_of(prices)
    dearest = tiers[0]
    return {
        "tiers": [{"metric": "image_output_count", "usd": tier.usd, "when": tier.when} for tier in tiers],
        "confidence": dearest.confidence if dearest.confidence in get_args(Confidence) else "user",
        "source": dearest.source,
        "date": dearest.date,
        "doubt": _SEVERAL_IN_WORDS if len(tiers) < len(prices) else "",
    }


def _may_hold(when: Mapping[str, JsonValue], inputs: Mapping[str, ModelInput]) -> bool:
    """Whether all inputs of the condition exist and can have these values."""
    return all(
        name in inputs and (not inputs[name].enum or not inputs[name].enum_complete or value in inputs[name].enum)
        for name, value in when.items()
    )


def _tiers_of(prices: Iterable[_OldPrice]) -> list[_OldPrice]:
    """The prices that become tiers, highest first.

    A price without a condition in input values counted where no other fitted. Tiers cannot say that, so it is left
    out, unless it is the highest of all: then it alone stays.
    """
    by_price = sorted(prices, key=lambda price: price.usd, reverse=True)
    if not by_price[0].when:
        return by_price[:1]
    found: list[_OldPrice] = []
    for price in by_price:
        if price.when and all(price.when != other.when for other in found):
            found.append(price)
    return found
