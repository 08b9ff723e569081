"""What the sandbox does to images it is given: one function for each edit, from Pillow images to a Pillow image."""

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps, ImageStat

from darkroom_server.sandbox.painter.palette import Palette
from darkroom_server.sandbox.painter.pixels import mapped, resized
from darkroom_server.sandbox.painter.scene import mix

Size = tuple[int, int]


def covering(image: Image.Image, size: Size) -> Image.Image:
    """Cropped and scaled about its middle so that it fills `size`."""
    return image if image.size == size else ImageOps.fit(image, size, Image.Resampling.LANCZOS)


def toned(image: Image.Image, palette: Palette, amount: float = 0.8) -> Image.Image:
    """Its light and shade in the palette's colours."""
    gray = ImageOps.autocontrast(image.convert("L"), cutoff=1)
    lightest = mix(palette.light, palette.ground, palette.dimness)
    colored = ImageOps.colorize(gray, palette.ground, lightest, palette.sky[-2])
    return Image.blend(image.convert("RGB"), colored, amount)


def washed(image: Image.Image) -> Image.Image:
    """As a watercolour: few colours in soft patches with darker rims, on white paper."""
    small = resized(image.convert("RGB"), (max(1, image.width // 3), max(1, image.height // 3)))
    flat = small.filter(ImageFilter.MedianFilter(5)).quantize(24).convert("RGB").filter(ImageFilter.MedianFilter(5))
    patches = resized(flat, image.size)
    edges = patches.convert("L").filter(ImageFilter.FIND_EDGES).filter(ImageFilter.GaussianBlur(1.5))
    rims = mapped(edges, [max(130, 255 - value * 7) for value in range(256)])
    paper = Image.new("RGB", image.size, (255, 252, 244))
    return ImageChops.multiply(Image.blend(patches, paper, 0.22), Image.merge("RGB", (rims, rims, rims)))


def side_by_side(images: list[Image.Image], size: Size) -> Image.Image:
    """Several images as columns of one."""
    width, height = size
    canvas = Image.new("RGB", size)
    edges = [round(width * number / len(images)) for number in range(len(images) + 1)]
    for image, left, right in zip(images, edges, edges[1:], strict=False):
        canvas.paste(covering(image.convert("RGB"), (max(1, right - left), height)), (left, 0))
    return canvas


def cut_out(image: Image.Image) -> Image.Image:
    """RGBA: only what differs from the left edge is opaque, or the middle if too little or too much differs."""
    color = image.convert("RGB")
    edge = color.crop((0, 0, max(1, color.width // 24), color.height))
    edge = resized(resized(edge, (1, color.height)), color.size, is_smooth=False)
    contrast = ImageChops.difference(color, edge).convert("L").filter(ImageFilter.GaussianBlur(min(color.size) / 300))
    alpha = mapped(contrast, [min(255, max(0, (value - 26) * 7)) for value in range(256)])
    alpha = ImageChops.multiply(alpha, _oval(color.size, 0.03, 40))
    if not 0.06 < ImageStat.Stat(alpha).mean[0] / 255 < 0.8:
        alpha = _oval(color.size, 0.14, 24)
    cut = color.convert("RGBA")
    cut.putalpha(ImageChops.multiply(alpha, image.getchannel("A")) if image.mode == "RGBA" else alpha)
    return cut


def _oval(size: Size, margin: float, softness: int) -> Image.Image:
    """A white oval with soft edges, `margin` of the width away from the sides."""
    width, height = size
    oval = Image.new("L", size)
    box = (width * margin, height * margin, width * (1 - margin), height * (1 + margin))
    ImageDraw.Draw(oval).ellipse(box, fill=255)
    return oval.filter(ImageFilter.GaussianBlur(min(size) / softness))


def enlarged(image: Image.Image, size: Size) -> Image.Image:
    """Scaled up and sharpened."""
    return resized(image, size).filter(ImageFilter.UnsharpMask(radius=2, percent=90, threshold=2))


def white_box(mask: Image.Image) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what is white in a mask; the whole mask if nothing is."""
    return mapped(mask, [255 if value > 127 else 0 for value in range(256)]).getbbox() or (0, 0, *mask.size)


def on_canvas(image: Image.Image, canvas: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    """The image in `box` of a larger, painted one, its edges melted into the surroundings."""
    left, top, right, bottom = box
    inner = covering(image.convert("RGB"), (max(1, right - left), max(1, bottom - top)))
    seam = max(2, round(min(inner.size) * 0.015))
    mask = Image.new("L", inner.size)
    ImageDraw.Draw(mask).rectangle((seam, seam, inner.width - seam - 1, inner.height - seam - 1), fill=255)
    done = canvas.convert("RGB")
    done.paste(inner, (left, top), mask.filter(ImageFilter.GaussianBlur(seam / 2)))
    return done


def structured(painted: Image.Image, guide: Image.Image) -> Image.Image:
    """The painted image with the guide's outlines drawn into it."""
    soft = covering(guide.convert("L"), painted.size).filter(ImageFilter.GaussianBlur(min(painted.size) / 260))
    edges = ImageOps.expand(ImageOps.crop(soft.filter(ImageFilter.FIND_EDGES), 3), 3)
    lines = mapped(edges, [min(225, max(0, value - 9) * 9) for value in range(256)])
    ink = (255, 250, 238) if ImageStat.Stat(painted.convert("L")).mean[0] < 140 else (40, 46, 70)
    return Image.composite(Image.new("RGB", painted.size, ink), painted, lines)


def with_inset(painted: Image.Image, reference: Image.Image) -> Image.Image:
    """The painted image with the reference pinned to a corner like a photograph on a wall."""
    side = round(min(painted.size) * 0.26)
    photo = covering(reference.convert("RGB"), (side, side))
    edge = max(2, side // 22)
    card = Image.new("RGB", (side + 2 * edge, side + 2 * edge), (252, 249, 242))
    card.paste(photo, (edge, edge))
    margin = round(min(painted.size) * 0.05)
    left, top = painted.width - margin - card.width, margin
    done = painted.copy()
    done.paste((8, 8, 16), (left + edge, top + edge), Image.new("L", card.size, 90))
    done.paste(card, (left, top))
    return done


def varied(image: Image.Image, palette: Palette, turn: int) -> Image.Image:
    """The same image as another take: mirrored, nearer, in other light."""
    mirrored = ImageOps.mirror(image.convert("RGB")) if turn % 2 == 0 else image.convert("RGB")
    shrink = 0.06 + 0.02 * (turn % 4)
    width, height = mirrored.size
    box = (round(width * shrink), round(height * shrink), round(width * (1 - shrink)), round(height * (1 - shrink)))
    near = resized(mirrored.crop(box), mirrored.size)
    return toned(near, palette, 0.45)
