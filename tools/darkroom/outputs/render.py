"""Runs Pillow on one untrusted image, in a process of its own that `decoding` starts by this file's path.

It has no key in its environment, a limit of memory and CPU time, and may write no file. Only the standard library and
Pillow can be imported here. A request on stdin and the answer on stdout have one shape: a line of JSON, then the bytes
of the image. The answer's JSON has `problem` where there is no image.
"""

import io
import json
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

MEMORY_BYTES = 1024**3
CPU_S = 20

_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF")
# Side lengths and qualities are tried in this order until the result is small enough.
_SCALES = (1.0, 0.75, 0.5, 0.35, 0.25, 0.12)
_QUALITIES = (88, 80, 68)
_LARGEST_PROFILE = 16 * 1024


class Unusable(Exception):
    """The image cannot be used; the message says why."""


def answer(request: dict[str, Any], content: bytes) -> tuple[dict[str, Any], bytes]:
    """Carry out one request; everything that Pillow can throw at us becomes a `problem`."""
    try:
        image = _open(content, int(request["max_pixels"]), int(request.get("max_px") or 0))
        format_name, result, (width, height) = _OPERATIONS[request["operation"]](image, request)
    except Unusable as error:
        return {"problem": str(error)}, b""
    except MemoryError:
        return {"problem": "it needs too much memory to decode"}, b""
    except Exception:  # the outermost edge: decoders raise almost anything on broken bytes
        return {"problem": "it is damaged and cannot be decoded"}, b""
    return {"mime_type": f"image/{format_name.lower()}", "width_px": width, "height_px": height}, result


def _open(content: bytes, max_pixels: int, max_px: int) -> "Image":
    """The first frame, upright, as L, LA, RGB or RGBA; every other mode is turned into one of these."""
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = None  # our own, stricter limit comes before any decoding
    image = Image.open(io.BytesIO(content), formats=_FORMATS)
    if image.width * image.height > max_pixels:
        raise Unusable(f"it has {image.width} x {image.height} pixels, more than {max_pixels // 1_000_000} million")
    profile = image.info.get("icc_profile") if image.mode == "RGB" else None
    if max_px:
        image.draft(None, (max_px, max_px))  # a JPEG is then decoded at half, a quarter or an eighth
    image.seek(0)
    image.load()
    image = _plain_mode(ImageOps.exif_transpose(image))
    image.info = {"icc_profile": profile} if profile and len(profile) <= _LARGEST_PROFILE else {}
    return image


def _plain_mode(image: "Image") -> "Image":
    if image.mode in ("L", "RGB", "LA", "RGBA"):
        return image.convert("RGBA") if "transparency" in image.info else image
    if image.mode.startswith("I"):  # 16 bits a channel; convert() alone would clip instead of scale
        wide = image.convert("I")
        small = wide.point(lambda value: value / 256)  # pyright: ignore[reportUnknownMemberType]  # Pillow's gap
        return small.convert("L")
    if image.mode == "1":
        return image.convert("L")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _is_opaque(image: "Image") -> bool:
    return image.mode not in ("LA", "RGBA") or image.getchannel("A").getextrema()[0] == 255


def _fitted(image: "Image", max_px: int) -> "Image":
    from PIL import Image

    if not max_px or max(image.size) <= max_px:
        return image
    small = image.copy()
    small.thumbnail((max_px, max_px), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return small


def _encode(image: "Image", format_name: str, **options: Any) -> bytes:
    target = io.BytesIO()
    image.save(target, format_name, icc_profile=image.info.get("icc_profile"), **options)
    return target.getvalue()


def _small(image: "Image", request: dict[str, Any]) -> tuple[str, bytes, tuple[int, int]]:
    """The best JPEG (or WebP, where there is alpha) of at most `max_bytes`, and of at most `max_px` a side."""
    max_bytes, max_px = int(request["max_bytes"]), int(request.get("max_px") or 0)
    is_opaque = _is_opaque(image)
    format_name = "JPEG" if is_opaque else "WEBP"
    if is_opaque and image.mode.endswith("A"):
        plain = image.convert(image.mode.removesuffix("A"))
        plain.info = image.info
        image = plain
    first = _fitted(image, max_px)
    for scale in _SCALES if max_px else _SCALES[:1]:
        candidate = _fitted(first, max(1, round(max(first.size) * scale)))
        for quality in _QUALITIES:
            result = _encode(candidate, format_name, quality=quality)
            if len(result) <= max_bytes:
                return format_name, result, candidate.size
    raise Unusable(f"it cannot be made smaller than {max_bytes:,} bytes")


def _upright(image: "Image", request: dict[str, Any]) -> tuple[str, bytes, tuple[int, int]]:
    """The same image without metadata, its orientation carried out; JPEG stays JPEG, all else becomes PNG."""
    if request.get("mime_type") == "image/jpeg":
        return "JPEG", _encode(image, "JPEG", quality=95, subsampling=0), image.size
    return "PNG", _encode(image, "PNG"), image.size


def _gray_mask(image: "Image", request: dict[str, Any]) -> tuple[str, bytes, tuple[int, int]]:
    """A mask as small as PNG makes it; with `invert` black becomes white. Transparent counts as black before that."""
    from PIL import Image, ImageOps

    if not _is_opaque(image):
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image.convert("RGBA"))
    gray = image.convert("L")
    gray.info = {}
    if request.get("invert"):
        gray = ImageOps.invert(gray)
    return "PNG", _encode(gray, "PNG", optimize=True), gray.size


def _scaled(image: "Image", request: dict[str, Any]) -> tuple[str, bytes, tuple[int, int]]:
    """The same picture in another size, as PNG; edges stay as hard as they are where it grows."""
    from PIL import Image

    size = (int(request["width_px"]), int(request["height_px"]))
    grows = size[0] * size[1] > image.width * image.height
    filter = Image.Resampling.NEAREST if grows else Image.Resampling.BOX
    image = image.resize(size, filter)  # pyright: ignore[reportUnknownMemberType]  # Pillow's gap
    image.info = {}
    return "PNG", _encode(image, "PNG"), image.size


_OPERATIONS: dict[str, Callable[["Image", dict[str, Any]], tuple[str, bytes, tuple[int, int]]]] = {
    "small": _small,
    "upright": _upright,
    "mask": _gray_mask,
    "scaled": _scaled,
}


def limit_resources() -> None:
    """Bound memory, CPU time and files; where the system has no such limits (Windows) the parent's clock remains."""
    try:
        import resource
    except ImportError:
        return
    for kind, limit in (("AS", MEMORY_BYTES), ("CPU", CPU_S), ("FSIZE", 0), ("CORE", 0)):
        with suppress(AttributeError, ValueError, OSError):  # macOS refuses some of them
            resource.setrlimit(getattr(resource, f"RLIMIT_{kind}"), (limit, limit))


def frame(header: Mapping[str, Any], content: bytes) -> bytes:
    """The two parts as one run of bytes."""
    return json.dumps(header).encode() + b"\n" + content


def split_frame(raw: bytes) -> tuple[dict[str, Any], bytes]:
    """The two parts of `frame` again. Raises: ValueError where there are none."""
    header, _, content = raw.partition(b"\n")
    return json.loads(header), content


def main() -> None:
    """Answer the one request on stdin. The first argument is the folder that holds Pillow."""
    limit_resources()
    sys.path.append(sys.argv[1])
    request, content = split_frame(sys.stdin.buffer.read())
    sys.stdout.buffer.write(frame(*answer(request, content)))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
