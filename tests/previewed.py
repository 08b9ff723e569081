"""Previews of bytes, for tests."""

from typing import Any

import anyio

from darkroom.images import StoredFile
from darkroom.outputs.formats import pixel_size, sniff
from darkroom.outputs.preview import Preview, Previewed, preview_of


async def previewed(*contents: bytes, **options: Any) -> Previewed:
    """What is shown of files with these contents, numbered from 1."""

    async def read(file: StoredFile) -> bytes:
        return contents[int(file.location) - 1]

    return await preview_of({number: _file(number, each) for number, each in enumerate(contents, 1)}, read, **options)


async def the_preview(content: bytes, **options: Any) -> Preview:
    """The picture of one image that can be shown."""
    with anyio.fail_after(30):
        made = await previewed(content, **options)
    assert made.preview and not made.problems, made
    return made.preview


async def the_problem(content: bytes) -> str:
    """Why this image cannot be shown."""
    with anyio.fail_after(30):
        made = await previewed(content)
    assert made.preview is None
    return made.problems[0].reason


def _file(number: int, content: bytes) -> StoredFile:
    mime_type = sniff(content) or ""
    width_px, height_px = pixel_size(content, mime_type).shown
    return StoredFile(
        location=str(number),
        mime_type=mime_type,
        width_px=width_px,
        height_px=height_px,
        size_bytes=len(content),
        sha256="",
    )
