"""Which technique makes a model's output: painting, or one of the edits, on the frame that the input asks for."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import JsonValue

from darkroom.registry import Model
from darkroom_server.sandbox.frame import MAX_SIDE_PX, Frame, frame_of
from darkroom_server.sandbox.painter import edits
from darkroom_server.sandbox.painter.caption import captioned
from darkroom_server.sandbox.painter.compose import compose
from darkroom_server.sandbox.painter.encode import encode
from darkroom_server.sandbox.painter.palette import Palette, pick_palette
from darkroom_server.sandbox.painter.pixels import resized
from darkroom_server.sandbox.painter.raster import rasterise
from darkroom_server.sandbox.painter.vector import to_svg

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One output to make: number `index` of its prediction; `images` and `mask` are decoded, the first image leads."""

    model: Model
    input: dict[str, JsonValue]
    caption: str
    seed: int
    index: int
    images: "list[Image]"
    mask: "Image | None"

    @property
    def frame(self) -> Frame:
        return frame_of(self.model, self.input, self.images[0].size if self.images else None)

    @property
    def palette(self) -> Palette:
        """The colours that the words ask for, else ones drawn for this seed and index."""
        return pick_palette(
            tuple(self.caption.lower().split()), random.Random(f"{self.seed}|{self.index}|{self.caption}")
        )

    def value(self, name: str) -> JsonValue:
        """An input, with the model's default."""
        return self.model.with_defaults(self.input).get(name)


def make(order: Order) -> bytes:
    """The finished file. CPU work of 0.1 to 1 s: call it in a worker thread."""
    frame = order.frame
    if frame.format == "svg":
        scene = compose(order.caption, order.seed, order.index, frame.ratio)
        return to_svg(scene, frame.width_px, frame.height_px, order.caption).encode()
    return encode(_technique(order)(order, frame), frame.format, frame.quality)


def _technique(order: Order) -> "Callable[[Order, Frame], Image]":
    tasks = order.model.tasks
    if not order.images:
        return _paint
    if "remove_background" in tasks:
        return _cut_out
    if "upscale" in tasks:
        return _enlarge
    if "background_replace" in tasks:
        return _replace_background
    if "outpaint" in tasks and (order.mask is None or order.value("outpaint") not in (None, "None")):
        return _expand
    if order.mask is not None:
        return _repaint
    return _BY_ROLE.get(order.model.concepts.image_role, _edit)


def _scene(order: Order, width_px: int, height_px: int) -> "Image":
    return rasterise(compose(order.caption, order.seed, order.index, width_px / height_px), width_px, height_px)


def _paint(order: Order, frame: Frame) -> "Image":
    return captioned(_scene(order, frame.width_px, frame.height_px), order.caption)


def _edit(order: Order, frame: Frame) -> "Image":
    """Carry out an instruction: the picture in the colours of its words."""
    joined = edits.side_by_side(order.images, (frame.width_px, frame.height_px))
    return captioned(edits.toned(joined, order.palette), order.caption)


def _vary(order: Order, frame: Frame) -> "Image":
    source = edits.covering(order.images[0], (frame.width_px, frame.height_px))
    return captioned(edits.varied(source, order.palette, order.seed + order.index), order.caption)


def _refer(order: Order, frame: Frame) -> "Image":
    return captioned(edits.with_inset(_scene(order, frame.width_px, frame.height_px), order.images[0]), order.caption)


def _structure(order: Order, frame: Frame) -> "Image":
    return captioned(edits.structured(_scene(order, frame.width_px, frame.height_px), order.images[0]), order.caption)


def _cut_out(order: Order, frame: Frame) -> "Image":
    return captioned(edits.cut_out(order.images[0]), order.caption)


def _replace_background(order: Order, frame: Frame) -> "Image":
    cut = edits.cut_out(order.images[0])
    ground = _scene(order, *cut.size)
    ground.paste(cut, (0, 0), cut)
    return captioned(ground, order.caption)


def _enlarge(order: Order, frame: Frame) -> "Image":
    """By the factor asked for, as far as 4096 px a side go."""
    image = order.images[0]
    asked = str(order.value(order.model.concepts.upscale_factor) or "").rstrip("x")
    factor = float(asked) if asked.replace(".", "", 1).isdigit() else 2.0
    factor = max(1.0, min(factor, MAX_SIDE_PX / max(image.size)))
    size = (round(image.width * factor), round(image.height * factor))
    return captioned(edits.enlarged(image, size), order.caption)


def _repaint(order: Order, frame: Frame) -> "Image":
    """Only the masked area changes; the caption stands inside it."""
    from PIL import ImageOps

    size = (frame.width_px, frame.height_px)
    image = edits.covering(order.images[0].convert("RGB"), size)
    mask = (
        resized(order.mask.convert("L"), size, is_smooth=False)
        if order.mask
        else edits.covering(image.convert("L"), size)
    )
    if order.model.concepts.mask_polarity != "white_is_edited":
        mask = ImageOps.invert(mask)
    left, top, right, bottom = edits.white_box(mask)
    painted = image.copy()
    painted.paste(captioned(_scene(order, right - left, bottom - top), order.caption), (left, top))
    return edits.repainted(image, mask, painted)


# outpaint action -> how far the canvas grows, as shares of the picture's width and height: left, top, right, bottom
_GROWTH = {
    "Zoom out 1.5x": (0.25, 0.25, 0.25, 0.25),
    "Zoom out 2x": (0.5, 0.5, 0.5, 0.5),
    "Left outpaint": (0.5, 0.0, 0.0, 0.0),
    "Right outpaint": (0.0, 0.0, 0.5, 0.0),
    "Top outpaint": (0.0, 0.5, 0.0, 0.0),
    "Bottom outpaint": (0.0, 0.0, 0.0, 0.5),
}


def _expand(order: Order, frame: Frame) -> "Image":
    """Paint around the picture: by a named action, or to fill the frame that the input asks for."""
    image = order.images[0]
    action = str(order.value("outpaint"))
    left, top, right, bottom = _GROWTH.get(action, (0.0, 0.0, 0.0, 0.0))
    width, height = round(image.width * (1 + left + right)), round(image.height * (1 + top + bottom))
    x, y = round(image.width * left), round(image.height * top)
    if action == "Make square":
        width = height = max(image.size)
        x, y = (width - image.width) // 2, (height - image.height) // 2
    if action not in _GROWTH and action != "Make square":
        return _within(order, frame)
    canvas = _scene(order, width, height)
    return captioned(edits.on_canvas(image, canvas, (x, y, x + image.width, y + image.height)), order.caption)


def _within(order: Order, frame: Frame) -> "Image":
    """The picture whole in the middle of the frame, at nine tenths of what fits."""
    image = order.images[0]
    shrink = 0.9 * min(frame.width_px / image.width, frame.height_px / image.height)
    wide, tall = round(image.width * shrink), round(image.height * shrink)
    left, top = (frame.width_px - wide) // 2, (frame.height_px - tall) // 2
    canvas = _scene(order, frame.width_px, frame.height_px)
    return captioned(edits.on_canvas(image, canvas, (left, top, left + wide, top + tall)), order.caption)


_BY_ROLE = {
    "structure": _structure,
    "variation": _vary,
    "reference": _refer,
    "style_or_composition_reference": _refer,
    "face_reference": _refer,
    "character_reference": _refer,
}
