"""Scenes to pixels with Pillow: masks drawn at twice the size and reduced, gradients stretched from one column."""

import random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from darkroom_server.sandbox.painter.caption import lettered
from darkroom_server.sandbox.painter.pixels import mapped, resized
from darkroom_server.sandbox.painter.scene import Fill, Glow, Rgb, Scene

# Larger images are painted at this many pixels and then enlarged: soft shapes look the same.
_PAINTED_PIXELS = 1_300_000
_OVERSAMPLE = 2
_GRAIN = 5


def rasterise(scene: Scene, width_px: int, height_px: int) -> Image.Image:
    """The scene as an RGB image of exactly this size."""
    shrink = min(1.0, (_PAINTED_PIXELS / (width_px * height_px)) ** 0.5)
    size = (max(8, round(width_px * shrink)), max(8, round(height_px * shrink)))
    canvas = Image.new("RGB", size, scene.sky[-1])
    canvas.paste(_gradient(scene.sky, (size[0], round(size[1] * scene.horizon))))
    for item in scene.items:
        if isinstance(item, Glow):
            _shine(canvas, item)
        else:
            _fill(canvas, item)
    if size != (width_px, height_px):
        canvas = resized(canvas, (width_px, height_px))
    return lettered(_grained(canvas), scene)


def _gradient(stops: tuple[Rgb, ...], size: tuple[int, int]) -> Image.Image:
    """From the first colour at the top edge to the last at the bottom edge, the others evenly between."""
    column = Image.frombytes("RGB", (1, len(stops)), bytes(value for stop in stops for value in stop))
    return resized(column, size, Image.Resampling.BILINEAR, (0, 0.5, 1, len(stops) - 0.5))


def _fill(canvas: Image.Image, item: Fill) -> None:
    scale = canvas.height
    margin = round(item.blur * scale * 2.5) + 2
    xs, ys = zip(*(point for polygon in item.polygons for point in polygon), strict=True)
    left, top = (max(0, int(min(values) * scale) - margin) for values in (xs, ys))
    right, bottom = min(canvas.width, int(max(xs) * scale) + margin), min(scale, int(max(ys) * scale) + margin)
    if right <= left or bottom <= top:
        return
    mask = Image.new("L", ((right - left) * _OVERSAMPLE, (bottom - top) * _OVERSAMPLE))
    draw = ImageDraw.Draw(mask)
    for polygon in item.polygons:
        points = [((x * scale - left) * _OVERSAMPLE, (y * scale - top) * _OVERSAMPLE) for x, y in polygon]
        draw.polygon(points, fill=round(255 * item.opacity))
    mask = mask.reduce(_OVERSAMPLE)
    if item.blur:
        mask = mask.filter(ImageFilter.GaussianBlur(item.blur * scale))
    canvas.paste(_gradient((item.top, item.bottom), mask.size), (left, top), mask)


def _shine(canvas: Image.Image, item: Glow) -> None:
    scale = canvas.height
    radius = max(2, round(item.radius * scale))
    fade = [round(255 * item.opacity * max(0.0, 1 - value / 180) ** 2.2) for value in range(256)]
    mask = resized(mapped(Image.radial_gradient("L"), fade), (radius * 2, radius * 2))
    canvas.paste(item.color, (round(item.x * scale) - radius, round(item.y * scale) - radius), mask)


def _grained(image: Image.Image) -> Image.Image:
    """A little film grain, so that gradients do not band."""
    noise = Image.frombytes("L", image.size, random.Random(20).randbytes(image.width * image.height))
    grain = mapped(noise, [value * _GRAIN // 256 for value in range(256)])
    return ImageChops.add(image, Image.merge("RGB", (grain, grain, grain)), offset=-(_GRAIN // 2))
