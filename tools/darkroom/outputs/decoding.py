"""The only way from here to Pillow and resvg: processes of their own (`decoders`), killed when an image's time is up.

That buys this: a decoder that is led astray finds no key in its environment, cannot outgrow its memory, meets no other
image, and is killed when it hangs.
"""

import logging
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import JsonValue

from darkroom.outputs.decoder_process import DecoderEndedError
from darkroom.outputs.decoders import decoders
from darkroom.outputs.formats import HEAD_BYTES, MAX_PIXELS, sniff

log = logging.getLogger(__name__)

TIMEOUT_S = 15.0
# The longer side of a drawing where nothing else is asked for.
SVG_PX = 2048

Operation = Literal["small", "cell", "sheet", "look", "drawn", "upright", "mask", "scaled"]


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

    `small`: fits `max_bytes` and `box` (width, height in px; left out: by quality alone), if possible `wanted_bytes`;
    `cell`: fits `box`, as bare pixels of the type image/rgb or image/rgba; `look`: no bytes, only what is known then;
    `upright`: as it is; `mask`: gray PNG, with `invert` the other way round; `scaled`: PNG of `width_px` x `height_px`;
    `drawn`: an SVG as PNG; `sheet`: `cells` on a contact sheet (see `decoder.sheet`). The longer side of an SVG becomes
    `svg_px`. Cancelling kills the process. Its time begins with its turn.

    A text says why there is no image, as the end of a sentence: "it is damaged and cannot be decoded".
    """
    about: dict[str, JsonValue] = {"operation": operation, "max_pixels": MAX_PIXELS, "svg_px": SVG_PX}
    about |= {"mime_type": sniff(content[:HEAD_BYTES])} | options
    try:
        header, result = await decoders().ask(about, content, timeout_s)
        return _rendered(header, result)
    except TimeoutError:
        return f"decoding it took longer than {timeout_s:g} s"
    except OSError as error:
        log.warning("The image decoder did not start: %s", error)
        return "the image decoder could not be started"
    except (DecoderEndedError, ValueError, KeyError, TypeError):
        # Out of memory or CPU time, or a crash inside a decoder.
        return "decoding it went beyond the limits"


def _rendered(header: dict[str, Any], content: bytes) -> Rendered | str:
    """Raises: ValueError, KeyError, TypeError where the decoder was led astray."""
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
