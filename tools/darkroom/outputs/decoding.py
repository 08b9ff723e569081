"""The only way from here to Pillow and resvg: a process for one image, ended after its answer or when its time is up.

A process each costs about 0.1 s and buys this: a decoder that is led astray finds no key in its environment, cannot
outgrow its memory, is killed when it hangs, and no idle worker stays in memory between two images.
"""

import logging
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from subprocess import DEVNULL
from typing import Literal

import anyio
from anyio.lowlevel import RunVar
from pydantic import JsonValue

from darkroom.decoder.frames import frame, split_frame
from darkroom.outputs.formats import HEAD_BYTES, MAX_PIXELS, sniff

log = logging.getLogger(__name__)

TIMEOUT_S = 15.0

# The longer side of a drawing where nothing else is asked for.
SVG_PX = 2048

# Of each event loop.
_limiter: RunVar[anyio.CapacityLimiter] = RunVar("darkroom_decoders")

Operation = Literal["small", "cell", "sheet", "look", "drawn", "upright", "mask", "scaled"]
_PROGRAM = Path("decoder", "program.py")  # in our own package
_NEEDED = ("darkroom", "PIL", "resvg_py")
# What a process needs to start at all, on Windows and where Python's libraries lie in an unusual place.
_KEPT_VARIABLES = ("SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """An encoded image, decoded and written anew: no metadata, upright, one frame.

    `is_transparent`: a pixel of the source lets something through; `is_still`: it has one frame; `flaw` is what a
    drawing lacks, as the end of a sentence: "its text, as no font was found on this computer".
    """

    content: bytes
    mime_type: str
    width_px: int
    height_px: int
    is_transparent: bool = False
    is_still: bool = True
    flaw: str = ""


async def render_image(
    operation: Operation, content: bytes, *, timeout_s: float = TIMEOUT_S, **options: JsonValue
) -> Rendered | str:
    """Have `decoder` decode `content` (PNG, JPEG, WebP, GIF, AVIF or SVG bytes) and encode it again.

    `small`: fits `max_bytes` and `box` (width, height in px; left out: by quality alone); `cell`: fits `box`, without
    loss; `look`: no bytes, only what is known then; `upright`: as it is; `mask`: gray PNG, with `invert` the other way
    round; `scaled`: PNG of `width_px` x `height_px`; `drawn`: an SVG as PNG; `sheet`: `cells` on a contact sheet (see
    `decoder.sheet`). The longer side of an SVG becomes `svg_px`. Cancelling kills the process.
    Its time begins with its turn.

    A text says why there is no image, as the end of a sentence: "it is damaged and cannot be decoded".
    """
    about: dict[str, JsonValue] = {"operation": operation, "max_pixels": MAX_PIXELS, "svg_px": SVG_PX}
    request = frame(about | {"mime_type": sniff(content[:HEAD_BYTES])} | options, content)
    try:
        async with _turn():
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
    folders = _folders()
    command = [sys.executable, "-I", "-S", "-B", str(Path(folders[0], "darkroom", _PROGRAM)), *dict.fromkeys(folders)]
    environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    environment["MALLOC_ARENA_MAX"] = "2"  # each reserves 64 MiB of address space, which the memory limit counts
    async with await anyio.open_process(command, stderr=DEVNULL, env=environment) as process:
        assert process.stdin and process.stdout
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            await process.stdin.send(request)
            await process.stdin.aclose()
        return b"".join([piece async for piece in process.stdout])


@asynccontextmanager
async def _turn() -> AsyncGenerator[None]:
    """One image for each core at a time; the others wait, so that many at once do not fill the memory."""
    limiter = _limiter.get(None)
    if limiter is None:
        limiter = anyio.CapacityLimiter(os.cpu_count() or 1)
        _limiter.set(limiter)
    async with limiter:
        yield


@cache
def _folders() -> tuple[str, ...]:
    """The folders that hold our package and each library that the process needs; none of them is imported for that."""
    found = [(find_spec(name), name) for name in _NEEDED]
    return tuple(str(Path(spec.origin).parent.parent) for spec, _ in found if spec and spec.origin)


def _parse(reply: bytes) -> Rendered | str:
    try:
        header, content = split_frame(reply)
        if isinstance(problem := header.get("problem"), str):
            return problem
        return Rendered(
            content=content,
            mime_type=str(header["mime_type"]),
            width_px=int(header["width_px"]),
            height_px=int(header["height_px"]),
            is_transparent=header.get("is_transparent") is True,
            is_still=header.get("is_still") is not False,
            flaw=str(header.get("flaw", "")),
        )
    except (ValueError, KeyError, TypeError):
        # It died without an answer: out of memory or CPU time, or a crash inside a decoder.
        return "decoding it went beyond the limits"
