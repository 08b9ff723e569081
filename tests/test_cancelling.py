"""get_prediction with cancel: what is asked of the gateway, and what is said where that cannot help any more."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from fault_gateway import FaultGateway
from fault_plan import Plan
from open_rooms import NoonClock, room_at
from scripted_gateway import Answer, RecordedRequest, ScriptedGateway

from darkroom.darkroom import Darkroom
from darkroom.generate_image import generate_image
from darkroom.get_prediction import get_prediction
from darkroom.registry import ImageRequest
from darkroom.reports import PredictionReport

pytestmark = pytest.mark.anyio

FOX = ImageRequest(prompt="a fox", model="black-forest-labs/flux-schnell")  # $0.003 an image
TWO = ImageRequest(prompt="a fox", model="black-forest-labs/flux-1.1-pro", count=2)


@pytest.fixture
async def gateway() -> AsyncGenerator[FaultGateway]:
    async with FaultGateway(Plan(run_s=60)) as gateway:
        yield gateway


async def start(room: Darkroom, request: ImageRequest = FOX, **changes: Any) -> PredictionReport:
    return await generate_image(room, request, wait_s=0, request_id="fox", **changes)


async def test_a_cancel_is_no_error_and_tells_what_it_may_cost(gateway: FaultGateway, tmp_path: Path) -> None:
    async with room_at(gateway, tmp_path) as room:
        await start(room)
        report = await get_prediction(room, "fox", cancel=True)
    assert not report.is_error and report.is_wanted_end and report.text.startswith("Canceled: ")
    assert "Charged: nothing (Replicate states that a run without output is not billed" in report.text
    assert len(gateway.truth.cancels) == 1 and "Reason: it was canceled at your request." in report.text


async def test_a_second_cancel_says_that_it_was_canceled_before(gateway: FaultGateway, tmp_path: Path) -> None:
    async with room_at(gateway, tmp_path) as room:
        await start(room)
        await get_prediction(room, "fox", cancel=True)
        again = await get_prediction(room, "fox", cancel=True)
    assert "Note: it was canceled before." in again.text and "at your request" not in again.text
    assert len(gateway.truth.cancels) == 1


async def test_a_cancel_of_the_latest_names_what_of_this_conversation_still_runs(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    async with room_at(gateway, tmp_path) as room:
        first = await generate_image(room, FOX, wait_s=0, request_id="first", conversation="mine")
        await generate_image(room, FOX, wait_s=0, request_id="foreign", conversation="other")
        await generate_image(room, FOX, wait_s=0, request_id="second", conversation="mine")
        report = await get_prediction(room, "latest", cancel=True, conversation="mine")
        assert f"Note: '{first.data['id']}' of this conversation still runs." in report.text
        last = await get_prediction(room, "latest", cancel=True, conversation="other")
        assert "still run" not in last.text


async def test_all_parts_are_canceled(gateway: FaultGateway, tmp_path: Path) -> None:
    async with room_at(gateway, tmp_path) as room:
        await start(room, TWO)
        report = await get_prediction(room, "fox", cancel=True)
    assert len(set(gateway.truth.cancels)) == 2 and report.text.startswith("Canceled: ")


async def test_what_has_ended_stays_as_it_is(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(run_s=0)
    async with room_at(gateway, tmp_path) as room:
        await generate_image(room, FOX, wait_s=20, request_id="fox")
        report = await get_prediction(room, "fox", cancel=True)
    assert not report.is_error and report.text.startswith("Succeeded: 1 image")
    assert "it had ended already; nothing was canceled." in report.text and gateway.truth.cancels == []


async def test_a_gateway_without_a_cancel_is_said_to_have_none(gateway: FaultGateway, tmp_path: Path) -> None:
    clock = NoonClock()
    gateway.plan = Plan(run_s=60, has_cancel=False)
    async with room_at(gateway, tmp_path, profile="custom", clock=clock) as room:
        await start(room)
        clock.move(92)
        report = await get_prediction(room, "fox", cancel=True)
    assert not report.is_error and report.outcome == "running"
    assert "it cannot be canceled here: gateway 'custom' has no cancel. It was started 9" in report.text
    assert "is given up after 120 min, and costs at most $0.003." in report.text


async def test_a_cancel_that_does_not_reach_the_gateway_is_said_and_the_other_parts_are_tried(tmp_path: Path) -> None:
    gateway = FaultGateway(Plan(run_s=60))
    async with gateway, room_at(gateway, tmp_path) as room:
        await start(room, TWO)
    async with room_at(gateway, tmp_path) as room:
        report = await get_prediction(room, "fox", cancel=True)
    assert not report.is_error and "it may not be canceled, and may go on: " in report.text


@pytest.mark.parametrize(
    ("code", "said"), [(401, "it is not canceled, and goes on: "), (503, "it may not be canceled, and may go on: ")]
)
async def test_a_cancel_is_said_to_have_failed_where_the_gateway_has_refused_it(
    code: int, said: str, tmp_path: Path
) -> None:
    def answer(request: RecordedRequest) -> Answer:
        if request.path.endswith("/cancel"):
            return Answer({"detail": "no"}, code)
        return Answer({"id": "p" * 26, "status": "processing"}, 201)

    async with ScriptedGateway(answer) as gateway, room_at(gateway, tmp_path) as room:
        await start(room)
        report = await get_prediction(room, "fox", cancel=True)
    assert report.outcome == "running" and said in report.text


async def test_another_gateways_prediction_is_never_canceled_at_this_one(gateway: FaultGateway, tmp_path: Path) -> None:
    async with room_at(gateway, tmp_path) as room:
        await start(room)
    async with FaultGateway() as other, room_at(other, tmp_path, profile="custom") as room:
        report = await get_prediction(room, "fox", cancel=True)
        assert other.truth.cancels == []
    assert "not the one in use now, so it cannot be canceled here" in report.text and not report.is_error


async def test_a_create_in_doubt_has_nothing_to_cancel_by(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(script=("504 before",))
    async with room_at(gateway, tmp_path, profile="custom") as room:
        await start(room)
        report = await get_prediction(room, "fox", cancel=True)
    assert "Charged: possibly, at most $0.003 in all" in report.text and "this look-up is free" in report.text
    assert "no id to cancel by; it may run and be billed" in report.text and gateway.truth.cancels == []
    assert report.outcome == "unresolved" and not report.is_error


@pytest.mark.parametrize("id", ["today", "find: fox", "2026-11-25"])
async def test_a_list_cannot_be_canceled(gateway: FaultGateway, tmp_path: Path, id: str) -> None:
    async with room_at(gateway, tmp_path) as room:
        await start(room)
        report = await get_prediction(room, id, cancel=True)
    assert report.is_error and "give the id of one prediction" in report.text and gateway.truth.cancels == []


async def test_the_latest_is_canceled_only_in_its_own_conversation(gateway: FaultGateway, tmp_path: Path) -> None:
    async with room_at(gateway, tmp_path) as room:
        await start(room, conversation="mine")
        for conversation in ("other", ""):
            refused = await get_prediction(room, "latest", cancel=True, conversation=conversation)
            assert refused.is_error and "Nothing was canceled" in refused.text
        assert gateway.truth.cancels == []
        assert not (await get_prediction(room, "latest", cancel=True, conversation="mine")).is_error
    assert len(gateway.truth.cancels) == 1
