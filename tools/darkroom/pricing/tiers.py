"""Which tiers of a table an input, or the metrics of a prediction, can lead to."""

import json
from collections.abc import Mapping, Sequence
from itertools import groupby

from pydantic import JsonValue

from darkroom.registry import Model, PriceTable, Tier

Group = tuple[Tier, ...]
"""Tiers that are billed together."""


def every_group(table: PriceTable) -> Sequence[Group]:
    """Every way in which a prediction can be billed, as far as that is known before it runs."""
    groups = [group for group in _groups(table) if not any(tier.after_only for tier in group)]
    return [_always(table) + group for group in groups] or [_always(table)]


def possible_groups(model: Model, table: PriceTable, input: Mapping[str, JsonValue]) -> Sequence[Group]:
    """The groups that these inputs (defaults filled in) allow; every group where no value decides."""
    groups = every_group(table)
    return [group for group in groups if _fits(model, table, group[-1].when, input) is not False] or groups


def billed_groups(
    model: Model, table: PriceTable, input: Mapping[str, JsonValue], said: Mapping[str, str]
) -> Sequence[Group]:
    """The groups by which a prediction was billed: what its metrics say decides, where they say nothing the inputs."""
    named = [group for group in _groups(table) if _is_said(group, said)]
    return [_always(table) + group for group in named] or possible_groups(model, table, input)


def _always(table: PriceTable) -> Group:
    return tuple(tier for tier in table.tiers if not tier.when)


def _groups(table: PriceTable) -> list[Group]:
    """Tiers under the same conditions, in the order of the table."""
    some = sorted((tier for tier in table.tiers if tier.when), key=_conditions)
    return [tuple(group) for _, group in groupby(some, key=_conditions)]


def _conditions(tier: Tier) -> str:
    return json.dumps([tier.when, tier.criteria if tier.after_only else {}], sort_keys=True)


def _is_said(group: Group, said: Mapping[str, str]) -> bool:
    wanted = {name: value for tier in group for name, value in tier.criteria.items()}
    return bool(wanted) and all(said.get(name, "").casefold() == value.casefold() for name, value in wanted.items())


def _fits(
    model: Model, table: PriceTable, when: Mapping[str, JsonValue], input: Mapping[str, JsonValue]
) -> bool | None:
    """None where a value that no tier names leaves it open."""
    answers = [_holds(model, table, name, wanted, input.get(name)) for name, wanted in when.items()]
    return False if False in answers else None if None in answers else True


def _holds(model: Model, table: PriceTable, name: str, wanted: JsonValue, given: JsonValue) -> bool | None:
    if wanted == [] or (wanted == "any" and model.holds_image(model.inputs_by_name[name])):
        return bool(given) is (wanted == "any")
    if _same(given, wanted):
        return True
    is_decided = any(_same(given, tier.when.get(name)) for tier in table.tiers if name in tier.when)
    return False if is_decided else None


def _same(one: JsonValue, other: JsonValue) -> bool:
    """`Turbo` and `TURBO` are the same in these tables."""
    if isinstance(one, str) and isinstance(other, str):
        return one.casefold() == other.casefold()
    return type(one) is type(other) and one == other
