"""Making the bytes of an input image fit to send: a real raster, without metadata, and small enough."""

from dataclasses import asdict, dataclass, replace

from pydantic import JsonValue

from darkroom.errors import InvalidInput
from darkroom.outputs.decoding import SVG_PX, TIMEOUT_S, Operation, Rendered, render_image
from darkroom.outputs.formats import EXTENSIONS, HEAD_BYTES, MAX_PIXELS, describe, pixel_size, sniff
from darkroom.outputs.metadata import strip_metadata
from darkroom.uris import decode_data_uri, is_data_uri

# Beyond that Replicate asks for a URL instead of a data URI (its HTTP reference, checked 2026-11-20).
INLINE_LIMIT_BYTES = 256_000
_LIMIT = f"this gateway has no file upload, and an image inside the request may have {INLINE_LIMIT_BYTES / 1e3:.0f} kB."
_SHRUNK_PX = 2048
_SVG = "image/svg+xml"
_SAME_SHAPE = 0.01  # sizes are rounded to whole pixels, or to a model's steps
MAX_INPUT_BYTES = 20 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where in the request an image stands, and what follows from that.

    `label` is how messages call it; `must_keep_size`: it belongs to a mask, or is one, so both must keep fitting.
    `image_size`: width and height in pixels of the image that this mask belongs to, 0 x 0 where that is not known.
    """

    field: str
    label: str
    is_mask: bool = False
    is_inverted: bool = False
    must_keep_size: bool = False
    image_size: tuple[int, int] = (0, 0)

    def refused(self, words: str) -> InvalidInput:
        return InvalidInput(f"{self.label} {words}", field=self.field)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputImage(Rendered):
    """A checked image, as it came or rendered; 0 x 0 pixels where the header does not say."""

    notes: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """ "1024 x 768, 1.5 MB" """
        size = f"{len(self.content) / 1e6:.1f} MB" if len(self.content) >= 1e6 else f"{len(self.content) / 1e3:.0f} kB"
        return f"{self.width_px} x {self.height_px}, {size}"


def check_mask_size(size: tuple[int, int], position: Position) -> bool:
    """Whether a mask of this size has to be scaled to its image. Raises: InvalidInput where it has another shape."""
    (width, height), (across, down) = size, position.image_size
    if not (width and height and across and down) or size == position.image_size:
        return False
    if abs(width * down - height * across) > _SAME_SHAPE * width * down:
        raise position.refused(
            f"is {width} x {height}, its image {across} x {down}: they must have the same shape, or the wrong part "
            f"would be repainted. Nothing was sent. Give a mask of {across} x {down}."
        )
    return True


async def prepared(content: bytes, position: Position, *, limit_bytes: int, keep_metadata: bool) -> InputImage:
    """The image as it may be sent: checked, a drawing (SVG) as PNG, without metadata; a mask in the size of its image,
    and inverted where the model wants that.

    Raises: InvalidInput where it cannot be sent or decoded.
    """
    image = check_image(content, position, limit_bytes=limit_bytes)
    if image.mime_type == _SVG:
        image = await _drawn(image, position)
    if position.is_mask and check_mask_size((image.width_px, image.height_px), position):
        (across, down), old = position.image_size, f"{image.width_px} x {image.height_px}"
        made = await _rendered("scaled", image, position, width_px=across, height_px=down)
        image = _noted(made, f"The mask was scaled from {old} to {across} x {down}, the size of its image.")
    if position.is_inverted:
        made = await _rendered("mask", image, position, invert=True)
        return _noted(made, "The mask was inverted, because this model edits where it is black.")
    return image if keep_metadata else await _without_metadata(image, position)


async def shrunk(image: InputImage, position: Position) -> InputImage:
    """The image in at most INLINE_LIMIT_BYTES; one that must keep its size only loses quality.

    Raises: InvalidInput naming the limit where that is not possible.
    """
    if position.is_mask:
        made = await _rendered("mask", image, position)
        if len(made.content) > INLINE_LIMIT_BYTES:
            raise position.refused(f"is too large ({image.words}): {_LIMIT} Give a simpler mask.")
        return made
    max_px = 0 if position.must_keep_size else _SHRUNK_PX
    made = await _rendered("small", image, position, max_bytes=INLINE_LIMIT_BYTES, box=[max_px, max_px])
    return _noted(made, f"{position.label} was shrunk from {image.words} to {made.words}: {_LIMIT}")


def file_name(image: InputImage, position: Position) -> str:
    """A name for an upload that tells nothing of the person's own names."""
    return f"{'mask' if position.is_mask else 'image'}.{EXTENSIONS[image.mime_type]}"


def check_image(content: bytes, position: Position, *, limit_bytes: int) -> InputImage:
    """Take only what is an image by its content and of a sane size; that of a drawing is the one it is drawn in."""
    head = content[:HEAD_BYTES]
    mime_type = sniff(head)
    if mime_type is None:
        words = f"is not an image that can be sent: it is {describe(head)}. Allowed: PNG, JPEG, WebP, GIF, AVIF, SVG."
        raise position.refused(words)
    if len(content) > limit_bytes:
        raise position.refused(f"is larger than {limit_bytes // 2**20} MiB, the most that is taken.")
    size = pixel_size(head, mime_type)
    if mime_type == _SVG:
        size = size.drawn(SVG_PX)
    if size.pixels > MAX_PIXELS:
        most = MAX_PIXELS // 1_000_000
        raise position.refused(f"has {size.pixels / 1e6:.0f} million pixels; at most {most} million are taken.")
    width_px, height_px = size.shown
    return InputImage(content=content, mime_type=mime_type, width_px=width_px, height_px=height_px)


async def _drawn(image: InputImage, position: Position) -> InputImage:
    made = await _rendered("drawn", image, position)
    lacks = f", without {made.flaw}" if made.flaw else ""
    return _noted(
        made, f"{position.label} is an SVG: it was sent as PNG of {made.width_px} x {made.height_px} px{lacks}."
    )


def checked_picture(uri: str) -> InputImage:
    """The raster image in a data URI, under the same limits as every input. Raises: InvalidInput."""
    position = Position(field="picture", label="picture")
    if not is_data_uri(uri):
        raise position.refused("is not a data URI.")
    try:
        content = decode_data_uri(uri, limit_bytes=MAX_INPUT_BYTES)[1]
    except ValueError as error:
        raise position.refused(f"cannot be used: {error}") from error
    return check_image(content, position, limit_bytes=MAX_INPUT_BYTES)


async def _without_metadata(image: InputImage, position: Position) -> InputImage:
    """Drop place, camera and comments; the pixels stay untouched where the format allows that and nothing is turned."""
    stripped = strip_metadata(image.content, image.mime_type)
    if stripped and stripped.orientation == 1:
        return replace(image, content=stripped.content)
    made = await _rendered("upright", image, position)
    if made.mime_type == image.mime_type:
        return made
    old_type = image.mime_type.removeprefix("image/").upper()
    return _noted(made, f"{position.label} was turned from {old_type} into PNG (one frame) to drop its metadata.")


async def _rendered(operation: Operation, image: InputImage, position: Position, **options: JsonValue) -> InputImage:
    made = await render_image(operation, image.content, timeout_s=TIMEOUT_S, **options)
    if isinstance(made, str):
        raise position.refused(f"({image.words}) cannot be used: {made}.")
    return InputImage(**asdict(made), notes=image.notes)


def _noted(image: InputImage, note: str) -> InputImage:
    return replace(image, notes=(*image.notes, note))
