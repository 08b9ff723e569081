"""The price of a model in words, and whether a limit of the person would refuse it."""

import datetime
from dataclasses import dataclass
from itertools import groupby

from pydantic import JsonValue

from darkroom.pricing import estimate, price_range
from darkroom.registry import Model, Tier
from darkroom.reports.amounts import usd
from darkroom.reports.charge_words import DayLimit

_UNITS = {
    "run": "a run",
    "image_output_count": "an image",
    "image_output_megapixel": "a megapixel of output",
    "image_input_megapixel": "a megapixel of each input image",
    "image_input_count": "an input image",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The person's spending limits as they stand: US dollars a call, and what is left today."""

    call_usd: float | None = None
    day: DayLimit | None = None
    allow_unknown_price: bool = False

    def refuse(self, model: Model) -> bool:
        """Whether one image of it with the model's defaults would be refused."""
        most_usd = estimate(model, {}).most_usd
        rooms = [room for room in (self.call_usd, self.day.left_usd if self.day else None) if room is not None]
        if most_usd is None:
            return bool(rooms) and not self.allow_unknown_price
        return any(most_usd > room + 1e-9 for room in rooms)

    @property
    def words(self) -> str:
        """`$0.10 a call; $0.55 of $0.60 is left today`, empty where there is none."""
        call = f"{usd(self.call_usd)} a call" if self.call_usd is not None else ""
        return "; ".join(each for each in (call, self.day.words if self.day else "") if each)


def price_cell(model: Model) -> str:
    """`$0.003`, `$0.05-$0.08`, `~$0.0027` where it is billed by run time, or `unknown`."""
    if (prices := price_range(model)) is None:
        return "unknown"
    low, high = (usd(price) for price in prices)
    about = "" if model.price and model.price.has_bound else "~"
    return about + (low if low == high else f"{low}-{high}")


def price_words(model: Model, today: datetime.date) -> str:
    """Every tier, those that add up joined by +; when they were read only where that is long ago."""
    if (table := model.price) is None:
        return "unknown"
    groups = [list(group) for _, group in groupby(table.tiers, key=lambda tier: str(tier.when))]
    tiers = "; ".join(" + ".join(map(_tier_words, group)) + _when_words(group[0]) for group in groups)
    typical = f", about {table.typical_s:g} s a run" if table.typical_s else ""
    stale = f" ({read_words(model)}, stale: it may have changed)" if table.is_stale(today) else ""
    return f"{tiers}{typical}{stale}"


def read_words(model: Model) -> str:
    """`recorded 2026-10-05`: how the price was read, and when."""
    return f"{model.price.confidence} {model.price.date or 'at an unknown date'}" if model.price else "unknown"


def price_data(model: Model, limits: Limits) -> dict[str, JsonValue]:
    """The lowest and highest price of one image in US dollars, and whether a limit refuses it."""
    prices = price_range(model)
    return {"prices_usd": [*sorted(set(prices))] if prices else [], "is_over_limit": limits.refuse(model)}


def _tier_words(tier: Tier) -> str:
    if tier.is_by_time:
        return f"${tier.usd:g} a second on {tier.metric.partition(':')[2]}"
    unit = "a unit by output size" if tier.units else _UNITS.get(tier.metric, f"a unit of {tier.metric}")
    return f"{'about ' if tier.is_typical else ''}{usd(tier.usd)} {unit}"


def _when_words(tier: Tier) -> str:
    if tier.after_only:
        return " (only where the gateway says so afterwards)"
    words = {name: "none" if value == [] else value for name, value in tier.when.items()}
    return f" ({', '.join(f'{name} {value}' for name, value in words.items())})" if words else ""
