"""A cheaper way to an image that a limit refuses: other settings of the same model, else a model that does the same."""

from collections.abc import Iterator
from dataclasses import replace

from darkroom.alike import alike
from darkroom.darkroom import Darkroom
from darkroom.errors import DarkroomError
from darkroom.pricing import estimate
from darkroom.registry import ImageRequest, Model, map_request
from darkroom.reports.amounts import usd


def cheaper_way(darkroom: Darkroom, model: Model, request: ImageRequest, left_usd: float) -> str:
    """A sentence on what would fit into `left_usd` US dollars for one image, or on what there is to choose."""
    fitting = [
        (cost, settings)
        for settings in _other_settings(model, request)
        if (cost := _cost_usd(model, replace(request, options={**request.options, **settings}))) is not None
        and cost <= left_usd
    ]
    if fitting:
        cost, settings = max(fitting, key=lambda each: each[0])
        words = ", ".join(f"{name} '{value}'" for name, value in settings.items())
        return f"With {words} in model_options one costs at most {usd(cost)}."
    for other in alike(darkroom, model, request):
        cost = _cost_usd(other, replace(request, model=other.name, options={}))
        if cost is not None and cost <= left_usd:
            return f"'{other.name}' can do this for at most {usd(cost)} an image."
    goes_by_size = any("megapixel" in tier.metric for tier in model.price.tiers) if model.price else False
    return "Choose a smaller size." if goes_by_size else ""


def _other_settings(model: Model, request: ImageRequest) -> Iterator[dict[str, str]]:
    """The choices by which the price of the model goes."""
    for tier in model.price.tiers if model.price else ():
        settings = {name: value for name, value in tier.when.items() if isinstance(value, str) and value != "any"}
        if settings and not tier.after_only and settings != {name: request.options.get(name) for name in settings}:
            yield settings


def _cost_usd(model: Model, request: ImageRequest) -> float | None:
    """The most that one image costs; None where it has no bound, or the model does not take the request."""
    try:
        price = estimate(model, map_request(model, replace(request, count=1), draw_seed=lambda: 0).input)
    except DarkroomError:
        return None
    return price.most_usd if price.is_bound else None
