"""A preview is begun while its image is on its way to the disk, and given away once."""

from collections.abc import AsyncGenerator
from hashlib import sha256
from pathlib import Path

import anyio
import pytest
from fault_gateway import FaultGateway
from fault_plan import Plan
from open_rooms import room_at
from pictures import noise

from darkroom.darkroom import Darkroom
from darkroom.generate_image import generate_image
from darkroom.images import StoredFile
from darkroom.outputs.decoding import Rendered
from darkroom.outputs.early_previews import EarlyPreviews
from darkroom.registry import ImageRequest

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("kept_decoders")]

MODEL = "black-forest-labs/flux-schnell"


@pytest.fixture
async def gateway() -> AsyncGenerator[FaultGateway]:
    async with FaultGateway(Plan(run_s=0)) as gateway:
        yield gateway


async def made(room: Darkroom, count: int) -> dict[int, StoredFile]:
    """Images of one call, by their numbers."""
    report = await generate_image(room, ImageRequest(prompt="a fox", model=MODEL, count=count), wait_s=20)
    images = [image.file for intent in report.intents for image in intent.images if image.file]
    assert len(images) == count
    return dict(enumerate(images, 1))


@pytest.mark.parametrize("count", [1, 4])
async def test_an_answer_shows_what_was_begun_while_it_was_saved(
    gateway: FaultGateway, tmp_path: Path, count: int
) -> None:
    async with room_at(gateway, tmp_path, preview_px=768) as room:
        files = await made(room, count)
        first = await room.preview(files, 768)
        assert first.preview and not first.problems
        assert first.preview.numbers == tuple(files)
        for file in files.values():
            Path(file.location).unlink()
        assert not (await room.preview(files, 768)).preview, "it is given away once; then the file counts"


@pytest.mark.parametrize("count", [1, 4])
async def test_nothing_needs_the_files_of_what_was_begun(gateway: FaultGateway, tmp_path: Path, count: int) -> None:
    async with room_at(gateway, tmp_path, preview_px=768) as room:
        files = await made(room, count)
        for file in files.values():
            Path(file.location).unlink()
        assert (await room.preview(files, 768)).preview


async def test_another_size_is_made_from_the_file(gateway: FaultGateway, tmp_path: Path) -> None:
    async with room_at(gateway, tmp_path, preview_px=768) as room:
        files = await made(room, 1)
        Path(files[1].location).unlink()
        assert not (await room.preview(files, 200)).preview


async def test_what_an_early_preview_shows_is_what_a_late_one_shows(gateway: FaultGateway, tmp_path: Path) -> None:
    async with room_at(gateway, tmp_path, preview_px=768) as room:
        for count in (1, 4):
            files = await made(room, count)
            assert await room.preview(files, 768) == await room.preview(files, 768)


async def test_nothing_is_begun_where_nothing_is_shown() -> None:
    content = noise()
    async with anyio.create_task_group() as tasks:
        for longest_px, is_begun in ((0, False), (768, True)):
            previews = EarlyPreviews(longest_px, tasks)
            previews.begin(content, sha256(content).hexdigest(), is_alone=True)
            taken = await previews.taken(stored(content), longest_px, True)
            assert isinstance(taken, Rendered) == is_begun


async def test_what_nobody_shows_does_not_pile_up() -> None:
    contents = [noise(size=(8, width)) for width in range(8, 28)]
    taken: list[Rendered | str | None] = []
    async with anyio.create_task_group() as tasks:
        previews = EarlyPreviews(768, tasks)
        for content in contents:
            previews.begin(content, sha256(content).hexdigest(), is_alone=True)
        taken = [await previews.taken(stored(content), 768, True) for content in contents]
    assert taken[0] is None
    assert isinstance(taken[-1], Rendered)


def stored(content: bytes) -> StoredFile:
    return StoredFile(
        location="",
        mime_type="image/png",
        width_px=8,
        height_px=8,
        size_bytes=len(content),
        sha256=sha256(content).hexdigest(),
    )
