"""One image made small for the chat by a process with limits."""

import stat
import sys
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
import systems
from pictures import bomb, encoded, exif, in_chunks, noise, opened, picture
from PIL import Image, ImageCms
from previewed import previewed, the_preview, the_problem

from darkroom.outputs import ImageName, OutputStore, open_target
from darkroom.outputs.decoders import decoders
from darkroom.outputs.decoding import Rendered, render_image
from darkroom.outputs.preview import Preview, preview_of

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("kept_decoders")]


def gradient(mode: str, size: tuple[int, int] = (64, 64)) -> Image.Image:
    ramp = Image.linear_gradient("L")
    return ramp.transform(size, Image.Transform.EXTENT, (0, 0, *ramp.size)).convert(mode)


@pytest.mark.parametrize(
    ("content", "is_transparent"),
    [
        (picture("PNG", mode="1"), False),
        (picture("PNG", mode="L"), False),
        (picture("PNG", mode="LA"), True),
        (encoded(gradient("P"), "PNG"), False),
        (encoded(gradient("RGB").quantize(8), "PNG", transparency=3), True),
        (picture("PNG", mode="RGBA"), True),
        (picture("PNG", mode="RGBA", color=(1, 2, 3, 255)), False),
        (picture("PNG", mode="I;16"), False),
        (picture("JPEG", mode="CMYK"), False),
        (picture("JPEG", mode="L"), False),
        (picture("WEBP", mode="RGBA"), True),
        (picture("GIF"), False),
        (picture("AVIF"), False),
    ],
)
async def test_every_mode_gets_a_preview_with_alpha_only_where_there_is_some(
    content: bytes, is_transparent: bool
) -> None:
    preview = await the_preview(content)
    shown = opened(preview.data)
    assert preview.mime_type == f"image/{str(shown.format).lower()}"
    assert shown.size == (preview.width_px, preview.height_px) == opened(content).size
    assert (shown.convert("RGBA").getchannel("A").getextrema()[0] != 255) == is_transparent


async def test_a_photo_becomes_a_jpeg_and_a_drawing_of_few_colours_a_png() -> None:
    assert (await the_preview(noise(size=(900, 900)))).mime_type == "image/jpeg"
    flat = encoded(Image.new("RGB", (900, 900), "teal"), "PNG")
    assert (await the_preview(flat)).mime_type == "image/png"


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("content_kind", ["noise", "flat"])
async def test_a_preview_is_never_larger_than_an_original_that_fits(format_name: str, content_kind: str) -> None:
    options: dict[str, Any] = {"quality": 20} if format_name != "PNG" else {}
    content = (noise if content_kind == "noise" else picture)(format_name, size=(300, 200), **options)
    preview = await the_preview(content)
    assert len(preview.data) <= len(content)
    assert opened(preview.data).size == (300, 200)


@pytest.mark.parametrize("format_name", ["JPEG", "WEBP"])
async def test_a_preview_of_a_larger_image_has_no_more_bytes_than_that(format_name: str) -> None:
    content = noise(format_name, size=(1024, 1024), quality=50)
    preview = await the_preview(content)
    assert len(preview.data) <= len(content)
    assert max(preview.width_px, preview.height_px) == 768


async def test_a_preview_does_not_get_fewer_pixels_than_usual_only_to_have_fewer_bytes() -> None:
    content = noise("JPEG", size=(1024, 1024), quality=1)
    assert (await the_preview(content)).width_px == 768


async def test_a_gray_photo_becomes_a_jpeg_though_it_has_few_colours() -> None:
    gray = opened(noise(size=(900, 900))).convert("L")
    assert (await the_preview(encoded(gray, "PNG"))).mime_type == "image/jpeg"


@pytest.mark.parametrize("profile", ["sRGB", "broken"])
async def test_a_preview_carries_no_profile_and_a_broken_one_does_no_harm(profile: str) -> None:
    known: bytes = ImageCms.ImageCmsProfile(cast("Any", ImageCms).createProfile("sRGB")).tobytes()
    content = encoded(
        Image.new("RGB", (900, 900), (10, 200, 30)), "PNG", icc_profile=known if profile == "sRGB" else b"\0" * 200
    )
    shown = opened((await the_preview(content)).data)
    assert "icc_profile" not in shown.info
    assert shown.convert("RGB").getpixel((5, 5)) == pytest.approx((10, 200, 30), abs=2)


async def test_sixteen_bits_are_scaled_not_clipped() -> None:
    deep = Image.new("I;16", (8, 8), 0x8000)
    gray = opened((await the_preview(encoded(deep, "PNG"))).data).convert("L").getpixel((4, 4))
    assert isinstance(gray, int)
    assert 120 <= gray <= 136


async def test_an_image_on_its_side_is_turned_upright() -> None:
    sideways = Image.new("RGB", (60, 30), "red")
    sideways.paste("blue", (0, 0, 30, 30))
    preview = await the_preview(encoded(sideways, "JPEG", quality=95, exif=exif(6)))
    upright = opened(preview.data)
    assert upright.size == (30, 60)
    top = upright.getpixel((15, 10))
    assert isinstance(top, tuple)
    assert top[2] > 200 > top[0]


@pytest.mark.parametrize("format_name", ["GIF", "WEBP", "PNG"])
async def test_of_an_animation_the_first_frame_is_shown(format_name: str) -> None:
    frames = [Image.new("RGB", (40, 40), color) for color in ("red", "blue", "green")]
    moving = encoded(frames[0], format_name, save_all=True, append_images=frames[1:])
    shown = opened((await the_preview(moving)).data)
    red = shown.convert("RGB").getpixel((20, 20))
    assert isinstance(red, tuple)
    assert red[0] > 200
    assert getattr(shown, "n_frames", 1) == 1


async def test_a_preview_carries_no_metadata() -> None:
    content = picture("JPEG", exif=exif(), comment=b"secret")
    shown = opened((await the_preview(content)).data)
    assert not shown.getexif()
    assert "comment" not in shown.info


@pytest.mark.parametrize(("longest_px", "size"), [(768, (768, 192)), (128, (128, 32)), (1536, (1536, 384))])
async def test_a_large_image_is_made_smaller(longest_px: int, size: tuple[int, int]) -> None:
    preview = await the_preview(encoded(gradient("RGB", (4000, 1000)), "PNG"), longest_px=longest_px)
    assert (preview.width_px, preview.height_px) == size


async def test_noise_with_alpha_fits_into_a_small_budget_too() -> None:
    image = opened(noise(size=(300, 300)))
    image.putalpha(image.getchannel(0))
    made = await render_image("small", encoded(image, "PNG"), max_bytes=5_500, box=[768, 768])
    assert isinstance(made, Rendered) and made.mime_type == "image/webp"
    assert len(made.content) <= 5_500


async def test_a_bomb_is_refused_by_its_header() -> None:
    content = bomb(16_000, 11_000)
    assert len(content) < 30_000
    assert await the_problem(content) == "it has 176 million pixels, more than the 50 million that are decoded"


async def test_an_image_just_under_the_pixel_limit_is_shown() -> None:
    preview = await the_preview(bomb(7_000, 7_000))
    assert preview.width_px == 768


@pytest.mark.parametrize(
    "content",
    [
        picture("PNG")[:60],
        noise("JPEG")[:3000],
        picture("WEBP")[:30],
        b"GIF89a" + b"\x01\0\x01\0" + b"\xff" * 20,
        b"\x89PNG\r\n\x1a\n" + b"\0" * 40,
    ],
)
async def test_a_damaged_image_is_reported_not_raised(content: bytes) -> None:
    assert await the_problem(content) == "it is damaged and cannot be decoded"


async def test_what_is_no_image_is_reported() -> None:
    assert await the_problem(b"<html>") == "it is no image of a known format"


async def test_no_image_gives_no_preview() -> None:
    made = await previewed()
    assert made.preview is None and made.problems == ()


async def test_a_decoder_that_takes_too_long_is_stopped() -> None:
    with anyio.fail_after(20):
        made = await render_image("look", noise(size=(2000, 2000)), timeout_s=0.01)
    assert made == "decoding it took longer than 0.01 s"


async def test_stored_files_are_read_from_the_output_folder(tmp_path: Path) -> None:
    store = OutputStore(open_target(str(tmp_path)))
    name = ImageName(prediction_id="rrr4z55ocneqzikepnug6xezpe", index=0)
    file = (await store.save(name, in_chunks(picture()))).file
    assert isinstance((await preview_of({1: file}, store.read)).preview, Preview)
    Path(file.location).unlink()  # one file of a test
    gone = await preview_of({1: file}, store.read)
    assert "moved or deleted" in gone.problems[0].reason


@systems.shell_scripts
async def test_the_decoder_finds_no_key_in_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKROOM_API_KEY", "canary")
    await decoders().close()
    monkeypatch.setattr(sys, "executable", str(spying_python(tmp_path)))
    await the_preview(picture())
    seen = (tmp_path / "environment").read_text()
    assert "MALLOC_ARENA_MAX" in seen
    assert "canary" not in seen


async def test_a_decoder_that_cannot_start_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await decoders().close()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    assert await the_problem(picture()) == "the image decoder could not be started"


async def test_a_decoder_that_dies_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    await decoders().close()
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert await the_problem(picture()) == "decoding it went beyond the limits"


def spying_python(folder: Path) -> Path:
    """A Python that writes down its environment before it starts."""
    script = folder / "python"
    script.write_text(f'#!/bin/sh\nenv > "{folder}/environment"\nexec "{sys.executable}" "$@"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return script
