"""Scenes to pixels with Pillow: masks drawn at twice the size and reduced, gradients stretched from one column."""

import random
from functools import lru_cache

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
    canvas = _column(scene.sky, size, scene.horizon)
    for item in scene.items:
        if isinstance(item, Glow):
            _shine(canvas, item)
        else:
            _fill(canvas, item)
    if size != (width_px, height_px):
        canvas = resized(canvas, (width_px, height_px))
    return lettered(_grained(canvas), scene)


def _column(stops: tuple[Rgb, ...], size: tuple[int, int], until: float = 1.0) -> Image.Image:
    """A vertical gradient through `stops`, evenly spaced; the last is reached at the share `until` of the height."""
    width, height = size
    column = Image.new("RGB", (1, height), stops[-1])
    edges = [round(height * until * number / (len(stops) - 1)) for number in range(len(stops))]
    for first, last, top, bottom in zip(stops, stops[1:], edges, edges[1:], strict=False):
        if bottom > top:
            size = (1, bottom - top)
            share = resized(Image.linear_gradient("L").crop((0, 0, 1, 256)), size)
            column.paste(Image.composite(Image.new("RGB", size, last), Image.new("RGB", size, first), share), (0, top))
    return resized(column, (width, height), is_smooth=False)


def _fill(canvas: Image.Image, item: Fill) -> None:
    scale = canvas.height
    xs = [x for polygon in item.polygons for x, _ in polygon]
    ys = [y for polygon in item.polygons for _, y in polygon]
    margin = round(item.blur * scale * 2.5) + 2
    left, top = max(0, int(min(xs) * scale) - margin), max(0, int(min(ys) * scale) - margin)
    right = min(canvas.width, int(max(xs) * scale) + margin)
    bottom = min(canvas.height, int(max(ys) * scale) + margin)
    if right <= left or bottom <= top:
        return
    mask = Image.new("L", ((right - left) * _OVERSAMPLE, (bottom - top) * _OVERSAMPLE))
    draw = ImageDraw.Draw(mask)
    strength = round(255 * item.opacity)
    fine = scale * _OVERSAMPLE
    for polygon in item.polygons:
        draw.polygon([(x * fine - left * _OVERSAMPLE, y * fine - top * _OVERSAMPLE) for x, y in polygon], fill=strength)
    mask = mask.reduce(_OVERSAMPLE)
    if item.blur:
        mask = mask.filter(ImageFilter.GaussianBlur(item.blur * scale))
    if item.top == item.bottom:
        canvas.paste(item.top, (left, top, right, bottom), mask)
    else:
        canvas.paste(_column((item.top, item.bottom), mask.size), (left, top), mask)


def _shine(canvas: Image.Image, item: Glow) -> None:
    scale = canvas.height
    radius = max(2, round(item.radius * scale))
    fade = [round(255 * item.opacity * max(0.0, 1 - value / 180) ** 2.2) for value in range(256)]
    mask = resized(mapped(Image.radial_gradient("L"), fade), (radius * 2, radius * 2))
    canvas.paste(item.color, (round(item.x * scale) - radius, round(item.y * scale) - radius), mask)


def _grained(image: Image.Image) -> Image.Image:
    """A little film grain, so that gradients do not band."""
    tile = _grain_tile()
    grain = Image.new("L", image.size)
    for x in range(0, image.width, tile.width):
        for y in range(0, image.height, tile.height):
            grain.paste(tile, (x, y))
    return ImageChops.add(image, Image.merge("RGB", (grain, grain, grain)), offset=-(_GRAIN // 2))


@lru_cache(maxsize=1)
def _grain_tile() -> Image.Image:
    noise = random.Random(20).randbytes(256 * 256)
    return mapped(Image.frombytes("L", (256, 256), noise), [value * _GRAIN // 256 for value in range(256)])
