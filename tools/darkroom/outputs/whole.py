"""Whether a file reaches the end that its format defines, told by the lengths of its blocks; nothing is decoded.

What follows that end (some encoders add bytes) is not looked at. Sources: those of `formats`, and GIF89a § 13 to 27,
RFC 9649 § 2.4, ISO 14496-12 § 4.2; checked 2026-11-25.
"""

import re
import struct
from collections.abc import Callable, Iterator
from mmap import mmap
from xml.parsers import expat

_JPEG_MARK = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)
_JPEG_END, _JPEG_SCAN = 0xD9, 0xDA
# Boxes that may follow the pixels; any other word behind them is no box but something added.
_BOXES = frozenset((b"mdat", b"meta", b"moov", b"free", b"skip", b"uuid", b"moof", b"mfra", b"sidx"))
_SVG_END = re.compile(rb"</(?:\w{1,20}:)?svg\s*>")
_XML_IS_CUT = frozenset(
    expat.errors.codes[getattr(expat.errors, f"XML_ERROR_{name}")]
    for name in ("NO_ELEMENTS", "UNCLOSED_TOKEN", "PARTIAL_CHAR", "UNCLOSED_CDATA_SECTION")
)

Content = bytes | mmap


def is_whole(content: Content, mime_type: str) -> bool:
    """Whether a file of one of the types of `formats.EXTENSIONS` has its end. Never raises; may take a second."""
    try:
        return _READERS[mime_type](content)
    except (struct.error, IndexError):  # it ended where more was announced
        return False


def png_chunks(content: Content) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start, end) of each whole chunk up to IEND."""
    kind, end = b"", 8
    while kind != b"IEND" and end + 12 <= len(content):
        start = end
        length, kind = struct.unpack_from(">I4s", content, start)
        end = start + 12 + length
        if end <= len(content):
            yield kind, start, end


def jpeg_end(content: Content) -> int:
    """Where the image ends, after its end mark; 0 where that is missing, or pixels are. Looks not into the pixels."""
    position, has_pixels = 2, False
    while found := _JPEG_MARK.search(content, position):
        mark, position = found[1][0], found.end()
        if mark == _JPEG_END:
            return position if has_pixels else 0
        if mark not in (0x01, 0xD8):
            position += max(int.from_bytes(content[position : position + 2], "big"), 2)
        has_pixels = has_pixels or mark == _JPEG_SCAN
    return 0


def _gif(content: Content) -> bool:
    position, has_pixels = 13 + _gif_colours(content[10]), False
    while (kind := content[position]) != ord(";"):
        if kind == ord(","):
            position += 11 + _gif_colours(content[position + 9])
            has_pixels = True
        elif kind == ord("!"):
            position += 2
        else:
            return False
        while length := content[position]:
            position += 1 + length
        position += 1
    return has_pixels


def _gif_colours(flags: int) -> int:
    """The bytes of the colour table that these flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _avif(content: Content) -> bool:
    """Such a file has no end mark: it is whole where the boxes of description and pixels are, and no box is cut."""
    position, seen = 0, set[bytes]()
    while position + 8 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, position)
        if kind not in _BOXES and _has_pixels(seen):
            return True
        if size == 1:
            (size,) = struct.unpack_from(">Q", content, position + 8)
        position = position + max(size, 8) if size else len(content)  # 0: to the end of the file, wherever that is
        seen.add(kind)
    return _has_pixels(seen) and position <= len(content)


def _has_pixels(boxes: set[bytes]) -> bool:
    return b"mdat" in boxes and not boxes.isdisjoint((b"meta", b"moov"))


def _svg(content: Content) -> bool:
    """XML up to its end. Where XML cannot be read for another reason than a cut, the last tag stands near the end."""
    try:
        expat.ParserCreate().Parse(content[:].lstrip(), True)
        return True
    except expat.ExpatError as error:
        if error.code in _XML_IS_CUT:
            return False
    except (LookupError, ValueError):  # an encoding that it does not know
        pass
    return _SVG_END.search(content[-256:]) is not None


_READERS: dict[str, Callable[[Content], bool]] = {
    "image/png": lambda content: {b"IDAT", b"IEND"} <= {kind for kind, _, _ in png_chunks(content)},
    "image/jpeg": lambda content: jpeg_end(content) > 0,
    "image/webp": lambda content: 12 < int.from_bytes(content[4:8], "little") <= len(content) - 8,
    "image/gif": _gif,
    "image/avif": _avif,
    "image/svg+xml": _svg,
}
