"""Creates whose answer the gateway holds: one request for a picture, and nothing is lost however the hold ends."""

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing
from functools import partial
from pathlib import Path

import anyio
import pytest
from fault_gateway import FaultGateway
from fault_plan import Plan
from open_rooms import Ears, NoonClock, room_at, until

from darkroom.darkroom import Darkroom
from darkroom.gateways import Timeouts
from darkroom.generate_image import generate_image
from darkroom.get_prediction import get_prediction
from darkroom.registry import ImageRequest
from darkroom.reports import PredictionReport
from darkroom.work.runtime import CrashPoint

pytestmark = pytest.mark.anyio

FOX = ImageRequest(prompt="a fox", model="black-forest-labs/flux-schnell")  # usually a second
BY_SIZE = ImageRequest(prompt="a fox", model="black-forest-labs/flux-2-pro")  # nobody knows its time


@pytest.fixture
async def gateway() -> AsyncGenerator[FaultGateway]:
    async with FaultGateway(Plan(run_s=0.2, holds=True)) as gateway:
        yield gateway


def held_s(gateway: FaultGateway) -> list[str]:
    return [headers.get("prefer", "") for headers in gateway.truth.create_headers]


async def generate(
    room: Darkroom, request: ImageRequest = FOX, *, wait_s: float = 20, request_id: str = "fox"
) -> PredictionReport:
    return await generate_image(room, request, wait_s=wait_s, request_id=request_id)


def images(folder: Path) -> int:
    return len(list((folder / "images").glob("*.png")))


async def test_a_held_picture_takes_one_request_and_its_cost_is_known(gateway: FaultGateway, tmp_path: Path) -> None:
    async with room_at(gateway, tmp_path, holds=True) as room:
        report = await generate(room)
    assert report.outcome == "succeeded" and images(tmp_path) == 1
    assert "Charged: about $0.003" in report.text
    assert (gateway.truth.creates, gateway.truth.looks, gateway.truth.lists) == (1, [], 0)
    assert 10 <= int(held_s(gateway)[0].removeprefix("wait=")) <= 19


async def test_what_is_billed_by_more_than_its_pictures_is_looked_at_once_more(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    async with room_at(gateway, tmp_path, holds=True) as room:
        await generate(room, BY_SIZE, request_id="first")  # learned to be quick
        gateway.truth.looks.clear()
        await generate(room, BY_SIZE)
    first, second = held_s(gateway)
    assert not first and second.startswith("wait=")
    assert len(gateway.truth.looks) == 1 and images(tmp_path) == 2


@pytest.mark.parametrize("wait_s", [0, 1])
async def test_a_call_that_does_not_wait_gets_its_id_at_once(
    gateway: FaultGateway, tmp_path: Path, wait_s: int
) -> None:
    gateway.plan = Plan(run_s=60, holds=True)
    async with room_at(gateway, tmp_path, holds=True) as room:
        report = await generate(room, wait_s=wait_s)
    assert report.outcome == "running" and held_s(gateway) == [""]
    assert report.data["id"] == gateway.truth.predictions[0].id


@pytest.mark.parametrize("profile", ["deerapi", "custom"])
async def test_nothing_is_held_where_a_lost_answer_cannot_be_found(
    gateway: FaultGateway, tmp_path: Path, profile: str
) -> None:
    async with room_at(gateway, tmp_path, profile=profile, holds=True) as room:
        assert (await generate(room)).outcome == "succeeded"
    assert held_s(gateway) == [""]


async def test_a_hold_that_is_over_before_the_end_gives_the_id(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(run_s=60, holds=True)
    async with room_at(gateway, tmp_path, holds=True, sleep=anyio.sleep) as room:
        report = await generate(room, wait_s=2.5)
        assert report.outcome == "running" and report.data["id"] == gateway.truth.predictions[0].id
    assert held_s(gateway) == ["wait=1"] and gateway.truth.lists == 0


async def test_a_gateway_that_does_not_hold_is_looked_at(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(run_s=0.5)
    async with room_at(gateway, tmp_path, holds=True) as room:
        assert (await generate(room)).outcome == "succeeded"
    assert held_s(gateway)[0] and gateway.truth.looks and gateway.truth.creates == 1


@pytest.mark.parametrize("fault", ["cut after", "cut before the id", "reset after", "504 after", "stall after"])
async def test_a_hold_that_breaks_is_found_in_the_list(gateway: FaultGateway, tmp_path: Path, fault: str) -> None:
    gateway.plan = Plan(run_s=0.2, holds=True, script=(fault,), stall_s=30)
    timeouts = Timeouts(connect_s=2, write_s=2, read_s=0.5)
    async with room_at(gateway, tmp_path, holds=True, timeouts=timeouts) as room:
        assert (await generate(room, wait_s=3)).outcome == "succeeded"
    assert (gateway.truth.creates, images(tmp_path)) == (1, 1)


async def test_a_proxy_that_gives_a_hold_up_loses_nothing(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(run_s=0.6, holds=True, proxy_s=0.1)
    async with room_at(gateway, tmp_path, holds=True) as room:
        assert (await generate(room)).outcome == "succeeded"
    assert (gateway.truth.creates, images(tmp_path)) == (1, 1)


async def test_an_overdue_hold_is_followed_in_the_list_and_left_open(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(run_s=0.8, holds=True, overtime_s=6)
    async with room_at(gateway, tmp_path, holds=True) as room:
        with anyio.fail_after(5):
            first = await generate(room, wait_s=2.5)
        assert first.data["id"] == gateway.truth.predictions[0].id
        again = await get_prediction(room, "fox", wait_s=20)
        assert again.outcome == "succeeded" and images(tmp_path) == 1
        assert again.data["id"] == first.data["id"]
    assert gateway.truth.creates == 1 and len(gateway.truth.predictions) == 1


async def test_a_look_up_during_a_hold_finds_the_id(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(run_s=30, holds=True)
    async with room_at(gateway, tmp_path, holds=True) as room, anyio.create_task_group() as calls:
        calls.start_soon(partial(generate, room))
        await held(gateway, 1)
        with anyio.fail_after(2):
            report = await get_prediction(room, "fox")
        gateway.end_all()
        assert report.outcome == "running" and report.data["id"] == gateway.truth.predictions[0].id
    assert (gateway.truth.creates, images(tmp_path)) == (1, 1)


async def test_a_look_up_from_another_process_finds_the_id_and_the_picture_comes_once(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    gateway.plan = Plan(run_s=30, holds=True)
    async with (
        room_at(gateway, tmp_path, holds=True) as room,
        room_at(gateway, tmp_path, holds=True) as other,
        anyio.create_task_group() as calls,
    ):
        calls.start_soon(partial(generate, room))
        await held(gateway, 1)
        assert (await get_prediction(other, "fox")).data["id"] == gateway.truth.predictions[0].id
        gateway.end_all()
        assert (await get_prediction(other, "fox", wait_s=20)).outcome == "succeeded"
    assert (gateway.truth.creates, images(tmp_path)) == (1, 1)


async def test_the_same_request_from_another_process_joins_what_is_held(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(run_s=30, holds=True)
    async with (
        room_at(gateway, tmp_path, holds=True) as room,
        room_at(gateway, tmp_path, holds=True) as other,
        anyio.create_task_group() as calls,
    ):
        calls.start_soon(partial(generate, room))
        await held(gateway, 1)
        assert (await generate(other, wait_s=0)).data["id"] == gateway.truth.predictions[0].id
        gateway.end_all()
        assert (await generate(other)).outcome == "succeeded"
    assert (gateway.truth.creates, images(tmp_path)) == (1, 1)


@pytest.mark.parametrize("lag_s", [0, 0.6])
async def test_a_cancel_during_a_hold_stops_it_at_once(gateway: FaultGateway, tmp_path: Path, lag_s: float) -> None:
    gateway.plan = Plan(run_s=30, holds=True, lag_s=lag_s)
    async with room_at(gateway, tmp_path, holds=True) as room, anyio.create_task_group() as calls:
        reports: list[PredictionReport] = []

        async def call() -> None:
            reports.append(await generate(room))

        calls.start_soon(call)
        await held(gateway, 1)
        with anyio.fail_after(5):
            await get_prediction(room, "fox", cancel=True)
            await until(lambda: reports)
        assert reports[0].text.startswith("Canceled")
    assert gateway.truth.cancels == [gateway.truth.predictions[0].id]


async def test_a_call_that_its_person_stops_during_a_hold_is_canceled_at_once(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    gateway.plan = Plan(run_s=30, holds=True)
    async with room_at(gateway, tmp_path, holds=True) as room:
        async with anyio.create_task_group() as call:
            call.start_soon(partial(generate, room))
            await held(gateway, 1)
            call.cancel_scope.cancel()
        await room.work.cancel_all(await room.journal.by_request("fox"))
        with anyio.fail_after(5):
            found = await get_prediction(room, "fox", wait_s=20)
    assert found.text.startswith("Canceled") and len(gateway.truth.cancels) == 1


async def test_a_hold_is_minded_on_when_the_journal_can_be_read_again(
    gateway: FaultGateway, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.plan = Plan(run_s=30, holds=True)
    async with room_at(gateway, tmp_path, holds=True) as room, anyio.create_task_group() as calls:
        calls.start_soon(partial(generate, room))
        await held(gateway, 1)
        intents = await room.journal.by_request("fox")
        with closing(sqlite3.connect(tmp_path / "data" / "journal.sqlite3", isolation_level=None)) as other:
            other.execute("ALTER TABLE intents RENAME TO elsewhere")
            await room.work.cancel_all(intents)
            with anyio.fail_after(10):
                words = "The journal could not be used"  # by the cancel and by the hold
                await until(lambda: caplog.text.count(words) >= 2)
            other.execute("ALTER TABLE elsewhere RENAME TO intents")
        with anyio.fail_after(10):
            await until(lambda: gateway.truth.cancels)
    assert gateway.truth.cancels == [gateway.truth.predictions[0].id]


async def test_what_is_stopped_just_before_it_is_held_is_canceled_at_once(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    gateway.plan = Plan(run_s=30, holds=True)
    ears = Ears()
    async with room_at(gateway, tmp_path, holds=True, at_crash_point=ears) as room:
        async with anyio.create_task_group() as call:
            call.start_soon(partial(generate, room))
            await ears.heard(CrashPoint.CLAIMED)
            call.cancel_scope.cancel()
        await room.work.cancel_all(await room.journal.by_request("fox"))
        with anyio.fail_after(15):
            found = await get_prediction(room, "fox", wait_s=20)
    assert found.text.startswith("Canceled") and len(gateway.truth.cancels) == 1


async def test_what_was_held_when_the_process_ended_is_found_by_the_next(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(run_s=30, holds=True)
    async with room_at(gateway, tmp_path, holds=True) as room, anyio.create_task_group() as calls:
        calls.start_soon(partial(generate, room))
        await held(gateway, 1)
        calls.cancel_scope.cancel()
    gateway.end_all()
    async with room_at(gateway, tmp_path, holds=True) as room:
        assert (await generate(room)).outcome == "succeeded"
    assert (gateway.truth.creates, images(tmp_path)) == (1, 1)


async def test_no_more_than_32_answers_of_an_account_are_held(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(run_s=30, holds=True)
    clock = NoonClock()
    rooms = [room_at(gateway, tmp_path, holds=True, clock=clock) for _ in range(2)]
    async with rooms[0] as one, rooms[1] as two, anyio.create_task_group() as calls:
        for number in range(40):
            wish = ImageRequest(prompt=f"fox {number}", model=FOX.model)
            calls.start_soon(partial(generate, (one, two)[number % 2], wish, request_id=f"fox {number}"))
        await until(lambda: gateway.truth.creates == 40)
        gateway.end_all()
    assert gateway.truth.most_held == 32 and gateway.truth.creates == 40
    assert images(tmp_path) == 40


async def held(gateway: FaultGateway, count: int) -> None:
    """Return when so many answers were held at once."""
    await until(lambda: gateway.truth.most_held >= count)
