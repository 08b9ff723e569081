"""SVG bytes -> a PNG, by resvg, which runs no script and asks no network but would open files that an image names.

So resvg never sees the document itself: expat reads it and only what was understood is written down anew, without
document type, entities, comments, instructions, and without references to anything outside of it. While a drawing
without text is drawn, the process can moreover open no file at all; text needs the fonts of this computer.
"""

import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from html import escape
from xml.parsers import expat

from darkroom.decoder.frames import Unusable

# Twice as deep, and the stack of a process is too small for resvg (0.48).
_DEEPEST = 150
_LONGEST = 64 * 1024 * 1024
_WITHIN = re.compile(r"\s*(?:#|data:image/(?:png|jpe?g|gif|webp)\s*;\s*base64\s*,)", re.IGNORECASE)
_NAMESPACES = {"xmlns": "http://www.w3.org/2000/svg", "xmlns:xlink": "http://www.w3.org/1999/xlink"}
_DRAWS_TARGET = frozenset({"image", "use", "feImage"})
_HIDDEN = frozenset({"script", "foreignObject"})
# What resvg says, by a word of it; its own sentences can hold words of the document.
_REFUSED = {"size": "its size is not known", "limit": "it has too many parts"}
# Serif, sans serif and monospace, by the names of usual systems. What a drawing names and the system lacks is drawn in
# the serif one.
_FONTS = (
    ("Times New Roman", "Arial", "Courier New"),
    ("DejaVu Serif", "DejaVu Sans", "DejaVu Sans Mono"),
    ("Liberation Serif", "Liberation Sans", "Liberation Mono"),
    ("Noto Serif", "Noto Sans", "Noto Sans Mono"),
    ("FreeSerif", "FreeSans", "FreeMono"),
    ("Nimbus Roman", "Nimbus Sans", "Nimbus Mono PS"),
    ("Ubuntu", "Ubuntu", "Ubuntu Mono"),
)
_PROBE = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><text y="18" font-size="20">M</text></svg>'


def drawn(content: bytes, longest_px: int) -> tuple[bytes, str]:
    """PNG bytes, RGBA, the longer side `longest_px`, and what is missing in it as the end of a sentence, or "".

    Raises: Unusable.
    """
    document = _Cleaning()
    document.read(content)
    text = "".join(document.pieces)
    try:
        with _no_files(not document.has_text):
            fonts = _fonts() if document.has_text else _FONTS[0]
            png = _png(text, fonts or _FONTS[0], longest_px, skip_system_fonts=not document.has_text)
    except ValueError as error:
        why = next((words for word, words in _REFUSED.items() if word in str(error)), "it cannot be drawn")
        raise Unusable(f"it is an SVG, and {why}") from error
    flaws = [] if fonts else ["its text, as no font was found on this computer"]
    flaws += ["what lies in other files or on the web"] if document.has_outside else []
    return png, " and ".join(flaws)


class _Cleaning:
    """`pieces` is the document written down anew; `has_outside`: something was left out that it would have drawn."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.has_text = self.has_outside = False
        self._depth = self._length = self._hidden_from = 0

    def read(self, content: bytes) -> None:
        """Raises: Unusable where it is no XML, or too deep or too long once its entities are written out."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        try:
            parser.Parse(content.lstrip(b" \t\r\n"), True)
        except (expat.ExpatError, LookupError, ValueError) as error:
            raise Unusable("it is damaged: its XML cannot be read") from error

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        kind = name.rpartition(":")[2]
        if self._depth > _DEEPEST:
            raise Unusable(f"it is nested more than {_DEEPEST} deep")
        if self._depth == 1:
            attributes = _NAMESPACES | attributes
        if kind in _HIDDEN and not self._hidden_from:
            self._hidden_from = self._depth
        if self._hidden_from:
            return
        self.has_text = self.has_text or kind == "text"
        kept = [pair for pair in attributes.items() if self._is_within(kind, *pair)]
        self._write("".join([f"<{name}", *(f' {key}="{escape(value)}"' for key, value in kept), ">"]))

    def _end(self, name: str) -> None:
        if not self._hidden_from:
            self._write(f"</{name}>")
        elif self._hidden_from == self._depth:
            self._hidden_from = 0
        self._depth -= 1

    def _characters(self, text: str) -> None:
        if not self._hidden_from:
            self._write(escape(text, quote=False))

    def _is_within(self, kind: str, key: str, value: str) -> bool:
        """Whether an attribute may stay: references only to the document itself and to pixels that it carries."""
        if key.rpartition(":")[2] != "href" or _WITHIN.match(value):
            return True
        self.has_outside = self.has_outside or kind in _DRAWS_TARGET
        return False

    def _write(self, piece: str) -> None:
        self._length += len(piece)
        if self._length > _LONGEST:
            raise Unusable(f"it is longer than {_LONGEST // 2**20} million characters")
        self.pieces.append(piece)


def _fonts() -> tuple[str, str, str] | None:
    """The first of `_FONTS` in which this computer draws text."""
    return next((fonts for fonts in _FONTS if _has_ink(_png(_PROBE, fonts))), None)


def _png(svg: str, fonts: tuple[str, str, str], longest_px: int = 20, skip_system_fonts: bool = False) -> bytes:
    import resvg_py

    serif, sans_serif, monospace = fonts
    return resvg_py.svg_to_bytes(
        svg_string=svg,
        width=longest_px,
        height=longest_px,
        skip_system_fonts=skip_system_fonts,
        serif_family=serif,
        sans_serif_family=sans_serif,
        monospace_family=monospace,
    )


def _has_ink(png: bytes) -> bool:
    import io

    from PIL import Image

    return Image.open(io.BytesIO(png), formats=["PNG"]).getbbox() is not None


@contextmanager
def _no_files(is_wanted: bool) -> Generator[None]:
    """No file can be opened meanwhile, where that is wanted and the system has such a limit."""
    if sys.platform == "win32":
        yield
        return
    from resource import RLIMIT_NOFILE, getrlimit, setrlimit

    before = getrlimit(RLIMIT_NOFILE)
    setrlimit(RLIMIT_NOFILE, (0, before[1]) if is_wanted else before)
    try:
        yield
    finally:
        setrlimit(RLIMIT_NOFILE, before)
