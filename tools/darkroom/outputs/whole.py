"""Whether a file came to its own end, told by its format while the bytes stream by: nothing is decoded, nothing is kept.

The readers walk from block to block by the lengths that the file gives, up to the end that the format defines; what
follows it (some encoders add bytes) is not looked at. Sources: those of `formats`, and GIF89a § 13 to 27, RFC 9649 § 2.4,
ISO 14496-12 § 4.2; checked 2026-11-25.
"""

import re
import struct
from collections.abc import Callable, Generator
from typing import Protocol
from xml.parsers import expat

_JPEG_MARK = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)
_JPEG_END, _JPEG_SCAN = 0xD9, 0xDA
_SVG_END = re.compile(rb"</(?:\w{1,20}:)?svg\s*>")
# Boxes that may follow the pixels; any other word behind them is no box but something added.
_BOXES = frozenset((b"mdat", b"meta", b"moov", b"free", b"skip", b"uuid", b"moof", b"mfra", b"sidx"))

Steps = Generator[None, None, None]


class WholeCheck(Protocol):
    """Feed it a file from its first byte; `at_end` then says if the end of the image was among what was fed."""

    def feed(self, data: bytes) -> None: ...
    def at_end(self) -> bool: ...


def whole_check(mime_type: str) -> WholeCheck:
    """The check for one of the types of `formats.EXTENSIONS`."""
    return _SvgCheck() if mime_type == "image/svg+xml" else _BlockCheck(_READERS[mime_type])


class _BlockCheck:
    """Holds the bytes that its reader has not taken yet. A reader that needs more yields; it sets `is_whole` at the end."""

    def __init__(self, reader: "Callable[[_BlockCheck], Steps]") -> None:
        self.is_whole = False
        self._waiting = bytearray()
        self._steps: Steps | None = reader(self)

    def feed(self, data: bytes) -> None:
        if self._steps:
            self._waiting += data
            if next(self._steps, self) is self:
                self._steps = None

    def at_end(self) -> bool:
        return self.is_whole

    def take(self, count: int) -> Generator[None, None, bytes]:
        while len(self._waiting) < count:
            yield
        taken = bytes(self._waiting[:count])
        del self._waiting[:count]
        return taken

    def skip(self, count: int) -> Steps:
        while len(self._waiting) < count:
            count -= len(self._waiting)
            self._waiting.clear()
            yield
        del self._waiting[:count]

    def jpeg_mark(self) -> Generator[None, None, int]:
        """The next mark; the pixels before it are skipped."""
        while not (found := _JPEG_MARK.search(self._waiting)):
            del self._waiting[: -1 if self._waiting.endswith(b"\xff") else None]
            yield
        mark, end = found[1][0], found.end()
        del self._waiting[:end]
        return mark


def _png(file: _BlockCheck) -> Steps:
    yield from file.skip(8)
    kind, has_pixels = b"", False
    while kind != b"IEND":
        length, kind = struct.unpack(">I4s", (yield from file.take(8)))
        yield from file.skip(length + 4)
        has_pixels = has_pixels or kind == b"IDAT"
    file.is_whole = has_pixels


def _jpeg(file: _BlockCheck) -> Steps:
    yield from file.skip(2)
    has_pixels = False
    while (mark := (yield from file.jpeg_mark())) != _JPEG_END:
        if mark not in (0x01, 0xD8):
            (length,) = struct.unpack(">H", (yield from file.take(2)))
            yield from file.skip(max(length - 2, 0))
        has_pixels = has_pixels or mark == _JPEG_SCAN
    file.is_whole = has_pixels


def _webp(file: _BlockCheck) -> Steps:
    _, size = struct.unpack("<4sI", (yield from file.take(8)))
    yield from file.skip(size)
    file.is_whole = size > 12


def _gif(file: _BlockCheck) -> Steps:
    head = yield from file.take(13)
    yield from file.skip(_gif_colours(head[10]))
    has_pixels = False
    while (kind := (yield from file.take(1))) != b";":
        if kind == b",":
            flags = (yield from file.take(9))[8]
            yield from file.skip(_gif_colours(flags) + 1)
            has_pixels = True
        elif kind == b"!":
            yield from file.skip(1)
        else:
            return
        while length := (yield from file.take(1))[0]:
            yield from file.skip(length)
    file.is_whole = has_pixels


def _gif_colours(flags: int) -> int:
    """The bytes of the colour table that these flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _avif(file: _BlockCheck) -> Steps:
    """Such a file has no end mark: it is whole where the boxes of description and pixels are, and no box is cut."""
    seen = set[bytes]()
    while True:
        file.is_whole = b"mdat" in seen and not seen.isdisjoint((b"meta", b"moov"))
        head_bytes = 8
        size, kind = struct.unpack(">I4s", (yield from file.take(8)))
        if file.is_whole and kind not in _BOXES:
            return
        if size == 1:
            head_bytes = 16
            (size,) = struct.unpack(">Q", (yield from file.take(8)))
        if size < head_bytes:
            # Size 0 is a box that reaches to the end of the file, wherever that is.
            file.is_whole = size == 0 and kind == b"mdat" and not seen.isdisjoint((b"meta", b"moov"))
            return
        file.is_whole = False
        yield from file.skip(size - head_bytes)
        seen.add(kind)


class _SvgCheck:
    """Whole with the end of its root element; where XML cannot be read (an unknown entity), with a last tag near the end."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._on_start
        self._parser.EndElementHandler = self._on_end
        self._depth = 0
        self._is_whole = self._is_broken = False
        self._tail = b""

    def feed(self, data: bytes, *, is_last: bool = False) -> None:
        data = data if self._tail else data.lstrip()
        self._tail = (self._tail + data)[-256:]
        if not self._is_whole and not self._is_broken:
            try:
                self._parser.Parse(data, is_last)
            except (expat.ExpatError, LookupError, ValueError):  # the latter for encodings that it does not know
                self._is_broken = not is_last

    def at_end(self) -> bool:
        self.feed(b"", is_last=True)
        return self._is_whole or (self._is_broken and bool(_SVG_END.search(self._tail)))

    def _on_start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1

    def _on_end(self, name: str) -> None:
        self._depth -= 1
        self._is_whole = self._is_whole or not self._depth


_READERS: dict[str, Callable[[_BlockCheck], Steps]] = {
    "image/png": _png,
    "image/jpeg": _jpeg,
    "image/webp": _webp,
    "image/gif": _gif,
    "image/avif": _avif,
}
