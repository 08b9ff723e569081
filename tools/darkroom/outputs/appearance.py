"""What can only be told by decoding a saved image: whether it is transparent, and for a drawing (SVG) its PNG."""

from dataclasses import replace

from darkroom.images import StoredFile
from darkroom.outputs.decoding import SVG_PX, render_image
from darkroom.outputs.formats import MAX_PIXELS
from darkroom.outputs.store import OutputStore

# A large drawing takes seconds of its own, and nobody waits for it but its answer; `decoder` bounds the CPU time.
_TIMEOUT_S = 30.0
_SVG = "image/svg+xml"


async def examined(file: StoredFile, store: OutputStore) -> tuple[StoredFile, str]:
    """The file with what its pixels say, and what is wrong with its PNG as a sentence, or "".

    A drawing gets a PNG of SVG_PX (longer side) beside it in `store`, which holds it. What cannot be transparent is
    not read again.

    Raises: OutputError where the file cannot be read, or its PNG not be written.
    """
    is_drawing = file.mime_type == _SVG
    if file.is_transparent is not None or (not is_drawing and file.width_px * file.height_px > MAX_PIXELS):
        return file, ""
    operation = "drawn" if is_drawing else "look"
    made = await render_image(operation, await store.read(file), timeout_s=_TIMEOUT_S)
    if isinstance(made, str):
        return file, f"No PNG was made of it: {made}." if is_drawing else ""
    file = replace(file, is_transparent=made.is_transparent)
    if not is_drawing:
        return file, ""
    beside = await store.save_beside(file, f"-{SVG_PX}px.png", made.content, made.mime_type)
    return replace(file, raster_location=beside), f"Its PNG lacks {made.flaw}." if made.flaw else ""
