"""Which technique makes a model's output: painting, or one of the edits, at the size that the input asks for."""

import io
import random
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageOps
from pydantic import JsonValue

from darkroom_server.sandbox.life import Prediction
from darkroom_server.sandbox.output_spec import MAX_SIDE_PX, Format, Size, format_of, size_of
from darkroom_server.sandbox.painter import edits
from darkroom_server.sandbox.painter.caption import captioned
from darkroom_server.sandbox.painter.compose import compose, words_of
from darkroom_server.sandbox.painter.palette import Palette, pick_palette
from darkroom_server.sandbox.painter.pixels import resized
from darkroom_server.sandbox.painter.raster import rasterise
from darkroom_server.sandbox.painter.scene import Scene
from darkroom_server.sandbox.painter.vector import to_svg


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePlan:
    """One output to make: number `index` of its prediction; the first of `images` leads."""

    prediction: Prediction
    index: int
    images: list[Image.Image]
    mask: Image.Image | None

    @property
    def caption(self) -> str:
        return self.prediction.weather.caption

    @property
    def palette(self) -> Palette:
        """The colours that the words ask for, else ones drawn for this seed and index."""
        rng = random.Random(f"{self.prediction.seed}|{self.index}|{self.caption}")
        return pick_palette(words_of(self.caption), rng)

    def value(self, name: str) -> JsonValue:
        """An input, with the model's default."""
        return self.prediction.model.with_defaults(self.prediction.stored.input).get(name)

    def scene(self, size: Size) -> Scene:
        """What the prompt asks for, in the shape of this width and height."""
        return compose(self.caption, self.prediction.seed, self.index, size[0] / size[1])

    def painted(self, size: Size) -> Image.Image:
        return rasterise(self.scene(size), *size)


Technique = Callable[[ImagePlan, Size], Image.Image]


def decoded(reference: str, content: bytes | None) -> Image.Image:
    """The image in these bytes; one painted after the reference if there are none or they cannot be read."""
    if content:
        try:
            opened = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
            return opened.convert("RGBA" if opened.has_transparency_data else "RGB")
        except (OSError, ValueError, Image.DecompressionBombError):
            pass
    return rasterise(compose(reference[-200:], 0, 0, 1.0), 768, 768)


def render(plan: ImagePlan) -> bytes:
    """The finished file. CPU work of 0.1 to 1 s: call it in a worker thread."""
    model, input = plan.prediction.model, plan.prediction.stored.input
    size = size_of(model, input, plan.images[0].size if plan.images else None)
    format = format_of(model, input)
    if format == "svg":
        return to_svg(plan.scene(size), *size, plan.caption).encode()
    technique = _technique(plan)
    image = technique(plan, size)
    image = image if technique is _repaint else captioned(image, plan.caption)
    if format == "jpg" and image.mode == "RGBA":  # JPEG shows transparent pixels white
        image = Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255)), image).convert("RGB")
    quality = plan.value(model.concepts.output_quality)
    name, options = _ENCODINGS[format]
    buffer = io.BytesIO()
    image.save(buffer, name, quality=min(100, max(1, quality)) if isinstance(quality, int) else 90, **options)
    return buffer.getvalue()


def _technique(plan: ImagePlan) -> Technique:
    model = plan.prediction.model
    if not plan.images:
        return ImagePlan.painted
    for task, technique in _BY_TASK.items():
        if task in model.tasks:
            return technique
    if "outpaint" in model.tasks and (plan.mask is None or plan.value("outpaint") not in (None, "None")):
        return _expand
    return _repaint if plan.mask else _BY_ROLE.get(model.concepts.image_role, _edit)


def _edit(plan: ImagePlan, size: Size) -> Image.Image:
    """Carry out an instruction: as a watercolour, else in the colours of its words."""
    joined = edits.side_by_side(plan.images, size)
    is_wash = {"watercolour", "watercolor"} & set(words_of(plan.caption))
    return edits.washed(joined) if is_wash else edits.toned(joined, plan.palette)


def _vary(plan: ImagePlan, size: Size) -> Image.Image:
    return edits.varied(edits.covering(plan.images[0], size), plan.palette, plan.prediction.seed + plan.index)


def _refer(plan: ImagePlan, size: Size) -> Image.Image:
    return edits.with_inset(plan.painted(size), plan.images[0])


def _replace_background(plan: ImagePlan, size: Size) -> Image.Image:
    cut = edits.cut_out(plan.images[0])
    ground = plan.painted(cut.size)
    ground.paste(cut, (0, 0), cut)
    return ground


def _enlarge(plan: ImagePlan, size: Size) -> Image.Image:
    """By the factor asked for, as far as 4096 px a side go."""
    image = plan.images[0]
    asked = str(plan.value(plan.prediction.model.concepts.upscale_factor) or "").rstrip("x")
    factor = float(asked) if asked.replace(".", "", 1).isdigit() else 2.0
    factor = max(1.0, min(factor, MAX_SIDE_PX / max(image.size)))
    return edits.enlarged(image, (round(image.width * factor), round(image.height * factor)))


def _repaint(plan: ImagePlan, size: Size) -> Image.Image:
    """Only the masked area changes; the caption stands inside it."""
    image = edits.covering(plan.images[0].convert("RGB"), size)
    mask = resized((plan.mask or image).convert("L"), size, is_smooth=False)
    if plan.prediction.model.concepts.mask_polarity != "white_is_edited":
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


def _expand(plan: ImagePlan, size: Size) -> Image.Image:
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
_BY_TASK: dict[str, Technique] = {
    "remove_background": lambda plan, size: edits.cut_out(plan.images[0]),
    "upscale": _enlarge,
    "background_replace": _replace_background,
}
_BY_ROLE: dict[str, Technique] = {
    "structure": lambda plan, size: edits.structured(plan.painted(size), plan.images[0]),
    "variation": _vary,
    "reference": _refer,
    "style_or_composition_reference": _refer,
    "face_reference": _refer,
    "character_reference": _refer,
}
