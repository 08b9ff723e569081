"""Retries that come at awkward moments: before anything is written, while a create waits, after a clock has jumped."""

import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from fault_gateway import FaultGateway
from fault_plan import Plan, picture
from journal_fixtures import HandClock, intended, new_intent, opened, prediction
from open_rooms import NoonClock, room_at, until

from darkroom.gateways import Key
from darkroom.generate_image import generate_image
from darkroom.get_prediction import get_prediction
from darkroom.joining import Caller, wish_of
from darkroom.journal import Call, Intent, IntentState, Journal
from darkroom.predictions import PredictionStatus
from darkroom.registry import ImageRequest
from darkroom.reports import PredictionReport

pytestmark = pytest.mark.anyio

FOX = ImageRequest(prompt="a fox")
FIRST = Call(id="first", wish="w", origin=new_intent().origin, account="", begun_at=HandClock()())


@pytest.fixture
async def gateway() -> AsyncGenerator[FaultGateway]:
    with anyio.fail_after(60):
        async with FaultGateway(Plan(run_s=60)) as gateway:
            yield gateway


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncGenerator[Journal]:
    async with opened(tmp_path, HandClock()) as journal:
        yield journal


async def written(journal: Journal, call: Call, name: str) -> Intent:
    new = replace(new_intent(request_id=name), wish=call.wish, caller=call.id, called_at=call.begun_at)
    return (await journal.intend([new], call=call)).intents[0]


class Hosts:
    """Calls of several hosts on one room; `left` are those that were given up."""

    def __init__(self, room: Any) -> None:
        self.room = room
        self.left: set[str] = set()
        self.joined: dict[str, str] = {}

    async def call(
        self, id: str, request: ImageRequest = FOX, *, begun_s: float | None = None, **more: Any
    ) -> PredictionReport:
        def hear(request_id: str) -> None:
            self.joined[id] = request_id

        caller = Caller(id=id, answered=frozenset, on_joined=hear, left=self.left, begun_s=begun_s)
        more = {"wait_s": 5, **more}
        return await generate_image(self.room, request, request_id=f"auto-{id}", caller=caller, **more)


async def test_a_create_that_waits_for_another_try_is_joined(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(script=("429",), busy_s=4, run_s=0)
    clock, may_try, reports = NoonClock(), anyio.Event(), list[PredictionReport]()

    async def sleep(seconds: float) -> None:
        await may_try.wait()

    async with room_at(gateway, tmp_path, clock=clock, sleep=sleep) as room:
        hosts = Hosts(room)

        async def retry() -> None:
            reports.append(await hosts.call("b"))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hosts.call, "a")
            row = None
            while not row or not row.tries or row.state is not IntentState.INTENT:
                row = await room.journal.latest()
            told = await get_prediction(room, row.key)
            assert told.text.startswith("Queued") and not told.is_error
            hosts.left.add("a")
            tasks.start_soon(retry)
            await until(lambda: hosts.joined)
            clock.move(4)
            may_try.set()
    assert [report.text.partition(":")[0] for report in reports] == ["Succeeded"]
    assert len(gateway.truth.predictions) == 1 and hosts.joined == {"b": "auto-a"}


async def test_a_create_that_is_refused_for_good_is_not_joined(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(script=("429",), busy_s=3600)
    async with room_at(gateway, tmp_path) as room:
        hosts = Hosts(room)
        assert (await hosts.call("a", wait_s=0)).text.startswith("Refused")
        row = await room.journal.latest()
        assert row and row.state is IntentState.REFUSED
        hosts.left.add("a")
        await hosts.call("b", wait_s=0)
        assert not hosts.joined


async def test_what_a_person_stops_while_it_waits_holds_no_money(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(run_s=0.1)
    async with room_at(gateway, tmp_path, max_usd_per_day=1.0) as room:
        hosts = Hosts(room)
        await room.journal.rates.freeze(f"creates {room.gateway.origin} {room.account.id}", 20)
        assert (await hosts.call("a", wait_s=0)).text.startswith("Queued")
        rows = await room.journal.by_request("auto-a")
        await room.work.cancel_all(rows)
        day = await room.day()
        assert day and day.reserved_usd == 0
        assert (await room.journal.by_request("auto-a"))[0].state is IntentState.REFUSED


async def test_a_tiny_retry_after_does_not_hurry_the_creates(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(script=("429",) * 2, busy_s=0, run_s=0.1)
    async with room_at(gateway, tmp_path) as room:
        report = await Hosts(room).call("a", wait_s=1)
    # 0.5 s and then 1 s are more than the second that the call may wait.
    assert report.text.startswith("Refused") and gateway.truth.creates == 2


# Given up before it was written down


async def test_a_call_given_up_before_it_is_written_is_joined_at_once(journal: Journal) -> None:
    left = {"first"}
    row = await written(journal, replace(FIRST, left=left), "a")
    assert (await written(journal, replace(FIRST, id="retry", left=left), "b")).key == row.key
    assert (await journal.by_request("a"))[0].is_left


async def test_a_call_that_was_given_up_makes_nothing_beside_its_retry(journal: Journal) -> None:
    left = {"first"}
    retry = await written(journal, replace(FIRST, id="retry", left=left), "b")
    assert (await written(journal, replace(FIRST, left=left), "a")).key == retry.key
    assert (await journal.by_request("b"))[0].caller == "retry"  # whose answer still counts


async def test_two_equal_calls_that_nobody_gave_up_stay_two(journal: Journal) -> None:
    row = await written(journal, FIRST, "a")
    assert (await written(journal, replace(FIRST, id="other"), "b")).key != row.key


async def test_a_call_counts_from_its_arrival(gateway: FaultGateway, tmp_path: Path) -> None:
    clock = HandClock(time.time())
    async with room_at(gateway, tmp_path, clock=clock, monotonic=clock.monotonic) as room:
        hosts = Hosts(room)
        arrived_s = clock.monotonic()
        clock.advance(4)  # opening took so long
        await hosts.call("a", wait_s=0, begun_s=arrived_s)
        clock.advance(1)
        await hosts.call("b", wait_s=0)
    assert hosts.joined == {"b": "auto-a"} and gateway.truth.creates == 1


async def test_a_refused_join_leaves_the_earlier_call_to_the_next_retry(gateway: FaultGateway, tmp_path: Path) -> None:
    clock = HandClock(time.time())
    async with room_at(gateway, tmp_path, clock=clock, monotonic=clock.monotonic) as room:
        hosts = Hosts(room)
        (row,), _ = await room.journal.intend([replace(await _wished(room), request_id="auto-a", caller="a")])
        clock.advance(5)
        report = await hosts.call("b", wait_s=0, max_usd=1e-6)
        assert report.is_error and hosts.joined["b"] == "auto-b"
        await room.journal.answers.delivered(hosts.joined["b"], "b")
        await hosts.call("c", wait_s=0)
        assert hosts.joined["c"] == row.request_id and gateway.truth.creates == 1


async def _wished(room: Any) -> Any:
    new = new_intent(origin=room.gateway.origin, prompt="a fox")
    return replace(new, wish=await wish_of(room, FOX), called_at=room.options.clock())


# Clocks


async def test_a_call_of_a_process_that_slept_is_joined_after_it_died(journal: Journal) -> None:
    row = await written(journal, replace(FIRST, begun_at=FIRST.begun_at - 3 * 3600), "a")
    retry = replace(FIRST, id="retry", begun_at=FIRST.begun_at + 5)
    assert (await written(journal, retry, "b")).key == row.key


@pytest.mark.parametrize(("later_s", "is_joined"), [(100, True), (150, False)])
async def test_an_end_is_old_by_either_clock(tmp_path: Path, later_s: float, is_joined: bool) -> None:
    clock = HandClock()
    async with opened(tmp_path, clock) as journal:
        behind = FIRST.begun_at - 3600  # the wall clock was set forward after the process had begun
        row = await written(journal, replace(FIRST, begun_at=behind), "a")
        await journal.claim(row.key)
        await journal.mark_known(row.key, prediction("p" * 26, PredictionStatus.SUCCEEDED, output=("http://x/1.png",)))
        clock.advance(later_s)
        again = await written(journal, replace(FIRST, id="retry", begun_at=behind + later_s), "b")
        assert (again.key == row.key) is is_joined


async def test_an_attempt_that_is_repeated_soon_may_be_sent_once_more(journal: Journal) -> None:
    row = await intended(journal, new_intent())
    assert await journal.claim(row.key) and await journal.release(row.key, "busy")
    assert not await journal.release(row.key, "busy")
    assert await journal.claim(row.key) and not await journal.claim(row.key)


# What counts as equal


async def test_files_and_secrets_in_model_options_make_the_wish(gateway: FaultGateway, tmp_path: Path) -> None:
    file = tmp_path / "in" / "x.png"
    file.parent.mkdir()
    file.write_bytes(picture("one"))
    async with room_at(gateway, tmp_path, input_dirs=(file.parent,)) as room:
        one = replace(FOX, options={"input_image": str(file)})
        nested = replace(FOX, options={"more": [{"image": f"file://{file}"}]})
        before = {await wish_of(room, one), await wish_of(room, nested)}
        file.write_bytes(picture("two"))
        assert before.isdisjoint({await wish_of(room, one), await wish_of(room, nested)})
        secrets = [replace(FOX, options={"hf_token": text}) for text in ("AAAA", "BBBB", "AAAA")]
        first, second, third = [await wish_of(room, each) for each in secrets]
        assert first == third != second
    async with room_at(gateway, tmp_path, key=Key("another-key-0123456789")) as room:
        assert await wish_of(room, secrets[0]) != first


async def test_the_default_model_and_the_place_of_the_images_make_the_wish(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    wishes: list[str] = []
    for changes in ({}, {"default_model": "black-forest-labs/flux-1.1-pro"}, {"output_dir": str(tmp_path / "other")}):
        async with room_at(gateway, tmp_path, **changes) as room:
            wishes.append(await wish_of(room, FOX))
    assert len(set(wishes)) == 3


# Of two images one create was lost and one was refused; the picture that is missing must not be passed over

TWO = replace(FOX, model="black-forest-labs/flux-1.1-pro", count=2)


async def half_lost(gateway: FaultGateway, folder: Path) -> None:
    gateway.plan = replace(gateway.plan, script=("504 after", "402"))
    async with room_at(gateway, folder) as room, anyio.create_task_group() as tasks:
        tasks.start_soon(partial(Hosts(room).call, "a", TWO))
        states = set[IntentState]()
        while states != {IntentState.UNKNOWN, IntentState.REFUSED}:
            states = {row.state for row in await room.journal.by_request("auto-a")}
        tasks.cancel_scope.cancel()


def tells_of_both(report: PredictionReport) -> bool:
    lost, refused = sorted(report.intents, key=lambda row: row.state is IntentState.REFUSED)
    states = (lost.state, refused.state) == (IntentState.UNKNOWN, IntentState.REFUSED)
    return states and report.outcome == "unresolved" and lost.key in report.text


async def test_while_the_list_is_slow_what_may_not_be_sent_yet_is_told_beside_the_rest(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    gateway.plan = Plan(list_s=30)
    await half_lost(gateway, tmp_path)
    reports: list[PredictionReport] = []
    async with room_at(gateway, tmp_path) as room:
        hosts = Hosts(room)
        hosts.left.add("a")

        async def repeat() -> None:
            reports.append(await generate_image(room, TWO, wait_s=0, request_id="auto-a"))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(repeat)
            reports.append(await hosts.call("b", TWO, wait_s=0))
    assert hosts.joined == {"b": "auto-a"} and gateway.truth.creates == 2
    for report in reports:
        assert tells_of_both(report) and "nothing new was started or charged" in report.text


async def test_what_a_limit_keeps_a_retry_from_sending_is_told_beside_the_rest(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    gateway.plan = Plan(lag_s=3600)
    await half_lost(gateway, tmp_path)
    async with room_at(gateway, tmp_path) as room:
        hosts = Hosts(room)
        hosts.left.add("a")
        report = await hosts.call("b", TWO, wait_s=0, max_usd=1e-6)
    assert hosts.joined == {"b": "auto-a"} and gateway.truth.creates == 2
    assert tells_of_both(report) and "nothing new was started or charged" in report.text
