"""Small pictures for the chat: each answer's previews together stay under what the strictest host takes."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import anyio

from darkroom.errors import OutputError
from darkroom.images import StoredFile
from darkroom.outputs.decoding import TIMEOUT_S, Rendered, render_picture
from darkroom.outputs.formats import HEAD_BYTES, MAX_PIXELS, RASTER_TYPES, pixel_size, sniff

# Claude Desktop refuses a tool result beyond 1,048,576 bytes, base64 included (checked 2026-11-20).
TOTAL_BASE64_BYTES = 700_000
MAX_PX = 1536
MAX_IMAGES = 4
_PROCESSES = 2
_VECTOR = "it is a vector image, saved as a file"

Reader = Callable[[str], Awaitable[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A JPEG, or a WebP where the picture has transparency; `index` is its place (from 0) among those asked for."""

    index: int
    data: bytes
    mime_type: str
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewProblem:
    """Why number `index` has no preview, as the end of a sentence: "it is a vector image, saved as a file".

    `is_fault` where something is wrong with the picture or its file, False where none is made of such a picture at all.
    """

    index: int
    reason: str
    is_fault: bool = True


async def _unreadable(location: str) -> bytes:
    raise OutputError(f"no way to read '{location}' was given")


async def previews(
    pictures: Sequence[StoredFile | bytes],
    read: Reader = _unreadable,
    *,
    total_b64: int = TOTAL_BASE64_BYTES,
    max_px: int = MAX_PX,
    max_images: int = MAX_IMAGES,
    timeout_s: float = TIMEOUT_S,
) -> list[Preview | PreviewProblem]:
    """One preview or problem for each picture, in order; the base64 of all together is at most `total_b64` characters.

    `read` gives the bytes behind a location (`OutputStore.read`). Whatever is wrong with a picture is a problem in the
    list, never an exception. `timeout_s` holds for each picture.
    """
    shown = min(len(pictures), max_images)
    limiter = anyio.CapacityLimiter(_PROCESSES)
    results: dict[int, Preview | PreviewProblem] = {
        index: PreviewProblem(index=index, reason=f"only the first {max_images} images are shown", is_fault=False)
        for index in range(shown, len(pictures))
    }

    async def make(index: int, picture: StoredFile | bytes) -> None:
        async with limiter:
            results[index] = await _preview(index, picture, read, total_b64 // shown // 4 * 3, max_px, timeout_s)

    async with anyio.create_task_group() as tasks:
        for index in range(shown):
            tasks.start_soon(make, index, pictures[index])
    return [results[index] for index in range(len(pictures))]


async def _preview(
    index: int, picture: StoredFile | bytes, read: Reader, max_bytes: int, max_px: int, timeout_s: float
) -> Preview | PreviewProblem:
    try:
        reason = (
            _refusal(picture.mime_type, picture.width_px * picture.height_px) if isinstance(picture, StoredFile) else ""
        )
        content = b"" if reason else picture if isinstance(picture, bytes) else await read(picture.location)
    except OutputError as error:
        return PreviewProblem(index=index, reason=f"it cannot be read: {error.message}")
    if reason := reason or _refusal_of_bytes(content):
        return PreviewProblem(index=index, reason=reason, is_fault=reason != _VECTOR)
    result = await render_picture("small", content, timeout_s=timeout_s, max_bytes=max_bytes, max_px=max_px)
    if not isinstance(result, Rendered):
        return PreviewProblem(index=index, reason=result.reason)
    return Preview(
        index=index,
        data=result.content,
        mime_type=result.mime_type,
        width_px=result.width_px,
        height_px=result.height_px,
    )


def _refusal_of_bytes(content: bytes) -> str:
    head = content[:HEAD_BYTES]
    mime_type = sniff(head) or ""
    return _refusal(mime_type, pixel_size(head, mime_type).pixels)


def _refusal(mime_type: str, pixels: int) -> str:
    """Why this is not decoded at all, told by its header alone; empty where it may be."""
    if mime_type == "image/svg+xml":
        return _VECTOR
    if mime_type not in RASTER_TYPES:
        return "it is no picture of a known format"
    if pixels > MAX_PIXELS:
        return f"it has {pixels / 1e6:.0f} million pixels, more than the {MAX_PIXELS // 1_000_000} million that are decoded"
    return ""
