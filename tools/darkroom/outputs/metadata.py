"""Dropping what an image says about its maker (position, camera, comments) without touching its pixels.

Only what a decoder needs for the right pixels and colours is kept, so that a block nobody has heard of goes too; and
whatever follows the image's end (a video, a second image) is cut off.
"""

import struct
from typing import NamedTuple

from darkroom.outputs.formats import JPEG_SCAN, exif_orientation, jpeg_segments
from darkroom.outputs.whole import jpeg_end, png_chunks

# PNG 3rd ed. § 11.3 and APNG; an upper-case first letter marks the critical ones, which are all kept.
_PNG_KEPT = frozenset(b"tRNS gAMA cHRM sRGB iCCP sBIT bKGD pHYs cICP mDCV cLLI hIST sPLT acTL fcTL fdAT".split())
_WEBP_KEPT = frozenset((b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP"))
_WEBP_EXIF_AND_XMP = 0x08 | 0x04


class Stripped(NamedTuple):
    """The same image without metadata; `orientation` (1 to 8) is what the metadata said about how to turn it."""

    content: bytes
    orientation: int


def strip_metadata(content: bytes, mime_type: str) -> Stripped | None:
    """Drop the metadata losslessly; None where that is not possible (GIF, AVIF, a broken structure)."""
    strip = {"image/png": _png, "image/jpeg": _jpeg, "image/webp": _webp}.get(mime_type)
    try:
        return strip(content) if strip else None
    except (struct.error, IndexError, ValueError):
        return None


def _png(content: bytes) -> Stripped | None:
    kept, orientation, kind = [content[:8]], 1, b""
    for kind, start, end in png_chunks(content):
        if kind == b"eXIf":
            orientation = exif_orientation(content[start + 8 : end - 4])
        if kind in _PNG_KEPT or kind[:1].isupper():
            kept.append(content[start:end])
    return Stripped(b"".join(kept), orientation) if kind == b"IEND" else None


def _jpeg(content: bytes) -> Stripped | None:
    kept, orientation = [content[:2]], 1
    for marker, start, end in jpeg_segments(content):
        body = content[start + 4 : end]
        if marker == 0xE1 and body.startswith(b"Exif\0\0"):
            orientation = exif_orientation(body[6:])
        if marker == JPEG_SCAN:
            return Stripped(b"".join(kept) + content[start : jpeg_end(content) or len(content)], orientation)
        if _is_kept_in_jpeg(marker, body):
            kept.append(content[start:end])
    return None


def _is_kept_in_jpeg(marker: int, body: bytes) -> bool:
    """Tables and frames, JFIF, the colour profile and Adobe's colour transform; no other APPn and no comment."""
    if marker == 0xE2:
        return body.startswith(b"ICC_PROFILE\0")
    return marker in (0xE0, 0xEE) or not (0xE1 <= marker <= 0xEF or marker == 0xFE)


def _webp(content: bytes) -> Stripped | None:
    kept: list[bytes] = []
    orientation, position = 1, 12
    end_of_file = 8 + int.from_bytes(content[4:8], "little")
    while position + 8 <= min(end_of_file, len(content)):
        kind = content[position : position + 4]
        (length,) = struct.unpack_from("<I", content, position + 4)
        end = position + 8 + length + length % 2
        chunk = content[position:end]
        if len(chunk) < 8 + length:
            return None
        if kind == b"EXIF":
            orientation = exif_orientation(chunk[8:].removeprefix(b"Exif\0\0"))
        if kind == b"VP8X":
            chunk = chunk[:8] + bytes([chunk[8] & ~_WEBP_EXIF_AND_XMP]) + chunk[9:]
        if kind in _WEBP_KEPT:
            kept.append(chunk)
        position = end
    body = b"WEBP" + b"".join(kept)
    return Stripped(b"RIFF" + struct.pack("<I", len(body)) + body, orientation) if kept else None
