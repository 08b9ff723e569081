"""Real pictures for tests, made by Pillow, and a few that only look like one."""

import io
import os
import struct
import zlib
from collections.abc import AsyncIterator
from typing import Any

from PIL import Image

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 80"><rect width="120" height="80"/></svg>'
# GPS of a well-known place, as text, so that its trace can be looked for.
SECRET_PLACE = b"48.8584 N, 2.2945 E"
_QUICKLY: dict[str, dict[str, Any]] = {"AVIF": {"speed": 10}, "PNG": {"compress_level": 1}, "WEBP": {"method": 0}}


def picture(
    format_name: str = "PNG", *, size: tuple[int, int] = (64, 48), mode: str = "RGB", color: Any = None, **options: Any
) -> bytes:
    """One even picture."""
    return encoded(Image.new(mode, size, color if color is not None else _middle(mode)), format_name, **options)


def noise(format_name: str = "PNG", *, size: tuple[int, int] = (256, 256), **options: Any) -> bytes:
    """A picture that no format makes small."""
    image = Image.frombytes("RGB", size, os.urandom(size[0] * size[1] * 3))
    return encoded(image, format_name, **{"compress_level": 0, **options})


def encoded(image: Image.Image, format_name: str, **options: Any) -> bytes:
    target = io.BytesIO()
    image.save(target, format_name, **(_QUICKLY.get(format_name, {}) | options))
    return target.getvalue()


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def exif(orientation: int = 1) -> bytes:
    """EXIF with an orientation and a secret in it."""
    data = Image.Exif()
    data[0x0112] = orientation
    data[0x010E] = SECRET_PLACE.decode()
    return data.tobytes()


def bomb(width: int, height: int) -> bytes:
    """A small PNG of one colour: a bit a pixel, so 16000 x 11000 of them take 22 kB."""
    compressor = zlib.compressobj(9)
    row = b"\0" * (1 + (width + 7) // 8)
    rows = b"".join(compressor.compress(row) for _ in range(height)) + compressor.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, (b"IHDR", b"IDAT", b"IEND"), (header, rows, b"")))


async def in_chunks(content: bytes, size: int = 65536) -> AsyncIterator[bytes]:
    """The bytes as they come from a network."""
    for start in range(0, len(content), size):
        yield content[start : start + size]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _middle(mode: str) -> Any:
    return {"RGB": (200, 80, 40), "RGBA": (200, 80, 40, 120), "LA": (120, 90), "CMYK": (10, 80, 90, 20)}.get(mode, 1)
