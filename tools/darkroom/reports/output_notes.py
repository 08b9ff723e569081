"""Where a result is not what was asked of it: smaller than the scale or the size, or in another format."""

import math
from collections.abc import Iterator, Sequence

from darkroom.images import StoredFile, WantedOutput
from darkroom.journal import Intent

_TYPES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp"}
_ROUNDING = 0.99


def output_notes(rows: Sequence[Intent]) -> Iterator[str]:
    """A sentence for each, equal ones once; images are numbered from 1 through all rows."""
    found: dict[str, list[int]] = {}
    numbered = enumerate(((row.wanted, image) for row in rows for image in row.images), start=1)
    for number, (wanted, image) in numbered:
        for words in _differences(wanted, image.file) if image.file else ():
            found.setdefault(words, []).append(number)
    for words, numbers in found.items():
        yield f"image {', '.join(map(str, numbers))}: {words}."


def _differences(wanted: WantedOutput, file: StoredFile) -> Iterator[str]:
    if file.width_px and wanted.width_px and (size_words := _size_words(wanted, file.width_px, file.height_px)):
        yield size_words
    if wanted.format and file.mime_type != _TYPES.get(wanted.format, file.mime_type):
        yield f"asked for {wanted.format}, got {file.mime_type.removeprefix('image/')}"


def _size_words(wanted: WantedOutput, width_px: int, height_px: int) -> str:
    asked, got = f"{wanted.width_px}x{wanted.height_px}", f"{width_px}x{height_px}"
    if not wanted.scale:
        return "" if asked == got else f"asked for {asked}, got {got}"
    share = math.sqrt(width_px * height_px / (wanted.width_px * wanted.height_px))
    if share >= _ROUNDING:
        return ""
    return f"asked for {wanted.scale:g}x ({asked}), got {share * wanted.scale:.1f}x ({got})"
