"""What a prediction costs, as far as anyone has published it."""

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, JsonValue

from darkroom.registry.model_input import FROZEN


class Price(BaseModel):
    """US dollars for one image; `condition` in words, and `when` in input values where the words name some."""

    model_config = FROZEN

    usd: float
    unit: Literal["image"] = "image"
    condition: str = ""
    when: dict[str, JsonValue] = {}
    source: str = ""
    date: str = ""
    confidence: str = ""


def price_per_image(prices: Sequence[Price], input: Mapping[str, JsonValue]) -> float | None:
    """The price that fits this input (defaults filled in), the highest where several may fit, None where none is known."""
    fitting = [price for price in prices if price.when and _holds(price.when, input)]
    fitting = fitting or [price for price in prices if not price.when and not price.condition]
    return max((price.usd for price in fitting or prices), default=None)


def _holds(when: Mapping[str, JsonValue], input: Mapping[str, JsonValue]) -> bool:
    return all(input.get(name) == value for name, value in when.items())
