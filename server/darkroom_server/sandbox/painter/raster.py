"""Scenes to pixels with Pillow: gradients stretched from one column and pasted through masks, soft ones drawn small."""

import math
import random
from itertools import chain

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from darkroom_server.sandbox.painter.caption import lettered
from darkroom_server.sandbox.painter.pixels import mapped, resized
from darkroom_server.sandbox.painter.scene import Fill, Glow, Rgb, Scene

_OVERSAMPLE = 2
_GRAIN = 5
_GRAINS = 100_003  # a prime, so that rows which repeat are shifted


def rasterise(scene: Scene, width_px: int, height_px: int, *, painted_px: int) -> Image.Image:
    """The scene as an RGB image of exactly this size.

    What is larger than `painted_px` is painted with as many and enlarged: soft shapes look the same.
    """
    shrink = min(1.0, (painted_px / (width_px * height_px)) ** 0.5)
    size = (max(8, round(width_px * shrink)), max(8, round(height_px * shrink)))
    canvas = Image.new("RGB", size, scene.sky[-1])
    canvas.paste(_gradient(scene.sky, (size[0], round(size[1] * scene.horizon))))
    for item in scene.items:
        if isinstance(item, Glow):
            _shine(canvas, item)
        else:
            _fill(canvas, item)
    canvas = _grained(canvas)
    if size != (width_px, height_px):
        canvas = resized(canvas, (width_px, height_px))
    return lettered(canvas, scene)


def _gradient(stops: tuple[Rgb, ...], size: tuple[int, int]) -> Image.Image:
    """From the first colour at the top edge to the last at the bottom edge, the others evenly between."""
    spots = Image.frombytes("RGB", (1, len(stops)), bytes(value for stop in stops for value in stop))
    column = resized(spots, (1, size[1]), Image.Resampling.BILINEAR, (0, 0.5, 1, len(stops) - 0.5))
    return resized(column, size, Image.Resampling.NEAREST)


def _fill(canvas: Image.Image, item: Fill) -> None:
    scale = canvas.height
    margin = round(item.blur * scale * 2.5) + 2
    xs, ys = zip(*chain.from_iterable(item.polygons), strict=True)
    left, top = (max(0, int(min(values) * scale) - margin) for values in (xs, ys))
    right, bottom = min(canvas.width, int(max(xs) * scale) + margin), min(scale, int(max(ys) * scale) + margin)
    if right <= left or bottom <= top:
        return
    size = right - left, bottom - top
    canvas.paste(_gradient((item.top, item.bottom), size), (left, top), _mask(item, scale, (left, top), size))


def _mask(item: Fill, scale: int, place: tuple[int, int], size: tuple[int, int]) -> Image.Image:
    """What the item covers of the part of this size at `place`: drawn at twice the size, or small where it is soft."""
    blur_px = item.blur * scale
    zoom = _OVERSAMPLE if blur_px < 2 else min(1.0, 2 / blur_px)
    (left, top), (width, height) = place, size
    mask = Image.new("L", (math.ceil(width * zoom), math.ceil(height * zoom)))
    draw, fill, pace = ImageDraw.Draw(mask), round(255 * item.opacity), scale * zoom
    left, top = left * zoom, top * zoom
    for polygon in item.polygons:
        draw.polygon([(x * pace - left, y * pace - top) for x, y in polygon], fill=fill)
    if blur_px:
        mask = mask.filter(ImageFilter.GaussianBlur(blur_px * zoom))
    if zoom > 1:
        return mask.reduce(_OVERSAMPLE)
    return resized(mask, size, Image.Resampling.BILINEAR, (0, 0, width * zoom, height * zoom))


def _shine(canvas: Image.Image, item: Glow) -> None:
    scale = canvas.height
    radius = max(2, round(item.radius * scale))
    fade = [round(255 * item.opacity * max(0.0, 1 - value / 180) ** 2.2) for value in range(256)]
    mask = resized(mapped(Image.radial_gradient("L"), fade), (radius * 2, radius * 2), Image.Resampling.BILINEAR)
    light = Image.new("RGB", mask.size, item.color)  # pasting a colour takes three times as long
    canvas.paste(light, (round(item.x * scale) - radius, round(item.y * scale) - radius), mask)


def _grained(image: Image.Image) -> Image.Image:
    """A little film grain, so that gradients do not band."""
    pixels = image.width * image.height
    noise = random.Random(20).randbytes(_GRAINS) * (pixels // _GRAINS + 1)
    grain = mapped(Image.frombytes("L", image.size, noise[:pixels]), [value * _GRAIN // 256 for value in range(256)])
    return ImageChops.difference(image, Image.merge("RGB", (grain, grain, grain)))
