"""Dropping metadata leaves the pixels, colours and frames, and nothing else."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import SECRET_PLACE, encoded, exif, noise, opened, picture
from PIL import Image, PngImagePlugin

from darkroom.outputs.metadata import strip_metadata

PROFILE = b"profile" * 50
XMP = b"<x:xmpmeta>" + SECRET_PLACE + b"</x:xmpmeta>"


def text_chunks() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", SECRET_PLACE.decode())
    info.add_text("Author", SECRET_PLACE.decode(), zip=True)
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    return info


def spoken_jpeg(content: bytes) -> bytes:
    """With an IPTC block and a comment put in behind the first segment."""
    blocks = b"".join(
        b"\xff" + marker + struct.pack(">H", 2 + len(SECRET_PLACE)) + SECRET_PLACE for marker in (b"\xed", b"\xfe")
    )
    return content[:2] + blocks + content[2:]


FULL = {
    "jpeg": ("image/jpeg", spoken_jpeg(picture("JPEG", exif=exif(), xmp=XMP, icc_profile=PROFILE))),
    "progressive": ("image/jpeg", noise("JPEG", progressive=True, exif=exif(), icc_profile=PROFILE)),
    "cmyk jpeg": ("image/jpeg", picture("JPEG", mode="CMYK", exif=exif(), icc_profile=PROFILE)),
    "png": ("image/png", picture("PNG", exif=exif(), icc_profile=PROFILE, pnginfo=text_chunks())),
    "webp": ("image/webp", picture("WEBP", mode="RGBA", exif=exif(), xmp=XMP, icc_profile=PROFILE)),
}


@pytest.mark.parametrize("name", FULL)
def test_metadata_goes_and_pixels_and_profile_stay(name: str) -> None:
    mime_type, content = FULL[name]
    assert SECRET_PLACE in content
    stripped = strip_metadata(content, mime_type)
    assert stripped
    assert SECRET_PLACE not in stripped.content
    before, after = opened(content), opened(stripped.content)
    assert after.mode == before.mode
    assert after.tobytes() == before.tobytes()
    assert after.info["icc_profile"] == PROFILE
    assert not after.getexif()
    assert "xmp" not in after.info


@pytest.mark.parametrize("name", FULL)
@pytest.mark.parametrize("trailer", [SECRET_PLACE, picture("JPEG", exif=exif())])
def test_what_follows_the_image_goes_too(name: str, trailer: bytes) -> None:
    mime_type, content = FULL[name]
    stripped = strip_metadata(content + trailer, mime_type)
    assert stripped == strip_metadata(content, mime_type)


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", [1, 3, 8])
def test_the_orientation_is_told(format_name: str, orientation: int) -> None:
    stripped = strip_metadata(picture(format_name, exif=exif(orientation)), f"image/{format_name.lower()}")
    assert stripped
    assert stripped.orientation == orientation


@pytest.mark.parametrize("format_name", ["PNG", "WEBP"])
def test_an_animation_keeps_its_frames(format_name: str) -> None:
    frames = [Image.new("RGB", (20, 20), color) for color in ("red", "blue", "green")]
    moving = encoded(frames[0], format_name, save_all=True, append_images=frames[1:], exif=exif())
    stripped = strip_metadata(moving, f"image/{format_name.lower()}")
    assert stripped
    assert getattr(opened(stripped.content), "n_frames", 1) == 3


def test_a_format_that_cannot_be_stripped_losslessly_says_so() -> None:
    assert strip_metadata(picture("GIF"), "image/gif") is None
    assert strip_metadata(picture("AVIF"), "image/avif") is None


@pytest.mark.parametrize("name", FULL)
@given(data=st.data())
def test_no_broken_image_makes_the_stripper_raise(name: str, data: st.DataObject) -> None:
    mime_type, content = FULL[name]
    cut = data.draw(st.integers(0, len(content)))
    strip_metadata(content[:cut] + data.draw(st.binary(max_size=50)), mime_type)
