"""What the model taken cannot do, or is too dear for, and which others can: nothing is refused here."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from darkroom.darkroom import Darkroom
from darkroom.errors import DarkroomError, InvalidInput
from darkroom.model_choice import can_do
from darkroom.pricing import estimate
from darkroom.registry import ImageRequest, Model, has_all, map_request, offers_shape, prompt_wish, wanted_of
from darkroom.reports.amounts import usd

_NEW_IMAGE = ("text_to_svg", "text_to_image")
_NOTHING_SENT = " Nothing was sent."
_SVG = ("text_to_svg",)
_CUT_OUT = ("remove_background",)


def alike(darkroom: Darkroom, model: Model, request: ImageRequest) -> Iterator[Model]:
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


def with_other_models(darkroom: Darkroom, model: Model, request: ImageRequest, refusal: InvalidInput) -> InvalidInput:
    """The refusal of a shape also names models that have it; any other comes back as it is."""
    if refusal.field != "aspect_ratio":
        return refusal
    shape = request.aspect_ratio or f"{request.width}:{request.height}"
    names = [each.name for each in islice((m for m in alike(darkroom, model, request) if offers_shape(m, shape)), 2)]
    if not names:
        return refusal
    words = refusal.message.removesuffix(_NOTHING_SENT)
    return InvalidInput(
        f"{words} That shape is offered by {' and '.join(map(repr, names))}.{_NOTHING_SENT}", field=refusal.field
    )


def cheaper_way(darkroom: Darkroom, model: Model, request: ImageRequest, left_usd: float) -> str:
    """A sentence on what would fit into `left_usd` US dollars for one image, or on what there is to choose."""
    tiers = model.price.tiers if model.price else ()
    fitting: list[tuple[float, dict[str, str]]] = []
    for tier in tiers:
        settings = {name: value for name, value in tier.when.items() if isinstance(value, str) and value != "any"}
        if settings and not tier.after_only and settings != {name: request.options.get(name) for name in settings}:
            cost = _cost_usd(model, replace(request, options={**request.options, **settings}))
            fitting += [(cost, settings)] if cost is not None and cost <= left_usd else []
    if fitting:
        cost, settings = max(fitting, key=lambda each: each[0])
        words = ", ".join(f"{name} '{value}'" for name, value in settings.items())
        return f"With {words} in model_options one costs at most {usd(cost)}."
    for other in alike(darkroom, model, request):
        cost = _cost_usd(other, replace(request, model=other.name, options={}))
        if cost is not None and cost <= left_usd:
            return f"'{other.name}' can do this for at most {usd(cost)} an image."
    return "Choose a smaller size." if any("megapixel" in tier.metric for tier in tiers) else ""


def _cost_usd(model: Model, request: ImageRequest) -> float | None:
    """The most that one image costs; None where it has no bound, or the model does not take the request."""
    try:
        price = estimate(model, map_request(model, replace(request, count=1), draw_seed=lambda: 0).input)
    except DarkroomError:
        return None
    return price.most_usd if price.is_bound else None


def unmet_wishes(model: Model, request: ImageRequest) -> Iterator[str]:
    """A note for each word of a prompt that a model, taken because none was named, cannot do.

    Cautious, as a prompt may only speak of such a thing.
    """
    wish = prompt_wish(model, request.prompt)
    bare = model.name.partition("/")[2]
    other = f"'{bare}' {{}}; if that is wanted, list_models(query='{{}}') finds models that can."
    if request.output_format == "auto" and not model.output.svg and _SVG in wish.tasks:
        yield f"'{bare}' draws no vector graphics; if the user wants one, give output_format='svg'."
    is_cut_out = _CUT_OUT in wish.tasks and bool(request.images)
    is_transparent = any("transparent" in must for must in wish.musts)
    if _CUT_OUT[0] not in model.tasks and (is_cut_out or is_transparent):
        yield other.format("makes no transparency", "transparent background")
    is_larger = any("upscale" in task for task in wish.tasks) and bool(request.images)
    if is_larger and not {"upscale", "enhance"} & set(model.tasks):
        yield other.format("changes pictures and does not upscale them", "upscale")
