"""Small images for the chat: each answer's previews together stay under what the strictest host takes."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import anyio

from darkroom.errors import OutputError
from darkroom.images import StoredFile
from darkroom.outputs.decoding import TIMEOUT_S, Rendered, render_image
from darkroom.outputs.formats import HEAD_BYTES, MAX_PIXELS, RASTER_TYPES, pixel_size, sniff

# Claude Desktop refuses a tool result beyond 1,048,576 bytes, base64 included (checked 2026-11-20).
TOTAL_BASE64_BYTES = 700_000
MAX_PX = 1536
MAX_IMAGES = 4
_PROCESSES = 2
_IS_VECTOR = "it is a vector image, saved as a file"

Reader = Callable[[StoredFile], Awaitable[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A JPEG, or a WebP where the image has transparency; `index` is its number (from 0) among those asked for."""

    index: int
    data: bytes
    mime_type: str
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewProblem:
    """Why number `index` has no preview, as the end of a sentence: "it is a vector image, saved as a file".

    `is_fault` where something is wrong with the image or its file, False where none is made of such an image at all.
    """

    index: int
    reason: str
    is_fault: bool = True


async def previews(
    files: Sequence[StoredFile],
    read: Reader,
    *,
    total_b64: int = TOTAL_BASE64_BYTES,
    max_images: int = MAX_IMAGES,
    timeout_s: float = TIMEOUT_S,
) -> list[Preview | PreviewProblem]:
    """One preview or problem for each file, in order; the base64 of all together is at most `total_b64` characters.

    `read` gives the bytes of a file (`OutputStores.read`). Whatever is wrong with an image is a problem in the list,
    never an exception. `timeout_s` holds for each image.
    """
    shown = min(len(files), max_images)
    limiter = anyio.CapacityLimiter(_PROCESSES)
    results: list[Preview | PreviewProblem] = [
        PreviewProblem(index=index, reason=f"only the first {max_images} images are shown", is_fault=False)
        for index in range(len(files))
    ]

    async def make(index: int) -> None:
        async with limiter:
            made = await _small(files[index], read, total_b64 // shown // 4 * 3, timeout_s)
        if isinstance(made, str):
            results[index] = PreviewProblem(index=index, reason=made, is_fault=made != _IS_VECTOR)
        else:
            width_px, height_px = made.width_px, made.height_px
            results[index] = Preview(
                index=index, data=made.content, mime_type=made.mime_type, width_px=width_px, height_px=height_px
            )

    async with anyio.create_task_group() as tasks:
        for index in range(shown):
            tasks.start_soon(make, index)
    return results


async def _small(file: StoredFile, read: Reader, max_bytes: int, timeout_s: float) -> Rendered | str:
    """The image made small, or why it is not, as the end of a sentence."""
    if file.mime_type == "image/svg+xml":
        return _IS_VECTOR
    try:
        content = await read(file)
    except OutputError as error:
        return f"it cannot be read: {error.message}"
    # What the header alone tells is not decoded at all.
    head = content[:HEAD_BYTES]
    mime_type = sniff(head) or ""
    if mime_type not in RASTER_TYPES:
        return "it is no image of a known format"
    if (pixels := pixel_size(head, mime_type).pixels) > MAX_PIXELS:
        most = MAX_PIXELS // 1_000_000
        return f"it has {pixels / 1e6:.0f} million pixels, more than the {most} million that are decoded"
    return await render_image("small", content, timeout_s=timeout_s, max_bytes=max_bytes, max_px=MAX_PX)
