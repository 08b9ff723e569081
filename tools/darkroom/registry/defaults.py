"""Which model draws when the caller names none."""

from darkroom.registry.request import ImageRequest

DEFAULT_MODEL = "black-forest-labs/flux-schnell"
# One image: the cheapest editor with a published price that follows instructions and takes a seed.
EDIT_DEFAULT_MODEL = "black-forest-labs/flux-kontext-dev"
SEVERAL_IMAGES_DEFAULT_MODEL = "google/nano-banana"
MASK_DEFAULT_MODEL = "black-forest-labs/flux-fill-pro"
SVG_DEFAULT_MODEL = "recraft-ai/recraft-v4-svg"


def default_model_for(request: ImageRequest) -> str:
    """The full name of a model that can do what was asked: vectors, masked edits, edits of several or one image, or drawing."""
    if request.output_format == "svg":
        return SVG_DEFAULT_MODEL
    if request.mask:
        return MASK_DEFAULT_MODEL
    if len(request.images) > 1:
        return SEVERAL_IMAGES_DEFAULT_MODEL
    return EDIT_DEFAULT_MODEL if request.images else DEFAULT_MODEL
