"""What models are for, in our words. Apart from the registry, because the tools' schemas need them at start."""

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
