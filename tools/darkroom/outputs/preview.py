"""Small pictures for the chat: one image alone, several on one numbered contact sheet."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import anyio

from darkroom.errors import OutputError
from darkroom.images import StoredFile
from darkroom.outputs.decoding import Rendered, render_image
from darkroom.outputs.formats import EXTENSIONS, HEAD_BYTES, MAX_PIXELS, PixelSize, pixel_size, sniff
from darkroom.outputs.metadata import strip_metadata
from darkroom.outputs.sheet_layout import largest_cell_px, layout

# Half of what the strictest host takes: Claude Desktop refuses a tool result beyond 1,048,576 bytes, base64 included
# (checked 2026-11-20).
_MOST_BYTES = 500_000 // 4 * 3
DEFAULT_PX = 768
# A sheet has more to show than one image: with 768 px its longer side has 1,024.
_SHEET_SHARE = 4 / 3
MOST_ON_A_SHEET = 25
_AT_ONCE = 4
_NO_PICTURE = Rendered(content=b"", mime_type="", width_px=0, height_px=0)
SHOWN_TYPES = frozenset({"image/png", "image/jpeg", "image/webp"})

Reader = Callable[[StoredFile], Awaitable[bytes]]
# `EarlyPreviews.taken`: of a file, at a longest side in px, alone (else for a sheet).
Early = Callable[[StoredFile, int, bool], Awaitable[Rendered | str | None]]
# The image alone (else for a cell), or why it cannot be shown.
_Shown = Callable[[StoredFile, bool], Awaitable[Rendered | str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A JPEG, PNG or WebP. `numbers` are the images on it, from 1; more than one on a contact sheet."""

    numbers: tuple[int, ...]
    data: bytes
    mime_type: str
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewProblem:
    """Why an image cannot be shown, as the end of a sentence: "it is damaged and cannot be decoded"."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Previewed:
    """What came of it; no preview where there is no image that can be shown."""

    preview: Preview | None = None
    problems: tuple[PreviewProblem, ...] = ()


async def preview_of(
    files: Mapping[int, StoredFile], read: Reader, *, early: Early | None = None, longest_px: int = DEFAULT_PX
) -> Previewed:
    """One picture of all files, by their numbers in the answer; its base64 is at most 500,000 characters.

    A single image has a longer side of at most `longest_px`, a contact sheet of a third more. `read` gives the bytes
    of a file (`OutputStores.read`), unless `early` has begun with it. Whatever is wrong with an image is a problem in
    the list, never an exception, and its cell on the sheet is empty.
    """

    async def shown(file: StoredFile, is_alone: bool) -> Rendered | str:
        if early and (made := await early(file, longest_px, is_alone)) is not None:
            return made
        try:
            content = await read(file)
        except OutputError as error:
            return f"it cannot be read: {error.message.rstrip('.')}"
        return await (shown_alone if is_alone else shown_in_cell)(content, longest_px)

    numbers = sorted(files)[:MOST_ON_A_SHEET]
    if not numbers:
        return Previewed()
    if len(files) == 1:
        return _previewed(numbers, await shown(files[numbers[0]], True))
    sheet = await _sheet(shown, {number: files[number] for number in numbers}, round(longest_px * _SHEET_SHARE))
    left_out = dict.fromkeys(sorted(files)[MOST_ON_A_SHEET:], f"only the first {MOST_ON_A_SHEET} images are shown")
    return replace(sheet, problems=sheet.problems + _problems(left_out))


async def shown_alone(content: bytes, longest_px: int) -> Rendered | str:
    """An image for the chat, small enough for every host, or why it cannot be shown, as the end of a sentence."""
    made = _problem_of(content) or await render_image(
        "small",
        content,
        max_bytes=_MOST_BYTES,
        wanted_bytes=0 if _can_be_shown(content, longest_px) else len(content),
        box=[longest_px, longest_px],
        svg_px=longest_px,
    )
    return made if isinstance(made, str) else _original_if_smaller(content, made, longest_px)


async def shown_in_cell(content: bytes, longest_px: int) -> Rendered | str:
    """An image as bare pixels, large enough for a sheet beside images of `longest_px`, or why it cannot be shown."""
    side_px = largest_cell_px(round(longest_px * _SHEET_SHARE))
    return _problem_of(content) or await render_image("cell", content, box=[side_px, side_px], svg_px=side_px)


def _problem_of(content: bytes) -> str:
    """What the header alone tells is not decoded at all; "" for an image that can be."""
    head = content[:HEAD_BYTES]
    mime_type = sniff(head) or ""
    if mime_type not in EXTENSIONS:
        return "it is no image of a known format"
    pixels = 0 if mime_type == "image/svg+xml" else pixel_size(head, mime_type).pixels
    if pixels > MAX_PIXELS:
        most = MAX_PIXELS // 1_000_000
        return f"it has {pixels / 1e6:.0f} million pixels, more than the {most} million that are decoded"
    return ""


def _original_if_smaller(content: bytes, made: Rendered, longest_px: int) -> Rendered:
    """The image itself without its metadata, where that fits, is no larger, and can be shown as it is."""
    if not made.is_still or not _can_be_shown(content, longest_px):
        return made
    mime_type = sniff(content[:HEAD_BYTES]) or ""
    size = pixel_size(content[:HEAD_BYTES], mime_type)
    plain = strip_metadata(content, mime_type)
    if plain is None or plain.orientation != 1 or len(plain.content) >= len(made.content):
        return made
    return replace(made, content=plain.content, mime_type=mime_type, width_px=size.width_px, height_px=size.height_px)


def _can_be_shown(content: bytes, longest_px: int) -> bool:
    """Whether it has a type that every host shows, and the size of a preview."""
    head = content[:HEAD_BYTES]
    mime_type = sniff(head) or ""
    return mime_type in SHOWN_TYPES and max(pixel_size(head, mime_type).shown) <= longest_px


async def _sheet(shown: _Shown, files: Mapping[int, StoredFile], longest_px: int) -> Previewed:
    place = layout({number: _drawn_size(file, longest_px) for number, file in files.items()}, longest_px)
    pictures = await _pictures(shown, files)
    problems = _problems({number: made for number, made in pictures.items() if isinstance(made, str)})
    if len(problems) == len(files):
        return Previewed(problems=problems)
    made = [pictures[cell.number] for cell in place.cells]
    drawn = [_NO_PICTURE if isinstance(each, str) else each for each in made]
    sheet = await render_image(
        "sheet",
        b"".join(each.content for each in drawn),
        max_bytes=_MOST_BYTES,
        width=place.width,
        height=place.height,
        cells=[[*cell, each.width_px, each.height_px] for cell, each in zip(place.cells, drawn, strict=True)],
        modes=[each.mime_type.removeprefix("image/").upper() for each in drawn],
    )
    if isinstance(sheet, str):
        return _previewed(files, f"of the contact sheet: {sheet}")
    return replace(_previewed(files, sheet), problems=problems)


def _previewed(numbers: Iterable[int], made: Rendered | str) -> Previewed:
    """One picture with these images on it, or why there is none."""
    if isinstance(made, str):
        return Previewed(problems=_problems(dict.fromkeys(numbers, made)))
    preview = Preview(
        numbers=tuple(numbers),
        data=made.content,
        mime_type=made.mime_type,
        width_px=made.width_px,
        height_px=made.height_px,
    )
    return Previewed(preview=preview)


def _problems(reasons: Mapping[int, str]) -> tuple[PreviewProblem, ...]:
    """In the order of their numbers."""
    return tuple(PreviewProblem(number=number, reason=reasons[number]) for number in sorted(reasons))


def _drawn_size(file: StoredFile, longest_px: int) -> tuple[int, int]:
    """Width and height in pixels; a drawing is as large as one likes."""
    size = PixelSize(file.width_px, file.height_px)
    return (size.drawn(longest_px) if file.mime_type == "image/svg+xml" else size)[:2]


async def _pictures(shown: _Shown, files: Mapping[int, StoredFile]) -> dict[int, Rendered | str]:
    """Each image as a cell takes it, or why there is none; each decoded by itself, so that none spoils the others."""
    limiter = anyio.CapacityLimiter(_AT_ONCE)
    made: dict[int, Rendered | str] = {}

    async def make(number: int, file: StoredFile) -> None:
        async with limiter:
            made[number] = await shown(file, False)

    async with anyio.create_task_group() as tasks:
        for number, file in files.items():
            tasks.start_soon(make, number, file)
    return made
