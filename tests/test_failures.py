"""Advice to repeat has an end: the same prompt that failed twice is a matter for the user."""

from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import pytest
from fault_gateway import FaultGateway
from fault_plan import Plan
from open_rooms import NoonClock, room_at

from darkroom.darkroom import Darkroom
from darkroom.generate_image import generate_image
from darkroom.get_prediction import get_prediction
from darkroom.registry import ImageRequest

pytestmark = pytest.mark.anyio

CUDA = {"status": "failed", "error": "CUDA out of memory"}


@pytest.fixture
async def gateway() -> AsyncGenerator[FaultGateway]:
    with anyio.fail_after(60):
        async with FaultGateway(Plan(born_done=1.0)) as gateway:
            gateway.odd = dict(CUDA)
            yield gateway


async def said(room: Darkroom, prompt: str = "a fox", model: str = "", count: int = 1) -> str:
    return (await generate_image(room, ImageRequest(prompt=prompt, model=model, count=count), wait_s=20)).text


async def test_the_second_failure_of_a_prompt_ends_the_advice_to_repeat(gateway: FaultGateway, tmp_path: Path) -> None:
    async with room_at(gateway, tmp_path) as room:
        assert "stop and ask" not in await said(room)
        text = await said(room, "  A  Fox ")
        assert "failed 2 times in a minute for this prompt, at most $0.006 so far: stop and ask the user." in text
        assert "once more" not in text
        assert "failed 3 times" in await said(room, model="black-forest-labs/flux-dev")


async def test_failures_of_earlier_processes_count_and_old_ones_do_not(gateway: FaultGateway, tmp_path: Path) -> None:
    clock = NoonClock()
    async with room_at(gateway, tmp_path, clock=clock) as room:
        await said(room)
    clock.move(300)
    async with room_at(gateway, tmp_path, clock=clock) as room:
        assert "failed 2 times in 5 minutes" in await said(room)
        assert "failed 2 times" in (await get_prediction(room, "latest")).text
        clock.move(700)
        assert "stop and ask" not in await said(room)


async def test_other_prompts_and_successes_do_not_count(gateway: FaultGateway, tmp_path: Path) -> None:
    async with room_at(gateway, tmp_path) as room:
        await said(room)
        gateway.odd = {}
        assert (await said(room)).startswith("Succeeded")
        gateway.odd = dict(CUDA)
        assert "stop and ask" not in await said(room, "a hen")


async def test_one_call_of_several_predictions_is_one_failure(gateway: FaultGateway, tmp_path: Path) -> None:
    async with room_at(gateway, tmp_path) as room:
        model = "black-forest-labs/flux-1.1-pro"
        assert "stop and ask" not in await said(room, model=model, count=2)
        assert "failed 2 times in a minute for this prompt, at most $0.16 so far" in await said(
            room, model=model, count=2
        )
