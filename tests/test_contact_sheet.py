"""Several images of one answer on one numbered sheet."""

import base64
from itertools import combinations

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import SVG, bomb, encoded, noise, opened, picture
from PIL import Image
from previewed import previewed

from darkroom.outputs.preview import MOST_ON_A_SHEET, Preview
from darkroom.outputs.sheet_layout import Layout, layout

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("kept_decoders")]
WHITE = (255, 255, 255)


async def the_sheet(*contents: bytes, longest_px: int = 768) -> Preview:
    with anyio.fail_after(60):
        made = await previewed(*contents, longest_px=longest_px)
    assert made.preview
    return made.preview


def pixel(sheet: Preview, x: int, y: int) -> tuple[int, ...]:
    value = opened(sheet.data).convert("RGB").getpixel((x, y))
    assert isinstance(value, tuple)
    return tuple(int(part) for part in value)


def coloured(color: str, size: tuple[int, int] = (600, 600)) -> bytes:
    return encoded(Image.new("RGB", size, color), "PNG")


async def test_four_images_stand_in_their_order_on_one_sheet() -> None:
    sheet = await the_sheet(*map(coloured, ("red", "lime", "blue", "yellow")))
    assert sheet.numbers == (1, 2, 3, 4)
    assert max(sheet.width_px, sheet.height_px) <= 1024
    middles = [(256, 256), (768, 256), (256, 768), (768, 768)]
    seen = [pixel(sheet, *middle) for middle in middles]
    for found, wanted in zip(seen, [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)], strict=True):
        assert found == pytest.approx(wanted, abs=12)


@pytest.mark.parametrize("ground", ["white", "black"])
async def test_a_number_can_be_read_on_any_picture(ground: str) -> None:
    sheet = await the_sheet(*[coloured(ground)] * 4)
    corner = opened(sheet.data).convert("L").crop((6, 6, 106, 106))
    shades = corner.getcolors(10_000)
    assert shades
    # The badge: much that is nearly black, and a rim and digits that are nearly white.
    assert sum(count for count, shade in shades if isinstance(shade, int) and shade < 60) > 500
    assert sum(count for count, shade in shades if isinstance(shade, int) and shade > 220) > 150


async def test_numbers_differ() -> None:
    sheet = opened((await the_sheet(*[coloured("gray")] * 4)).data).convert("L")
    badges = [sheet.crop((x, y, x + 100, y + 100)).tobytes() for x, y in ((6, 6), (512, 6), (6, 512), (512, 512))]
    assert all(one != other for one, other in combinations(badges, 2))


async def test_an_image_that_fails_leaves_an_empty_cell_and_the_others() -> None:
    made = await previewed(coloured("red"), picture()[:50], b"<html>", coloured("blue"), bomb(16_000, 11_000))
    assert made.preview
    assert made.preview.numbers == (1, 2, 3, 4, 5)
    assert [(each.number, each.reason) for each in made.problems] == [
        (2, "it is damaged and cannot be decoded"),
        (3, "it is no image of a known format"),
        (5, "it has 176 million pixels, more than the 50 million that are decoded"),
    ]


async def test_without_one_good_image_there_is_no_sheet() -> None:
    made = await previewed(b"<html>", picture()[:50])
    assert made.preview is None
    assert [each.number for each in made.problems] == [1, 2]


async def test_what_is_transparent_lies_on_checks_so_that_black_ink_is_seen() -> None:
    ink = Image.new("RGBA", (600, 600), (0, 0, 0, 0))
    ink.paste((0, 0, 0, 255), (200, 200, 400, 400))
    sheet = await the_sheet(encoded(ink, "PNG"), coloured("red"))
    assert pixel(sheet, 256, 256) == pytest.approx((0, 0, 0), abs=12)
    shown = opened(sheet.data).convert("L").crop((350, 350, 480, 480)).getextrema()
    assert shown == pytest.approx((206, 255), abs=14)


async def test_a_drawing_is_on_the_sheet_as_well() -> None:
    sheet = await the_sheet(SVG, coloured("red", (120, 80)))
    assert pixel(sheet, sheet.width_px // 4, sheet.height_px // 2) == pytest.approx((0, 0, 0), abs=12)


async def test_a_sheet_of_noise_fits_into_the_budget() -> None:
    sheet = await the_sheet(*[noise(size=(700, 700))] * 4, longest_px=1536)
    assert len(base64.b64encode(sheet.data)) <= 500_000


async def test_small_images_make_a_small_sheet() -> None:
    sheet = await the_sheet(*[picture()] * 3)
    assert max(sheet.width_px, sheet.height_px) < 400


async def test_a_sheet_has_room_for_as_many_images_as_an_answer() -> None:
    made = await previewed(*[b"<html>"] * (MOST_ON_A_SHEET + 2))
    assert made.preview is None
    assert made.problems[-1].reason == f"only the first {MOST_ON_A_SHEET} images are shown"


SIZES = st.tuples(st.integers(0, 9000), st.integers(0, 9000))


@given(sizes=st.lists(SIZES, min_size=1, max_size=MOST_ON_A_SHEET), longest_px=st.integers(170, 2048))
def test_cells_never_overlap_and_never_leave_the_sheet(sizes: list[tuple[int, int]], longest_px: int) -> None:
    place = layout(dict(enumerate(sizes, 1)), longest_px)
    assert max(place.width, place.height) <= longest_px
    assert [cell.number for cell in place.cells] == list(range(1, len(sizes) + 1))
    for cell in place.cells:
        assert cell.width >= 1 and cell.height >= 1
        assert cell.x + cell.width <= place.width and cell.y + cell.height <= place.height
    for one, other in combinations(place.cells, 2):
        is_beside = one.x + one.width <= other.x or other.x + other.width <= one.x
        assert is_beside or one.y + one.height <= other.y or other.y + other.height <= one.y


def test_ten_pictures_of_one_shape_fill_the_sheet() -> None:
    place: Layout = layout(dict.fromkeys(range(1, 11), (1024, 1024)), 1024)
    covered = sum(cell.width * cell.height for cell in place.cells)
    assert covered > 0.75 * place.width * place.height
