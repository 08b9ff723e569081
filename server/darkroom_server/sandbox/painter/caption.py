"""Words on an image: the caption along its foot, and the lettering that a prompt asks for."""

from bisect import bisect_left
from collections.abc import Callable

from PIL import Image, ImageDraw, ImageFont

from darkroom_server.sandbox.painter.pixels import mapped, resized
from darkroom_server.sandbox.painter.scene import Scene

MARK = "sandbox"
_WHITE = (255, 252, 244)
_DARK = (12, 12, 20)


def captioned(image: Image.Image, caption: str) -> Image.Image:
    """The RGB or RGBA image with the prompt drawn onto it at the lower left and the mark at the lower right."""
    size = max(9, round(min(image.size) * 0.024))
    font = ImageFont.load_default(size)
    margin = round(size * 1.1)
    left = fitted(caption, font.getlength, image.width - font.getlength(MARK) - margin * 3)
    is_opaque = image.mode == "RGB"
    edge = 0 if is_opaque else 1
    top = image.height - size * 5
    foot = image.crop((0, top, image.width, image.height))
    if is_opaque:
        foot = _shaded(foot).convert("RGBA")
    words = Image.new("RGBA", foot.size)
    draw = ImageDraw.Draw(words)
    for x, anchor, line, opacity in ((margin, "ls", left, 225), (image.width - margin, "rs", MARK, 170)):
        place, color = (x, foot.height - margin), (*_WHITE, opacity)
        draw.text(place, line, font=font, fill=color, anchor=anchor, stroke_width=edge, stroke_fill=(*_DARK, 150))
    foot.alpha_composite(words)
    image.paste(foot.convert(image.mode), (0, top))
    return image


def lettered(image: Image.Image, scene: Scene) -> Image.Image:
    """The image with the scene's lettering drawn onto it, centred."""
    draw = ImageDraw.Draw(image)
    for line, size, foot in scene.lines():
        pixels = max(6, round(size * image.height))
        font, bold = ImageFont.load_default(pixels), max(1, pixels // 36)
        place = image.width / 2, foot * image.height
        draw.text(place, line, font=font, fill=_WHITE, anchor="ms", stroke_width=bold, stroke_fill=_WHITE)
    return image


def fitted(caption: str, length_px: Callable[[str], float], width_px: float) -> str:
    """One line of at most `width_px`, cut at a word with an ellipsis; characters that the font lacks are left out."""
    line = drawable(caption)
    longest = max(0, int(width_px))  # no letter is narrower than a pixel, and a long line is slow to measure
    if len(line) <= longest and length_px(line) <= width_px:
        return line
    words = line[: longest + 1].split(" ")
    counts = range(1, len(words) + 1)
    kept = bisect_left(counts, True, key=lambda count: length_px(" ".join(words[:count]) + " …") > width_px)
    return " ".join(words[:kept]) + " …" if kept else ""


def drawable(words: str) -> str:
    """The words on one line, without characters that the font lacks."""
    kept = (letter for letter in words if letter.isspace() or " " <= letter < "\u0250" or letter in "–—‘’“”…")
    return " ".join("".join(kept).split())


def _shaded(image: Image.Image) -> Image.Image:
    """Darker towards the bottom edge, so that light images carry light words."""
    strength = [round(value * 0.42) for value in range(256)]
    image.paste(_DARK, None, mapped(resized(Image.linear_gradient("L"), image.size), strength))
    return image
