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
    input = _with_size_class(prices, input)
    fitting = [price for price in prices if price.when and _holds(price.when, input)]
    fitting = fitting or [price for price in prices if not price.when and not price.condition]
    return max((price.usd for price in fitting or prices), default=None)


def _holds(when: Mapping[str, JsonValue], input: Mapping[str, JsonValue]) -> bool:
    return all(input.get(name) == value for name, value in when.items())


def _with_size_class(prices: Sequence[Price], input: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    """An exact width and height fall into the smallest class of megapixels that holds them, whatever class is named."""
    width, height = input.get("width"), input.get("height")
    if not (isinstance(width, int) and isinstance(height, int)):
        return input
    classes = {
        (float(value.removesuffix(" MP")), name, value)
        for price in prices
        for name, value in price.when.items()
        if isinstance(value, str) and value.endswith(" MP")
    }
    names = {name: "" for _, name, _ in classes}  # beyond the largest class no price fits, so the highest counts
    fitting = sorted(each for each in classes if each[0] * 2**20 >= width * height)
    return {**input, **names, **({fitting[0][1]: fitting[0][2]} if fitting else {})}
