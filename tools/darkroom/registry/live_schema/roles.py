"""What an image is used for, and what the model is for: for notes and for the search, never a reason to refuse."""

import re
from collections.abc import Iterator

from darkroom.model_tasks import Task
from darkroom.registry.concepts import ImageRole
from darkroom.registry.live_schema.findings import Findings
from darkroom.registry.live_schema.schema import LiveInput

_IMG2IMG = re.compile(r"img2img|image.to.image|inpaint|upscal|tile")
_STRUCTURE_NAME = re.compile(r"control|canny|depth|pose|scribble|lineart|sketch|structure|hed|edge")
_STRUCTURE = re.compile(r"control ?(net|image)\b|structure|edge (map|detection)|depth map|scribble|as a guide")
_VARIED = re.compile(r"condition your output on|replaces the .*prompt")
_STYLE = re.compile(r"guide the (?:generation|style|composition)|style reference|with flux redux|composition")
_FACE = re.compile(r"\b(face|id) image\b|photos? of (your|a|the) face")
_ABOUT: dict[Task, re.Pattern[str]] = {
    "upscale": re.compile(r"upscal|super.?resol|enlarg"),
    "remove_background": re.compile(
        r"remov\w*(?: \w+){0,3} backgrounds?|background.?remov|rembg|remove-bg|cut-?out|matting|bgrem|birefnet|rmbg"
    ),
    "face_restore": re.compile(r"face.?restor|gfpgan|codeformer|restore (old )?(faces|photo)"),
}


def image_role(image: LiveInput, found: Findings, *, has_mask: bool) -> ImageRole:
    """By its name, then by its text; "source" where neither says otherwise."""
    about = found.about.lower()
    name, text = image.name.lower(), image.text.lower()
    roles: tuple[tuple[ImageRole, object], ...] = (
        ("inpaint_source", has_mask and _is_repainted(text, found)),
        ("structure", _STRUCTURE_NAME.search(name) or _STRUCTURE.search(text)),
        ("structure", "controlnet" in about and image.item.required and not _IMG2IMG.search(about + text)),
        ("variation", re.search(r"redux|variation", name) or "redux" in about or _VARIED.search(text)),
        ("character_reference", "character" in name),
        ("face_reference", _is_face(name, text, about, found)),
        ("style_or_composition_reference", re.search(r"image_prompt|style|ip_adapter", name) or _STYLE.search(text)),
        ("reference", "reference" in name),
        ("source", True),
    )
    return next(role for role, is_so in roles if is_so)


def _is_repainted(text: str, found: Findings) -> bool:
    mask = found.by_key.get("mask")
    if "img2img" in text:
        return False
    is_inpainted = "inpaint" in text and not re.search(r"image.to.image|\bor inpaint", text)
    return (mask is not None and mask.item.required) or "mask" in text or is_inpainted


def _is_face(name: str, text: str, about: str, found: Findings) -> bool:
    if _FACE.search(text) and "prompt" in found.concepts and "swap" not in about:
        return True
    is_named = re.search(r"face|subject|id_image|identity", name)
    return bool(is_named) and not re.search("restor|stylization|cartoon", about)


def find_tasks(found: Findings, *, is_svg: bool) -> tuple[Task, ...]:
    return tuple(dict.fromkeys(_tasks(found, is_svg=is_svg)))


def _tasks(found: Findings, *, is_svg: bool) -> Iterator[Task]:
    concepts, about, image = found.concepts, found.about.lower(), found.of("image")
    needs = image is not None and (image.item.required or "prompt" not in concepts)
    needs = needs or "several images with different" in found.unmapped.get("image", "")
    if "prompt" in concepts and not needs:
        yield "text_to_svg" if is_svg else "text_to_image"
    special: list[Task] = [task for task, pattern in _ABOUT.items() if needs and pattern.search(about)]
    yield from special
    role = concepts.get("image_role")
    if role == "structure":
        yield "controlnet"
    elif role == "variation":
        yield "variation"
    elif role in ("character_reference", "face_reference"):
        yield "character_reference"
    has_mask = "mask" in concepts and concepts["mask_polarity"] != "marks_area_to_preserve"
    if has_mask or "mask" in found.unmapped:
        yield "inpaint"
    if any("outpaint" in each.key for each in found.inputs) or ("outpaint" in about and "mask" in concepts):
        yield "outpaint"
    if "prompt" in concepts and image and role == "source" and not special:
        is_list = concepts["image_arity"] == "list"
        if is_list and concepts.get("image_max", 2) > 1:
            yield "multi_image_edit"
        yield "image_edit"
    if "lora" in concepts:
        yield "lora"
