"""A cheaper way to an image that a limit refuses: other settings of the same model, else a model that does the same."""

from collections.abc import Iterator
from dataclasses import replace

from darkroom.darkroom import Darkroom
from darkroom.errors import DarkroomError
from darkroom.model_choice import can_do
from darkroom.pricing import estimate
from darkroom.registry import ImageRequest, Model, has_all, map_request, wanted_of
from darkroom.reports.amounts import usd

_NEW_IMAGE = ("text_to_svg", "text_to_image")


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
    for other in _alike(darkroom, model, request):
        cost = _cost_usd(other, replace(request, model=other.name, options={}))
        if cost is not None and cost <= left_usd:
            return f"'{other.name}' can do this for at most {usd(cost)} an image."
    goes_by_size = any("megapixel" in tier.metric for tier in model.price.tiers) if model.price else False
    return "Choose a smaller size." if goes_by_size else ""


def _alike(darkroom: Darkroom, model: Model, request: ImageRequest) -> Iterator[Model]:
    """Models for the same task and format that have what the prompt wants and this one has, best first."""
    if not (task := _task(model, request)):
        return
    musts = wanted_of(model, f"{request.prompt} {model.best_for}")
    for other in darkroom.registry.search(task=task, limit=len(darkroom.registry)):
        is_usable = other.name != model.name and not (other.required_secrets or other.deprecated)
        is_alike = other.output.svg == model.output.svg and has_all(other, musts)
        if is_usable and is_alike and can_do(other, request):
            yield other


def _task(model: Model, request: ImageRequest) -> str:
    """What this model is used for in this request; empty where nobody says what it does."""
    if request.mask and "inpaint" in model.tasks:
        return "inpaint"
    fitting = [each for each in model.tasks if (each in _NEW_IMAGE) != bool(request.images)]
    return next(iter((*fitting, *model.tasks)), "")


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
