"""The only way from here to Pillow: a process for one image, ended after its answer or when its time is up.

A process each costs about 0.1 s and buys this: a decoder that is led astray finds no key in its environment, cannot
outgrow its memory, is killed when it hangs, and no idle worker stays in memory between two images.
"""

import logging
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL
from typing import Literal

import anyio
import PIL
from pydantic import JsonValue

from darkroom.outputs import render
from darkroom.outputs.formats import MAX_PIXELS

log = logging.getLogger(__name__)

TIMEOUT_S = 15.0

Operation = Literal["small", "upright", "mask", "scaled"]
# What a process needs to start at all, on Windows and where Python's libraries lie in an unusual place.
_KEPT_VARIABLES = ("SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """An encoded image, decoded and written anew: no metadata, upright, one frame."""

    content: bytes
    mime_type: str
    width_px: int
    height_px: int


async def render_image(
    operation: Operation, content: bytes, *, timeout_s: float = TIMEOUT_S, **options: JsonValue
) -> Rendered | str:
    """Have `render.py` decode `content` (PNG, JPEG, WebP, GIF or AVIF bytes) and encode it again.

    `small`: fits `max_bytes` and `max_px` (0: by quality alone); `upright`: as it is; `mask`: gray PNG, with `invert`
    the other way round; `scaled`: PNG of `width_px` x `height_px`. Cancelling kills the process.

    A text says why there is no image, as the end of a sentence: "it is damaged and cannot be decoded".
    """
    request = render.frame({"operation": operation, "max_pixels": MAX_PIXELS, **options}, content)
    try:
        with anyio.fail_after(timeout_s):
            reply = await _ask(request)
    except TimeoutError:
        return f"decoding it took longer than {timeout_s:g} s"
    except OSError as error:
        log.warning("The image decoder did not start: %s", error)
        return "the image decoder could not be started"
    return _parse(reply)


async def _ask(request: bytes) -> bytes:
    """The process reads everything before it writes, so that sending first cannot lock."""
    command = [sys.executable, "-I", "-S", "-B", render.__file__, str(Path(PIL.__file__).parent.parent)]
    environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    environment["MALLOC_ARENA_MAX"] = "2"  # each reserves 64 MiB of address space, which the memory limit counts
    async with await anyio.open_process(command, stderr=DEVNULL, env=environment) as process:
        assert process.stdin and process.stdout
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            await process.stdin.send(request)
            await process.stdin.aclose()
        return b"".join([piece async for piece in process.stdout])


def _parse(reply: bytes) -> Rendered | str:
    try:
        header, content = render.split_frame(reply)
        if isinstance(problem := header.get("problem"), str):
            return problem
        return Rendered(
            content=content,
            mime_type=str(header["mime_type"]),
            width_px=int(header["width_px"]),
            height_px=int(header["height_px"]),
        )
    except (ValueError, KeyError, TypeError):
        # It died without an answer: out of memory or CPU time, or a crash inside a decoder.
        return "decoding it went beyond the limits"
