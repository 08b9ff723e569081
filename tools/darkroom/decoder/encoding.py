"""A picture made small for the chat: the smallest file that still looks well.

JPEG and PNG are what every vision model reads, also the small ones on a person's own computer; WebP is used only where
an image has transparency that PNG would make large.
"""

import io
from itertools import product
from typing import TYPE_CHECKING, Any

from darkroom.decoder.frames import Unusable

if TYPE_CHECKING:
    from PIL.Image import Image

# Side lengths and qualities are tried in this order until the result is small enough.
_SCALES = (1.0, 0.75, 0.5, 0.35, 0.25, 0.12)
_QUALITIES = (84, 76, 66, 56)
# A drawing of so few colours is often smaller as PNG, and sharper.
_FEW_COLOURS = 4096
# How much smaller the best compression can make a PNG than the fastest.
_SQUEEZE, _STRIP_PX = 2, 32

Encoded = tuple[str, bytes, tuple[int, int]]


def is_opaque(image: "Image") -> bool:
    """Whether no pixel lets anything through, whatever channels there are."""
    return image.mode not in ("LA", "RGBA") or image.getchannel("A").getextrema()[0] == 255


def fitted_size(size: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    """Width and height in at most `box` pixels, their shape kept; never larger than they were."""
    scale = min(box[0] / size[0], box[1] / size[1], 1.0)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def fitted(image: "Image", box: tuple[int, int]) -> "Image":
    """The image in at most `box` (width, height) pixels, its shape kept; never larger than it was."""
    from PIL import Image

    size = fitted_size(image.size, box)
    if size == image.size:
        return image
    # A third of the time of LANCZOS, and no difference to be seen at the sizes of a chat; means of whole pixels, where
    # these are enough, a sixth.
    is_even = image.width % size[0] == image.height % size[1] == 0
    gap = 1.0 if is_even else 2.0
    return image.resize(size, Image.Resampling.HAMMING, reducing_gap=gap)  # pyright: ignore[reportUnknownMemberType]  # Pillow's gap


def encode(image: "Image", format_name: str, **options: Any) -> bytes:
    """The bytes, with the colour profile if the image carries one and with no other metadata."""
    target = io.BytesIO()
    image.save(target, format_name, icc_profile=image.info.get("icc_profile"), **options)
    return target.getvalue()


def small(image: "Image", max_bytes: int, box: tuple[int, int] | None, wanted_bytes: int | None = None) -> Encoded:
    """The best format in at most `max_bytes`, and in at most `box` where one is given; else only quality is lost.

    It has no more than `wanted_bytes` where lower quality does that; it gets no fewer pixels for it.

    Raises: Unusable where that is not possible.
    """
    wanted_bytes = min(max_bytes, wanted_bytes or max_bytes)
    is_plain = is_opaque(image)
    if is_plain and image.mode.endswith("A"):
        plain = image.convert(image.mode.removesuffix("A"))
        plain.info = image.info
        image = plain
    first = fitted(image, box) if box else image
    format_name = "JPEG" if is_plain else "WEBP"
    photo = encode(first, format_name, quality=_QUALITIES[0])
    if (drawn := _drawn(first, len(photo))) and len(drawn) <= max_bytes:
        return "PNG", drawn, first.size
    best = (format_name, photo, first.size) if len(photo) <= max_bytes else None
    attempts = product(_SCALES if box else _SCALES[:1], _QUALITIES)
    next(attempts)  # that was the photo
    for scale, quality in attempts:
        if best and (len(best[1]) <= wanted_bytes or scale < 1.0):
            break
        candidate = fitted(first, (max(1, round(first.width * scale)), max(1, round(first.height * scale))))
        result = encode(candidate, format_name, quality=quality)
        if len(result) <= (wanted_bytes if best else max_bytes):
            best = (format_name, result, candidate.size)
    if best is None:
        raise Unusable(f"it cannot be made smaller than {max_bytes:,} bytes")
    return best


def _drawn(image: "Image", photo_bytes: int) -> bytes:
    """A drawing of few colours as PNG, empty for anything else, and where a photo of that size is smaller."""
    if image.getcolors(_FEW_COLOURS) is None:
        return b""
    # A gray photo has few colours too; that is seen before much time goes into it.
    middle = image.height // 2
    strip = image.crop((0, middle, image.width, min(image.height, middle + _STRIP_PX)))
    if _is_photo(strip, len(encode(strip, "JPEG" if is_opaque(image) else "WEBP"))) or _is_photo(image, photo_bytes):
        return b""
    drawn = encode(image, "PNG", optimize=True)
    return drawn if len(drawn) <= photo_bytes else b""


def _is_photo(image: "Image", photo_bytes: int) -> bool:
    return len(encode(image, "PNG", compress_level=1)) > _SQUEEZE * photo_bytes
