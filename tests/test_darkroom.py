"""The open Darkroom on a gateway that misbehaves: what is sent, what is known, what is kept. No MCP in between."""

import errno
import os
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from broken_journal import BrokenJournal
from fault_gateway import FaultGateway
from fault_plan import Plan
from open_rooms import Ears, NoonClock, room_at, until

from darkroom.darkroom import Darkroom, DarkroomOptions
from darkroom.errors import JournalError
from darkroom.gateways import Key, Timeouts, load_gateways
from darkroom.generate_image import generate_image
from darkroom.get_prediction import get_prediction
from darkroom.journal import IntentState
from darkroom.registry import ImageRequest
from darkroom.reports import PredictionReport
from darkroom.work.runtime import CrashPoint
from darkroom_server.sandbox import SandboxOptions, create_sandbox

pytestmark = pytest.mark.anyio

FOX = ImageRequest(prompt="a fox", model="black-forest-labs/flux-schnell")  # $0.003 an image
ONE_AT_ONCE = ImageRequest(prompt="a fox", model="black-forest-labs/flux-1.1-pro")  # $0.04 an image
SETTLE_S = 120.0


@pytest.fixture
async def gateway() -> AsyncGenerator[FaultGateway]:
    async with FaultGateway(Plan(run_s=0)) as gateway:
        yield gateway


async def generate(
    room: Darkroom, request: ImageRequest = FOX, *, request_id: str = "fox", wait_s: float = 20
) -> PredictionReport:
    return await generate_image(room, request, wait_s=wait_s, request_id=request_id)


def pictures(folder: Path) -> list[Path]:
    return sorted((folder / "images").glob("*.png"))


# A call is not the work


@pytest.mark.parametrize("moment", [CrashPoint.CLAIMED, CrashPoint.CREATED, CrashPoint.ID_WRITTEN])
async def test_a_call_that_is_cancelled_loses_nothing(
    gateway: FaultGateway, tmp_path: Path, moment: CrashPoint
) -> None:
    ears = Ears()
    async with room_at(gateway, tmp_path, at_crash_point=ears) as room:
        with anyio.CancelScope() as call:
            ears.at(moment, call.cancel)
            await generate(room)
        assert call.cancelled_caught
        found = await get_prediction(room, "latest", wait_s=20)
    assert found.outcome == "succeeded"
    assert (gateway.truth.creates, len(pictures(tmp_path))) == (1, 1)
    assert gateway.truth.cancels == []


async def test_a_spent_budget_ends_the_waiting_and_not_the_prediction(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(run_s=60)
    async with room_at(gateway, tmp_path) as room:
        report = await generate(room, wait_s=0)
        assert report.outcome == "running" and "Do not call generate_image again" in report.text
        gateway.end_all()
        found = await get_prediction(room, "fox", wait_s=20)
    assert found.outcome == "succeeded" and gateway.truth.creates == 1


async def test_a_busy_gateway_is_not_waited_for_beyond_the_budget(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(script=("429",), busy_s=30)
    async with room_at(gateway, tmp_path) as room:
        report = await generate(room, wait_s=5)
    assert report.outcome == "refused" and "Nothing was started. Try again in 30 s" in report.text
    assert gateway.truth.creates == 1


async def test_a_busy_gateway_is_asked_again_within_the_budget(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(script=("429", "429"), run_s=0)
    async with room_at(gateway, tmp_path) as room:
        report = await generate(room)
    assert report.outcome == "succeeded" and gateway.truth.creates == 3


async def test_what_is_cancelled_while_the_gateway_is_busy_is_never_sent(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(script=("429",), busy_s=1)
    ears = Ears()
    async with room_at(gateway, tmp_path, at_crash_point=ears) as room:
        async with anyio.create_task_group() as call:
            call.start_soon(generate, room)
            await ears.heard(CrashPoint.REFUSED)
            call.cancel_scope.cancel()
        await room.work.cancel_all(await room.journal.by_request("fox"))
        found = await get_prediction(room, "fox")
    assert found.outcome == "refused"
    assert (gateway.truth.creates, gateway.truth.prompts) == (1, [])


async def test_what_is_cancelled_in_the_middle_of_its_create_is_canceled_when_its_id_comes(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    gateway.plan = Plan(run_s=60)
    ears = Ears()
    async with room_at(gateway, tmp_path, at_crash_point=ears) as room:
        async with anyio.create_task_group() as call:
            call.start_soon(generate, room)
            await ears.heard(CrashPoint.CLAIMED)
            call.cancel_scope.cancel()
        await room.work.cancel_all(await room.journal.by_request("fox"))
        found = await get_prediction(room, "fox", wait_s=20)
    assert found.text.startswith("Canceled")
    assert gateway.truth.cancels == [gateway.truth.predictions[0].id]


async def test_a_prediction_is_canceled_by_its_request_id(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(run_s=60)
    async with room_at(gateway, tmp_path) as room:
        await generate(room, wait_s=0)
        report = await get_prediction(room, "fox", cancel=True)
    assert report.text.startswith("Canceled") and len(gateway.truth.cancels) == 1


# The same request_id


async def test_a_finished_request_is_answered_again_without_a_create(gateway: FaultGateway, tmp_path: Path) -> None:
    async with room_at(gateway, tmp_path) as room:
        first, again = await generate(room), await generate(room)
    async with room_at(gateway, tmp_path) as room:
        later = await generate(room)
    assert first.data["id"] == again.data["id"] == later.data["id"] == gateway.truth.predictions[0].id
    assert "nothing new was started" in later.text
    assert gateway.truth.creates == len(pictures(tmp_path)) == 1


async def test_a_running_request_is_joined(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(run_s=60)
    async with room_at(gateway, tmp_path) as room:
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(generate, room)
            await until(lambda: gateway.truth.predictions)
            gateway.end_all()
        assert (await generate(room)).outcome == "succeeded"
    assert gateway.truth.creates == 1


@pytest.mark.parametrize(
    "fault", ["500 after", "502 after", "504 after", "reset after", "stall after", "cut before the id"]
)
async def test_a_lost_answer_is_found_in_the_list_by_the_very_call(
    gateway: FaultGateway, tmp_path: Path, fault: str
) -> None:
    gateway.plan = Plan(script=(fault,), run_s=0, stall_s=5)
    async with room_at(gateway, tmp_path, timeouts=Timeouts(connect_s=2, write_s=2, read_s=0.5)) as room:
        report = await generate(room)
    assert report.outcome == "succeeded" and report.data["id"] == gateway.truth.predictions[0].id
    assert gateway.truth.creates == len(pictures(tmp_path)) == 1


async def test_a_lost_answer_that_the_list_shows_late_is_found_by_the_same_request(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    gateway.plan = Plan(script=("500 after",), run_s=0, lag_s=60)
    async with room_at(gateway, tmp_path) as room:
        first, again = await generate(room), await generate(room)
        for report in (first, again):
            assert report.outcome == "unresolved" and "only with request_id 'fox'" in report.text
        gateway.plan = Plan()
        found = await generate(room)
    assert found.outcome == "succeeded" and found.data["id"] == gateway.truth.predictions[0].id
    assert gateway.truth.creates == len(pictures(tmp_path)) == 1


async def test_a_doubt_that_nobody_asks_about_is_settled_by_itself(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(script=("500 after", "500 after"), run_s=0, lag_s=60)
    async with room_at(gateway, tmp_path, settle_s=24.0) as room:  # looks after 0, 1, 6, 24 and 30 s
        await generate(room, request_id="one")
        await generate(room, request_id="two")
        gateway.plan = Plan()
        await until(lambda: len(pictures(tmp_path)) == 2)
    assert gateway.truth.creates == 2


async def test_an_answer_that_breaks_off_after_the_id_is_no_loss(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(script=("cut after",), run_s=0)
    async with room_at(gateway, tmp_path) as room:
        assert (await generate(room)).outcome == "succeeded"
    assert gateway.truth.creates == 1


@pytest.mark.parametrize("fault", ["504 before", "reset before"])
async def test_a_create_that_is_in_no_list_is_sent_again_only_after_the_settle_time(
    gateway: FaultGateway, tmp_path: Path, fault: str
) -> None:
    gateway.plan = Plan(script=(fault,), run_s=0.5)
    clock = NoonClock()
    async with room_at(gateway, tmp_path, clock=clock) as room:
        assert (await generate(room)).outcome == "unresolved"
        clock.move(SETTLE_S - 30)
        assert (await generate(room)).outcome == "unresolved"
        assert gateway.truth.creates == 1
        clock.move(60)
        assert (await generate(room, wait_s=5)).outcome == "succeeded", "polled as one that has just begun"
    assert (gateway.truth.creates, gateway.truth.prompts) == (2, ["a fox"])


async def test_a_list_that_took_long_to_read_shows_nothing_absent(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(script=("504 before",))
    clock, ears = NoonClock(), Ears()
    ears.at(CrashPoint.LISTED, lambda: clock.move(SETTLE_S + 1))
    async with room_at(gateway, tmp_path, clock=clock, at_crash_point=ears) as room:
        await generate(room)
        await ears.heard(CrashPoint.SETTLED)
        row = await room.journal.latest()
    assert row and row.state is IntentState.UNKNOWN


async def test_without_a_list_a_lost_answer_is_said_plainly_and_never_sent_again(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    gateway.plan = Plan(script=("504 before",))
    clock = NoonClock()
    async with room_at(gateway, tmp_path, clock=clock, profile="custom") as room:
        first = await generate(room)
        clock.move(24 * 3600)
        again = await generate(room)
    assert first.outcome == again.outcome == "unresolved"
    assert "possibly created and billed" in again.text.lower() and "after the user accepts it" in again.text
    assert gateway.truth.creates == 1


async def test_what_was_refused_for_good_is_sent_again_on_wish(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(script=("422",), run_s=0)
    async with room_at(gateway, tmp_path) as room:
        assert (await generate(room)).outcome == "refused"
        assert (await generate(room)).outcome == "succeeded"
    assert (gateway.truth.creates, gateway.truth.prompts) == (2, ["a fox"])


async def test_a_request_of_another_gateway_is_not_sent_to_this_one(gateway: FaultGateway, tmp_path: Path) -> None:
    async with room_at(gateway, tmp_path) as room:
        await generate(room)
    async with FaultGateway() as other, room_at(other, tmp_path) as room:
        report = await generate(room)
        assert (await get_prediction(room, "fox")).outcome == "succeeded"
        assert other.truth.creates == 0
    assert report.outcome == "invalid" and "another request_id" in report.text


async def test_a_claim_that_has_grown_old_is_given_back_before_anything_is_sent(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    clock, ears = NoonClock(), Ears()
    ears.at(CrashPoint.CLAIMED, lambda: clock.move(SETTLE_S))
    async with room_at(gateway, tmp_path, clock=clock, at_crash_point=ears) as room:
        assert (await generate(room)).outcome == "succeeded"
        row = await room.journal.latest()
    assert row and row.tries == 2
    assert gateway.truth.creates == 1


async def test_two_open_darkrooms_share_one_create_and_both_get_the_picture(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    gateway.plan = Plan(script=("slow",), run_s=0, lag_s=60)
    reports: list[PredictionReport] = []

    async def ask(room: Darkroom) -> None:
        reports.append(await generate(room))

    async with (
        room_at(gateway, tmp_path) as one,
        room_at(gateway, tmp_path) as two,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(ask, one)
        tasks.start_soon(ask, two)
    assert [report.outcome for report in reports] == ["succeeded", "succeeded"]
    assert gateway.truth.creates == len(pictures(tmp_path)) == 1


# Several predictions for one call


async def test_three_of_four_is_a_success_that_names_the_fourth(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(script=("", "sensitive"), run_s=0)
    async with room_at(gateway, tmp_path) as room:
        report = await generate(room, replace(ONE_AT_ONCE, count=4))
        latest = await get_prediction(room, "latest")
    assert report.text.startswith("Partial: 3 of 4 images")
    assert "of 4: refused. Gateway 'replicate' refused the content" in report.text
    assert latest.text.startswith("Partial: 3 of 4 images"), "the latest are all parts of the call"
    assert (gateway.truth.creates, len(pictures(tmp_path))) == (4, 3)


async def test_only_the_missing_parts_of_a_request_are_sent_again(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(script=("", "422", "", "429"), busy_s=60, run_s=0)
    clock = NoonClock()
    async with room_at(gateway, tmp_path, clock=clock) as room:
        await generate(room, replace(ONE_AT_ONCE, count=4))
        clock.move(60)
        report = await generate(room, replace(ONE_AT_ONCE, count=4))
    assert report.text.startswith("Succeeded: 4 images")
    assert (gateway.truth.creates, len(gateway.truth.predictions), len(pictures(tmp_path))) == (6, 4, 4)
    assert len({made.input["seed"] for made in gateway.truth.predictions}) == 4


# Money


async def test_a_call_beyond_the_limit_of_a_call_is_refused(gateway: FaultGateway, tmp_path: Path) -> None:
    async with room_at(gateway, tmp_path, max_usd_per_call=0.1) as room:
        refused = await generate(room, replace(ONE_AT_ONCE, count=3))
        allowed = await generate(room, replace(ONE_AT_ONCE, count=2), request_id="two")
    assert refused.outcome == "invalid" and "DARKROOM_MAX_USD_PER_CALL" in refused.text
    assert allowed.outcome == "succeeded" and gateway.truth.creates == 2


async def test_the_day_ends_with_its_limit_and_begins_anew(gateway: FaultGateway, tmp_path: Path) -> None:
    clock = NoonClock()
    async with room_at(gateway, tmp_path, clock=clock, max_usd_per_day=0.007) as room:
        for name in ("one", "two"):
            assert (await generate(room, request_id=name)).outcome == "succeeded"
        third = await generate(room, request_id="three")
        assert third.outcome == "invalid" and "$0.001 of $0.007 is left today" in third.text
        clock.move(24 * 3600)
        assert (await generate(room, request_id="three")).outcome == "succeeded"
    assert gateway.truth.creates == 3


async def test_a_call_that_passes_the_limit_in_its_middle_reserves_nothing(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    async with room_at(gateway, tmp_path, max_usd_per_day=0.1) as room:
        refused = await generate(room, replace(ONE_AT_ONCE, count=3))
        assert refused.outcome == "invalid" and "at most 2." in refused.text
        assert (await generate(room, replace(ONE_AT_ONCE, count=2), request_id="two")).outcome == "succeeded"
    assert gateway.truth.creates == 2


async def test_what_runs_or_is_in_doubt_is_reserved(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(script=("", "504 before"), run_s=60)
    async with room_at(gateway, tmp_path, max_usd_per_day=0.007) as room:
        await generate(room, request_id="runs", wait_s=0)
        await generate(room, request_id="in doubt")
        report = await generate(room, request_id="third")
    assert "$0.006 for what is not settled is already taken off" in report.text and gateway.truth.creates == 2


async def test_what_was_refused_costs_nothing(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(script=("422", "sensitive", "402"), run_s=0)
    async with room_at(gateway, tmp_path, max_usd_per_day=0.004) as room:
        for name in ("one", "two", "three"):
            assert (await generate(room, request_id=name)).outcome == "refused"
        assert (await generate(room, request_id="four")).outcome == "succeeded"


async def test_a_request_that_was_not_created_meets_the_limit_of_today(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(script=("504 before",), run_s=0)
    clock = NoonClock()
    async with room_at(gateway, tmp_path, clock=clock, max_usd_per_day=0.005) as room:
        await generate(room)
        clock.move(SETTLE_S + 1)
        await get_prediction(room, "fox")
        assert (await generate(room, request_id="another")).outcome == "succeeded"
        report = await generate(room)
    assert report.outcome == "invalid" and "is left today" in report.text
    assert gateway.truth.creates == 2


@pytest.mark.parametrize("limit", ["max_usd_per_call", "max_usd_per_day"])
async def test_an_unknown_price_is_refused_under_a_limit_unless_that_is_allowed(
    gateway: FaultGateway, tmp_path: Path, limit: str
) -> None:
    unknown = ImageRequest(prompt="a fox", model="somebody/unlisted")
    async with room_at(gateway, tmp_path, **{limit: 1.0}) as room:
        report = await generate(room, unknown)
    assert report.outcome == "invalid" and "DARKROOM_ALLOW_UNKNOWN_PRICE" in report.text
    assert gateway.truth.creates == 0
    async with room_at(gateway, tmp_path, allow_unknown_price=True, **{limit: 1.0}) as room:
        assert (await generate(room, unknown)).outcome == "succeeded"


async def test_no_limit_holds_in_the_sandbox_because_it_is_free(tmp_path: Path) -> None:
    options = DarkroomOptions(
        gateway=load_gateways()["sandbox"],
        key=Key(),
        app=create_sandbox(SandboxOptions(speed=100)),
        data_dir=tmp_path / "data",
        output_dir=str(tmp_path / "images"),
        max_usd_per_call=0.0,
        max_usd_per_day=0.0,
    )
    with anyio.fail_after(30):
        async with Darkroom.open(options) as room:
            assert (await generate(room)).outcome == "succeeded"
            assert (await generate(room, replace(ONE_AT_ONCE, count=2), request_id="two")).outcome == "succeeded"


async def test_an_orphan_is_ended_by_a_gateway_that_honours_cancel_after(gateway: FaultGateway, tmp_path: Path) -> None:
    async with room_at(gateway, tmp_path) as room:
        await generate(room)
    async with room_at(gateway, tmp_path / "custom", profile="custom") as room:
        await generate(room)
    replicate, custom = gateway.truth.create_headers
    assert replicate["cancel-after"] == "1800s"
    assert "cancel-after" not in custom


# After a restart, and what others made


async def test_predictions_are_taken_up_soonest_to_expire_first(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(run_s=60)
    clock = NoonClock()
    async with room_at(gateway, tmp_path, clock=clock) as room:
        for name in ("oldest", "middle", "newest"):
            await generate(room, request_id=name, wait_s=0)
            clock.move(60)
    made = [each.id for each in gateway.truth.predictions]
    gateway.truth.looks.clear()
    async with room_at(gateway, tmp_path, clock=clock):
        await until(lambda: len(gateway.truth.looks) >= len(made))
        with closing(sqlite3.connect(tmp_path / "data" / "journal.sqlite3")) as journal:
            leased = journal.execute("SELECT prediction_id FROM intents ORDER BY lease_until").fetchall()
    assert [row[0] for row in leased] == made
    assert sorted(gateway.truth.looks) == sorted(made), "each is followed at once, whoever is answered first"


async def test_an_old_prediction_is_looked_at_once_more_before_it_is_given_up(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    gateway.plan = Plan(run_s=0.3)
    clock = NoonClock()
    async with room_at(gateway, tmp_path, clock=clock) as room:
        await generate(room, wait_s=0)
    clock.move(24 * 3600)
    async with room_at(gateway, tmp_path, clock=clock) as room:
        with anyio.fail_after(20):
            while (found := await get_prediction(room, "fox")).outcome == "running":
                continue
    assert found.outcome == "succeeded" and len(pictures(tmp_path)) == 1


async def test_a_prediction_that_never_ends_is_looked_at_once_by_each_later_process(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    gateway.plan = Plan(run_s=100 * 3600)
    clock = NoonClock()
    async with room_at(gateway, tmp_path, clock=clock) as room:
        await generate(room, wait_s=0)
    endless = gateway.truth.predictions[0].id
    gateway.plan = Plan(run_s=1)
    clock.move(3 * 3600)
    # It takes up five times a second.
    async with room_at(gateway, tmp_path, clock=clock, lease_s=0.1, sleep=anyio.sleep) as room:
        await generate(room, request_id="another")
        assert gateway.truth.looks.count(endless) == 1
        assert (await get_prediction(room, endless)).outcome == "running"
    assert gateway.truth.looks.count(endless) == 2, "asked for, it is looked at again"


async def test_a_prediction_that_the_gateway_has_forgotten_is_said(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(run_s=60)
    clock = NoonClock()
    async with room_at(gateway, tmp_path, clock=clock) as room:
        await generate(room, wait_s=0)
    gateway.forget(gateway.truth.predictions[0].id)
    clock.move(3600)
    async with room_at(gateway, tmp_path, clock=clock, settle_s=1.0) as room:
        report = await get_prediction(room, "fox", wait_s=15)  # an hour old, it is looked at every ten seconds
    assert report.outcome == "failed" and "no longer knows" in report.text
    assert gateway.truth.looks.count(gateway.truth.predictions[0].id) >= 3


async def test_a_foreign_prediction_is_found_by_its_id_and_brought_home(gateway: FaultGateway, tmp_path: Path) -> None:
    async with room_at(gateway, tmp_path / "theirs") as room:
        await generate(room)
    foreign = gateway.truth.predictions[0].id
    async with room_at(gateway, tmp_path) as room:
        assert "There is no prediction yet" in (await get_prediction(room, "latest")).text
        found = await get_prediction(room, f"prediction:{foreign}", wait_s=20)
        assert "There is no prediction yet" in (await get_prediction(room, "latest")).text, "it is not ours"
    assert found.outcome == "succeeded" and len(pictures(tmp_path)) == 1


async def test_an_id_that_nobody_knows_is_said(gateway: FaultGateway, tmp_path: Path) -> None:
    async with room_at(gateway, tmp_path) as room:
        report = await get_prediction(room, "nobody0knows0this0id")
    assert report.outcome == "invalid" and "nobody0knows0this0id" in report.text


# Pictures that do not come home at once


async def test_a_link_that_died_is_said_never_silent(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(files="404", run_s=0)
    clock = NoonClock()
    async with room_at(gateway, tmp_path, clock=clock) as room:
        report = await generate(room)
        clock.move(26 * 3600)
        with anyio.fail_after(20):
            while "not saved yet" in (later := await get_prediction(room, "fox", wait_s=5)).text:
                continue
    assert report.outcome == "succeeded" and "Image 1 is not saved yet" in report.text and "HTTP 404" in report.text
    assert "Image 1 is lost: its link died" in later.text


async def test_a_link_is_not_called_dead_by_a_clock_that_is_hours_ahead(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(files="500", run_s=0)
    clock = NoonClock()
    clock.move(20 * 3600)
    async with room_at(gateway, tmp_path, clock=clock) as room:
        assert "Image 1 is not saved yet" in (await generate(room)).text
        gateway.plan = Plan()
        with anyio.fail_after(20):
            while "not saved yet" in (later := await get_prediction(room, "fox", wait_s=5)).text:
                continue
    assert "lost" not in later.text and len(pictures(tmp_path)) == 1


async def test_a_picture_whose_link_cannot_be_read_until_its_death_is_lost(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    gateway.plan = Plan(files="500", run_s=0)
    clock = NoonClock()
    async with room_at(gateway, tmp_path, clock=clock) as room:
        assert "Image 1 is not saved yet" in (await generate(room)).text
        clock.move(26 * 3600)  # from noon beyond the death of any link that the gateway's own clock gave today
        with anyio.fail_after(20):
            while "not saved yet" in (later := await get_prediction(room, "fox", wait_s=5)).text:
                continue
    assert "1. lost" in later.text


async def test_a_full_disk_leaves_the_picture_wanted_and_it_comes_home_when_there_is_room(
    gateway: FaultGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async with room_at(gateway, tmp_path) as room:
        with monkeypatch.context() as disk:
            disk.setattr(os, "fsync", full)
            report = await generate(room)
        assert report.outcome == "succeeded" and "Image 1 is not saved yet" in report.text
        assert "http://127.0.0.1" in report.text, "the link still works"
        with anyio.fail_after(20):
            while "not saved yet" in (later := await get_prediction(room, "fox", wait_s=5)).text:
                continue
    assert later.text.startswith("Succeeded: 1 image") and len(pictures(tmp_path)) == 1


# A journal that fails in the wrong moment


async def until_succeeded(room: Darkroom) -> PredictionReport:
    """The same call again until it has its images; `room_at` bounds it."""
    while (report := await generate(room)).outcome != "succeeded":  # noqa: ASYNC110
        await anyio.sleep(0.05)
    return report


async def test_the_id_of_a_paid_prediction_is_told_when_the_journal_cannot_take_it(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    ears, journal = Ears(), BrokenJournal(tmp_path, "intents")
    ears.at(CrashPoint.CREATED, journal.breaks)
    async with room_at(gateway, tmp_path, at_crash_point=ears) as room:
        report = await generate(room)
        made = gateway.truth.predictions[0].id
        assert report.outcome == "unresolved" and made in report.text
        journal.is_mended()
        assert (await get_prediction(room, made, wait_s=20)).outcome == "succeeded"
        again = await until_succeeded(room)
        assert again.data["id"] == made
    assert gateway.truth.creates == len(pictures(tmp_path)) == 1


async def test_what_was_adopted_by_its_id_is_not_paid_again_by_the_request_that_made_it(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    clock, ears, journal = NoonClock(), Ears(), BrokenJournal(tmp_path, "intents")
    ears.at(CrashPoint.CREATED, journal.breaks)
    async with room_at(gateway, tmp_path, clock=clock, at_crash_point=ears) as room:
        await generate(room)
        journal.is_mended()
        await get_prediction(room, gateway.truth.predictions[0].id, wait_s=20)
        clock.move(SETTLE_S + 1)
        await until_succeeded(room)
    assert gateway.truth.creates == 1


async def test_a_journal_that_cannot_be_written_before_the_create_means_that_nothing_is_sent(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    ears, journal = Ears(), BrokenJournal(tmp_path, "intents")
    ears.at(CrashPoint.BEFORE_CLAIM, journal.breaks)
    async with room_at(gateway, tmp_path, at_crash_point=ears) as room:
        report = await generate(room)
    assert report.text.startswith("Refused: The journal could not be used")
    assert gateway.truth.creates == 0


async def test_a_journal_that_cannot_be_read_while_doubts_are_looked_for_keeps_the_darkroom_open(
    gateway: FaultGateway, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.plan = Plan(script=("500 after",), run_s=0, lag_s=600)
    async with room_at(gateway, tmp_path, settle_s=2.0) as room:  # looks after 0, 0.1, 0.5, 2 and 2.5 s
        await generate(room, wait_s=1)
        with closing(sqlite3.connect(tmp_path / "data" / "journal.sqlite3")) as journal:
            journal.execute("ALTER TABLE intents RENAME TO away")
            await until(lambda: "reconciliation put off" in caplog.text)
            journal.execute("ALTER TABLE away RENAME TO intents")
        assert (await generate(room, request_id="next")).outcome == "succeeded"


async def test_a_journal_that_cannot_note_a_stored_picture_keeps_the_darkroom_open(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    ears, journal = Ears(), BrokenJournal(tmp_path, "images")
    ears.at(CrashPoint.IMAGE_STORED, journal.breaks)
    async with room_at(gateway, tmp_path, at_crash_point=ears) as room:
        report = await generate(room)
        assert report.outcome == "succeeded"
        journal.is_mended()
        with anyio.fail_after(20):
            while "not saved yet" in (later := await get_prediction(room, "fox", wait_s=5)).text:
                continue
    assert later.text.startswith("Succeeded: 1 image")
    assert len(pictures(tmp_path)) == 1


async def test_an_error_in_an_open_darkroom_comes_out_as_it_was_raised(gateway: FaultGateway, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="mine"):
        async with room_at(gateway, tmp_path):
            raise JournalError("mine")
    with pytest.raises(ExceptionGroup) as several:
        async with room_at(gateway, tmp_path):
            raise ExceptionGroup("mine", [JournalError("one"), JournalError("two")])
    assert [str(each) for each in several.value.exceptions] == ["one", "two"]
    with anyio.move_on_after(0.1), pytest.raises(JournalError, match="late"):
        async with room_at(gateway, tmp_path):
            try:
                await anyio.sleep_forever()
            finally:
                raise JournalError("late")
