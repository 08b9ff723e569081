"""The images that a request gives, and the mask."""

from pydantic import JsonValue

from darkroom.registry.mapping import suggestions
from darkroom.registry.mapping.argument_inputs import ArgumentInputs, Input, refusal, refuse_unclear
from darkroom.registry.model import Model
from darkroom.registry.request import ImageRequest

_ROLES = {
    "structure": "guides the structure of the result and is not edited itself",
    "style_or_composition_reference": "is a reference for style and composition and is not edited itself",
    "reference": "is a reference and is not edited itself",
    "variation": "is varied as a whole",
    "face_reference": "is a reference for the face",
    "character_reference": "is a reference for the character",
}


def map_images(model: Model, request: ImageRequest, options: Input) -> ArgumentInputs:
    """One image or the list, under the model's name for it, with a note where it is not simply edited."""
    name = model.concepts.image
    if not request.images:
        given = [each for each in model.inputs if options.get(each.name) and each.name != model.concepts.mask]
        if model.needs_image and not any(map(model.holds_image, given)):
            words = f"'{model.name}' needs an image: give images a path, a URL or an earlier prediction."
            raise refusal("images", words)
        return ArgumentInputs()
    if not name:
        refuse_unclear(model, "image", "images")
        raise refusal("images", f"'{model.name}' takes no images. Models that edit: {suggestions.EDITING}.")
    if "" in request.images:
        raise refusal("images", f"images[{request.images.index('')}] is empty.")
    given, is_list = len(request.images), model.concepts.image_arity == "list"
    limit = (model.concepts.image_max or given) if is_list else 1
    if given > limit:
        images = "one image" if limit == 1 else f"at most {limit} images"
        others = f" Models that take several: {suggestions.SEVERAL_IMAGES_IN}." if limit == 1 else ""
        raise refusal("images", f"'{model.name}' takes {images}, and {given} were given.{others}")
    value: JsonValue = list(request.images) if is_list else request.images[0]
    role = _ROLES.get(model.concepts.image_role)
    notes = (f"With '{model.name}' the image {role}.",) if role else ()
    return ArgumentInputs(argument="images", asked={name: value}, notes=notes)


def map_mask(model: Model, request: ImageRequest, options: Input) -> ArgumentInputs:
    """The mask as the caller gave it: edited where it is white."""
    name = model.concepts.mask
    has_image = bool(request.images) or bool(options.get(model.concepts.image))
    if not request.mask:
        if model.concepts.image_requires_mask and has_image and not options.get(name):
            words = f"'{model.name}' only repaints the masked part of an image, so it needs a mask beside the image."
            raise refusal("mask", f"{words} To edit without one: {suggestions.EDITING}.")
        return ArgumentInputs()
    if not name:
        refuse_unclear(model, "mask", "mask")
        raise refusal("mask", f"'{model.name}' takes no mask. Models that repaint a masked part: {suggestions.MASKED}.")
    if model.concepts.mask_polarity == "marks_area_to_preserve":
        words = (
            f"The mask of '{model.name}' marks what is kept, not what is edited, so the mask argument does not fit it."
        )
        raise refusal("mask", f"{words} Give it as option '{name}' if you mean that, or use {suggestions.MASKED}.")
    if not has_image:
        raise refusal("mask", "A mask needs the image it belongs to: give it in images.")
    return ArgumentInputs(argument="mask", asked={name: request.mask})
