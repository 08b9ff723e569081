"""A picture made small for the chat: the smallest file that still looks well.

JPEG and PNG are what every vision model reads, also the small ones on a person's own computer; WebP is used only where
an image has transparency that PNG would make large.
"""

import io
from typing import TYPE_CHECKING, Any

from darkroom.decoder.frames import Unusable

if TYPE_CHECKING:
    from PIL.Image import Image

# Side lengths and qualities are tried in this order until the result is small enough.
_SCALES = (1.0, 0.75, 0.5, 0.35, 0.25, 0.12)
_QUALITIES = (84, 76, 66)
# A drawing of so few colours is often smaller as PNG, and sharper.
_FEW_COLOURS = 4096

Encoded = tuple[str, bytes, tuple[int, int]]


def is_opaque(image: "Image") -> bool:
    """Whether no pixel lets anything through, whatever channels there are."""
    return image.mode not in ("LA", "RGBA") or image.getchannel("A").getextrema()[0] == 255


def fitted(image: "Image", box: tuple[int, int]) -> "Image":
    """The image in at most `box` (width, height) pixels, its shape kept; never larger than it was."""
    from PIL import Image

    if image.width <= box[0] and image.height <= box[1]:
        return image
    small = image.copy()
    small.thumbnail(box, Image.Resampling.LANCZOS, reducing_gap=2.0)
    return small


def encode(image: "Image", format_name: str, **options: Any) -> bytes:
    """The bytes, with the colour profile if the image carries one and with no other metadata."""
    target = io.BytesIO()
    image.save(target, format_name, icc_profile=image.info.get("icc_profile"), **options)
    return target.getvalue()


def small(image: "Image", max_bytes: int, box: tuple[int, int] | None) -> Encoded:
    """The best format in at most `max_bytes`, and in at most `box` where one is given; else only quality is lost.

    Raises: Unusable where that is not possible.
    """
    is_plain = is_opaque(image)
    if is_plain and image.mode.endswith("A"):
        plain = image.convert(image.mode.removesuffix("A"))
        plain.info = image.info
        image = plain
    first = fitted(image, box) if box else image
    if (drawn := _drawn(first)) and len(drawn) <= max_bytes and len(drawn) <= len(_lossy(first, is_plain, 84)):
        return "PNG", drawn, first.size
    for scale in _SCALES if box else _SCALES[:1]:
        width, height = (max(1, round(side * scale)) for side in first.size)
        candidate = fitted(first, (width, height))
        for quality in _QUALITIES:
            result = _lossy(candidate, is_plain, quality)
            if len(result) <= max_bytes:
                return "JPEG" if is_plain else "WEBP", result, candidate.size
    raise Unusable(f"it cannot be made smaller than {max_bytes:,} bytes")


def _lossy(image: "Image", is_plain: bool, quality: int) -> bytes:
    if is_plain:
        return encode(image, "JPEG", quality=quality, optimize=True)
    return encode(image, "WEBP", quality=quality)


def _drawn(image: "Image") -> bytes:
    """A drawing of few colours as PNG, empty for anything else."""
    has_few = image.getcolors(_FEW_COLOURS) is not None
    return encode(image, "PNG", optimize=True) if has_few else b""
