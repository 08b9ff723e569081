"""Words of a prompt that name what the model, taken because none was named, cannot do. Nothing is refused for them."""

from collections.abc import Iterator

from darkroom.registry import ImageRequest, Model, prompt_wish

_SVG = ("text_to_svg",)
_CUT_OUT = ("remove_background",)
_TRANSPARENT = "transparent"


def unmet_wishes(model: Model, request: ImageRequest) -> Iterator[str]:
    """A note for each; cautious, as a prompt may only speak of such a thing."""
    wish = prompt_wish(model, request.prompt)
    bare = model.name.partition("/")[2]
    if request.output_format == "auto" and not model.output.svg and _SVG in wish.tasks:
        yield f"'{bare}' draws no vector graphics; if the user wants one, give output_format='svg'."
    is_cut_out = _CUT_OUT in wish.tasks and bool(request.images)
    is_transparent = any(_TRANSPARENT in must for must in wish.musts)
    if _CUT_OUT[0] not in model.tasks and (is_cut_out or is_transparent):
        yield _words(bare, "makes no transparency", "transparent background")
    is_larger = any("upscale" in task for task in wish.tasks) and bool(request.images)
    if is_larger and not {"upscale", "enhance"} & set(model.tasks):
        yield _words(bare, "changes pictures and does not upscale them", "upscale")


def _words(bare: str, cannot: str, query: str) -> str:
    return f"'{bare}' {cannot}; if that is wanted, list_models(query='{query}') finds models that can."
