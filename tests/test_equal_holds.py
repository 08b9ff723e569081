"""Several creates that are held at the same time: equal ones are told apart, and one list names all."""

from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path

import anyio
import pytest
from fault_gateway import FaultGateway
from fault_plan import Plan
from open_rooms import room_at
from test_holds import held

from darkroom.generate_image import generate_image
from darkroom.get_prediction import get_prediction
from darkroom.registry import ImageRequest
from darkroom.reports import PredictionReport

pytestmark = pytest.mark.anyio

FLUX = "black-forest-labs/flux-schnell"  # usually a second
EQUAL = ImageRequest(prompt="a fox", model=FLUX, seed=5)


@pytest.fixture
async def gateway() -> AsyncGenerator[FaultGateway]:
    async with FaultGateway() as gateway:
        yield gateway


async def test_of_equal_holds_the_later_may_be_looked_up_first(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(run_s=30, holds=True)
    names, reports = ("first", "second"), dict[str, PredictionReport]()
    async with room_at(gateway, tmp_path, holds=True) as room:

        async def call(name: str) -> None:
            reports[name] = await generate_image(room, EQUAL, wait_s=20, request_id=name)

        async with anyio.create_task_group() as calls:
            for number, name in enumerate(names, 1):
                calls.start_soon(call, name)
                await held(gateway, number)
            reports["look"] = await get_prediction(room, "second")
            gateway.end_all()
    made = [each.id for each in gateway.truth.predictions]
    assert reports["look"].data["id"] == made[1]
    assert [(reports[name].outcome, reports[name].data["id"]) for name in names] == [("succeeded", id) for id in made]
    assert gateway.truth.creates == 2 and len(list((tmp_path / "images").glob("*.png"))) == 2


async def test_one_reading_of_the_list_names_all_that_are_late(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(run_s=60, holds=True, overtime_s=60)
    async with room_at(gateway, tmp_path, holds=True, sleep=anyio.sleep) as room:
        wishes = [ImageRequest(prompt=f"fox {number}", model=FLUX) for number in range(12)]
        async with anyio.create_task_group() as calls:
            for wish in wishes:
                calls.start_soon(partial(generate_image, room, wish, wait_s=2.5, request_id=wish.prompt))
        rows = await room.journal.history()
    assert {row.prediction_id for row in rows} == {each.id for each in gateway.truth.predictions}
    assert gateway.truth.lists <= 6
