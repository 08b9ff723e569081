"""What is found out about an image when it is saved: whether it is transparent, and the PNG of a drawing."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import SVG, encoded, in_chunks, opened, picture
from PIL import Image

from darkroom.images import StoredFile
from darkroom.outputs import ImageName, OutputStore, open_target
from darkroom.outputs.appearance import examined
from darkroom.outputs.formats import EXTENSIONS, may_be_transparent

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("kept_decoders")]
NAME = ImageName(prediction_id="rrr4z55ocneqzikepnug6xezpe", index=0, prompt="a kite", model="owner/model")


@pytest.fixture
def store(tmp_path: Path) -> OutputStore:
    return OutputStore(open_target(str(tmp_path)))


async def seen(store: OutputStore, content: bytes) -> tuple[StoredFile, str]:
    saved = await store.save(NAME, in_chunks(content))
    return await examined(saved.file, store)


def half_cut(format_name: str) -> bytes:
    image = Image.new("RGBA", (64, 48), (200, 80, 40, 255))
    image.paste((0, 0, 0, 0), (0, 0, 32, 48))
    return encoded(image, format_name)


@pytest.mark.parametrize(
    ("content", "is_transparent"),
    [
        (picture("PNG"), False),
        (picture("JPEG"), False),
        (picture("WEBP"), False),
        (picture("AVIF"), False),
        (picture("GIF"), False),
        (half_cut("PNG"), True),
        (half_cut("WEBP"), True),
        (encoded(opened(half_cut("PNG")), "WEBP", lossless=True), True),
        (half_cut("AVIF"), True),
        (half_cut("GIF"), True),
        (encoded(opened(half_cut("PNG")).quantize(8), "PNG"), True),
        # A colour that counts as transparent, and of which no pixel is.
        (encoded(Image.new("RGB", (9, 9), "red"), "PNG", transparency=(0, 0, 255)), False),
        # An alpha channel that lets nothing through is not called transparent.
        (picture("PNG", mode="RGBA", color=(1, 2, 3, 255)), False),
        (picture("WEBP", mode="RGBA", color=(1, 2, 3, 255), lossless=True), False),
    ],
)
async def test_an_image_is_called_transparent_where_a_pixel_is(
    store: OutputStore, content: bytes, is_transparent: bool
) -> None:
    file, problem = await seen(store, content)
    assert (file.is_transparent, problem) == (is_transparent, "")


async def test_what_a_header_excludes_is_not_read_again(store: OutputStore, tmp_path: Path) -> None:
    saved = await store.save(NAME, in_chunks(picture("JPEG")))
    Path(saved.file.location).unlink()  # one file of a test
    assert (await examined(saved.file, store))[0].is_transparent is False


async def test_a_damaged_image_is_neither(store: OutputStore) -> None:
    file, problem = await seen(store, half_cut("PNG")[:60])
    assert (file.is_transparent, problem) == (None, "")


async def test_a_drawing_gets_a_png_beside_it_once(store: OutputStore, tmp_path: Path) -> None:
    file, problem = await seen(store, SVG)
    again, _ = await seen(store, SVG)
    assert (problem, again) == ("", file)
    png = Path(file.raster_location)
    assert png.name == f"a-kite-model-{NAME.handle}-2048px.png"
    assert opened(png.read_bytes()).size == (2048, 1366)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".png", ".svg"]


async def test_the_png_of_a_drawing_is_never_taken_for_the_image(store: OutputStore) -> None:
    file, _ = await seen(store, SVG)
    Path(file.location).unlink()  # one file of a test
    assert await store.found(NAME) is None
    found = (await store.save(NAME, in_chunks(SVG))).file
    assert found.location == file.location


async def test_the_sidecar_names_both(store: OutputStore) -> None:
    file, _ = await seen(store, SVG)
    await store.write_sidecar(file, {"prompt": "a kite"})
    told = json.loads(Path(file.location).with_suffix(".json").read_text(encoding="utf-8"))["file"]
    assert told["raster_location"] == file.raster_location and told["is_transparent"] is False


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect></svg>', "No PNG was made of it: it is"),
        (
            b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="/a.png"/></svg>',
            "Its PNG lacks what lies in other files or on the web.",
        ),
    ],
)
async def test_what_is_wrong_with_a_drawing_is_said(store: OutputStore, content: bytes, words: str) -> None:
    _, problem = await seen(store, content)
    assert problem.startswith(words)


@given(kind=st.sampled_from(sorted(EXTENSIONS)), tail=st.binary(max_size=80), start=st.integers(0, 40))
def test_no_bytes_of_a_header_raise(kind: str, tail: bytes, start: int) -> None:
    beginning = picture("PNG")[:start] if kind == "image/png" else b""
    assert may_be_transparent(beginning + tail, kind) in (True, False)
