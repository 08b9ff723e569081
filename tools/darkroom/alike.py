"""Other models that do what one does, for a request that it is refused."""

from collections.abc import Iterator
from itertools import islice

from darkroom.darkroom import Darkroom
from darkroom.errors import InvalidInput
from darkroom.model_choice import can_do
from darkroom.registry import ImageRequest, Model, has_all, offers_shape, wanted_of

_NEW_IMAGE = ("text_to_svg", "text_to_image")
_NOTHING_SENT = " Nothing was sent."


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
