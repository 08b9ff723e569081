"""Pillow images to file bytes."""

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

MIME_TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp", "svg": "image/svg+xml"}


def encode(image: "Image", format: str, quality: int) -> bytes:
    """PNG, JPEG or WebP bytes; JPEG lays transparent pixels on white."""
    buffer = io.BytesIO()
    if format == "jpg":
        _opaque(image).save(buffer, "JPEG", quality=quality)
    elif format == "webp":
        image.save(buffer, "WEBP", quality=quality, method=1)
    else:
        image.save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def _opaque(image: "Image") -> "Image":
    from PIL import Image

    if image.mode != "RGBA":
        return image.convert("RGB")
    ground = Image.new("RGBA", image.size, (255, 255, 255))
    return Image.alpha_composite(ground, image).convert("RGB")
