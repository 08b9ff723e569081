"""Which input of a model carries which of our words: the concept map."""

from typing import Literal

from pydantic import JsonValue

from darkroom.registry.model_input import Facts

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
