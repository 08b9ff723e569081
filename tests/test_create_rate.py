"""Creates are bounded by the rate of their account, over all processes, and by what the gateway asks for."""

import asyncio
import os
import sqlite3
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio
import pytest
from fault_gateway import FaultGateway
from fault_plan import Plan
from hypothesis import given
from hypothesis import strategies as st
from journal_fixtures import HandClock, Place, intended, new_intent, opened
from lost_commits import LostCommits, lost_commits
from open_rooms import Ears, NoonClock, room_at
from postgres_server import PostgresServer
from scripted_gateway import Answer, ScriptedGateway, gateway_at, read_request

from darkroom.darkroom import Budget, Darkroom
from darkroom.errors import GatewayBusy, JournalError, SpendingRefused
from darkroom.gateways import Key, PredictionClient, Timeouts
from darkroom.generate_image import generate_image
from darkroom.get_prediction import get_prediction
from darkroom.joining import NO_CALL, Caller
from darkroom.journal import Intent, IntentState, Journal, Rate, SpendingLimit, Turn, rates
from darkroom.journal.migrations import migrate
from darkroom.journal.sqlite import Connection
from darkroom.processes import own_name
from darkroom.registry import ImageRequest
from darkroom.work.accounts import Account
from darkroom.work.create_rate import CREATES, CreateRate, Turns
from darkroom.work.runtime import CrashPoint, Runtime
from darkroom.work.watch import Watched

pytestmark = pytest.mark.anyio

RATE = Rate(per_minute=540, burst=60)
NAME = "creates"
FOX = ImageRequest(prompt="a fox", model="black-forest-labs/flux-schnell")


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def journal(place: Place, clock: HandClock) -> AsyncGenerator[Journal]:
    async with opened(place, clock) as journal:
        yield journal


async def pauses(journal: Journal, count: int, patience_s: float = 1e6) -> list[float | None]:
    return [await journal.rates.reserve(NAME, RATE, patience_s) for _ in range(count)]


async def test_a_burst_goes_at_once_and_the_rest_in_turn(journal: Journal) -> None:
    taken = await pauses(journal, 70)
    assert taken[:60] == [0] * 60
    assert taken[60:] == [round(number / 9, 3) for number in range(1, 11)]


async def test_after_a_rest_a_burst_may_go_again(journal: Journal, clock: HandClock) -> None:
    await pauses(journal, 60)
    clock.advance(60 / 9)
    assert await pauses(journal, 60) == [0] * 60


async def test_a_turn_that_is_too_far_off_is_not_taken(journal: Journal) -> None:
    await pauses(journal, 60 + 9)
    assert await journal.rates.reserve(NAME, RATE, 1.0) is None
    assert await journal.rates.reserve(NAME, RATE, 1.2) == round(10 / 9, 3)


async def test_a_pause_that_the_gateway_asks_for_holds_everybody(journal: Journal, clock: HandClock) -> None:
    await journal.rates.freeze(NAME, 30)
    await journal.rates.freeze(NAME, 5)  # a shorter one changes nothing
    assert await journal.rates.frozen_s(NAME) == 30
    assert await journal.rates.reserve(NAME, RATE, 60) == 30
    assert await journal.rates.reserve("another account", RATE, 60) == 0
    clock.advance(30)
    assert await journal.rates.reserve(NAME, RATE, 60) == 0


async def test_a_clock_that_is_set_back_stops_nobody(journal: Journal, clock: HandClock) -> None:
    await pauses(journal, 70)
    await journal.rates.freeze(NAME, 60)
    clock.set_by(-1_800)
    assert await journal.rates.reserve(NAME, RATE, 60) == 0 and await journal.rates.frozen_s(NAME) == 0


async def test_two_processes_share_one_rate(place: Place, clock: HandClock) -> None:
    async with opened(place, clock) as one, opened(place, clock) as two:
        taken = [await (one, two)[number % 2].rates.reserve(NAME, RATE, 1e6) for number in range(70)]
    assert taken[:60] == [0] * 60 and taken[69] == round(10 / 9, 3)


@given(st.lists(st.floats(0, 20), min_size=1, max_size=300))
def test_no_minute_has_more_than_the_rate_and_the_burst(rests_s: list[float]) -> None:
    now, sent_at = 1_790_000_000.0, list[float]()
    with closing(sqlite3.connect(":memory:", isolation_level=None, factory=Connection)) as connection:
        connection.row_factory = sqlite3.Row
        migrate(connection)
        for rest_s in rests_s:
            now += rest_s
            for _ in range(40):
                pause_s = rates.reserve(connection, NAME, RATE, 1e6, now)
                assert pause_s is not None
                sent_at.append(now + pause_s)
    assert sent_at == sorted(sent_at), "who asks first goes first"
    for number, first_s in enumerate(sent_at):
        last = number + RATE.burst + int(RATE.per_minute)
        assert last >= len(sent_at) or sent_at[last] >= first_s + 60 - 2e-3


async def wished(journal: Journal) -> Watched:
    """One more create that nobody has sent."""
    return Watched(await intended(journal, new_intent()), typical_s=None, started_s=0)


def create_rate(journal: Journal, clock: HandClock, slept: list[float]) -> CreateRate:
    gateway = gateway_at("http://127.0.0.1:9", "replicate")
    account = Account(PredictionClient(gateway, Key("a-key-0123456789")), journal, Key("a-key-0123456789"), "mine")

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.advance(seconds)

    return CreateRate(account, journal, Runtime(clock=clock, monotonic=clock.monotonic, sleep=sleep), Turns())


async def test_a_turn_waits_for_the_end_of_a_pause_that_was_asked_for_meanwhile(
    journal: Journal, clock: HandClock
) -> None:
    slept: list[float] = []
    rate = create_rate(journal, clock, slept)
    await rate.freeze(20)
    assert await rate.claimed(await wished(journal), None)
    assert slept == [20]
    for _ in range(CREATES.burst - 1):
        assert await rate.claimed(await wished(journal), None)
    assert slept == [20]
    assert await rate.claimed(await wished(journal), None)
    assert slept[1:] == [0.111]


async def test_a_gateway_that_asks_for_an_hour_is_asked_again_after_a_minute(
    journal: Journal, clock: HandClock
) -> None:
    slept: list[float] = []
    rate = create_rate(journal, clock, slept)
    await rate.freeze(3600)
    assert await rate.claimed(await wished(journal), None)
    assert slept == [60]


async def test_a_turn_beyond_all_patience_is_said_and_nothing_is_sent(journal: Journal, clock: HandClock) -> None:
    watched, rate = await wished(journal), create_rate(journal, clock, [])
    await journal.rates.reserve(rate.name, Rate(per_minute=0.01, burst=1), 0)
    with pytest.raises(GatewayBusy, match=r"has too many creates to take\. Nothing was sent"):
        await rate.claimed(watched, None)
    row = await journal.find(watched.intent.key)
    assert row and row.state is IntentState.INTENT and row.tries == 0


async def test_a_create_that_does_not_fit_under_the_limit_takes_no_turn(journal: Journal, clock: HandClock) -> None:
    watched, rate = await wished(journal), create_rate(journal, clock, [])
    with pytest.raises(SpendingRefused):
        await rate.claimed(watched, SpendingLimit(limit_usd=0.0, since=0.0))
    row = await journal.find(watched.intent.key)
    assert row and row.state is IntentState.INTENT
    assert await journal.rates.reserve(rate.name, Rate(per_minute=60, burst=1), 0) == 0


async def test_what_may_go_at_once_is_claimed_in_the_commit_that_writes_it_down(journal: Journal) -> None:
    turn = Turn(name=NAME, rate=Rate(per_minute=60, burst=2), within_s=0)
    parts = [new_intent(part, request_id="wish", part=part) for part in range(3)]
    written, claimed = await journal.intend(parts, turn=turn)
    assert [row.key in claimed for row in written] == [True, True, False]
    assert [row.state for row in written] == [IntentState.SENT, IntentState.SENT, IntentState.INTENT]
    assert await journal.by_request("wish") == written
    assert (await journal.intend(parts, turn=replace(turn, within_s=60))).claimed == frozenset(), "they are there"
    assert [await journal.claim(row.key) for row in written] == [False, False, True]
    assert await journal.rates.reserve(NAME, turn.rate, 60) == 1, "the third has taken no turn"


async def ordered(rate: CreateRate) -> Watched:
    """One more create, claimed as it was written down."""
    rows = tuple[Intent, ...]()
    async with anyio.create_task_group() as tasks:
        rows = await rate.order(tasks, [new_intent()], None, NO_CALL)
    return Watched(rows[0], typical_s=None, started_s=0)


async def test_a_claim_of_an_order_is_given_out_once(journal: Journal, clock: HandClock) -> None:
    rate = create_rate(journal, clock, [])
    watched = await ordered(rate)
    assert await rate.claimed(watched, None) == rate.now()
    assert await rate.claimed(watched, None) is None


async def test_a_claim_that_is_given_back_leaves_an_intent_to_be_sent(journal: Journal, clock: HandClock) -> None:
    rate = create_rate(journal, clock, [])
    watched = await ordered(rate)
    watched.is_wanted = False
    assert await rate.claimed(watched, None) is None, "a person has stopped it"
    found = await journal.find(watched.intent.key)
    assert found and found.state is IntentState.INTENT
    watched.is_wanted = True
    assert await rate.claimed(watched, None)


@asynccontextmanager
async def behind_relay(postgres: PostgresServer, clock: HandClock) -> AsyncGenerator[tuple[Journal, LostCommits]]:
    """A journal whose answers may be lost on the way."""
    from darkroom.journal.postgres import open_postgres

    with tempfile.TemporaryDirectory() as folder:
        async with lost_commits(postgres, Path(folder)) as relay, open_postgres(relay.url, 2) as opened:
            yield Journal(opened.database("acme", "alice"), clock), relay


async def test_an_order_that_was_written_down_without_an_answer_is_given_back(
    postgres: PostgresServer, clock: HandClock
) -> None:
    async with behind_relay(postgres, clock) as (far, relay):
        rate, wish = create_rate(far, clock, []), new_intent(request_id="wish")
        async with anyio.create_task_group() as tasks:
            relay.to_lose = 1
            with pytest.raises(JournalError, match="not known whether that was written"):
                await rate.order(tasks, [wish], None, NO_CALL)
        (row,) = await far.by_request("wish")
        assert row.state is IntentState.INTENT
        assert await rate.claimed(Watched(row, typical_s=None, started_s=0), None), "who repeats it sends it"


async def test_an_order_that_died_at_its_commit_leaves_nothing(postgres: PostgresServer, clock: HandClock) -> None:
    async with opened(postgres, clock) as journal:
        rate, wish = create_rate(journal, clock, []), new_intent(request_id="wish")
        with postgres.dying_commits("intents"):
            async with anyio.create_task_group() as tasks:
                with pytest.raises(JournalError, match="not known whether that was written"):
                    await rate.order(tasks, [wish], None, NO_CALL)
        assert await journal.by_request("wish") == ()
        async with anyio.create_task_group() as tasks:
            (row,) = await rate.order(tasks, [wish], None, NO_CALL)
            assert row.state is IntentState.SENT


async def test_a_claim_that_was_given_back_without_an_answer_is_not_used_beside_another_process(
    postgres: PostgresServer, clock: HandClock
) -> None:
    async with behind_relay(postgres, clock) as (far, relay), opened(postgres, clock) as other:
        rate = create_rate(far, clock, [])
        watched = await ordered(rate)
        relay.to_lose = 1
        await rate.give_back(watched.intent.key)
        assert await other.claim(watched.intent.key), "it is anybody's now"
        assert await rate.claimed(watched, None) is None


async def test_a_claim_whose_release_was_refused_once_is_given_back_and_claimed_anew(
    postgres: PostgresServer, clock: HandClock
) -> None:
    async with opened(postgres, clock) as journal:
        rate = create_rate(journal, clock, [])
        watched = await ordered(rate)
        postgres.execute("REVOKE UPDATE ON intents FROM darkroom_app")
        try:
            await rate.give_back(watched.intent.key)
            with pytest.raises(JournalError):
                await rate.claimed(watched, None)
        finally:
            postgres.execute("GRANT UPDATE ON intents TO darkroom_app")
        clock.advance(1)
        assert await rate.claimed(watched, None) == rate.now()
        row = await journal.find(watched.intent.key)
        assert row and row.state is IntentState.SENT and row.tries == 2


async def test_an_order_beyond_the_limit_is_refused_to_who_gave_it(journal: Journal, clock: HandClock) -> None:
    rate = create_rate(journal, clock, [])
    async with anyio.create_task_group() as tasks:
        with pytest.raises(SpendingRefused):
            await rate.order(tasks, [new_intent()], SpendingLimit(limit_usd=0.0, since=0.0), NO_CALL)
    assert await journal.history() == ()


async def test_a_program_that_cancels_its_call_while_it_is_written_down_leaves_nothing_in_doubt(
    tmp_path: Path,
) -> None:
    ears = Ears()
    async with FaultGateway(Plan()) as gateway, room_at(gateway, tmp_path, at_crash_point=ears) as room:
        call = asyncio.create_task(generate_image(room, FOX, wait_s=5, request_id="fox"))
        ears.at(CrashPoint.BEFORE_CLAIM, call.cancel)
        with pytest.raises(asyncio.CancelledError):
            await call
        with anyio.fail_after(20):
            while not (rows := await room.journal.by_request("fox")) or rows[0].state is IntentState.SENT:
                await anyio.lowlevel.checkpoint()
        assert rows[0].state is IntentState.INTENT and gateway.truth.creates == 0
        assert (await generate_image(room, FOX, wait_s=20, request_id="fox")).outcome == "succeeded"
        assert gateway.truth.creates == 1


async def test_a_darkroom_that_closes_before_it_has_sent_a_create_gives_its_claim_back(tmp_path: Path) -> None:
    ears = Ears()
    async with FaultGateway(Plan()) as gateway:
        async with room_at(gateway, tmp_path, at_crash_point=ears) as room, anyio.create_task_group() as calls:
            ears.at(CrashPoint.INTENDED, room.work.close)
            calls.start_soon(partial(generate_image, room, FOX, wait_s=5, request_id="fox"))
            await ears.heard(CrashPoint.INTENDED)
            await anyio.lowlevel.checkpoint()
            calls.cancel_scope.cancel()
        async with room_at(gateway, tmp_path) as room:
            (row,) = await room.journal.by_request("fox")
        assert row.state is IntentState.INTENT and gateway.truth.creates == 0


async def test_a_create_that_cannot_be_sent_after_all_gives_its_claim_back(tmp_path: Path) -> None:
    async with FaultGateway(Plan()) as gateway, room_at(gateway, tmp_path) as room:
        wish = new_intent(input={"openai_api_key": "sk-0123456789"})  # of which nothing is kept
        (row,) = await room.work.order([wish], NO_CALL)
        watched = room.work.start(row, Budget(hold_until_s=0, retry_s=0, secrets={}))
        with anyio.fail_after(20):
            while (found := await room.journal.find(row.key)) and found.state is IntentState.SENT:
                await anyio.lowlevel.checkpoint()
        assert found and found.state is IntentState.INTENT and gateway.truth.creates == 0
        assert watched.problem and "is a secret and is not kept" in watched.problem.message


async def test_seventy_calls_at_once_are_all_sent(tmp_path: Path) -> None:
    async with FaultGateway(Plan(run_s=0.2)) as gateway, room_at(gateway, tmp_path) as room:
        async with anyio.create_task_group() as calls:
            for number in range(70):
                wish = ImageRequest(prompt=f"fox {number}", model="black-forest-labs/flux-schnell")
                calls.start_soon(partial(generate_image, room, wish, wait_s=40))
        made = gateway.truth.predictions
        assert len({each.input["prompt"] for each in made}) == len(made) == 70


class OneForAll:
    """A gateway that answers no create before `count` of them have arrived."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._arrived = 0
        self._all_there = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        self._arrived += 1
        number = self._arrived
        if number == self._count:
            self._all_there.set()
        await self._all_there.wait()
        writer.write(Answer({"id": f"p{number:025d}", "status": "failed", "error": "no"}, 201).encoded())
        await writer.drain()
        writer.close()


async def test_creates_do_not_wait_for_one_another(tmp_path: Path) -> None:
    server = await asyncio.start_server(OneForAll(50).serve, "127.0.0.1", 0)
    gateway = ScriptedGateway()
    gateway.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    outcomes: list[str] = []

    async def call(room: Darkroom, number: int) -> None:
        wish = ImageRequest(prompt=f"fox {number}", model="black-forest-labs/flux-schnell")
        outcomes.append((await generate_image(room, wish, wait_s=30)).outcome)

    async with server, room_at(gateway, tmp_path, timeouts=Timeouts()) as room, anyio.create_task_group() as calls:
        for number in range(50):
            calls.start_soon(call, room, number)
    assert outcomes == ["failed"] * 50


async def test_a_call_whose_turn_does_not_come_says_so_and_is_sent_later(tmp_path: Path) -> None:
    clock = NoonClock()
    async with FaultGateway(Plan(script=("429",), busy_s=60, run_s=0)) as gateway:
        async with room_at(gateway, tmp_path, clock=clock) as room:
            refused = await generate_image(room, FOX, wait_s=0)
            queued = await generate_image(room, replace(FOX, prompt="an owl"), wait_s=0, request_id="owl")
            assert refused.outcome == "refused" and gateway.truth.creates == 1
            assert queued.text.startswith("Queued after") and "nothing sent yet" in queued.text
            assert "Charged: nothing (not sent yet; then at most $0.003)" in queued.text
            assert "call get_prediction with id" in queued.text
            assert (await get_prediction(room, "owl")).text.startswith("Queued")
        clock.move(60)
        async with room_at(gateway, tmp_path, clock=clock) as room:
            report = await generate_image(room, replace(FOX, prompt="an owl"), wait_s=30, request_id="owl")
        assert report.outcome == "succeeded" and gateway.truth.creates == 2


@pytest.mark.skipif(os.name != "posix", reason="asks for a process by its number")
async def test_what_waits_in_another_process_is_called_queued_while_that_one_lives(tmp_path: Path) -> None:
    async with FaultGateway() as gateway, room_at(gateway, tmp_path) as room, room_at(gateway, tmp_path) as other:
        await room.journal.rates.freeze(f"creates {room.gateway.origin} {room.account.id}", 20)
        numbered_by, _, _ = own_name().rsplit("/", 2)
        for process, word in (("1/", "Queued"), (f"{2**22 + 1}/1", "Not created")):
            caller = Caller(id=f"{numbered_by}/{process}#x", answered=frozenset, on_joined=lambda request_id: None)
            name = f"fox {process}"
            await generate_image(room, replace(FOX, prompt=name), wait_s=0, request_id=name, caller=caller)
            assert (await get_prediction(other, name)).text.startswith(word)
