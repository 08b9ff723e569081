"""A still WebP without transparency, decoded straight into the size that is wanted.

Pillow decodes every WebP as an animation, whole and with alpha, and shrinks it afterwards, which takes up to twice as
long. So the libwebp that Pillow has loaded is asked directly. Where it cannot be reached (it is a part of Pillow's own
library on Windows), or for whatever it refuses, Pillow decodes.

Source: libwebp's webp/decode.h, decoder ABI 2.x, as it lies in memory of 64 bits; checked 2026-11-26.
"""

import ctypes
from ctypes import POINTER, Structure, addressof, c_char_p, c_int, c_size_t, c_void_p, sizeof
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

_ABI = 0x0200  # its upper byte must be that of the library
_RGB, _CHANNELS = 0, 3


class _Config(Structure):
    """WebPDecoderConfig: what the image is, where its pixels go (the union of its output as WebPRGBABuffer), how."""

    _fields_ = (
        ("features", c_int * 10),
        ("colorspace", c_int),
        ("sides_px", c_int * 2),
        ("is_ours", c_int),
        ("pixels", c_void_p),
        ("stride_bytes", c_int),
        ("size_bytes", c_size_t),
        ("rest_of_union", c_void_p * 7),
        ("padding_and_private", c_void_p * 3),
        ("filtering_and_cropping", c_int * 7),
        ("is_scaled", c_int),
        ("scaled_px", c_int * 2),
        ("has_threads", c_int),
        ("dithering_flip_padding", c_int * 8),
    )


@cache
def _library() -> Any:
    """libwebp, found through the module of Pillow that uses it; None where it shows none of its functions."""
    if sizeof(c_void_p) != 8:
        return None
    try:
        from PIL import _webp

        library = ctypes.CDLL(_webp.__file__)
        library.WebPInitDecoderConfigInternal.argtypes = (POINTER(_Config), c_int)
        library.WebPDecode.argtypes = (c_char_p, c_size_t, POINTER(_Config))
        return library
    except (ImportError, OSError, AttributeError):
        return None


def decoded(content: bytes, own: tuple[int, int], size: tuple[int, int], *, has_threads: bool) -> "Image | None":
    """The only frame of an image of `own` size (width, height in px), RGB, in `size`, which is at most that.

    None where Pillow has to decode it. `has_threads`: a second core may help.
    """
    from PIL import Image

    library, config = _library(), _Config()
    if library is None or not library.WebPInitDecoderConfigInternal(config, _ABI):
        return None
    pixels = bytearray(size[0] * size[1] * _CHANNELS)
    config.colorspace, config.is_ours = _RGB, True
    config.pixels = addressof((ctypes.c_char * len(pixels)).from_buffer(pixels))
    config.stride_bytes, config.size_bytes = size[0] * _CHANNELS, len(pixels)
    config.is_scaled, config.scaled_px[:] = size != own, size
    config.has_threads = has_threads
    if library.WebPDecode(content, len(content), config):
        return None
    return Image.frombuffer("RGB", size, pixels, "raw", "RGB", 0, 1)
