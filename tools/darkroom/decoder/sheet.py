"""A contact sheet: small pictures in the boxes that the request names, each with its number on a badge."""

from typing import TYPE_CHECKING, Any

from darkroom.decoder.encoding import fitted

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

_GROUND, _EMPTY, _EMPTY_LINE = (236, 236, 236), (214, 214, 214), (160, 160, 160)
_CHECKS = ((255, 255, 255), (206, 206, 206))
_CHECK_PX = 8
# White on nearly black with a white rim: to be read on any picture.
_BADGE, _INK = (24, 24, 24), (255, 255, 255)


def sheet(request: dict[str, Any], content: bytes) -> "Image":
    """The sheet, RGB. `cells` of the request: n, x, y, width, height of the box, then width and height of the picture.

    All in pixels. The pictures follow one another in `content`, row by row in the `modes` RGB or RGBA of the request. A
    cell without a picture has an empty mode. What is transparent gets a chequered ground.
    """
    from PIL import Image, ImageDraw

    ground = Image.new("RGB", (int(request["width"]), int(request["height"])), _GROUND)
    draw = ImageDraw.Draw(ground)
    start = 0
    for (number, x, y, width, height, *size), mode in zip(request["cells"], request["modes"], strict=True):
        size_bytes = size[0] * size[1] * len(mode)
        if mode:
            picture = Image.frombytes(mode, tuple(size), content[start : start + size_bytes])
            _place(ground, picture, (x, y, width, height))
        else:
            draw.rectangle((x, y, x + width - 1, y + height - 1), fill=_EMPTY)
            draw.line((x, y + height - 1, x + width - 1, y), fill=_EMPTY_LINE, width=2)
        _badge(draw, str(number), x, y, min(width, height))
        start += size_bytes
    return ground


def _place(ground: "Image", picture: "Image", box: tuple[int, int, int, int]) -> None:
    """In the middle of its box, made smaller where it is larger."""
    x, y, width, height = box
    picture = fitted(picture, (width, height))
    at = (x + (width - picture.width) // 2, y + (height - picture.height) // 2)
    if picture.mode == "RGBA":
        ground.paste(_checks(picture.size), at)
        ground.paste(picture, at, picture)
    else:
        ground.paste(picture, at)


def _checks(size: tuple[int, int]) -> "Image":
    from PIL import Image

    light, dark = _CHECKS
    whole = Image.new("RGB", size, light)
    for row, top in enumerate(range(0, size[1], _CHECK_PX)):
        for left in range(row % 2 * _CHECK_PX, size[0], 2 * _CHECK_PX):
            whole.paste(dark, (left, top, left + _CHECK_PX, top + _CHECK_PX))
    return whole


def _badge(draw: "ImageDraw", number: str, x: int, y: int, cell_px: int) -> None:
    """In the upper left corner, a tenth of the cell high."""
    from PIL import ImageFont

    letter_px = max(14, min(36, cell_px // 11))
    font = ImageFont.load_default(letter_px)
    left, top, right, bottom = draw.textbbox((0, 0), number, font=font)
    side = letter_px + letter_px // 2
    width = max(side, round(right - left) + letter_px)
    inset = max(3, letter_px // 4)
    corner = (x + inset, y + inset, x + inset + width, y + inset + side)
    draw.rounded_rectangle(corner, radius=side // 4, fill=_BADGE, outline=_INK, width=max(1, letter_px // 12))
    place = (corner[0] + (width - (right - left)) / 2 - left, corner[1] + (side - (bottom - top)) / 2 - top)
    draw.text(place, number, font=font, fill=_INK)
