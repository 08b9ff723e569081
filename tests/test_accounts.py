"""Two keys on one journal: what one account has paid for, another key neither loses nor pays again."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import anyio
import pytest
from fault_gateway import FaultGateway
from fault_plan import Plan
from open_rooms import NoonClock, room_at

from darkroom.darkroom import Darkroom
from darkroom.gateways import Key
from darkroom.generate_image import generate_image
from darkroom.get_prediction import get_prediction
from darkroom.journal import IntentState
from darkroom.registry import ImageRequest

pytestmark = pytest.mark.anyio

FOX = ImageRequest(prompt="a fox", model="black-forest-labs/flux-schnell")
ADA, ADAS_NEW_KEY, BOB = Key("r8_ada_0123456789"), Key("r8_ada_9876543210"), Key("r8_bob_0123456789")
SETTLE_S = 1.0


@pytest.fixture
async def gateway() -> AsyncGenerator[FaultGateway]:
    async with FaultGateway(Plan(run_s=0)) as gateway:
        gateway.accounts = {ADA.reveal(): "ada", ADAS_NEW_KEY.reveal(): "ada", BOB.reveal(): "bob"}
        yield gateway


def with_key(
    key: Key, gateway: FaultGateway, folder: Path, clock: NoonClock | None = None
) -> AbstractAsyncContextManager[Darkroom]:
    return room_at(gateway, folder, key=key, clock=clock or NoonClock(), settle_s=SETTLE_S, lease_s=0.1)


async def looked_at(gateway: FaultGateway, times: int) -> None:
    while len(gateway.truth.looks) < times:  # noqa: ASYNC110 - bounded by room_at
        await anyio.sleep(0.02)


async def test_a_second_key_that_does_not_see_a_prediction_does_not_end_it(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    gateway.plan = Plan(run_s=60)
    clock = NoonClock()
    async with with_key(ADA, gateway, tmp_path, clock) as room:
        assert (await generate_image(room, FOX, wait_s=0, request_id="fox")).outcome == "running"
    gateway.truth.looks.clear()
    async with with_key(BOB, gateway, tmp_path, clock) as room:
        await looked_at(gateway, 3)
        report = await get_prediction(room, "fox", wait_s=5)
        assert report.outcome == "running" and "knows no prediction" in report.text
    gateway.truth.predictions[0].ends_s = 0
    async with with_key(ADA, gateway, tmp_path, clock) as room:
        assert (await get_prediction(room, "fox", wait_s=20)).outcome == "succeeded"
    assert len(list((tmp_path / "images").glob("*.png"))) == 1


async def test_a_list_of_another_account_shows_nothing_absent(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(script=("500 after",), run_s=0, lag_s=600)
    async with with_key(ADA, gateway, tmp_path) as room:
        assert (await generate_image(room, FOX, wait_s=1, request_id="fox")).outcome == "unresolved"
    clock = NoonClock()
    async with with_key(BOB, gateway, tmp_path, clock) as room:
        await generate_image(room, FOX, wait_s=1, request_id="fox")
        clock.move(3 * SETTLE_S)
        await generate_image(room, FOX, wait_s=1, request_id="fox")
        row = await room.journal.latest()
        assert row and row.state is IntentState.UNKNOWN
    gateway.plan = Plan(run_s=0)
    async with with_key(ADA, gateway, tmp_path) as room:
        assert (await generate_image(room, FOX, wait_s=20, request_id="fox")).outcome == "succeeded"
    assert gateway.truth.creates == 1


async def test_a_new_key_of_the_same_account_goes_on_where_the_old_one_stopped(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    gateway.plan = Plan(script=("", "504 before"), run_s=60)
    async with with_key(ADA, gateway, tmp_path) as room:
        await generate_image(room, FOX, wait_s=0, request_id="runs")
        await generate_image(room, FOX, wait_s=0, request_id="in doubt")
        while not await room.journal.account_name(room.account.id):  # noqa: ASYNC110 - bounded by room_at
            await anyio.sleep(0.02)
    gateway.truth.predictions[0].ends_s = 0
    gateway.plan = Plan(run_s=0)
    async with with_key(ADAS_NEW_KEY, gateway, tmp_path) as room:
        await generate_image(room, FOX, wait_s=20, request_id="another")
        assert (await get_prediction(room, "runs", wait_s=20)).outcome == "succeeded"
        while (row := (await room.journal.by_request("in doubt"))[0]).state is not IntentState.ABSENT:
            await get_prediction(room, "in doubt")
            await anyio.sleep(0.1)
    assert row.tries == 1 and len(gateway.truth.predictions) == 2


async def test_predictions_of_a_key_that_was_away_for_a_day_are_told_once_and_found_when_it_is_back(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    gateway.plan = Plan(run_s=60)
    clock = NoonClock()
    async with with_key(ADA, gateway, tmp_path, clock) as room:
        await generate_image(room, FOX, wait_s=0, request_id="fox")
    adas = gateway.truth.predictions[0]
    clock.move(25 * 3600)
    gateway.plan = Plan(run_s=0)
    gateway.truth.looks.clear()
    answers: list[str] = []
    async with with_key(BOB, gateway, tmp_path, clock) as room:
        for name in ("one", "two"):
            answers.append((await generate_image(room, FOX, wait_s=20, request_id=name)).text)
    assert ["another key" in answer for answer in answers].count(True) == 1
    assert adas.id not in gateway.truth.looks
    adas.ends_s = 0
    async with with_key(ADA, gateway, tmp_path, clock) as room:
        assert (await get_prediction(room, "fox", wait_s=20)).outcome == "succeeded"


async def test_no_key_is_in_the_journal(gateway: FaultGateway, tmp_path: Path) -> None:
    async with with_key(ADA, gateway, tmp_path) as room:
        await generate_image(room, FOX, wait_s=20)
        assert all(ADA.reveal().encode() not in file.read_bytes() for file in (tmp_path / "data").iterdir())
