"""A still WebP is decoded into its preview's size, and looks as it does when Pillow decodes and shrinks it."""

import math
from typing import Any, cast

import pytest
from pictures import encoded, exif, noise, opened
from PIL import Image, ImageChops, ImageCms, ImageFilter
from previewed import the_preview

from darkroom.decoder.raster import answer
from darkroom.decoder.webp import decoded


def photo(size: tuple[int, int] = (300, 200)) -> Image.Image:
    """Soft shapes in all colours, with some sharp edges."""
    bands = [Image.effect_noise(size, 90).filter(ImageFilter.GaussianBlur(radius)) for radius in (2, 4, 6)]
    picture = Image.merge("RGB", bands)
    picture.paste("red", (0, 0, size[0] // 3, size[1] // 2))
    return picture


def shrunk(content: bytes, size: tuple[int, int]) -> Image.Image:
    """As Pillow does it best."""
    return opened(content).resize(size, Image.Resampling.LANCZOS)  # pyright: ignore[reportUnknownMemberType]  # its gap


def difference(one: Image.Image, other: Image.Image) -> float:
    """Root mean square over all channels, of 255."""
    counts = ImageChops.difference(one.convert("RGB"), other.convert("RGB")).histogram()
    return math.sqrt(sum(count * (value % 256) ** 2 for value, count in enumerate(counts)) / sum(counts))


@pytest.mark.parametrize("has_threads", [False, True])
@pytest.mark.parametrize("size", [(600, 400), (1, 1), (601, 3), (3, 601)])
def test_in_its_own_size_it_is_what_pillow_decodes_bit_for_bit(size: tuple[int, int], has_threads: bool) -> None:
    content = encoded(photo(size), "WEBP", quality=80)
    made = decoded(content, size, size, has_threads=has_threads)
    assert made and made.mode == "RGB"
    assert made.tobytes() == opened(content).tobytes()


@pytest.mark.parametrize("size", [(450, 300), (299, 199), (150, 100), (33, 22), (1, 1)])
def test_made_smaller_it_looks_like_what_pillow_makes(size: tuple[int, int]) -> None:
    content = encoded(photo((600, 400)), "WEBP", quality=80)
    made = decoded(content, (600, 400), size, has_threads=True)
    assert made and made.size == size
    assert difference(made, shrunk(content, size)) < 5


def test_what_is_damaged_moves_or_is_no_webp_is_left_to_pillow() -> None:
    whole = noise("WEBP", size=(64, 64))
    moving = encoded(photo(), "WEBP", save_all=True, append_images=[photo()])
    for content in (b"", whole[:20], whole[: len(whole) // 2], noise("PNG"), moving):
        assert decoded(content, (64, 64), (32, 32), has_threads=True) is None


@pytest.mark.parametrize("operation", ["small", "cell"])
def test_a_photo_on_its_side_is_turned_and_brought_to_srgb_as_by_pillow(operation: str) -> None:
    profile = ImageCms.ImageCmsProfile(cast("Any", ImageCms).createProfile("sRGB")).tobytes()  # Pillow's gap
    made: list[Image.Image] = []
    for options in ({"quality": 95}, {"lossless": True, "exact": True}):
        content = encoded(photo(), "WEBP", exif=exif(orientation=6), icc_profile=profile, **options)
        request = {"operation": operation, "mime_type": "image/webp", "max_pixels": 10**6, "max_bytes": 10**6}
        about, result = answer(request | {"box": [120, 120]}, content)
        size = (about["width_px"], about["height_px"])
        assert size == (80, 120)
        made.append(opened(result) if operation == "small" else Image.frombytes("RGB", size, result))
    assert difference(*made) < 12


@pytest.mark.anyio
@pytest.mark.usefixtures("kept_decoders")
async def test_a_large_webp_is_shown_as_it_looks() -> None:
    content = encoded(photo((1200, 900)), "WEBP", quality=85)
    preview = await the_preview(content)
    assert (preview.mime_type, preview.width_px, preview.height_px) == ("image/jpeg", 768, 576)
    assert difference(opened(preview.data), shrunk(content, (768, 576))) < 6


def test_pixels_are_counted_before_any_are_decoded() -> None:
    request = {"operation": "small", "mime_type": "image/webp", "max_pixels": 4095, "max_bytes": 9999, "box": [8, 8]}
    about, result = answer(request, noise("WEBP", size=(64, 64)))
    assert "64 x 64 pixels" in about["problem"] and not result
