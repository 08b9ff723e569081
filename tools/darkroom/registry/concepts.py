"""Which input of a model carries which of our words: the concept map."""

from collections.abc import Iterable
from typing import Literal

from pydantic import JsonValue

from darkroom.registry.model_input import Facts, ModelInput

ImageRole = Literal[
    "source",
    "inpaint_source",
    "structure",
    "style_or_composition_reference",
    "reference",
    "variation",
    "face_reference",
    "character_reference",
]
MaskPolarity = Literal["white_is_edited", "black_is_edited", "marks_area_to_preserve"]

# Where a model file has no [concepts] table, an input with one of these names carries the concept (first hit wins).
_USUAL_NAMES: dict[str, tuple[str, ...]] = {
    **{name: (name,) for name in ("prompt", "negative_prompt", "aspect_ratio", "width", "height", "seed", "mask")},
    "count": ("num_outputs", "number_of_images"),
    "output_format": ("output_format",),
    "output_quality": ("output_quality", "output_compression"),
    "guidance": ("guidance", "guidance_scale", "cfg"),
    "steps": ("num_inference_steps", "steps"),
    "strength": ("prompt_strength", "strength"),
    "image": ("image", "input_image", "input_images", "image_input", "images", "reference_images", "image_prompt"),
    "fast_mode": ("go_fast",),
}


class Concepts(Facts):
    """Our word -> the name of this model's input; empty where it has none.

    The last fields are not names: how many images the image input takes (`image_max` 0 = not stated) and what it uses
    them for, what a white mask pixel means, and the values other inputs must have for an exact size, several images
    or an image at all. `match_input` is a switch that makes the output follow the image's shape, for models where
    `aspect_ratio` has no such value.
    """

    prompt: str = ""
    negative_prompt: str = ""
    aspect_ratio: str = ""
    match_input: str = ""
    width: str = ""
    height: str = ""
    size: str = ""
    count: str = ""
    seed: str = ""
    output_format: str = ""
    output_quality: str = ""
    guidance: str = ""
    steps: str = ""
    strength: str = ""
    image: str = ""
    mask: str = ""
    prompt_rewrite: str = ""
    safety: str = ""
    style: str = ""
    lora: str = ""
    lora_scale: str = ""
    render_quality: str = ""
    fast_mode: str = ""
    upscale_factor: str = ""
    image_arity: Literal["single", "list"] = "single"
    image_max: int = 0
    image_role: ImageRole = "source"
    image_requires_mask: bool = False
    mask_polarity: MaskPolarity = "white_is_edited"
    custom_size_requires: dict[str, JsonValue] = {}
    count_requires: dict[str, JsonValue] = {}

    def input_names(self) -> dict[str, str]:
        """Concept -> input name, for the concepts this model has."""
        no_names = ("image_arity", "image_role", "mask_polarity")
        return {concept: name for concept, name in self if isinstance(name, str) and name and concept not in no_names}


def usual_concepts(inputs: Iterable[ModelInput]) -> Concepts:
    """The concept map that the inputs' names suggest, for a model file without one."""
    by_name = {item.name: item for item in inputs}
    found = {concept: next((name for name in names if name in by_name), "") for concept, names in _USUAL_NAMES.items()}
    image = by_name.get(found["image"])
    arity = "list" if image and image.type == "array" else "single"
    return Concepts.model_validate({**found, "image_arity": arity, "image_max": image and image.max_items or 0})
