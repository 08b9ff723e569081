"""The line along the bottom edge: the prompt on the left, the word "sandbox" on the right, on any picture."""

from bisect import bisect_left
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from darkroom_server.sandbox.painter.pixels import mapped, resized

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont, ImageFont

MARK = "sandbox"
_WHITE = (255, 252, 244)
_SCRIM = (12, 12, 20)
_EDGE = (*_SCRIM, 150)


def captioned(image: "Image", caption: str) -> "Image":
    """The same picture with its line; an RGBA picture keeps its alpha elsewhere."""
    from PIL import Image, ImageDraw

    size = max(9, round(min(image.size) * 0.024))
    font = _font(size)
    margin = round(size * 1.1)
    mark_width = _spaced_width(font, size)
    left = fitted(caption, font.getlength, image.width - mark_width - margin * 3)
    is_opaque = image.mode != "RGBA"
    overlay = _scrim(image.size, size) if is_opaque else Image.new("RGBA", image.size)
    edge = 0 if is_opaque else 1
    draw = ImageDraw.Draw(overlay)
    base = image.height - margin
    if left:
        draw.text(
            (margin, base), left, font=font, fill=(*_WHITE, 225), anchor="ls", stroke_width=edge, stroke_fill=_EDGE
        )
    x = float(image.width - margin - mark_width)
    for letter in MARK:
        draw.text((x, base), letter, font=font, fill=(*_WHITE, 170), anchor="ls", stroke_width=edge, stroke_fill=_EDGE)
        x += font.getlength(letter) + size * 0.14
    done = Image.alpha_composite(image.convert("RGBA"), overlay)
    return done.convert("RGB") if is_opaque else done


def fitted(caption: str, length_px: Callable[[str], float], width_px: float) -> str:
    """One line of at most `width_px`, cut at a word with an ellipsis; characters that the font lacks are left out."""
    line = " ".join("".join(letter for letter in caption if _is_drawable(letter)).split())
    longest = max(0, int(width_px))  # no letter is narrower than a pixel, and a long line is slow to measure
    if len(line) <= longest and length_px(line) <= width_px:
        return line
    words = line[: longest + 1].split(" ")
    counts = range(1, len(words) + 1)
    kept = bisect_left(counts, True, key=lambda count: length_px(" ".join(words[:count]) + " …") > width_px)
    return " ".join(words[:kept]) + " …" if kept else ""


def _is_drawable(letter: str) -> bool:
    return letter.isspace() or " " <= letter < "\u0250" or letter in "–—‘’“”…"


def _spaced_width(font: "FreeTypeFont | ImageFont", size: int) -> int:
    return round(sum(font.getlength(letter) + size * 0.14 for letter in MARK))


def _scrim(size: tuple[int, int], text_size: int) -> "Image":
    """A dark veil that grows towards the bottom edge, so that light pictures carry light words."""
    from PIL import Image

    width, height = size
    veil = min(height, round(text_size * 5))
    strength = mapped(resized(Image.linear_gradient("L"), (width, veil)), [round(value * 0.42) for value in range(256)])
    overlay = Image.new("RGBA", size, (*_SCRIM, 0))
    band = Image.new("RGBA", (width, veil), _SCRIM)
    band.putalpha(strength)
    overlay.paste(band, (0, height - veil))
    return overlay


@lru_cache(maxsize=16)
def _font(size: int) -> "FreeTypeFont | ImageFont":
    from PIL import ImageFont

    return ImageFont.load_default(size)
