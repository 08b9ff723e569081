"""Many images that come home together are decoded a few at a time, by processes that are there before them."""

import os
from contextlib import suppress
from pathlib import Path

import anyio
import pytest
import systems
from fault_gateway import FaultGateway
from fault_plan import Plan, picture
from open_rooms import room_at

from darkroom.errors import DarkroomError
from darkroom.generate_image import generate_image
from darkroom.outputs.decoders import decoders as kept_decoders
from darkroom.outputs.decoding import Rendered, render_image
from darkroom.registry import ImageRequest

pytestmark = pytest.mark.anyio


def decoders() -> int:
    """Processes that this one has started and that have not ended."""
    mine = str(os.getpid())
    count = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
        except (OSError, ValueError):
            continue
        count += parent == mine and state != "Z"
    return count


@systems.processes_in_proc
async def test_no_more_images_are_decoded_at_once_than_there_are_cores() -> None:
    await kept_decoders().close()  # those of other tests, which may end meanwhile
    before, most, made = decoders(), 0, list[Rendered | str]()

    async def decode() -> None:
        made.append(await render_image("look", picture("one")))

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            for _ in range(12):
                tasks.start_soon(decode)
            while len(made) < 12:
                most = max(most, decoders() - before)
                await anyio.lowlevel.checkpoint()
    assert all(isinstance(each, Rendered) for each in made)
    assert 1 <= most <= (os.cpu_count() or 1)


@systems.processes_in_proc
async def test_decoders_for_all_images_of_a_call_start_with_its_create(tmp_path: Path) -> None:
    await kept_decoders().close()
    before, request = decoders(), ImageRequest(prompt="a fox", model="black-forest-labs/flux-schnell", count=4)
    async with FaultGateway(Plan(script=("402",))) as gateway, room_at(gateway, tmp_path, preview_px=768) as room:
        with suppress(DarkroomError):
            await generate_image(room, request, wait_s=20)
        with anyio.fail_after(60):
            while decoders() - before < min(4, os.cpu_count() or 1):
                await anyio.lowlevel.checkpoint()
