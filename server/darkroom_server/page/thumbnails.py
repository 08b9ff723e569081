"""Small pictures for the contact sheet: made by the guarded decoder, a few at once, and kept by their hash."""

import hashlib
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import anyio
from anyio import to_thread
from pydantic import JsonValue

from darkroom.errors import OutputError
from darkroom.file_systems import write_whole
from darkroom.images import StoredFile
from darkroom.outputs.decoding import render_image
from darkroom.outputs.formats import HEAD_BYTES, MAX_PIXELS, pixel_size, sniff
from darkroom.outputs.preview import SHOWN_TYPES, Reader

LONGEST_PX = 400
MAX_BYTES = 60_000
_AT_ONCE = 2
_HASH = re.compile(r"[0-9a-f]{64}")
_MOST_KEPT_BYTES = 1_000_000_000
_SVG = "image/svg+xml"


class Kept(Protocol):
    """Where thumbnails are kept once they are made; what is lost there is made anew."""

    async def get(self, file: StoredFile) -> bytes:
        """The thumbnail of this file, empty where none is kept."""
        ...

    async def put(self, file: StoredFile, content: bytes) -> None:
        """Keep it, where that is possible."""
        ...


class Thumbnails:
    """`read` gives the bytes of a file of the catalogue."""

    def __init__(self, kept: Kept, read: Reader) -> None:
        self._kept = kept
        self._read = read
        self._limiter = anyio.CapacityLimiter(_AT_ONCE)

    async def of(self, file: StoredFile, is_wanted: Callable[[], Awaitable[bool]] | None = None) -> bytes:
        """PNG, JPEG or WebP bytes, the longer side at most LONGEST_PX; empty where nobody wants it any more.

        Raises: OutputError that says why there is none.
        """
        if kept := await self._kept_of(file):
            return kept
        async with self._limiter:
            if is_wanted and not await is_wanted():
                return b""
            return await self._kept_of(file) or await self._made(file)

    async def _kept_of(self, file: StoredFile) -> bytes:
        content = await self._kept.get(file) if _HASH.fullmatch(file.sha256) else b""
        return content if sniff(content[:HEAD_BYTES]) in SHOWN_TYPES else b""

    async def _made(self, file: StoredFile) -> bytes:
        content = await self._read(file)
        made = await shrunk(content, LONGEST_PX, MAX_BYTES)
        # A file that was changed since, or whose sidecar tells another hash, must not stand for the image of that hash.
        if hashlib.sha256(content).hexdigest() == file.sha256:
            await self._kept.put(file, made)
        return made


class FolderKept:
    """In a folder that is ours alone; it may be emptied at any time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def get(self, file: StoredFile) -> bytes:
        return await to_thread.run_sync(self._read, file)

    async def put(self, file: StoredFile, content: bytes) -> None:
        await to_thread.run_sync(self._write, file, content)

    def sweep(self) -> None:
        """Remove the oldest where they have become too many."""
        with suppress(OSError):
            paths = [(path.stat().st_mtime, path.stat().st_size, path) for path in self._folder.glob("*/*")]
            left = sum(size for _, size, _ in paths)
            for _, size, path in sorted(paths):
                if left <= _MOST_KEPT_BYTES:
                    return
                path.unlink(missing_ok=True)
                left -= size

    def _path(self, file: StoredFile) -> Path:
        return self._folder / file.sha256[:2] / f"{file.sha256}-{LONGEST_PX}"

    def _read(self, file: StoredFile) -> bytes:
        with suppress(OSError):
            return self._path(file).read_bytes()
        return b""

    def _write(self, file: StoredFile, content: bytes) -> None:
        with suppress(OSError):
            write_whole(self._path(file), content)


async def shrunk(content: bytes, longest_px: int, max_bytes: int) -> bytes:
    """The picture with a longer side of at most `longest_px`. Raises: OutputError that says why there is none."""
    head = content[:HEAD_BYTES]
    mime_type = sniff(head) or ""
    if not mime_type or (mime_type != _SVG and pixel_size(head, mime_type).pixels > MAX_PIXELS):
        raise OutputError("It is no image that can be decoded.")
    box: list[JsonValue] = [longest_px, longest_px]
    made = await render_image("small", content, max_bytes=max_bytes, box=box, svg_px=longest_px)
    if isinstance(made, str):
        raise OutputError(f"It cannot be shown: {made}.")
    return made.content
