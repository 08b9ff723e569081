"""Lost answers are looked for in the gateway's real list, over a socket: found, settled absent, or left in doubt."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
from journal_fixtures import HandClock, intended, new_intent, opened
from scripted_gateway import Answer, RecordedRequest, ScriptedGateway, gateway_at

from darkroom.gateways import Key, PredictionClient
from darkroom.journal import Intent, IntentState, Journal
from darkroom.work.accounts import Account
from darkroom.work.reconcile import Reconciler, ReconcileRules
from darkroom.work.runtime import Runtime

pytestmark = pytest.mark.anyio

SETTLED_S = 1_000.0


def listed(number: int, *, seed: int, at: float | None) -> dict[str, Any]:
    """One row of the gateway's list; without `at` the list gives no time."""
    times = {"created_at": datetime.fromtimestamp(at, UTC).isoformat()} if at is not None else {}
    return {
        "id": f"listedprediction{number:04d}",
        "status": "processing",
        "input": {"prompt": "a lighthouse", "seed": seed},
        **times,
    }


def pages(*rows: Sequence[dict[str, Any]]) -> Any:
    """Answers page after page; `next` names another host, which must not be asked."""

    def answer(request: RecordedRequest) -> Answer:
        number = int(request.path.rpartition("cursor=")[2] or 0) if "cursor=" in request.path else 0
        following = f"https://elsewhere.invalid/v1/predictions?cursor={number + 1}" if number + 1 < len(rows) else None
        return Answer({"results": list(rows[min(number, len(rows) - 1)]), "next": following, "previous": None})

    return answer


class Scene:
    """A journal with one intent whose answer was lost, and a reconciler that asks a scripted gateway."""

    def __init__(
        self, journal: Journal, client: PredictionClient, intent: Intent, clock: HandClock, rules: ReconcileRules
    ) -> None:
        self.found: list[Intent] = []
        self.clock = clock
        self._journal = journal
        self._key = intent.key
        self.account = Account(client, journal, Key(), id="")
        runtime = Runtime(clock=clock, monotonic=clock.monotonic)
        self.reconciler = Reconciler(self.account, journal, runtime, rules, self.found.append)

    async def row(self, key: str) -> Intent:
        row = await self._journal.find(key or self._key)
        assert row
        return row

    async def state(self, key: str = "") -> IntentState:
        return (await self.row(key or self._key)).state

    async def lose_another(self, *, sent_s_ago: float) -> str:
        """Lose the answer of another create, sent that long ago; gives its key."""
        self.clock.now -= sent_s_ago
        intent = await intended(self._journal, new_intent(seed=8, origin=self.account.origin))
        assert await self._journal.claim(intent.key)
        await self._journal.mark_unknown(intent.key, "HTTP 504")
        self.clock.now += sent_s_ago
        return intent.key


@asynccontextmanager
async def scene(folder: Path, answer: Any, settle_s: float = 120) -> AsyncGenerator[tuple[Scene, ScriptedGateway]]:
    clock = HandClock()
    with anyio.fail_after(30):
        async with ScriptedGateway(answer) as server, opened(folder, clock) as journal:
            gateway = gateway_at(server.base_url)
            intent = await intended(journal, new_intent(seed=7, origin=gateway.origin))
            assert await journal.claim(intent.key)
            await journal.mark_unknown(intent.key, "HTTP 504")
            async with PredictionClient(gateway, Key("r8_nobody", "TEST")) as client:
                yield Scene(journal, client, intent, clock, ReconcileRules(settle_s=settle_s)), server


async def test_a_create_whose_answer_was_lost_gets_its_prediction_back(tmp_path: Path) -> None:
    clock = HandClock()
    async with scene(tmp_path, pages([listed(1, seed=7, at=clock.now)])) as (stage, server):
        assert await stage.reconciler.once() == 0
        assert await stage.state() is IntentState.KNOWN
        assert [intent.prediction_id for intent in stage.found] == ["listedprediction0001"]
        assert not server.posts()


async def test_what_the_list_never_shows_is_absent_after_the_settle_time_and_not_before(tmp_path: Path) -> None:
    async with scene(tmp_path, pages([])) as (stage, _):
        assert await stage.reconciler.once() == 1
        assert await stage.state() is IntentState.UNKNOWN
        stage.clock.advance(SETTLED_S)
        assert await stage.reconciler.once() == 0
        assert await stage.state() is IntentState.ABSENT


async def test_a_list_without_times_is_read_to_its_end(tmp_path: Path) -> None:
    full = [listed(number, seed=1_000 + number, at=None) for number in range(3)]
    answer = pages(full, full, [listed(9, seed=7, at=None)])
    async with scene(tmp_path, answer) as (stage, server):
        stage.clock.advance(SETTLED_S)
        await stage.reconciler.once()
        assert await stage.state() is IntentState.KNOWN
        assert len(server.requests) == 3


async def test_a_list_that_is_too_long_to_read_never_shows_that_something_is_absent(tmp_path: Path) -> None:
    clock = HandClock()
    newer = [[listed(number, seed=1_000 + number, at=clock.now + 500)] for number in range(200)]
    async with scene(tmp_path, pages(*newer)) as (stage, server):
        stage.clock.advance(SETTLED_S)
        assert await stage.reconciler.once() == 1
        assert await stage.state() is IntentState.UNKNOWN
        assert len(server.requests) == 100


async def test_a_list_that_cannot_be_read_changes_nothing(tmp_path: Path) -> None:
    async with scene(tmp_path, Answer({"detail": "no"}, status=401)) as (stage, _):
        stage.clock.advance(SETTLED_S)
        assert await stage.reconciler.once() == 1
        assert await stage.state() is IntentState.UNKNOWN


async def test_one_old_item_does_not_end_the_reading(tmp_path: Path) -> None:
    """A zero time, or an hour-old item out of order, on the first page."""
    clock = HandClock()
    newer = [listed(number, seed=1_000 + number, at=clock.now + 50) for number in range(5)]
    first = [*newer, listed(90, seed=90, at=0), listed(91, seed=91, at=clock.now - 7200)]
    async with scene(tmp_path, pages(first, [listed(9, seed=7, at=clock.now)])) as (stage, server):
        stage.clock.advance(SETTLED_S)
        await stage.reconciler.once()
        assert await stage.state() is IntentState.KNOWN
        assert len(server.requests) == 2


async def test_a_list_that_leads_round_in_circles_is_read_once(tmp_path: Path) -> None:
    clock = HandClock()
    page = {"results": [listed(1, seed=1_000, at=clock.now + 500)], "next": "https://x/v1/predictions?cursor=same"}
    async with scene(tmp_path, Answer(page)) as (stage, server):
        for _ in range(2):
            await stage.reconciler.once()
            stage.clock.advance(SETTLED_S)
        assert await stage.state() is IntentState.UNKNOWN
        assert len(server.requests) == 4


async def test_a_clock_that_is_set_shows_nothing_absent(tmp_path: Path) -> None:
    async with scene(tmp_path, pages([])) as (stage, _):
        await stage.reconciler.once()
        stage.clock.set_by(SETTLED_S)
        assert await stage.reconciler.once() == 1
        assert await stage.state() is IntentState.UNKNOWN


async def test_a_list_is_looked_at_twice_before_something_is_absent(tmp_path: Path) -> None:
    async with scene(tmp_path, pages([])) as (stage, _):
        stage.clock.advance(SETTLED_S)
        assert await stage.reconciler.once() == 1
        assert await stage.state() is IntentState.UNKNOWN


async def test_an_item_that_cannot_be_read_may_be_ours(tmp_path: Path) -> None:
    async with scene(tmp_path, Answer({"results": ["what is this"], "next": None})) as (stage, _):
        for _ in range(3):
            await stage.reconciler.once()
            stage.clock.advance(SETTLED_S)
        assert await stage.state() is IntentState.UNKNOWN


async def test_what_was_called_absent_is_still_found_when_the_list_shows_it_late(tmp_path: Path) -> None:
    clock = HandClock()
    async with scene(tmp_path, pages([])) as (stage, server):
        await stage.reconciler.once()
        stage.clock.advance(SETTLED_S)
        await stage.reconciler.once()
        assert await stage.state() is IntentState.ABSENT
        server.answer(pages([listed(1, seed=7, at=clock.now)]))
        await stage.reconciler.once()
        assert await stage.state() is IntentState.KNOWN


async def test_what_a_list_showed_before_it_broke_off_counts(tmp_path: Path) -> None:
    clock = HandClock()
    first = pages([listed(1, seed=7, at=clock.now), listed(2, seed=8, at=clock.now)], [])

    def answer(request: RecordedRequest) -> Answer:
        return Answer({"detail": "no more"}, 401) if "cursor=" in request.path else first(request)

    async with scene(tmp_path, answer) as (stage, _):
        assert await stage.reconciler.once() == 0
        assert await stage.state() is IntentState.KNOWN


async def test_the_end_of_a_list_that_cannot_be_read_keeps_only_old_creates_in_doubt(tmp_path: Path) -> None:
    """A busy account has many pages, and an hour-old doubt must not keep a new one open."""
    clock = HandClock()
    first = [listed(n, seed=1_000 + n, at=clock.now + 500 - 400 * n) for n in range(6)]

    def answer(request: RecordedRequest) -> Answer:
        if "cursor=" in request.path:
            return Answer({"detail": "no more"}, 401)
        return Answer({"results": first, "next": "https://x/v1/predictions?cursor=1"})

    async with scene(tmp_path, answer) as (stage, _):
        older = await stage.lose_another(sent_s_ago=7_000)
        for _ in range(2):
            await stage.reconciler.once()
            stage.clock.advance(SETTLED_S)
        assert await stage.state() is IntentState.ABSENT
        assert await stage.state(older) is IntentState.UNKNOWN


@pytest.mark.parametrize(("is_near", "state"), [(True, IntentState.UNKNOWN), (False, IntentState.ABSENT)])
async def test_an_item_that_cannot_be_read_counts_for_creates_of_its_time(
    tmp_path: Path, is_near: bool, state: IntentState
) -> None:
    clock = HandClock()
    newer = [listed(n, seed=1_000 + n, at=clock.now + 9_000 - n) for n in range(3)]
    around = [listed(10 + n, seed=2_000 + n, at=clock.now + 500 - 400 * n) for n in range(6)]
    bad: Any = "what is this"
    rows = ([*newer], [*around, bad]) if is_near else ([bad, *newer], [*around])
    async with scene(tmp_path, pages(*rows)) as (stage, _):
        for _ in range(2):
            await stage.reconciler.once()
            stage.clock.advance(SETTLED_S)
        assert await stage.state() is state


async def test_an_item_that_is_odd_only_once_is_read_again(tmp_path: Path) -> None:
    readings = 0

    def answer(request: RecordedRequest) -> Answer:
        nonlocal readings
        readings += 1
        return Answer({"results": ["what is this"] if readings % 2 else [], "next": None})

    async with scene(tmp_path, answer) as (stage, _):
        for _ in range(2):
            await stage.reconciler.once()
            stage.clock.advance(SETTLED_S)
        assert await stage.state() is IntentState.ABSENT


async def test_an_old_absence_does_not_make_each_look_read_the_whole_hour(tmp_path: Path) -> None:
    """Only what is in doubt, and every two minutes what was called absent; asked about, it is looked for at once."""
    clock = HandClock()
    rows = [
        [listed(9 * page + n, seed=9_000 + 9 * page + n, at=clock.now + 1_000 - 900 * page - n)]
        for page in range(6)
        for n in range(3)
    ]
    async with scene(tmp_path, pages([])) as (stage, server):
        old = await stage.lose_another(sent_s_ago=3_000)
        await stage.reconciler.once()
        stage.clock.advance(SETTLED_S)
        await stage.reconciler.once()
        assert await stage.state(old) is IntentState.ABSENT
        server.answer(pages(*rows))
        await stage.lose_another(sent_s_ago=0)
        asked = len(server.requests)
        await stage.reconciler.once()
        shallow = len(server.requests) - asked
        await stage.reconciler.once([await stage.row(old)])
        assert 0 < shallow < len(server.requests) - asked - shallow


async def test_what_was_missed_just_now_is_not_looked_for_long_when_it_is_asked_again(tmp_path: Path) -> None:
    async with scene(tmp_path, pages([]), settle_s=2.4) as (stage, server):
        await stage.reconciler.once()
        stage.clock.advance(SETTLED_S)
        await stage.reconciler.once()
        row = await stage.row("")
        assert row.state is IntentState.ABSENT
        asked = len(server.requests)
        server.answer(Answer({}, 500))
        await stage.reconciler.once([row])  # the first pause of the client is half a second
        assert len(server.requests) == asked + 1
        assert await stage.state() is IntentState.ABSENT
