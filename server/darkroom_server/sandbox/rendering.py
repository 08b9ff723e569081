"""Which technique makes a model's output: painting, or one of the edits, at the size that the input asks for."""

import io
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import JsonValue

from darkroom.registry import Model
from darkroom_server.sandbox.output_spec import MAX_SIDE_PX, Format, OutputSpec, Size, spec_of
from darkroom_server.sandbox.painter import edits
from darkroom_server.sandbox.painter.caption import captioned
from darkroom_server.sandbox.painter.compose import compose, words_of
from darkroom_server.sandbox.painter.palette import Palette, pick_palette
from darkroom_server.sandbox.painter.pixels import resized
from darkroom_server.sandbox.painter.raster import rasterise
from darkroom_server.sandbox.painter.vector import to_svg

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePlan:
    """One output to make: number `index` of its prediction; `images` and `mask` are decoded, the first image leads."""

    model: Model
    input: dict[str, JsonValue]
    caption: str
    seed: int
    index: int
    images: "list[Image]"
    mask: "Image | None"

    @property
    def palette(self) -> Palette:
        """The colours that the words ask for, else ones drawn for this seed and index."""
        return pick_palette(words_of(self.caption), random.Random(f"{self.seed}|{self.index}|{self.caption}"))

    def value(self, name: str) -> JsonValue:
        """An input, with the model's default."""
        return self.model.with_defaults(self.input).get(name)

    def painted(self, size: Size) -> "Image":
        """What the prompt asks for, in pixels of this width and height."""
        return rasterise(compose(self.caption, self.seed, self.index, size[0] / size[1]), *size)


def render(plan: ImagePlan) -> bytes:
    """The finished file. CPU work of 0.1 to 1 s: call it in a worker thread."""
    spec = spec_of(plan.model, plan.input, plan.images[0].size if plan.images else None)
    size = spec.width_px, spec.height_px
    if spec.format == "svg":
        return to_svg(compose(plan.caption, plan.seed, plan.index, size[0] / size[1]), *size, plan.caption).encode()
    technique = _technique(plan)
    image = technique(plan, size)
    return _encoded(image if technique is _repaint else captioned(image, plan.caption), spec)


def _encoded(image: "Image", spec: OutputSpec) -> bytes:
    """PNG, JPEG or WebP bytes; JPEG shows transparent pixels white."""
    from PIL import Image

    if spec.format == "jpg" and image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255)), image).convert("RGB")
    name, options = _ENCODINGS[spec.format]
    buffer = io.BytesIO()
    image.save(buffer, name, quality=spec.quality, **options)
    return buffer.getvalue()


def _technique(plan: ImagePlan) -> "Callable[[ImagePlan, Size], Image]":
    if not plan.images:
        return ImagePlan.painted
    for task, technique in _BY_TASK.items():
        if task in plan.model.tasks:
            return technique
    if "outpaint" in plan.model.tasks and (plan.mask is None or plan.value("outpaint") not in (None, "None")):
        return _expand
    return _repaint if plan.mask else _BY_ROLE.get(plan.model.concepts.image_role, _edit)


def _edit(plan: ImagePlan, size: Size) -> "Image":
    """Carry out an instruction: as a watercolour, else in the colours of its words."""
    joined = edits.side_by_side(plan.images, size)
    is_wash = {"watercolour", "watercolor"} & set(words_of(plan.caption))
    return edits.washed(joined) if is_wash else edits.toned(joined, plan.palette)


def _vary(plan: ImagePlan, size: Size) -> "Image":
    return edits.varied(edits.covering(plan.images[0], size), plan.palette, plan.seed + plan.index)


def _refer(plan: ImagePlan, size: Size) -> "Image":
    return edits.with_inset(plan.painted(size), plan.images[0])


def _structure(plan: ImagePlan, size: Size) -> "Image":
    return edits.structured(plan.painted(size), plan.images[0])


def _cut_out(plan: ImagePlan, size: Size) -> "Image":
    return edits.cut_out(plan.images[0])


def _replace_background(plan: ImagePlan, size: Size) -> "Image":
    cut = edits.cut_out(plan.images[0])
    ground = plan.painted(cut.size)
    ground.paste(cut, (0, 0), cut)
    return ground


def _enlarge(plan: ImagePlan, size: Size) -> "Image":
    """By the factor asked for, as far as 4096 px a side go."""
    image = plan.images[0]
    asked = str(plan.value(plan.model.concepts.upscale_factor) or "").rstrip("x")
    factor = float(asked) if asked.replace(".", "", 1).isdigit() else 2.0
    factor = max(1.0, min(factor, MAX_SIDE_PX / max(image.size)))
    return edits.enlarged(image, (round(image.width * factor), round(image.height * factor)))


def _repaint(plan: ImagePlan, size: Size) -> "Image":
    """Only the masked area changes; the caption stands inside it."""
    from PIL import Image, ImageOps

    image = edits.covering(plan.images[0].convert("RGB"), size)
    mask = resized((plan.mask or image).convert("L"), size, is_smooth=False)
    if plan.model.concepts.mask_polarity != "white_is_edited":
        mask = ImageOps.invert(mask)
    left, top, right, bottom = edits.white_box(mask)
    painted = image.copy()
    painted.paste(captioned(plan.painted((right - left, bottom - top)), plan.caption), (left, top))
    return Image.composite(painted, image, mask)


# outpaint action -> how far the canvas grows, as shares of the image's width and height: left, top, right, bottom
_GROWTH = {
    "Zoom out 1.5x": (0.25, 0.25, 0.25, 0.25),
    "Zoom out 2x": (0.5, 0.5, 0.5, 0.5),
    "Left outpaint": (0.5, 0.0, 0.0, 0.0),
    "Right outpaint": (0.0, 0.0, 0.5, 0.0),
    "Top outpaint": (0.0, 0.5, 0.0, 0.0),
    "Bottom outpaint": (0.0, 0.0, 0.0, 0.5),
}


def _expand(plan: ImagePlan, size: Size) -> "Image":
    """Paint around the image: by a named action, or around nine tenths of what fits into the size asked for."""
    image = plan.images[0]
    width, height = image.size
    action = plan.value("outpaint")
    if isinstance(action, str) and action in _GROWTH:
        left, top, right, bottom = _GROWTH[action]
        x, y = round(width * left), round(height * top)
        size = round(width * (1 + left + right)), round(height * (1 + top + bottom))
    else:
        if action == "Make square":
            size = max(image.size), max(image.size)
        else:
            shrink = 0.9 * min(size[0] / width, size[1] / height)
            width, height = round(width * shrink), round(height * shrink)
        x, y = (size[0] - width) // 2, (size[1] - height) // 2
    return edits.on_canvas(image, plan.painted(size), (x, y, x + width, y + height))


_ENCODINGS: dict[Format, tuple[str, dict[str, int]]] = {
    "png": ("PNG", {"compress_level": 4}),
    "jpg": ("JPEG", {}),
    "webp": ("WEBP", {"method": 1}),
}
_BY_TASK = {"remove_background": _cut_out, "upscale": _enlarge, "background_replace": _replace_background}
_BY_ROLE = {
    "structure": _structure,
    "variation": _vary,
    "reference": _refer,
    "style_or_composition_reference": _refer,
    "face_reference": _refer,
    "character_reference": _refer,
}
