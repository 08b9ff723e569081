"""Which image format these bytes are, and how large: read from the headers alone, nothing is decoded here.

Facts of the formats: PNG 3rd ed. § 11.2.1, ITU T.81 § B.2.2, WebP container (RFC 9649), GIF89a, HEIF (ISO 23008-12
`ispe`), SVG 2 § 8; checked 2026-11-21.
"""

import re
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple

MAX_PIXELS = 50_000_000
MAX_SIDE_PX = 2**31 - 1  # whatever a header claims, so that width times height still fits into 64 bits
# A JPEG can carry a profile and a thumbnail of some hundred kB before it says its size.
HEAD_BYTES = 1024 * 1024

EXTENSIONS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "image/avif": "avif",
    "image/svg+xml": "svg",
}

_MAGIC = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"RIFF....WEBPVP8[ LX]", re.DOTALL), "image/webp"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"....ftyp(?:.{8}(?:.{4}){0,8}?)?(?:avif|avis)", re.DOTALL), "image/avif"),
)
_BEGINNINGS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF", b"GIF8", b"\0\0\0")
_MAGIC_WITHIN, _SVG_ROOT_WITHIN = 56, 64 * 1024
_WEB_PAGE = re.compile(rb"\s*+(?:(?><!--.*?-->)\s*+)*+<(?:!doctype html|html|head|body)", re.IGNORECASE | re.DOTALL)
# What else a link is known to give, in words for the assistant.
_OTHERS = (
    (_WEB_PAGE, "a web page"),
    (re.compile(rb"PK\x03\x04"), "a ZIP archive"),
    (re.compile(rb"\s*[{\[]"), "JSON"),
    (re.compile(rb"%PDF"), "a PDF document"),
    (re.compile(rb"....ftyp(?:isom|iso\d|mp4\d|avc1|qt  )|\x1aE\xdf\xa3", re.DOTALL), "a video"),
    (re.compile(rb"....ftyp(?:heic|heix|mif1)", re.DOTALL), "a HEIC image"),
    (re.compile(rb"II\*\0|MM\0\*"), "a TIFF image"),
    (re.compile(rb"BM"), "a BMP image"),
    (re.compile(rb"\s*<"), "XML"),
    (re.compile(rb"[\t\r\n\x20-\x7e]+\Z"), "text"),
)
# Atomic groups and possessive repeats: without them hostile comments cost exponential time.
_SVG_START = re.compile(
    r"\s*+(?:(?><\?.*?\?>|<!--.*?-->|<!DOCTYPE(?>[^>\[]|\[.*?\])*+>)\s*+)*+(<(?:\w{1,20}:)?svg\b[^>]*+)", re.DOTALL
)
_LENGTH = re.compile(r"((?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?) ?(px|pt|pc|mm|cm|in|)", re.IGNORECASE | re.ASCII)
_PX_PER_UNIT = {"": 1.0, "px": 1.0, "pt": 4 / 3, "pc": 16.0, "mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96.0}
_JPEG_MARK = re.compile(rb"\xff++(.)", re.DOTALL)
# Start of frame, all kinds: C4 (DHT), C8 (JPG) and CC (DAC) are not frames.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
JPEG_SCAN = 0xDA


class PixelSize(NamedTuple):
    """Width and height in pixels as stored, 0 x 0 where the header does not say.

    `orientation` is the EXIF value (1 to 8) of a JPEG: 5 to 8 mean that it is shown with the sides swapped.
    """

    width_px: int = 0
    height_px: int = 0
    orientation: int = 1

    @property
    def pixels(self) -> int:
        return self.width_px * self.height_px

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height as a viewer shows the image."""
        sides = (self.width_px, self.height_px)
        return sides if self.orientation < 5 else (sides[1], sides[0])

    def drawn(self, longest_px: int) -> "PixelSize":
        """As large as a drawing is drawn, which has a shape but no size of its own."""
        scale = longest_px / max(self.width_px, self.height_px) if self.pixels else 0
        return PixelSize(*(max(1, round(side * scale)) for side in self[:2])) if scale else PixelSize()


def sniff(head: bytes) -> str | None:
    """The MIME type by content, None where it is no image that we take."""
    for pattern, mime_type in _MAGIC:
        if pattern.match(head):
            return mime_type
    return "image/svg+xml" if _svg_root(head) else None


def may_become_image(head: bytes) -> bool:
    """Whether this beginning, of no image yet, could still be one of an image: bytes are missing to tell."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")) or head.lstrip()[:1] in (b"", b"<"):
        return len(head) < _SVG_ROOT_WITHIN and not _WEB_PAGE.match(head[:4096])
    return len(head) < _MAGIC_WITHIN and any(head.startswith(begun[: len(head)]) for begun in _BEGINNINGS)


def describe(head: bytes) -> str:
    """What bytes that are no image look like, in words."""
    if not head:
        return "nothing (0 bytes)"
    return next((words for pattern, words in _OTHERS if pattern.match(head[:4096])), "bytes of no known format")


def pixel_size(head: bytes, mime_type: str) -> PixelSize:
    """Read the size from the first HEAD_BYTES of an image; never raises, and no side is beyond MAX_SIDE_PX."""
    try:
        size = _READERS[mime_type](head)
    except (KeyError, struct.error, IndexError, ValueError):
        return PixelSize()
    return PixelSize(min(size.width_px, MAX_SIDE_PX), min(size.height_px, MAX_SIDE_PX), size.orientation)


def may_be_transparent(head: bytes, mime_type: str) -> bool:
    """Whether these first HEAD_BYTES of an image announce transparency; whether any is used, only the pixels tell."""
    try:
        return _ALPHA[mime_type](head)
    except (KeyError, struct.error, IndexError):
        return False


def exif_orientation(tiff: bytes) -> int:
    """The orientation (1 to 8) in an EXIF block that starts at its TIFF header; 1 where it does not say."""
    with suppress(KeyError, struct.error):
        order = {b"II": "<", b"MM": ">"}[tiff[:2]]
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, start)
        for entry in range(min(count, 256)):
            tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, start + 2 + 12 * entry)
            if tag == 0x0112:
                return value if 1 <= value <= 8 else 1
    return 1


def jpeg_segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end) of each segment up to the pixels, marker bytes included; ends quietly at broken bytes.

    The last one is then that of JPEG_SCAN, after which the pixels come.
    """
    marker, end = 0, 2
    while marker != JPEG_SCAN and (found := _JPEG_MARK.match(content, end)) and found.end() + 2 <= len(content):
        marker = found[1][0]
        (length,) = struct.unpack_from(">H", content, found.end())
        if length < 2:
            return
        end = found.end() + length
        yield marker, found.end() - 2, end


def _png(head: bytes) -> PixelSize:
    return PixelSize(*struct.unpack_from(">II", head, 16)) if head[12:16] == b"IHDR" else PixelSize()


def _jpeg(head: bytes) -> PixelSize:
    orientation = 1
    for marker, start, end in jpeg_segments(head):
        if marker == 0xE1 and head[start + 4 : start + 10] == b"Exif\0\0":
            orientation = exif_orientation(head[start + 10 : end])
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", head, start + 5)
            return PixelSize(width, height, orientation)
    return PixelSize()


def _webp(head: bytes) -> PixelSize:
    kind = head[12:16]
    if kind == b"VP8X":
        return PixelSize(int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1)
    if kind == b"VP8L" and head[20] == 0x2F:
        (bits,) = struct.unpack_from("<I", head, 21)
        return PixelSize((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", head, 26)
        return PixelSize(width & 0x3FFF, height & 0x3FFF)
    return PixelSize()


def _avif(head: bytes) -> PixelSize:
    """The largest `ispe` box: tiles and thumbnails have their own, always smaller ones."""
    sizes = [struct.unpack_from(">II", head, found.end() + 4) for found in re.finditer(rb"\0\0\0\x14ispe", head)]
    return PixelSize(*max(sizes, key=lambda size: size[0] * size[1], default=(0, 0)))


def _svg(head: bytes) -> PixelSize:
    root = _svg_root(head)
    width, height = (_svg_length(_svg_attribute(root, name)) for name in ("width", "height"))
    box = [_svg_length(number) for number in re.split(r"[\s,]+", _svg_attribute(root, "viewBox").strip())]
    if not (width and height) and len(box) == 4:
        box_width, box_height = box[2:]
        width = width or (height * box_width / box_height if height and box_height else box_width)
        height = height or (width * box_height / box_width if box_width else box_height)
    return PixelSize(_rounded(width), _rounded(height)) if width and height else PixelSize()


def _svg_root(head: bytes) -> str:
    """The `<svg ...` tag without its closing bracket, empty where the bytes are no SVG."""
    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    found = _SVG_START.match(head[:_SVG_ROOT_WITHIN].decode(encoding, "replace"))
    return found[1] if found else ""


def _svg_attribute(root: str, name: str) -> str:
    """Its value, empty where it is missing; no size needs more than 1,000 characters."""
    found = re.search(rf"""\s{name}\s*+=\s*+["']([^"']*+)["']""", root)
    return found[1].strip()[:1000] if found else ""


def _svg_length(text: str) -> float:
    """A length in px, 0 where it is none or relative ("100%")."""
    length = _LENGTH.fullmatch(text)
    return float(length[1]) * _PX_PER_UNIT[length[2].lower()] if length else 0.0


def _rounded(number: float) -> int:
    return round(min(number, MAX_SIDE_PX)) if number > 0 else 0  # NaN, from a ratio of two endless sides, is not > 0


def _webp_has_alpha(head: bytes) -> bool:
    kind = head[12:16]
    return (kind == b"VP8X" and bool(head[20] & 0x10)) or (kind == b"VP8L" and bool(head[24] & 0x10))


def _png_has_alpha(head: bytes) -> bool:
    """An alpha channel (colour types 4 and 6), or a colour that counts as transparent."""
    return head[25] in (4, 6) or b"tRNS" in head[: head.find(b"IDAT") + 1 or None]


_ALPHA: dict[str, Callable[[bytes], bool]] = {
    "image/png": _png_has_alpha,
    "image/webp": _webp_has_alpha,
    "image/gif": lambda head: any(found[1][0] & 1 for found in re.finditer(rb"!\xf9\x04(.)", head, re.DOTALL)),
    "image/avif": lambda head: b"auxC" in head and b"auxiliary:alpha" in head,
    "image/svg+xml": lambda head: True,
}
_READERS: dict[str, Callable[[bytes], PixelSize]] = {
    "image/png": _png,
    "image/jpeg": _jpeg,
    "image/webp": _webp,
    "image/gif": lambda head: PixelSize(*struct.unpack_from("<HH", head, 6)),
    "image/avif": _avif,
    "image/svg+xml": _svg,
}
