"""What the gateway's own log took: joined with our creates, asked for rarely, over a real socket."""

import sqlite3
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from fault_gateway import FaultGateway
from fault_plan import Plan
from journal_fixtures import START, HandClock, intended, new_intent, opened, prediction
from open_rooms import NoonClock, room_at
from sandbox_server import sandbox_server
from scripted_gateway import Answer, RecordedRequest, ScriptedGateway, gateway_at

from darkroom.charges import Basis
from darkroom.darkroom import Darkroom
from darkroom.errors import JournalError
from darkroom.gateways import Key, PredictionClient
from darkroom.generate_image import generate_image
from darkroom.get_prediction import get_prediction
from darkroom.journal import Intent, IntentState, Journal
from darkroom.predictions import PredictionStatus
from darkroom.registry import ImageRequest
from darkroom.work.accounts import Account
from darkroom.work.bills import EVERY_S, Bills
from darkroom.work.runtime import Runtime
from darkroom_server.sandbox import SandboxOptions

pytestmark = pytest.mark.anyio

KEY = Key("sk-bills0bills0bills0", "DEERAPI_KEY")
MODEL = "black-forest-labs/flux-schnell"
FOX = ImageRequest(prompt="a fox", model=MODEL)
NO_LOG = Answer({"error": {"message": "Invalid URL (GET /api/log/token)"}}, 404)


def row(at: float, **changes: Any) -> dict[str, Any]:
    return {"created_at": int(at), "type": 2, "model_name": MODEL, "quota": 1500, "request_id": "", **changes}


def log_of(*rows: dict[str, Any]) -> Answer:
    return Answer({"success": True, "message": "", "data": list(rows)})


class Bed:
    """Sleeps for ever, and tells when somebody lies in it."""

    def __init__(self) -> None:
        self.is_taken = anyio.Event()

    async def __call__(self, seconds: float) -> None:
        self.is_taken.set()
        await anyio.sleep_forever()


class Scene:
    """A journal and the bills of one account, in a world in which time passes only while somebody sleeps."""

    def __init__(self, journal: Journal, account: Account, server: ScriptedGateway, clock: HandClock) -> None:
        self.journal, self.account, self.server, self.clock = journal, account, server, clock
        self.sleep: Bed | None = None
        self.at_sleep: Callable[[], Any] = lambda: None
        self.slept: list[float] = []
        self.bills = self.bills_again()

    def bills_again(self, journal: Journal | None = None) -> Bills:
        """As another process would have them."""
        runtime = Runtime(clock=self.clock, monotonic=self.clock.monotonic, sleep=self._sleep)
        return Bills(self.account, journal or self.journal, runtime)

    async def _sleep(self, seconds: float) -> None:
        if self.sleep:
            await self.sleep(seconds)
        await anyio.lowlevel.checkpoint()
        self.slept.append(seconds)
        self.clock.advance(seconds)
        self.at_sleep()

    @property
    def asked(self) -> int:
        return len(self.server.requests)

    async def sent(self, seed: int = 1, **changes: Any) -> Intent:
        """A create that was sent now."""
        new = replace(new_intent(seed, origin=self.account.origin, account=self.account.id), **changes)
        intent = await intended(self.journal, new)
        assert await self.journal.claim(intent.key, account=self.account.id)
        return intent

    async def ended(self, seed: int = 1, *, name: str = "", status: str = "succeeded", **changes: Any) -> Intent:
        """One that has ended 10 s after it was sent; `name` is the gateway's own name of it."""
        intent = await self.sent(seed, **changes)
        made = replace(prediction(f"billed{seed:04d}"), request_id=name)
        await self.journal.mark_known(intent.key, made)
        self.clock.advance(10)
        output = ("https://x.example/a.png",) if status == "succeeded" else ()
        await self.journal.record(replace(made, status=PredictionStatus(status), output=output))
        return intent

    async def lost(self, seed: int = 1, *, name: str = "") -> Intent:
        """One whose answer was lost."""
        intent = await self.sent(seed)
        await self.journal.mark_unknown(intent.key, "HTTP 504", name)
        return intent

    async def cost(self, intent: Intent) -> tuple[float | None, Basis, str]:
        found = await self.journal.find(intent.key)
        assert found
        return found.cost_usd, found.cost_basis, found.cost_note


@asynccontextmanager
async def scene(folder: Path, answer: Any, profile: str = "deerapi") -> AsyncGenerator[Scene]:
    clock = HandClock()
    async with AsyncExitStack() as stack:
        stack.enter_context(anyio.fail_after(30))
        server = await stack.enter_async_context(ScriptedGateway(answer))
        journal = await stack.enter_async_context(opened(folder, clock))
        gateway = gateway_at(f"{server.base_url}/replicate", profile)
        client = await stack.enter_async_context(PredictionClient(gateway, KEY))
        yield Scene(journal, await Account.open(client, journal, KEY), server, clock)


async def test_the_gateway_s_own_name_of_a_create_finds_its_bill(tmp_path: Path) -> None:
    """Also far from the price list, and beside an equal row of somebody else."""
    rows = (row(START + 3, request_id="other"), row(START + 3, request_id="mine", quota=100_000))
    async with scene(tmp_path, log_of(*rows)) as stage:
        intent = await stage.ended(name="mine")
        await stage.bills.run()
        usd, basis, note = await stage.cost(intent)
        assert (usd, basis) == (0.2, Basis.BILLED)
        assert "far from the $0.003 of the price list" in note


async def test_rows_of_one_name_are_added_up_and_refunds_taken_off(tmp_path: Path) -> None:
    rows = (row(START, request_id="a", type=6, quota=1000), row(START, request_id="a"), row(START, request_id="a"))
    async with scene(tmp_path, log_of(*rows)) as stage:
        intent = await stage.ended(name="a")
        await stage.bills.run()
        assert await stage.cost(intent) == (0.004, Basis.BILLED, "")


@pytest.mark.parametrize("name", [MODEL, "flux-schnell", "Black-Forest-Labs/FLUX-schnell"])
async def test_a_row_without_a_name_is_found_by_model_time_and_price(tmp_path: Path, name: str) -> None:
    async with scene(tmp_path, log_of(row(START + 130, model_name=name))) as stage:
        intent = await stage.ended()
        await stage.bills.run()
        assert await stage.cost(intent) == (0.003, Basis.BILLED, "matched by model, time and price")


@pytest.mark.parametrize(
    "changes",
    [
        {"created_at": int(START) - 6},
        {"created_at": int(START) + 131},
        {"model_name": "black-forest-labs/flux-dev"},
        {"model_name": "other/flux-schnell"},
        {"type": 5},
        {"type": 6},
        {"quota": 7501},
        {"quota": 299},
    ],
)
async def test_a_row_that_does_not_fit_bills_nothing(tmp_path: Path, changes: dict[str, Any]) -> None:
    async with scene(tmp_path, log_of(row(START) | changes)) as stage:
        intent = await stage.ended()
        await stage.bills.run()
        assert await stage.cost(intent) == (None, Basis.NONE, "")


async def test_a_row_of_another_name_is_not_taken_by_a_create_that_has_one(tmp_path: Path) -> None:
    async with scene(tmp_path, log_of(row(START, request_id="theirs"))) as stage:
        intent = await stage.ended(name="mine")
        await stage.bills.run()
        assert await stage.cost(intent) == (None, Basis.NONE, "")


async def test_a_name_that_two_creates_share_names_neither(tmp_path: Path) -> None:
    async with scene(tmp_path, log_of(row(START, request_id="same"))) as stage:
        intents = [await stage.ended(seed, name="same") for seed in (1, 2)]
        await stage.bills.run()
        assert [await stage.cost(each) for each in intents] == [(None, Basis.NONE, "")] * 2


async def test_two_rows_for_one_create_are_ambiguous_and_said_so(tmp_path: Path) -> None:
    async with scene(tmp_path, log_of(row(START), row(START + 1))) as stage:
        intent = await stage.ended()
        await stage.bills.run()
        usd, _, note = await stage.cost(intent)
        assert usd is None and note == "several rows of the gateway's log fit, so the bill is not known"


async def test_one_row_for_two_creates_bills_neither_even_while_one_of_them_runs(tmp_path: Path) -> None:
    async with scene(tmp_path, log_of(row(START + 5))) as stage:
        running = await stage.sent(2)
        await stage.journal.mark_known(running.key, prediction("stillrunning"))
        intent = await stage.ended()
        await stage.bills.run()
        assert (await stage.cost(intent))[:2] == (None, Basis.NONE)
        assert "several rows" in (await stage.cost(intent))[2] and not (await stage.cost(running))[2]


async def test_a_row_is_used_once(tmp_path: Path) -> None:
    """The second create fits the first one's row, too; only its own is left for it."""
    async with scene(tmp_path, log_of(row(START + 5))) as stage:
        await stage.ended(1)
        await stage.bills.run()
        second = await stage.ended(2)
        stage.server.answer(log_of(row(stage.clock.now, quota=2000), row(START + 5)))
        await stage.bills.run()
        assert (await stage.cost(second))[0] == 0.004


async def test_the_gateway_s_clock_may_differ_from_ours(tmp_path: Path) -> None:
    log = log_of(row(START + 3600))
    ahead = replace(log, headers={"date": "Mon, 21 Sep 2026 15:13:30 GMT"})  # START is 14:13:20
    async with scene(tmp_path, ahead) as stage:
        intent = await stage.ended()
        await stage.bills.run()
        assert (await stage.cost(intent))[0] == 0.003


async def test_what_failed_is_billed_as_the_log_says_and_a_refund_is_called_invisible(tmp_path: Path) -> None:
    async with scene(tmp_path, log_of(row(START, request_id="a"))) as stage:
        intent = await stage.ended(name="a", status="failed")
        await stage.bills.run()
        assert await stage.cost(intent) == (0.003, Basis.BILLED, "a refund would not show in the log")


async def test_a_lost_create_that_was_billed_is_told_so_and_stays_unresolved(tmp_path: Path) -> None:
    async with scene(tmp_path, log_of(row(START + 2))) as stage:
        intent = await stage.lost()
        await stage.bills.run()
        found = await stage.journal.find(intent.key)
        assert found and (found.state, found.cost_usd, found.cost_basis) == (IntentState.UNKNOWN, 0.003, Basis.BILLED)
        assert found.cost_note == "billed at 14:13 UTC; matched by model, time and price; the image cannot be fetched"


async def test_a_lost_create_is_found_by_the_name_in_the_answer_that_was_no_answer(tmp_path: Path) -> None:
    async with scene(tmp_path, log_of(row(START, request_id="x"), row(START, request_id="y"))) as stage:
        intent = await stage.lost(name="y")
        await stage.bills.run()
        assert (await stage.cost(intent))[0] == 0.003


async def test_a_lost_create_that_the_log_does_not_show_is_told_so_and_looked_for_until_it_would(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path, log_of(row(START - 600))) as stage:
        intent = await stage.lost()
        await stage.bills.run()
        words = "no row in the gateway's log after 20 min: most likely not billed"
        assert await stage.cost(intent) == (0.0, Basis.COMPUTED, words)
        assert stage.asked == 3 and stage.clock.now == START + 1200
        spent = await stage.journal.spent_usd(START - 3600)
        assert spent.total_usd == 0.0
        found = await stage.journal.find(intent.key)
        assert found and found.state is IntentState.UNKNOWN


async def test_a_bill_that_comes_after_all_counts(tmp_path: Path) -> None:
    async with scene(tmp_path, log_of(row(START - 600))) as stage:
        intent = await stage.lost(name="y")
        await stage.bills.run()
        stage.server.answer(log_of(row(START, request_id="y")))
        stage.clock.advance(EVERY_S)
        await stage.bills.run()
        assert (await stage.cost(intent))[:2] == (0.003, Basis.BILLED)


async def test_a_log_that_is_too_short_shows_no_absence(tmp_path: Path) -> None:
    full = [row(START + 100 + number, model_name="another/model") for number in range(100)]
    async with scene(tmp_path, log_of(*full)) as stage:
        intent = await stage.lost()
        await stage.bills.run()
        assert (await stage.cost(intent))[2] == "the gateway's log does not reach back to it"


async def test_a_row_that_comes_late_is_found_by_the_second_look(tmp_path: Path) -> None:
    async with scene(tmp_path, log_of()) as stage:
        intent = await stage.ended()
        stage.at_sleep = lambda: stage.server.answer(log_of(row(START + 11)))
        await stage.bills.run()
        assert (await stage.cost(intent))[0] == 0.003 and stage.asked == 2


async def test_two_ends_of_two_processes_within_a_minute_are_one_call_now_and_one_when_it_is_over(
    tmp_path: Path,
) -> None:
    def answer(request: RecordedRequest) -> Answer:
        return log_of(*(row(START, request_id=f"r-{number}") for number in range(9)))

    async with scene(tmp_path, answer) as stage, opened(tmp_path, stage.clock) as journal_of_another_process:
        first = await stage.ended(1, name="r-1")
        await stage.bills.run()
        second = await stage.ended(2, name="r-2")
        asked: list[int] = []
        stage.at_sleep = lambda: asked.append(stage.asked)
        await stage.bills_again(journal_of_another_process).run()
        assert asked == [1] and stage.asked == 2
        assert [(await stage.cost(each))[0] for each in (first, second)] == [0.003, 0.003]
        assert stage.clock.now >= START + 60


async def test_an_end_that_comes_while_it_waits_wakes_it(tmp_path: Path) -> None:
    async with scene(tmp_path, log_of()) as stage, anyio.create_task_group() as tasks:
        stage.sleep = Bed()
        await stage.lost()
        tasks.start_soon(stage.bills.run)
        await stage.sleep.is_taken.wait()
        stage.clock.advance(70)
        intent = await stage.ended(2, name="r")
        stage.server.answer(log_of(row(stage.clock.now, request_id="r")))
        stage.sleep.is_taken = anyio.Event()
        await stage.bills.run()
        await stage.sleep.is_taken.wait()
        assert (await stage.cost(intent))[0] == 0.003 and stage.asked == 2
        tasks.cancel_scope.cancel()


async def test_an_end_in_the_middle_of_a_look_has_the_next_turn(tmp_path: Path) -> None:
    async with scene(tmp_path, log_of()) as stage, anyio.create_task_group() as tasks:

        def answer(request: RecordedRequest) -> Answer:
            if stage.asked == 1:
                tasks.start_soon(stage.bills.run)
            return log_of()

        stage.server.answer(answer)
        await stage.lost()
        await stage.bills.run()
        assert stage.slept[0] == EVERY_S and stage.asked == 4, "the last look comes after 20 min"


async def test_in_twenty_minutes_the_log_is_read_twenty_times_at_most(tmp_path: Path) -> None:
    async with scene(tmp_path, log_of()) as stage:
        taken = 0
        while stage.clock.now < START + 1200:
            taken += await stage.journal.take_turn("the log", EVERY_S)
            stage.clock.advance(5)
        assert 15 < taken <= 20


async def test_however_often_it_is_woken_one_look_serves_all(tmp_path: Path) -> None:
    """The second look is the one after which no row comes any more."""
    async with scene(tmp_path, log_of()) as stage:
        await stage.ended()
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(stage.bills.run)
        assert stage.asked == 2


async def test_a_clock_that_is_set_back_does_not_stop_the_looking(tmp_path: Path) -> None:
    async with scene(tmp_path, log_of(row(START - 3600 + 25, request_id="b"))) as stage:
        await stage.ended(1)
        await stage.bills.run()
        stage.clock.set_by(-3600)
        second = await stage.ended(2, name="b")
        await stage.bills.run()
        assert (await stage.cost(second))[0] == 0.003


async def test_a_gateway_without_a_log_is_asked_once_a_week(tmp_path: Path) -> None:
    async with scene(tmp_path, NO_LOG, "custom") as stage:
        for seed in range(3):
            await stage.ended(seed)
            await stage.bills_again().run()
        assert stage.asked == 1
        assert await stage.journal.has_token_log(stage.account.id) is False
        stage.clock.advance(7 * 24 * 3600)
        for seed in range(3, 6):
            await stage.ended(seed)
            await stage.bills_again().run()
        assert stage.asked == 2


async def test_a_gateway_without_a_log_costs_no_look_at_the_journal_for_a_minute(tmp_path: Path) -> None:
    async with scene(tmp_path, NO_LOG, "custom") as stage:
        bills = stage.bills_again()
        for seed in range(2):  # the first asks the gateway
            await stage.ended(seed)
            await bills.run()
        with closing(sqlite3.connect(tmp_path / "journal.sqlite3")) as database:
            database.execute("ALTER TABLE intents RENAME TO lost")
        await bills.run()
        stage.clock.advance(64)
        with pytest.raises(JournalError):
            await bills.run()


async def test_a_log_that_was_seen_once_is_asked_for_after_an_outage(tmp_path: Path) -> None:
    async with scene(tmp_path, log_of(), "custom") as stage:
        await stage.ended(1)
        await stage.bills.run()
        assert await stage.journal.has_token_log(stage.account.id) is True
        stage.server.answer(Answer("<html>We are down.</html>", 200, {"content-type": "text/html"}))
        stage.clock.advance(70)
        second = await stage.ended(2, name="r")
        stage.at_sleep = lambda: stage.server.answer(log_of(row(START, request_id="r")))
        await stage.bills.run()
        assert (await stage.cost(second))[0] == 0.003


async def test_replicate_is_never_asked(tmp_path: Path) -> None:
    async with scene(tmp_path, log_of(), "replicate") as stage:
        await stage.ended()
        await stage.bills.run()
        assert stage.asked == 0


async def test_without_anything_unbilled_nothing_is_asked(tmp_path: Path) -> None:
    async with scene(tmp_path, log_of(row(START, request_id="a"))) as stage:
        await stage.bills.run()
        await stage.ended(name="a")
        await stage.bills.run()
        await stage.bills_again().run()
        assert stage.asked == 1


@pytest.mark.parametrize("fault", [Answer("", 502), Answer({"success": False, "message": "x"}, 401)])
async def test_a_log_that_cannot_be_read_leaves_the_bill_to_the_next_process(tmp_path: Path, fault: Answer) -> None:
    async with scene(tmp_path, fault) as stage:
        intent = await stage.ended(name="a")
        await stage.bills.run()
        assert await stage.cost(intent) == (None, Basis.NONE, "")
        stage.server.answer(log_of(row(START, request_id="a")))
        await stage.bills_again().run()
        assert (await stage.cost(intent))[0] == 0.003


async def test_what_was_sent_more_than_two_hours_ago_is_let_be(tmp_path: Path) -> None:
    async with scene(tmp_path, log_of()) as stage:
        await stage.ended()
        stage.clock.advance(2 * 3600)
        await stage.bills.run()
        assert stage.asked == 0


async def test_a_create_that_is_sent_again_forgets_what_was_said_of_the_attempt_before(tmp_path: Path) -> None:
    async with scene(tmp_path, log_of()) as stage:
        intent = await stage.sent()
        await stage.journal.mark_refused(intent.key, "busy")
        await stage.journal.note_cost(intent.key, "no row")
        assert await stage.journal.claim(intent.key, account=stage.account.id)
        assert (await stage.cost(intent))[2] == ""


# A whole Darkroom


class Reseller(FaultGateway):
    """A fault gateway that keeps new-api's log: a row for each prediction that it has made."""

    def __init__(self, plan: Plan | None = None) -> None:
        super().__init__(plan)
        self.log_calls: list[RecordedRequest] = []
        self.log_fault: Answer | None = None

    async def _answer(self, request: RecordedRequest) -> Answer:
        if request.path != "/api/log/token":
            return await super()._answer(request)
        self.log_calls.append(request)
        rows = [row(made.created_s, model_name=made.model) for made in self.truth.predictions[::-1]]
        return self.log_fault or log_of(*rows)


@pytest.fixture
async def reseller() -> AsyncGenerator[Reseller]:
    async with Reseller(Plan(run_s=0)) as gateway:
        yield gateway


async def billed(room: Darkroom, request_id: str) -> Intent:
    while True:
        (found,) = await room.journal.by_request(request_id)
        if found.cost_basis is Basis.BILLED or (found.state is IntentState.UNKNOWN and found.cost_note):
            return found
        await anyio.sleep(0.02)


async def test_what_has_ended_is_billed_by_the_log_soon_after(reseller: Reseller, tmp_path: Path) -> None:
    async with room_at(reseller, tmp_path, profile="deerapi") as room:
        assert (await generate_image(room, FOX, wait_s=20, request_id="fox")).outcome == "succeeded"
        assert (await billed(room, "fox")).cost_usd == 0.003
    assert len(reseller.log_calls) == 1


async def test_a_lost_create_without_a_list_is_billed_or_is_told_that_it_is_not(
    reseller: Reseller, tmp_path: Path
) -> None:
    for fault, usd in (("504 after", 0.003), ("504 before", None)):
        reseller.plan = Plan(script=(fault,))
        async with room_at(reseller, tmp_path / fault, profile="deerapi") as room:
            assert (await generate_image(room, FOX, wait_s=1, request_id=fault)).outcome == "unresolved"
            found = await billed(room, fault)
            assert (found.cost_usd, found.state) == (usd, IntentState.UNKNOWN)
            assert ("billed at" if usd else "no row") in found.cost_note
        reseller.truth.predictions.clear()


async def test_the_name_in_a_lost_answer_finds_the_bill_among_equal_ones(tmp_path: Path) -> None:
    def answer(request: RecordedRequest) -> Answer:
        if request.method == "POST":
            return Answer("", 504, {"x-oneapi-request-id": "mine"})
        rows = [row(time.time(), request_id=name, quota=quota) for name, quota in (("other", 900), ("mine", 1500))]
        return replace(log_of(*rows), headers={"date": formatdate(usegmt=True)})

    async with ScriptedGateway(answer) as server, room_at(server, tmp_path, profile="deerapi") as room:
        await generate_image(room, FOX, wait_s=1, request_id="fox")
        assert (await billed(room, "fox")).cost_usd == 0.003


async def test_who_asks_after_a_lost_create_has_the_log_looked_at_again(reseller: Reseller, tmp_path: Path) -> None:
    reseller.plan = Plan(script=("504 after",))
    reseller.log_fault = Answer("", 502)
    clock = NoonClock()
    async with room_at(reseller, tmp_path, profile="deerapi", clock=clock) as room:
        await generate_image(room, FOX, wait_s=1, request_id="fox")
        while not reseller.log_calls:  # noqa: ASYNC110 - bounded by room_at
            await anyio.sleep(0.02)
        reseller.log_fault = None
        clock.set_by(70)
        await get_prediction(room, "fox")
        assert (await billed(room, "fox")).cost_usd == 0.003
        assert "billed at" in (await get_prediction(room, "fox")).text


async def test_a_lost_create_at_the_sandbox_s_reseller_is_told_what_it_cost(tmp_path: Path) -> None:
    async with sandbox_server(SandboxOptions(profile="deerapi", speed=20, painted_px=40_000)) as origin:
        reseller = FaultGateway()
        reseller.base_url = f"{origin}/replicate"
        async with room_at(reseller, tmp_path, profile="deerapi") as room:
            lost = replace(FOX, prompt="sandbox:504 a fox")
            assert (await generate_image(room, lost, wait_s=1, request_id="fox")).outcome == "unresolved"
            assert (await billed(room, "fox")).cost_usd == 0.003
            assert "the image cannot be fetched" in (await get_prediction(room, "fox")).text


async def test_the_next_process_picks_up_what_this_one_could_not_read(reseller: Reseller, tmp_path: Path) -> None:
    reseller.log_fault = Answer("", 502)
    clock = NoonClock()
    async with room_at(reseller, tmp_path, profile="deerapi", clock=clock) as room:
        await generate_image(room, FOX, wait_s=20, request_id="fox")
        while not reseller.log_calls:  # noqa: ASYNC110 - bounded by room_at
            await anyio.sleep(0.02)
    reseller.log_fault = None
    clock.set_by(70)
    async with room_at(reseller, tmp_path, profile="deerapi", clock=clock) as room:
        assert (await billed(room, "fox")).cost_usd == 0.003


async def test_a_gateway_of_one_s_own_is_asked_once_and_never_again(reseller: Reseller, tmp_path: Path) -> None:
    reseller.log_fault = NO_LOG
    for name in ("one", "two", "three"):
        async with room_at(reseller, tmp_path, profile="custom") as room:
            await generate_image(room, FOX, wait_s=20, request_id=name)
            while await room.journal.has_token_log(room.account.id) is None:  # noqa: ASYNC110 - bounded by room_at
                await anyio.sleep(0.02)
    assert len(reseller.log_calls) == 1


async def test_a_failed_run_at_a_reseller_is_not_called_free(tmp_path: Path) -> None:
    """That a run without output costs nothing is Replicate's word, not a reseller's."""
    async with sandbox_server(SandboxOptions(profile="deerapi", speed=20, painted_px=40_000)) as origin:
        reseller = FaultGateway()
        reseller.base_url = f"{origin}/replicate"
        async with room_at(reseller, tmp_path, profile="deerapi") as room:
            report = await generate_image(room, replace(FOX, prompt="sandbox:oom a fox"), wait_s=20, request_id="fox")
    assert report.outcome == "failed"
    charged = report.data["charged"]
    assert charged in (
        {"verdict": "possibly", "usd": 0.003, "basis": "estimated"},
        {"verdict": "yes", "usd": 0.003, "basis": "billed"},
    )
    assert "Charged: nothing" not in report.text
