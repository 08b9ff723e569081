"""list_models: the registry as the assistant reads it. Asks no gateway and costs nothing."""

import datetime
from typing import get_args

from darkroom.errors import InvalidInput, InvalidRequest
from darkroom.pricing import estimate, price_range
from darkroom.registry import Found, Model, ModelRegistry, Ranked, Sort
from darkroom.reports import Limits, ModelReport, Sought, model_report, refused_models, table_report

_LONGEST_SHOWN = 100
_QUICK_S = 5.0
_SAYS_QUICK = ("fast", "quick", "sub-second")
_NEVER = float("inf")


def list_models(
    registry: ModelRegistry,
    *,
    query: str = "",
    task: str = "any",
    model: str = "",
    sort: Sort = "best",
    max_usd: float = 0.0,
    limit: int = 20,
    limits: Limits | None = None,
) -> ModelReport:
    """The models that can do it, in the order of `sort`; or, with `model`, everything about one.

    Words such as "cheap" and "fast" in the query sort too. Models that may charge more than `max_usd` US dollars
    for an image (0: no such wish) are marked and come last. An unknown name, task or order is named.
    `limits` are the person's: what they would refuse is marked.
    """
    limits = limits or Limits()
    try:
        if model:
            return model_report(registry.get(model), today=datetime.date.today(), limits=limits)
        models, sought = sought_models(registry, query=query, task=task, sort=sort, max_usd=max_usd)
    except InvalidRequest as error:
        return refused_models(error)
    return table_report(models[: max(limit, 0)], sought=sought, problems=registry.problems, limits=limits)


def sought_models(
    registry: ModelRegistry, *, query: str, task: str, sort: Sort, max_usd: float
) -> tuple[tuple[Model, ...], Sought]:
    """The models that can do it, as `list_models` orders them.

    Raises: InvalidInput for a task or an order that does not exist.
    """
    if sort not in get_args(Sort):
        raise InvalidInput(f"Unknown sort {sort!r}. Allowed: {', '.join(get_args(Sort))}.", field="sort")
    found = registry.ranked(query, task)
    order = sort if sort != "best" else found.sort
    prices = {row.model.name: _usual_usd(row.model) for row in found.rows}
    excess = {row.model.name: _excess(estimate(row.model, {}).most_usd, max_usd) for row in found.rows}
    words = (f'"{query[:_LONGEST_SHOWN]}"' if query else "", f"task {task}" if task != "any" else "")
    sought = Sought(
        words=" ".join(filter(None, words)),
        is_understood=found.is_understood or not query.strip(),
        order=order,
        able=found.able,
        known=len(registry),
        over=frozenset(name for name, step in excess.items() if step == 2),
        max_usd=max_usd,
    )
    return tuple(_in_order(found, order, excess, prices)), sought


def _in_order(found: Found, order: Sort, excess: dict[str, int], prices: dict[str, float | None]) -> list[Model]:
    """What can do most comes first in each order; only within that do price and speed count."""

    def key(row: Ranked) -> tuple[float, ...]:
        model, usd = row.model, prices[row.model.name]
        if order not in ("price", "speed"):
            return (excess[model.name],)
        if order == "price":
            return (excess[model.name], *row.misses, _NEVER if usd is None else usd)
        says_quick = any(each in model.best_for.lower() for each in _SAYS_QUICK)
        is_quick = model.typical_s <= _QUICK_S if model.typical_s else says_quick
        return (excess[model.name], *row.misses, not is_quick, model.typical_s or _NEVER)

    return [row.model for row in sorted(found.rows, key=key)]


def _excess(usd: float | None, max_usd: float) -> int:
    """0: within what an image may cost, 1: nobody knows, 2: above it."""
    if not max_usd:
        return 0
    if usd is None:
        return 1
    return 2 if usd > max_usd + 1e-9 else 0


def _usual_usd(model: Model) -> float | None:
    """What one image with the model's defaults usually costs; the highest of its prices where those do not tell."""
    if (usual := estimate(model, {}).usual_usd) is not None:
        return usual
    prices = price_range(model)
    return prices[1] if prices else None
