"""Making the bytes of an input image fit to send: a real raster, without metadata, and small enough."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from darkroom.errors import InvalidInput
from darkroom.outputs.decoding import TIMEOUT_S, Operation, Rendered, render_image
from darkroom.outputs.formats import EXTENSIONS, HEAD_BYTES, MAX_PIXELS, RASTER_TYPES, describe, pixel_size, sniff
from darkroom.outputs.metadata import strip_metadata

# Beyond that Replicate asks for a URL instead of a data URI (its HTTP reference, checked 2026-11-20).
INLINE_LIMIT_BYTES = 256_000
_SHRUNK_PX = 2048

Uploader = Callable[[bytes, str, str], Awaitable[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where in the request an image stands, and what follows from that.

    `label` is how messages call it; `must_keep_size`: it belongs to a mask, or is one, so both must keep fitting.
    """

    field: str
    label: str
    is_mask: bool = False
    is_inverted: bool = False
    must_keep_size: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InputImage:
    """A checked raster; 0 x 0 pixels where the header does not say."""

    content: bytes
    mime_type: str
    width_px: int
    height_px: int
    notes: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """ "1024 x 768, 1.5 MB" """
        size = f"{len(self.content) / 1e6:.1f} MB" if len(self.content) >= 1e6 else f"{len(self.content) / 1e3:.0f} kB"
        return f"{self.width_px} x {self.height_px}, {size}"


def check_image(content: bytes, position: Position, *, limit_bytes: int) -> InputImage:
    """Take only what is a raster image by its content and of a sane size.

    Raises: InvalidInput.
    """
    head = content[:HEAD_BYTES]
    mime_type = sniff(head)
    if mime_type not in RASTER_TYPES:
        found = "an SVG drawing" if mime_type else describe(head)
        raise _refused(
            position, f"is not an image that can be sent: it is {found}. Allowed: PNG, JPEG, WebP, GIF, AVIF."
        )
    if len(content) > limit_bytes:
        raise _refused(position, f"is larger than {limit_bytes // 2**20} MiB, the most that is taken.")
    size = pixel_size(head, mime_type)
    if size.pixels > MAX_PIXELS:
        raise _refused(
            position,
            f"has {size.pixels / 1e6:.0f} million pixels; at most {MAX_PIXELS // 1_000_000} million are taken.",
        )
    width_px, height_px = size.shown
    return InputImage(content=content, mime_type=mime_type, width_px=width_px, height_px=height_px)


async def without_metadata(image: InputImage, position: Position) -> InputImage:
    """Drop place, camera and comments; the pixels stay untouched where the format allows that and nothing is turned.

    Raises: InvalidInput where the image cannot be decoded.
    """
    stripped = strip_metadata(image.content, image.mime_type)
    if stripped and stripped.orientation == 1:
        return replace(image, content=stripped.content)
    made = await _rendered("upright", image, position, mime_type=image.mime_type)
    if made.mime_type == image.mime_type:
        return made
    return _noted(
        made, f"{position.label} was turned from {_short_type(image)} into PNG (one frame) to drop its metadata."
    )


async def inverted(image: InputImage, position: Position) -> InputImage:
    """The mask with black and white exchanged, as PNG.

    Raises: InvalidInput where the image cannot be decoded.
    """
    made = await _rendered("mask", image, position, invert=True)
    return _noted(made, "The mask was inverted, because this model edits where it is black.")


async def shrunk(image: InputImage, position: Position, *, limit_bytes: int) -> InputImage:
    """The image in at most `limit_bytes`; one that must keep its size only loses quality.

    Raises: InvalidInput naming the limit where that is not possible.
    """
    if position.is_mask:
        made = await _rendered("mask", image, position)
        if len(made.content) > limit_bytes:
            raise _refused(position, f"is too large ({image.words}): {_limit_words(limit_bytes)} Give a simpler mask.")
        return made
    max_px = 0 if position.must_keep_size else _SHRUNK_PX
    made = await _rendered(
        "small", image, position, max_bytes=limit_bytes, max_px=max_px, keep_size=position.must_keep_size
    )
    return _noted(made, f"{position.label} was shrunk from {image.words} to {made.words}: {_limit_words(limit_bytes)}")


def file_name(image: InputImage, position: Position) -> str:
    """A name for an upload that tells nothing of the person's own names."""
    return f"{'mask' if position.is_mask else 'image'}.{EXTENSIONS[image.mime_type]}"


async def _rendered(operation: Operation, image: InputImage, position: Position, **options: int | str) -> InputImage:
    made = await render_image(operation, image.content, timeout_s=TIMEOUT_S, **options)
    if not isinstance(made, Rendered):
        raise _refused(position, f"({image.words}) cannot be used: {made.reason}.")
    return InputImage(
        content=made.content,
        mime_type=made.mime_type,
        width_px=made.width_px,
        height_px=made.height_px,
        notes=image.notes,
    )


def _noted(image: InputImage, note: str) -> InputImage:
    return replace(image, notes=(*image.notes, note))


def _short_type(image: InputImage) -> str:
    return image.mime_type.removeprefix("image/").upper()


def _limit_words(limit_bytes: int) -> str:
    return f"this gateway has no file upload, and an image inside the request may have {limit_bytes / 1e3:.0f} kB."


def _refused(position: Position, words: str) -> InvalidInput:
    return InvalidInput(f"{position.label} {words}", field=position.field)
