"""Small pictures for the chat, made by a process with limits."""

import base64
import stat
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from pictures import SVG, bomb, encoded, exif, in_chunks, noise, opened, picture
from PIL import Image

from darkroom.images import StoredFile
from darkroom.outputs import ImageName, OutputStore, open_target
from darkroom.outputs.formats import sniff
from darkroom.outputs.preview import Preview, PreviewProblem, previews

pytestmark = pytest.mark.anyio


async def previews_of(*contents: bytes, **options: Any) -> list[Preview | PreviewProblem]:
    """Previews of files with these contents."""

    async def read(file: StoredFile) -> bytes:
        return contents[int(file.location)]

    files = [
        StoredFile(
            location=str(number),
            mime_type=sniff(content) or "",
            width_px=0,
            height_px=0,
            size_bytes=len(content),
            sha256="",
        )
        for number, content in enumerate(contents)
    ]
    return await previews(files, read, **options)


async def the_preview(content: bytes, *, total_b64: int = 700_000) -> Preview:
    with anyio.fail_after(30):
        (made,) = await previews_of(content, total_b64=total_b64)
    assert isinstance(made, Preview), made
    return made


async def the_problem(content: bytes) -> str:
    with anyio.fail_after(30):
        (made,) = await previews_of(content)
    assert isinstance(made, PreviewProblem), made
    return made.reason


def gradient(mode: str, size: tuple[int, int] = (64, 64)) -> Image.Image:
    ramp = Image.linear_gradient("L")
    return ramp.transform(size, Image.Transform.EXTENT, (0, 0, *ramp.size)).convert(mode)


@pytest.mark.parametrize(
    ("content", "mime_type"),
    [
        (picture("PNG", mode="1"), "image/jpeg"),
        (picture("PNG", mode="L"), "image/jpeg"),
        (picture("PNG", mode="LA"), "image/webp"),
        (encoded(gradient("P"), "PNG"), "image/jpeg"),
        (encoded(gradient("RGB").quantize(8), "PNG", transparency=3), "image/webp"),
        (picture("PNG", mode="RGBA"), "image/webp"),
        (picture("PNG", mode="RGBA", color=(1, 2, 3, 255)), "image/jpeg"),
        (picture("PNG", mode="I;16"), "image/jpeg"),
        (picture("JPEG", mode="CMYK"), "image/jpeg"),
        (picture("JPEG", mode="L"), "image/jpeg"),
        (picture("WEBP", mode="RGBA"), "image/webp"),
        (picture("GIF"), "image/jpeg"),
        (picture("AVIF"), "image/jpeg"),
    ],
)
async def test_every_mode_gets_a_preview_with_alpha_only_where_there_is_some(content: bytes, mime_type: str) -> None:
    preview = await the_preview(content)
    assert preview.mime_type == mime_type
    assert opened(preview.data).size == (preview.width_px, preview.height_px) == (opened(content).size)


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


async def test_a_large_image_is_made_smaller() -> None:
    preview = await the_preview(encoded(gradient("RGB", (4000, 1000)), "PNG"))
    assert (preview.width_px, preview.height_px) == (1536, 384)


@pytest.mark.parametrize("count", [1, 4])
async def test_all_previews_of_an_answer_fit_into_the_budget_together(count: int) -> None:
    made = await previews_of(*[noise(size=(1200, 1200))] * count)
    data = [preview.data for preview in made if isinstance(preview, Preview)]
    assert len(data) == count
    assert sum(len(base64.b64encode(part)) for part in data) <= 700_000


async def test_noise_with_alpha_fits_into_a_small_budget_too() -> None:
    image = opened(noise(size=(700, 700)))
    image.putalpha(image.getchannel(0))
    preview = await the_preview(encoded(image, "PNG"), total_b64=40_000)
    assert preview.mime_type == "image/webp"
    assert len(base64.b64encode(preview.data)) <= 40_000


async def test_a_bomb_is_refused_by_its_header() -> None:
    content = bomb(16_000, 11_000)
    assert len(content) < 30_000
    assert await the_problem(content) == "it has 176 million pixels, more than the 50 million that are decoded"


async def test_an_image_just_under_the_pixel_limit_is_shown() -> None:
    preview = await the_preview(bomb(7_000, 7_000))
    assert preview.width_px == 1536


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


async def test_a_drawing_is_never_rendered() -> None:
    assert await the_problem(SVG) == "it is a vector image, saved as a file"


async def test_what_is_no_image_is_reported() -> None:
    assert await the_problem(b"<html>") == "it is no image of a known format"


async def test_one_bad_image_does_not_spoil_the_others() -> None:
    made = await previews_of(picture(), picture()[:50], SVG, picture())
    assert [type(result) for result in made] == [Preview, PreviewProblem, PreviewProblem, Preview]
    assert [result.index for result in made] == [0, 1, 2, 3]


async def test_more_images_than_the_limit_are_counted_out() -> None:
    made = await previews_of(*[SVG] * 5, max_images=2)
    assert made[4] == PreviewProblem(index=4, reason="only the first 2 images are shown", is_fault=False)


async def test_no_image_gives_no_preview() -> None:
    assert await previews_of() == []


async def test_a_decoder_that_takes_too_long_is_stopped() -> None:
    with anyio.fail_after(20):
        (made,) = await previews_of(noise(size=(2000, 2000)), timeout_s=0.01)
    assert made == PreviewProblem(index=0, reason="decoding it took longer than 0.01 s")


async def test_stored_files_are_read_from_the_output_folder(tmp_path: Path) -> None:
    store = OutputStore(open_target(str(tmp_path)))
    name = ImageName(prediction_id="rrr4z55ocneqzikepnug6xezpe", index=0)
    file = (await store.save(name, in_chunks(picture()))).file
    (made,) = await previews([file], store.read)
    assert isinstance(made, Preview)
    Path(file.location).unlink()  # one file of a test
    (gone,) = await previews([file], store.read)
    assert isinstance(gone, PreviewProblem)
    assert "moved or deleted" in gone.reason


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell script")
async def test_the_decoder_finds_no_key_in_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKROOM_API_KEY", "canary")
    monkeypatch.setattr(sys, "executable", str(spying_python(tmp_path)))
    await the_preview(picture())
    seen = (tmp_path / "environment").read_text()
    assert "MALLOC_ARENA_MAX" in seen
    assert "canary" not in seen


async def test_a_decoder_that_cannot_start_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    assert await the_problem(picture()) == "the image decoder could not be started"


async def test_a_decoder_that_dies_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert await the_problem(picture()) == "decoding it went beyond the limits"


def spying_python(folder: Path) -> Path:
    """A Python that writes down its environment before it starts."""
    script = folder / "python"
    script.write_text(f'#!/bin/sh\nenv > "{folder}/environment"\nexec "{sys.executable}" "$@"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return script
