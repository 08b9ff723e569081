"""One request carried out: the image is opened, turned upright, brought into a plain mode, and made what is asked."""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from darkroom.decoder.encoding import Encoded, encode, fitted, fitted_size, is_opaque, small
from darkroom.decoder.frames import Unusable

try:
    from darkroom.decoder.webp import decoded
except ImportError:  # a Python that was built without ctypes
    decoded = None

if TYPE_CHECKING:
    from PIL.Image import Image

_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF")
_LARGEST_PROFILE = 16 * 1024
# What is only looked at is shown in the colours that every screen has; what is sent keeps its own profile.
_SHOWN = frozenset({"small", "cell"})


def answer(request: dict[str, Any], content: bytes) -> tuple[dict[str, Any], bytes]:
    """Carry out one request; everything that a decoder can throw at us becomes a `problem`.

    `operation` is one of `_OPERATIONS`, or "sheet", which draws small images that were made here before.
    """
    try:
        header, result = _sheet(request, content) if request["operation"] == "sheet" else _one(request, content)
    except Unusable as error:
        return {"problem": str(error)}, b""
    except MemoryError:
        return {"problem": "it needs too much memory to decode"}, b""
    except Exception:  # the outermost edge: decoders raise almost anything on broken bytes
        return {"problem": "it is damaged and cannot be decoded"}, b""
    return header, result


def _one(request: dict[str, Any], content: bytes) -> tuple[dict[str, Any], bytes]:
    flaw = ""
    if request["mime_type"] == "image/svg+xml":
        from darkroom.decoder.drawing import drawn

        content, flaw = drawn(content, int(request["svg_px"]))
    image, is_still = _open(content, request)
    format_name, result, size = _OPERATIONS[request["operation"]](image, request)
    about = {"is_transparent": not is_opaque(image), "is_still": is_still, "flaw": flaw}
    return _header(format_name, size) | about, content if request["operation"] == "drawn" else result


def _sheet(request: dict[str, Any], content: bytes) -> tuple[dict[str, Any], bytes]:
    from darkroom.decoder.sheet import sheet

    whole = sheet(request, content)
    format_name, result, size = small(whole, int(request["max_bytes"]), whole.size)
    return _header(format_name, size), result


def _header(format_name: str, size: tuple[int, int]) -> dict[str, Any]:
    return {"mime_type": f"image/{format_name.lower()}", "width_px": size[0], "height_px": size[1]}


def _open(content: bytes, request: dict[str, Any]) -> "tuple[Image, bool]":
    """The first frame, upright, as L, LA, RGB or RGBA (other modes become one of these), and if it is the only one."""
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = None  # our own, stricter limit comes before any decoding
    image = Image.open(io.BytesIO(content), formats=_FORMATS)
    max_pixels, box = int(request["max_pixels"]), _box(request)
    if image.width * image.height > max_pixels:
        raise Unusable(f"it has {image.width} x {image.height} pixels, more than {max_pixels // 1_000_000} million")
    profile = image.info.get("icc_profile")
    if box:
        image.draft(None, box)  # a JPEG is then decoded at half, a quarter or an eighth
    is_still = getattr(image, "n_frames", 1) == 1
    image = _loaded(image, content, request)
    mode = image.mode
    ImageOps.exif_transpose(image, in_place=True)  # else it copies
    if profile and request["operation"] in _SHOWN:
        image, profile = _in_srgb(image, profile), None
    is_kept = profile and mode == "RGB" and len(profile) <= _LARGEST_PROFILE
    image = _plain_mode(image)
    image.info = {"icc_profile": profile} if is_kept else {}
    return image, is_still


def _loaded(image: "Image", content: bytes, request: dict[str, Any]) -> "Image":
    """Its first frame decoded, in the box at once where the decoder can do that."""
    if decoded and image.format == "WEBP" and image.mode == "RGB":
        size = fitted_size(image.size, _box(request) or image.size)
        # Several pictures keep every core busy by themselves.
        if made := decoded(content, image.size, size, has_threads=request["operation"] != "cell"):
            made.info = image.info
            return made
    image.seek(0)
    image.load()
    return image


def _box(request: dict[str, Any]) -> tuple[int, int] | None:
    width, height = request.get("box") or (0, 0)
    return (int(width), int(height)) if width and height else None


def _in_srgb(image: "Image", profile: bytes) -> "Image":
    """The same colours on an sRGB screen; as it was where the profile cannot be used."""
    from PIL import ImageCms

    if image.mode not in ("RGB", "RGBA", "CMYK"):
        return image
    try:
        mode = "RGB" if image.mode == "CMYK" else image.mode
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        plain = cast("Any", ImageCms).createProfile("sRGB")  # Pillow does not say what that is
        return ImageCms.profileToProfile(image, source, plain, outputMode=mode) or image
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image


def _plain_mode(image: "Image") -> "Image":
    if image.mode in ("L", "RGB", "LA", "RGBA"):
        return image.convert("RGBA") if "transparency" in image.info else image
    if image.mode.startswith("I"):  # 16 bits a channel; convert() alone would clip instead of scale
        wide = image.convert("I")
        narrow = wide.point(lambda value: value / 256)  # pyright: ignore[reportUnknownMemberType]  # Pillow's gap
        return narrow.convert("L")
    if image.mode == "1":
        return image.convert("L")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _small(image: "Image", request: dict[str, Any]) -> Encoded:
    return small(image, int(request["max_bytes"]), _box(request), int(request.get("wanted_bytes", 0)))


def _cell(image: "Image", request: dict[str, Any]) -> Encoded:
    """The picture of one cell of a contact sheet as bare pixels: the sheet alone is compressed."""
    box = _box(request)
    picture, mode = fitted(image, box) if box else image, "RGB" if is_opaque(image) else "RGBA"
    picture = picture if picture.mode == mode else picture.convert(mode)
    return mode, picture.tobytes(), picture.size


def _look(image: "Image", request: dict[str, Any]) -> Encoded:
    """Nothing but the facts of the answer's header."""
    return "PNG", b"", image.size


def _upright(image: "Image", request: dict[str, Any]) -> Encoded:
    """The same image without metadata, its orientation carried out; JPEG stays JPEG, all else becomes PNG."""
    if request["mime_type"] == "image/jpeg":
        return "JPEG", encode(image, "JPEG", quality=95, subsampling=0), image.size
    return "PNG", encode(image, "PNG"), image.size


def _gray_mask(image: "Image", request: dict[str, Any]) -> Encoded:
    """A mask as small as PNG makes it; with `invert` black becomes white. Transparent counts as black before that."""
    from PIL import Image, ImageOps

    if not is_opaque(image):
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image.convert("RGBA"))
    gray = image.convert("L")
    gray.info = {}
    if request.get("invert"):
        gray = ImageOps.invert(gray)
    return "PNG", encode(gray, "PNG", optimize=True), gray.size


def _scaled(image: "Image", request: dict[str, Any]) -> Encoded:
    """The same picture in another size, as PNG; edges stay as hard as they are where it grows."""
    from PIL import Image

    size = (int(request["width_px"]), int(request["height_px"]))
    grows = size[0] * size[1] > image.width * image.height
    filter = Image.Resampling.NEAREST if grows else Image.Resampling.BOX
    image = image.resize(size, filter)  # pyright: ignore[reportUnknownMemberType]  # Pillow's gap
    image.info = {}
    return "PNG", encode(image, "PNG"), image.size


_OPERATIONS: dict[str, Callable[["Image", dict[str, Any]], Encoded]] = {
    "small": _small,
    "cell": _cell,
    "look": _look,
    "drawn": _look,
    "upright": _upright,
    "mask": _gray_mask,
    "scaled": _scaled,
}
