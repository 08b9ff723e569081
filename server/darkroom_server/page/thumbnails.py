"""Small pictures for the contact sheet: made by the guarded decoder, a few at once, and kept on disk by their hash."""

import hashlib
import os
import re
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import anyio
from anyio import to_thread
from pydantic import JsonValue

from darkroom.errors import OutputError
from darkroom.images import StoredFile
from darkroom.outputs.decoding import render_image
from darkroom.outputs.formats import HEAD_BYTES, MAX_PIXELS, pixel_size, sniff

LONGEST_PX = 400
MAX_BYTES = 60_000
SHOWN_TYPES = frozenset({"image/png", "image/jpeg", "image/webp"})
_AT_ONCE = 2
_HASH = re.compile(r"[0-9a-f]{64}")
_MOST_KEPT_BYTES = 1_000_000_000
_SVG = "image/svg+xml"

Reader = Callable[[StoredFile], Awaitable[bytes]]


class Thumbnails:
    """`folder` is ours alone; it may be emptied at any time. `read` gives the bytes of a file of the catalogue."""

    def __init__(self, folder: Path, read: Reader) -> None:
        self._folder = folder
        self._read = read
        self._limiter = anyio.CapacityLimiter(_AT_ONCE)

    async def of(self, file: StoredFile, is_wanted: Callable[[], Awaitable[bool]] | None = None) -> bytes:
        """PNG, JPEG or WebP bytes, the longer side at most LONGEST_PX; empty where nobody wants it any more.

        Raises: OutputError that says why there is none.
        """
        if kept := await to_thread.run_sync(self._kept, file):
            return kept
        async with self._limiter:
            if is_wanted and not await is_wanted():
                return b""
            return await to_thread.run_sync(self._kept, file) or await self._made(file)

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

    async def _made(self, file: StoredFile) -> bytes:
        content = await self._read(file)
        made = await shrunk(content, LONGEST_PX, MAX_BYTES)
        # A file that was changed since, or whose sidecar tells another hash, must not stand for the image of that hash.
        if hashlib.sha256(content).hexdigest() == file.sha256:
            await to_thread.run_sync(self._keep, file, made)
        return made

    def _path(self, file: StoredFile) -> Path | None:
        name = file.sha256 if _HASH.fullmatch(file.sha256) else ""
        return self._folder / name[:2] / f"{name}-{LONGEST_PX}" if name else None

    def _kept(self, file: StoredFile) -> bytes:
        path = self._path(file)
        with suppress(OSError):
            content = path.read_bytes() if path else b""
            return content if sniff(content[:HEAD_BYTES]) in SHOWN_TYPES else b""
        return b""

    def _keep(self, file: StoredFile, content: bytes) -> None:
        """Whole or not at all. Where the disk refuses, it is made anew the next time."""
        if (path := self._path(file)) is None:
            return
        part = path.with_name(f".{secrets.token_hex(8)}")
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
                    target.write(content)
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)


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
