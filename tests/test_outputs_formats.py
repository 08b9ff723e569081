"""Type and size by content, without decoding."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import SVG, bomb, encoded, exif, picture
from PIL import Image

from darkroom.outputs.formats import EXTENSIONS, describe, exif_orientation, pixel_size, sniff

SIZE = (123, 45)
MOST_PX = 2**31 - 1
RASTERS: dict[str, tuple[str, bytes]] = {
    "png": ("image/png", picture("PNG", size=SIZE)),
    "apng": ("image/png", encoded(Image.new("RGB", SIZE), "PNG", save_all=True, append_images=[Image.new("L", SIZE)])),
    "jpeg": ("image/jpeg", picture("JPEG", size=SIZE)),
    "progressive": ("image/jpeg", picture("JPEG", size=SIZE, progressive=True)),
    "gray jpeg": ("image/jpeg", picture("JPEG", size=SIZE, mode="L")),
    "big profile": ("image/jpeg", picture("JPEG", size=SIZE, icc_profile=b"p" * 300_000)),
    "webp": ("image/webp", picture("WEBP", size=SIZE)),
    "lossless webp": ("image/webp", picture("WEBP", size=SIZE, lossless=True)),
    "alpha webp": ("image/webp", picture("WEBP", size=SIZE, mode="RGBA")),
    "webp with exif": ("image/webp", picture("WEBP", size=SIZE, exif=exif())),
    "gif": ("image/gif", picture("GIF", size=SIZE)),
    "avif": ("image/avif", picture("AVIF", size=SIZE)),
    "alpha avif": ("image/avif", picture("AVIF", size=SIZE, mode="RGBA")),
}
ATTRIBUTES = st.sampled_from(["width", "height", "viewBox"])
LENGTHS = st.text("0123456789.eE+-, nainfpxm%'", max_size=500)


@pytest.mark.parametrize("name", RASTERS)
def test_type_and_size_are_read_from_the_header(name: str) -> None:
    mime_type, content = RASTERS[name]
    assert sniff(content) == mime_type
    assert pixel_size(content, mime_type).shown == SIZE


def test_a_jpeg_on_its_side_is_shown_upright() -> None:
    size = pixel_size(picture("JPEG", size=SIZE, exif=exif(6)), "image/jpeg")
    assert (size.width_px, size.height_px, size.orientation) == (123, 45, 6)
    assert size.shown == (45, 123)


@pytest.mark.parametrize("name", RASTERS)
def test_no_header_gives_a_size_that_a_database_cannot_hold(name: str) -> None:
    mime_type, content = RASTERS[name]
    hostile = content.replace(struct.pack(">I", SIZE[0]), b"\xff" * 4).replace(struct.pack(">I", SIZE[1]), b"\xff" * 4)
    size = pixel_size(hostile, mime_type)
    assert 0 <= size.width_px <= MOST_PX and 0 <= size.height_px <= MOST_PX
    assert size.pixels < 2**63


def test_a_bomb_is_known_by_its_header() -> None:
    assert pixel_size(bomb(16_000, 11_000)[:100], "image/png").pixels == 176_000_000


@pytest.mark.parametrize(
    ("svg", "size"),
    [
        (SVG, (120, 80)),
        (b'<svg width="30" height="20px"/>', (30, 20)),
        (b'<svg width="1in" viewBox="0,0 4 2"/>', (96, 48)),
        (b'<svg width="100%" height="100%" viewBox="0 0 7.4 3"/>', (7, 3)),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- a <svg> -->\n<svg:svg width="5" height="6">', (5, 6)),
        (b'<!DOCTYPE svg PUBLIC "x" "y" [<!ENTITY a "b>">]><svg width="5" height="6">', (5, 6)),
        ('<?xml version="1.0" encoding="UTF-16"?><svg width="5" height="6"/>'.encode("utf-16"), (5, 6)),
        (b"<svg onload='alert(1)'>", (0, 0)),
        (b'<svg width="1e38" height="3"/>', (MOST_PX, 3)),
        (b'<svg width="1e999" height="3"/>', (MOST_PX, 3)),
        (b'<svg width="' + b"9" * 400 + b'" height="3"/>', (MOST_PX, 3)),
        (b'<svg viewBox="0 0 1 ' + b"9" * 400 + b'"/>', (1, MOST_PX)),
        (b'<svg viewBox="0 0 1e-320 1e320" width="5"/>', (5, MOST_PX)),
        (b'<svg width="NaN" height="inf"/>', (0, 0)),
        (b'<svg width="-5" height="-6"/>', (0, 0)),
        (b'<svg width="1.2.3" height="5" viewBox="0 0 4 8"/>', (2, 5)),
        (b'<svg viewBox="0 0 nan -7"/>', (0, 0)),
    ],
)
def test_an_svg_is_known_behind_its_prologue_and_measured_where_it_says(svg: bytes, size: tuple[int, int]) -> None:
    assert sniff(svg) == "image/svg+xml"
    assert pixel_size(svg, "image/svg+xml").shown == size


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "nothing"),
        (b"\n<!-- x --><!doctype html>", "a web page"),
        (b"<html><body><svg></svg>", "a web page"),
        (b"<rss><svg/></rss>", "XML"),
        (b'  {"a": 1}', "JSON"),
        (b"PK\x03\x04", "ZIP"),
        (b"%PDF-1.7", "PDF"),
        (b"\0\0\0\x20ftypisom", "a video"),
        (b"\0\0\0\x20ftypheic", "HEIC"),
        (b"II*\0", "TIFF"),
        (b"BM\0\0", "BMP"),
        (b"not found\n", "text"),
        (b"RIFF\0\0\0\0WAVEfmt ", "no known format"),
    ],
)
def test_what_is_no_image_is_described(content: bytes, words: str) -> None:
    assert sniff(content) is None
    assert words in describe(content)


@pytest.mark.parametrize(
    "hostile",
    [
        b"<!-- -->" * 8000,
        b"<!DOCTYPE " + b"[a]b]" * 12_000,
        b"<svg " + b" " * 60_000,
        b"<?x" * 20_000,
        b'<svg viewBox="' + b"," * 60_000 + b'"/>',
        b'<svg width="5' + b" " * 60_000 + b'x"/>',
        b"<svg" + b" viewBox" * 7000 + b"/>",
    ],
)
def test_hostile_prologues_end_soon(hostile: bytes) -> None:
    sniff(hostile)
    describe(hostile)
    pixel_size(hostile, "image/svg+xml")


@given(mime_type=st.sampled_from(sorted(EXTENSIONS)), tail=st.binary(max_size=200), cut=st.integers(0, 60))
def test_no_bytes_make_the_reader_raise(mime_type: str, tail: bytes, cut: int) -> None:
    start = next(content for kind, content in [*RASTERS.values(), ("image/svg+xml", SVG)] if kind == mime_type)
    head = start[:cut] + tail
    sniff(head)
    describe(head)
    size = pixel_size(head, mime_type)
    assert min(size.shown) >= 0 and max(size.shown) <= MOST_PX


@given(st.lists(st.tuples(ATTRIBUTES, LENGTHS), max_size=4))
def test_no_attributes_of_an_svg_make_the_reader_raise(attributes: list[tuple[str, str]]) -> None:
    head = b"<svg" + "".join(f' {name}="{value}"' for name, value in attributes).encode() + b"/>"
    size = pixel_size(head, "image/svg+xml")
    assert min(size.shown) >= 0 and max(size.shown) <= MOST_PX


@given(st.binary(max_size=100))
def test_any_exif_gives_a_sane_orientation(tiff: bytes) -> None:
    assert 1 <= exif_orientation(tiff) <= 8
    assert 1 <= exif_orientation(b"II*\0\x08\0\0\0" + tiff) <= 8
