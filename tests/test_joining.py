"""A retry joins the call that was never answered; what was answered, stopped or meant twice is never joined."""

import os
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from fault_gateway import FaultGateway
from fault_plan import Plan
from forked_process import ForkedProcess
from journal_fixtures import HandClock
from open_rooms import room_at

from darkroom.darkroom import Darkroom
from darkroom.generate_image import generate_image
from darkroom.joining import Caller, fresh_caller_id, wish_of
from darkroom.registry import ImageRequest
from darkroom.reports import PredictionReport

pytestmark = pytest.mark.anyio

FOX = ImageRequest(prompt="a fox")
A_CALLER = "import sys; from darkroom.joining import fresh_caller_id as id; print(id(), flush=True); sys.stdin.read()"


@pytest.fixture
async def gateway() -> AsyncGenerator[FaultGateway]:
    with anyio.fail_after(60):
        async with FaultGateway(Plan(run_s=60)) as gateway:
            yield gateway


class Calls:
    """Calls of generate_image on one Darkroom, each with the moment at which it begins by hand."""

    def __init__(self, room: Darkroom, clock: HandClock) -> None:
        self.room = room
        self.clock = clock
        self._number = 0
        self.joined = ""

    async def call(
        self, request: ImageRequest = FOX, *, wait_s: float = 0.0, max_usd: float = 0.0, caller: str = ""
    ) -> PredictionReport:
        """One whose answer is not delivered until `deliver` says so."""
        self._number += 1
        self.joined = ""
        self.caller = Caller(id=caller or f"caller {self._number}", answered=frozenset, on_joined=self._hear)
        self.request_id = f"auto-{id(self)}-{self._number}"
        report = await generate_image(
            self.room, request, wait_s=wait_s, request_id=self.request_id, max_usd=max_usd, caller=self.caller
        )
        self.request_id = self.joined or self.request_id
        return report

    async def deliver(self) -> None:
        """The answer to the last call has arrived."""
        await self.room.journal.answers.delivered(self.request_id, self.caller.id)

    async def leave(self) -> None:
        """The host of the last call has given it up."""
        await self.room.journal.answers.left(self.request_id, self.caller.id)

    def _hear(self, request_id: str) -> None:
        self.joined = request_id


@contextmanager
def other_process() -> Generator[str]:
    """Lives for the block; yields the name of a caller in it."""
    with ForkedProcess(["-c", A_CALLER], env=dict(os.environ), stdin=-1, stdout=-1, text=True) as process:
        assert process.stdin and process.stdout
        yield process.stdout.readline().strip()


@asynccontextmanager
async def calls_at(gateway: FaultGateway, folder: Path, clock: HandClock | None = None, **changes: Any):
    clock = clock or HandClock(time.time())
    async with room_at(gateway, folder, clock=clock, monotonic=clock.monotonic, **changes) as room:
        yield Calls(room, clock)


async def test_the_call_of_a_process_that_died_is_joined_at_once(gateway: FaultGateway, tmp_path: Path) -> None:
    with other_process() as died:
        pass
    async with calls_at(gateway, tmp_path) as calls:
        await calls.call(caller=died)
        await calls.call(caller=fresh_caller_id())
        assert calls.joined and gateway.truth.creates == 1


async def test_equal_calls_of_two_living_processes_are_two_wishes(gateway: FaultGateway, tmp_path: Path) -> None:
    with other_process() as living:
        async with calls_at(gateway, tmp_path) as calls:
            await calls.call(caller=living)
            await calls.call(caller=fresh_caller_id())
            assert not calls.joined and gateway.truth.creates == 2


async def test_a_call_that_was_never_answered_is_joined_and_the_answer_says_so(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    async with calls_at(gateway, tmp_path) as calls:
        await calls.call()
        calls.clock.advance(20)
        report = await calls.call()
        assert gateway.truth.creates == 1
    assert "joined the call of 20 s ago" in report.text
    assert "For another picture change the seed or give a request_id." in report.text


async def test_a_delivered_answer_is_never_joined(gateway: FaultGateway, tmp_path: Path) -> None:
    async with calls_at(gateway, tmp_path) as calls:
        await calls.call()
        await calls.deliver()
        calls.clock.advance(20)
        await calls.call()
        assert not calls.joined and gateway.truth.creates == 2


async def test_equal_calls_that_begin_together_are_two_wishes(gateway: FaultGateway, tmp_path: Path) -> None:
    async with calls_at(gateway, tmp_path) as calls:
        await calls.call()
        await calls.call()
        assert gateway.truth.creates == 2


async def test_a_call_that_its_host_has_given_up_is_joined_at_once(gateway: FaultGateway, tmp_path: Path) -> None:
    async with calls_at(gateway, tmp_path) as calls:
        await calls.call()
        await calls.leave()
        await calls.call()
        assert calls.joined and gateway.truth.creates == 1


async def test_three_retries_join_one_call_and_two_retries_of_two_wishes_one_each(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    async with calls_at(gateway, tmp_path) as calls:
        await calls.call()
        calls.clock.advance(5)
        names = {(await calls.call()) and calls.joined for _ in range(3)}
        assert len(names) == 1 and gateway.truth.creates == 1
        twice = replace(FOX, prompt="two foxes")
        for _ in range(2):
            await calls.call(twice)
        calls.clock.advance(5)
        names = {(await calls.call(twice)) and calls.joined for _ in range(2)}
        assert len(names) == 2 and gateway.truth.creates == 3


async def test_a_join_that_is_not_answered_either_is_joined_again(gateway: FaultGateway, tmp_path: Path) -> None:
    async with calls_at(gateway, tmp_path) as calls:
        await calls.call()
        for _ in range(3):
            calls.clock.advance(30)
            await calls.call()
            assert calls.joined
        await calls.deliver()
        calls.clock.advance(30)
        await calls.call()
        assert not calls.joined and gateway.truth.creates == 2


async def test_an_answer_to_a_call_that_was_taken_over_counts_for_nothing(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    async with calls_at(gateway, tmp_path) as calls:
        await calls.call()
        first = (calls.request_id, calls.caller.id)
        calls.clock.advance(5)
        await calls.call()
        await calls.room.journal.answers.delivered(*first)
        calls.clock.advance(5)
        await calls.call()
        assert calls.joined and gateway.truth.creates == 1


async def test_the_next_process_joins(gateway: FaultGateway, tmp_path: Path) -> None:
    clock = HandClock(time.time())
    async with calls_at(gateway, tmp_path, clock) as calls:
        await calls.call()
    clock.advance(5)
    async with calls_at(gateway, tmp_path, clock) as calls:
        await calls.call()
        assert calls.joined and gateway.truth.creates == 1


@pytest.mark.parametrize(("later_s", "creates"), [(100, 1), (130, 2)])
async def test_what_has_ended_is_joined_for_two_minutes(
    gateway: FaultGateway, tmp_path: Path, later_s: float, creates: int
) -> None:
    gateway.plan = Plan(born_done=1.0)
    async with calls_at(gateway, tmp_path) as calls:
        assert (await calls.call(wait_s=20)).text.startswith("Succeeded")
        calls.clock.advance(later_s)
        assert (await calls.call(wait_s=20)).text.startswith("Succeeded")
    assert gateway.truth.creates == creates


@pytest.mark.parametrize("set_by_s", [-3600.0, 3600.0])
async def test_setting_the_clock_makes_no_retry_of_two_wishes_and_no_wish_of_a_retry(
    gateway: FaultGateway, tmp_path: Path, set_by_s: float
) -> None:
    gateway.plan = Plan(born_done=1.0)
    async with calls_at(gateway, tmp_path) as calls:
        await calls.call(wait_s=20)
        calls.clock.set_by(set_by_s)
        await calls.call()
        assert not calls.joined
        calls.clock.advance(5)
        await calls.call()
        assert calls.joined


async def test_other_keys_and_gateways_join_nothing(gateway: FaultGateway, tmp_path: Path) -> None:
    from darkroom.gateways import Key

    clock = HandClock(time.time())
    async with calls_at(gateway, tmp_path, clock) as calls:
        await calls.call()
    clock.advance(5)
    async with calls_at(gateway, tmp_path, clock, key=Key("another-key-0123456789")) as calls:
        await calls.call()
        assert not calls.joined
    async with FaultGateway(Plan(run_s=60)) as other, calls_at(other, tmp_path, clock) as calls:
        await calls.call()
        assert not calls.joined


async def test_what_was_refused_is_sent_again(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(script=("402",))
    async with calls_at(gateway, tmp_path) as calls:
        assert (await calls.call()).text.startswith("Refused")
        calls.clock.advance(5)
        assert not (await calls.call(wait_s=20)).is_error
        assert not calls.joined and len(gateway.truth.predictions) == 1


@pytest.mark.parametrize("fault", ["504 after", "reset after"])
async def test_a_create_in_doubt_is_joined(gateway: FaultGateway, tmp_path: Path, fault: str) -> None:
    gateway.plan = Plan(script=(fault,), lag_s=3600, run_s=60)
    async with calls_at(gateway, tmp_path) as calls:
        assert (await calls.call()).text.startswith("Unresolved")
        calls.clock.advance(5)
        await calls.call()
        assert calls.joined and gateway.truth.creates == 1


async def test_a_wish_of_several_predictions_is_joined_whole(gateway: FaultGateway, tmp_path: Path) -> None:
    four = ImageRequest(prompt="foxes", model="black-forest-labs/flux-1.1-pro", count=3)
    async with calls_at(gateway, tmp_path) as calls:
        await calls.call(four)
        calls.clock.advance(5)
        assert len((await calls.call(four)).intents) == 3
        assert gateway.truth.creates == 3


async def test_a_budget_and_a_wait_make_no_other_wish(gateway: FaultGateway, tmp_path: Path) -> None:
    async with calls_at(gateway, tmp_path) as calls:
        await calls.call(max_usd=1.0)
        calls.clock.advance(5)
        assert not (await calls.call(max_usd=0.000001)).is_error
        assert calls.joined and gateway.truth.creates == 1


# What counts as equal


async def test_what_is_given_makes_the_wish(gateway: FaultGateway, tmp_path: Path) -> None:
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    picture = inputs / "a.png"
    picture.write_bytes(b"one")
    one, two = "data:image/png;base64,AAAA", "data:image/png;base64,BBBB"
    async with room_at(gateway, tmp_path, input_dirs=(inputs,)) as room:
        different = [
            FOX,
            replace(FOX, prompt="a Fox"),
            replace(FOX, seed=1),
            replace(FOX, count=2),
            replace(FOX, options={"go_fast": True}),
            replace(FOX, images=(one, two)),
            replace(FOX, images=(two, one)),
            replace(FOX, images=(str(picture),)),
        ]
        wishes = {await wish_of(room, each) for each in different}
        assert len(wishes) == len(different)
        picture.write_bytes(b"two")
        assert await wish_of(room, different[-1]) not in wishes
        assert await wish_of(room, replace(FOX, images=("/dev/zero", "/nowhere", "~\0"))) not in wishes
