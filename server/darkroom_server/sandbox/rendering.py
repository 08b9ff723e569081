"""From a plan to the bytes of its file: painted, or in one of the techniques that edit the images given."""

import io
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps
from pydantic import JsonValue

from darkroom_server.sandbox.life import Prediction
from darkroom_server.sandbox.output_spec import MAX_SIDE_PX, Size, format_of, size_of
from darkroom_server.sandbox.painter.caption import captioned
from darkroom_server.sandbox.painter.compose import compose, words_of
from darkroom_server.sandbox.painter.palette import pick_palette
from darkroom_server.sandbox.painter.pixels import mapped, resized
from darkroom_server.sandbox.painter.raster import rasterise
from darkroom_server.sandbox.painter.scene import Scene, mix
from darkroom_server.sandbox.painter.vector import to_svg

# outpaint action -> the canvas in widths and heights of the image, and the shares of what is new at its left and top
_GROWTH = {
    "Zoom out 1.5x": (1.5, 1.5, 0.5, 0.5),
    "Zoom out 2x": (2.0, 2.0, 0.5, 0.5),
    "Left outpaint": (1.5, 1.0, 1.0, 0.0),
    "Right outpaint": (1.5, 1.0, 0.0, 0.0),
    "Top outpaint": (1.0, 1.5, 0.0, 1.0),
    "Bottom outpaint": (1.0, 1.5, 0.0, 0.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePlan:
    """One output to make: number `index` of its prediction; the first of `images` leads.

    What is larger than `painted_px` is painted with as many pixels and enlarged.
    """

    prediction: Prediction
    index: int
    images: list[Image.Image]
    mask: Image.Image | None
    painted_px: int

    @property
    def caption(self) -> str:
        return self.prediction.weather.caption

    def value(self, name: str) -> JsonValue:
        """An input, with the model's default."""
        return self.prediction.model.with_defaults(self.prediction.stored.input).get(name)

    def scene(self, size: Size) -> Scene:
        """What the prompt asks for, in the shape of this width and height."""
        return compose(self.caption, self.prediction.seed, self.index, size[0] / size[1])

    def painted(self, size: Size) -> Image.Image:
        return rasterise(self.scene(size), *size, painted_px=self.painted_px)


Technique = Callable[[ImagePlan, Size], Image.Image]


def decoded(reference: str, content: bytes | None) -> Image.Image:
    """The image in these bytes; one painted after the reference if there are none or they cannot be read."""
    if content:
        with suppress(OSError, ValueError, Image.DecompressionBombError):
            opened = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
            return opened.convert("RGBA" if opened.has_transparency_data else "RGB")
    return rasterise(compose(reference[-200:], 0, 0, 1.0), 768, 768, painted_px=768 * 768)


def render(plan: ImagePlan) -> bytes:
    """The finished file. CPU work of 0.1 to 1 s: call it in a worker thread."""
    model, size = plan.prediction.model, _asked_size(plan)
    format = format_of(model, plan.prediction.stored.input)
    if format == "svg":
        return to_svg(plan.scene(size), *size, plan.caption).encode()
    technique = _technique(plan)
    image = technique(plan, size)
    if technique is not repaint:
        image = captioned(image, plan.caption)
    if format == "jpg" and image.mode == "RGBA":  # JPEG shows transparent pixels white
        image = Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255)), image).convert("RGB")
    asked = plan.value(model.concepts.output_quality)
    quality = min(100, max(1, asked)) if isinstance(asked, int) else 90
    buffer = io.BytesIO()
    # PNG alone reads compress_level, WebP alone method: both make it fast.
    image.save(buffer, "jpeg" if format == "jpg" else format, quality=quality, compress_level=1, method=0)
    return buffer.getvalue()


def painted_size(plan: ImagePlan) -> Size:
    """Width and height of what `render` would give, for every technique that keeps to a size; without painting it."""
    return _enlarged_size(plan) if _technique(plan) is enlarge else _asked_size(plan)


def _asked_size(plan: ImagePlan) -> Size:
    source = plan.images[0].size if plan.images else None
    return size_of(plan.prediction.model, plan.prediction.stored.input, source)


def _technique(plan: ImagePlan) -> Technique:
    model = plan.prediction.model
    if not plan.images:
        return ImagePlan.painted
    for task, technique in _BY_TASK.items():
        if task in model.tasks:
            return technique
    if "outpaint" in model.tasks and (plan.mask is None or plan.value("outpaint") not in (None, "None")):
        return expand
    if plan.mask:
        return repaint
    return edit if model.concepts.image_role in ("source", "inpaint_source", "variation") else refer


def edit(plan: ImagePlan, size: Size) -> Image.Image:
    """Carry out an instruction: its light and shade in the colours of its words."""
    width, height = size
    canvas = Image.new("RGB", size)
    edges = [round(width * number / len(plan.images)) for number in range(len(plan.images) + 1)]
    for image, left, right in zip(plan.images, edges, edges[1:], strict=False):
        canvas.paste(ImageOps.fit(image.convert("RGB"), (max(1, right - left), height)), (left, 0))
    rng = random.Random(f"{plan.prediction.seed}|{plan.index}|{plan.caption}")
    palette = pick_palette(words_of(plan.caption), rng)
    gray = ImageOps.autocontrast(canvas.convert("L"), cutoff=1)
    lightest = mix(palette.light, palette.ground, palette.dimness)
    return Image.blend(canvas, ImageOps.colorize(gray, palette.ground, lightest, palette.sky[-2]), 0.8)


def refer(plan: ImagePlan, size: Size) -> Image.Image:
    """A painted image with the one given pinned to a corner like a photograph on a wall."""
    painted = plan.painted(size)
    side, margin = round(min(painted.size) * 0.26), round(min(painted.size) * 0.05)
    edge = max(2, side // 22)
    card = ImageOps.expand(ImageOps.fit(plan.images[0].convert("RGB"), (side, side)), edge, (252, 249, 242))
    left, top = painted.width - margin - card.width, margin
    painted.paste((8, 8, 16), (left + edge, top + edge), Image.new("L", card.size, 90))
    painted.paste(card, (left, top))
    return painted


def cut_out(plan: ImagePlan, size: Size) -> Image.Image:
    """RGBA: the middle stays, within a soft oval; all around it is transparent."""
    image = plan.images[0].convert("RGBA")
    width, height = image.size
    oval = Image.new("L", image.size)
    ImageDraw.Draw(oval).ellipse((width * 0.14, height * 0.14, width * 0.86, height * 1.14), fill=255)
    soft = oval.filter(ImageFilter.GaussianBlur(min(image.size) / 24))
    image.putalpha(ImageChops.multiply(soft, image.getchannel("A")))
    return image


def replace_background(plan: ImagePlan, size: Size) -> Image.Image:
    cut = cut_out(plan, size)
    return Image.composite(cut.convert("RGB"), plan.painted(cut.size), cut.getchannel("A"))


def enlarge(plan: ImagePlan, size: Size) -> Image.Image:
    """Sharpened, by the factor asked for, as far as 4096 px a side go."""
    large = resized(plan.images[0], _enlarged_size(plan))
    return large.filter(ImageFilter.UnsharpMask(radius=2, percent=90, threshold=2))


def _enlarged_size(plan: ImagePlan) -> Size:
    image = plan.images[0]
    asked = str(plan.value(plan.prediction.model.concepts.upscale_factor) or "").rstrip("x")
    factor = float(asked) if asked.replace(".", "", 1).isdigit() else 2.0
    factor = max(1.0, min(factor, MAX_SIDE_PX / max(image.size)))
    return round(image.width * factor), round(image.height * factor)


def repaint(plan: ImagePlan, size: Size) -> Image.Image:
    """Only the masked area changes; the caption stands inside it."""
    image = ImageOps.fit(plan.images[0].convert("RGB"), size)
    mask = resized((plan.mask or image).convert("L"), size, Image.Resampling.NEAREST)
    if plan.prediction.model.concepts.mask_polarity != "white_is_edited":
        mask = ImageOps.invert(mask)
    white = mapped(mask, [255 if value > 127 else 0 for value in range(256)])
    left, top, right, bottom = white.getbbox() or (0, 0, *mask.size)
    painted = image.copy()
    painted.paste(captioned(plan.painted((right - left, bottom - top)), plan.caption), (left, top))
    return Image.composite(painted, image, mask)


def expand(plan: ImagePlan, size: Size) -> Image.Image:
    """Paint around the image: by a named action, or around nine tenths of what fits into the size asked for."""
    image = plan.images[0]
    width, height = image.size
    action = str(plan.value("outpaint"))
    wider, higher, left, top = _GROWTH.get(action, (0.0, 0.0, 0.5, 0.5))
    if action in _GROWTH:
        size = round(width * wider), round(height * higher)
    elif action == "Make square":
        size = max(image.size), max(image.size)
    else:
        shrink = 0.9 * min(size[0] / width, size[1] / height)
        width, height = round(width * shrink), round(height * shrink)
    place = int((size[0] - width) * left), int((size[1] - height) * top)
    inner = ImageOps.fit(image.convert("RGB"), (max(1, width), max(1, height)))
    painted = plan.painted(size)
    painted.paste(inner, place)
    return painted


_BY_TASK = {"remove_background": cut_out, "upscale": enlarge, "background_replace": replace_background}
