"""What a prediction will cost, before it is made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from darkroom.pricing.tiers import every_group, possible_groups
from darkroom.pricing.units import Sizes, Units
from darkroom.registry import Model, Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """US dollars: the most that it can cost, and what it usually does. Both None where the price is unknown.

    `is_bound` False: the model is billed by time, so `most_usd` is only two and a half times the usual.
    """

    most_usd: float | None = None
    usual_usd: float | None = None
    is_bound: bool = True


UNPRICED = Estimate()
FREE = Estimate(most_usd=0.0, usual_usd=0.0)


def estimate(model: Model, input: Mapping[str, JsonValue], sizes: Sizes | None = None) -> Estimate:
    """By the dearest tier that these inputs allow; an image in `sizes` counts with its own megapixels.

    An image of unknown size, and an output whose size the inputs do not say, count as the largest that there can be.
    """
    table = model.price
    if table is None:
        return UNPRICED
    seen = model.with_defaults(input)
    groups = possible_groups(model, table, seen)
    most, usual = (
        Units(model=model, table=table, input=seen, sizes=sizes or {}, at_most=at_most) for at_most in (True, False)
    )
    if any(_has_unknown_seconds(tier, most) for group in groups for tier in group):
        return UNPRICED
    sums = [(sum(tier.usd * most.of(tier) for tier in group), group) for group in groups]
    most_usd, dearest = max(sums, key=lambda each: each[0])
    usual_usd = sum(tier.usd * usual.of(tier) for tier in dearest)
    if any(tier.is_typical for tier in dearest):
        most_usd *= 2.5
    has_bound = all(tier.has_bound for tier in dearest)
    return Estimate(most_usd=round(most_usd, 6), usual_usd=round(usual_usd, 6), is_bound=has_bound)


def price_range(model: Model) -> tuple[float, float] | None:
    """The lowest and the highest usual price of one image, over all tiers; None where it is unknown."""
    if (table := model.price) is None:
        return None
    one = model.with_defaults({}) | {table.count_input or model.concepts.count: 1}
    usual = Units(model=model, table=table, input=one, sizes={}, at_most=False)
    groups = every_group(table)
    if any(_has_unknown_seconds(tier, usual) for group in groups for tier in group):
        return None
    sums = [round(sum(tier.usd * usual.of(tier) for tier in group), 6) for group in groups]
    return (min(sums), max(sums))


def total_estimate(estimates: Sequence[Estimate]) -> Estimate:
    """All parts of one request; unknown where one is."""
    most = [each.most_usd for each in estimates if each.most_usd is not None]
    usual = [each.usual_usd for each in estimates if each.usual_usd is not None]
    if len(most) < len(estimates):
        return UNPRICED
    is_bound = all(each.is_bound for each in estimates)
    return Estimate(most_usd=round(sum(most), 6), usual_usd=round(sum(usual), 6), is_bound=is_bound)


def _has_unknown_seconds(tier: Tier, units: Units) -> bool:
    return tier.is_by_time and tier.usd > 0 and not units.of(tier)
