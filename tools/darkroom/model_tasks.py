"""What models are for, in our words, and those that are taken where a call names none.

Apart from the registry, because the server tells them at start. Prices stand here a second time, as reading the
registry would slow every start; a test holds both together.
"""

from dataclasses import dataclass
from typing import Literal, get_args

Task = Literal[
    "text_to_image",
    "image_edit",
    "multi_image_edit",
    "inpaint",
    "outpaint",
    "upscale",
    "enhance",
    "face_restore",
    "remove_background",
    "background_replace",
    "controlnet",
    "variation",
    "character_reference",
    "lora",
    "text_to_svg",
]

TASKS: tuple[Task, ...] = get_args(Task)


@dataclass(frozen=True, slots=True)
class UsualModel:
    """A model with what it is taken for, in words, and the usual price of one image as `list_models` words it."""

    name: str
    does: str
    price: str


DRAW = UsualModel("black-forest-labs/flux-schnell", "draws", "$0.003")
# The cheapest editor with a published price that follows instructions and takes a seed.
EDIT = UsualModel("black-forest-labs/flux-kontext-dev", "edits one image", "$0.025")
EDIT_SEVERAL = UsualModel("google/nano-banana", "edits several", "$0.039")
EDIT_MASKED = UsualModel("black-forest-labs/flux-fill-pro", "edits under a mask", "$0.05")
DRAW_SVG = UsualModel("recraft-ai/recraft-v4.1-svg", "draws SVG", "$0.04")

USUAL_MODELS = (DRAW, EDIT, EDIT_SEVERAL, EDIT_MASKED, DRAW_SVG)
