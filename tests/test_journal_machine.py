"""Hypothesis plays two processes on one journal against a gateway that answers late, wrongly or not at all.

Held after every step: nothing is sent without a committed `sent` row; nothing in doubt is sent again; every prediction
at the gateway is known, or an intent that may be it is still in doubt; nothing is paid twice.
"""

import shutil
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import ClassVar, TypeVar

from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from journal_fixtures import ORIGIN, START, HandClock, Place, new_intent, prediction
from postgres_server import PostgresServer
from rounds import rounds

from darkroom.journal import Intent, IntentState, Journal, Rate, Search, Turn, match
from darkroom.journal.database import Database
from darkroom.journal.input_form import normal_form
from darkroom.journal.intent_rows import read_intents
from darkroom.journal.postgres import Postgres, open_postgres
from darkroom.journal.sqlite import Connection, SqliteDatabase, open_database
from darkroom.predictions import Prediction

T = TypeVar("T")

LAG_S = 40.0  # a created prediction shows up in the list at the latest after this
PATIENCE_S = 30.0  # a client stops waiting for the answer to its create after this
SETTLE_S = 150.0  # more than either, also after clocks were set by up to 2 * SET_S
SET_S = 25.0
WIPED_S = 3600.0  # the gateway forgets inputs after this
TURN = Turn(name="creates", rate=Rate(per_minute=6000, burst=1000), within_s=0)  # it has always come

PROCESSES = st.integers(0, 1)
LATER_S = st.sampled_from([0.0, 5.0, 30.0, 30.0, 120.0, 240.0, 2 * WIPED_S])
REQUESTS = st.sampled_from(["", "", "a", "b"])
SLOW_START = [HealthCheck.too_slow]  # a few steps open files


@dataclass
class Remote:
    """A prediction at the gateway, in the gateway's own time; the ground truth."""

    prediction: Prediction
    created_at: float
    visible_at: float


@dataclass
class Attempt:
    """A create on the wire; `answer` is what the client will read: an id, "refused", or "" for nothing."""

    key: str
    sent_at: float
    answer: str


@dataclass
class Process:
    journal: Journal
    in_flight: list[Attempt] = field(default_factory=list[Attempt])
    missed_since: dict[tuple[str, int], float] = field(default_factory=dict[tuple[str, int], float])


@dataclass(frozen=True)
class Wire:
    """What happens to one create between us and the gateway."""

    outcome: str
    lag_s: float
    is_slow: bool


WIRES = st.builds(
    Wire,
    outcome=st.sampled_from(["created", "refused", "created, answer lost", "not created, answer lost"]),
    lag_s=st.sampled_from([0.0, 0.9 * LAG_S, LAG_S]),
    is_slow=st.booleans(),
)


class JournalMachine(RuleBasedStateMachine):
    """On SQLite, or on `server`; there each run has a tenant of its own."""

    server: ClassVar[PostgresServer | None] = None
    runs: ClassVar[Iterator[int]] = count()

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.portal = self.stack.enter_context(start_blocking_portal("asyncio"))
        self.folder = Path(tempfile.mkdtemp(prefix="darkroom-journal-"))
        self.clock = HandClock()
        self.server_now = START
        self.remote: dict[str, Remote] = {}
        self.connections: list[Connection] = []
        self.processes: list[Process] = []
        self.wished: set[str] = set()
        self.has_slept_long = False

    @initialize(wire=WIRES)
    def start(self, wire: Wire) -> None:
        if self.server:
            pool = self.portal.call(_pool, self.server.app)
            self.postgres = self.stack.enter_context(self.portal.wrap_async_context_manager(pool))
            self.tenant = f"tenant {next(self.runs)}"
        self.processes = [self.started(), self.started()]
        self.reader = self.database()
        self.order(0, "", True, wire, False)

    def started(self) -> Process:
        return Process(Journal(self.database(), self.clock))

    def database(self) -> Database:
        if self.server:
            return self.postgres.database(self.tenant, "alice")
        connection, warnings = open_database(self.folder / "journal.sqlite3", self.clock)
        assert warnings == ()
        self.connections.append(connection)
        return self.portal.call(_database, connection)

    def call(self, method: Callable[..., Coroutine[None, None, T]], *args: object) -> T:
        return self.portal.call(method, *args)

    def rows(self) -> tuple[Intent, ...]:
        """Read past the journal, so that only what is committed is seen."""
        return self.portal.call(self._rows)

    async def _rows(self) -> tuple[Intent, ...]:
        return await self.reader.read(lambda session: read_intents(session, "ORDER BY rowid", ()))

    def teardown(self) -> None:
        try:
            if self.processes:
                self.come_to_rest()
        finally:
            for connection in self.connections:
                connection.close()
            self.stack.close()
            shutil.rmtree(self.folder)

    # What may happen

    @rule(process=PROCESSES, request=REQUESTS, has_seed=st.booleans(), wire=WIRES, at_once=st.booleans())
    def order(self, process: int, request: str, has_seed: bool, wire: Wire, at_once: bool) -> None:
        """With `at_once` its claim is in the commit that writes it down."""
        before = {intent.key for intent in self.rows()}
        seed = len(before) if has_seed else None
        new = new_intent(seed, request_id=request, prompt="seeded" if has_seed else "plain")
        intend = partial(self.processes[process].journal.intend, [new], turn=TURN if at_once else None)
        (intent,), claimed = self.call(intend)
        assert intent.key not in before or (request and intent.request_id == request)
        assert claimed == ({intent.key} if at_once and intent.key not in before else set())
        self.wished.add(intent.key)
        if claimed:
            self.sent(self.processes[process], intent, wire)
        else:
            self.send(self.processes[process], intent, wire)

    @rule(process=PROCESSES, data=st.data(), wire=WIRES)
    def order_again(self, process: int, data: st.DataObject, wire: Wire) -> None:
        """Any intent may be tried, whatever its state."""
        wished = [row for row in self.rows() if row.key in self.wished]
        self.send(self.processes[process], data.draw(st.sampled_from(wished)), wire)

    def send(self, process: Process, intent: Intent, wire: Wire) -> None:
        """Claim and POST."""
        may_be_sent = intent.state in (IntentState.INTENT, IntentState.REFUSED, IntentState.ABSENT)
        assert self.call(process.journal.claim, intent.key) == may_be_sent
        if may_be_sent:
            self.sent(process, replace(intent, tries=intent.tries + 1), wire)

    def sent(self, process: Process, intent: Intent, wire: Wire) -> None:
        """POST what is claimed."""
        self.committed_as_sent(intent)
        made = self.executed(intent, wire.lag_s) if wire.outcome.startswith("created") else ""
        answer = {"created": made, "refused": "refused"}.get(wire.outcome, "")
        process.in_flight.append(Attempt(key=intent.key, sent_at=self.server_now, answer=answer))
        if not wire.is_slow:
            self.deliver(process)

    @rule(process=PROCESSES)
    def answers_arrive(self, process: int) -> None:
        self.deliver(self.processes[process])

    @rule(process=PROCESSES)
    def crash(self, process: int) -> None:
        """The process ends without closing anything; the next one reconciles as it starts."""
        self.processes[process] = self.started()
        self.reconcile(process, 0)

    @rule(process=PROCESSES, after_s=LATER_S)
    def reconcile(self, process: int, after_s: float) -> None:
        self.time_passes(after_s)
        journal = self.processes[process].journal
        open_intents = (*self.call(journal.unresolved, ORIGIN), *self.call(journal.absent, ORIGIN, WIPED_S))
        seen = self.processes[process].missed_since
        for intent in open_intents:
            seen.setdefault((intent.key, intent.tries), self.server_now)
        verdicts = match(
            open_intents,
            self.listed(),
            self.call(journal.known_ids, ORIGIN, 0.0),
            search=Search(skew_s=self.server_now - self.clock.now, settle_s=SETTLE_S),
            may_be_absent={
                intent.key for intent in open_intents if self.server_now - seen[intent.key, intent.tries] >= SETTLE_S
            },
        )
        self.call(journal.settle, verdicts)

    def time_passes(self, seconds: float) -> None:
        for process in self.processes:
            late = [
                attempt for attempt in process.in_flight if self.server_now + seconds > attempt.sent_at + PATIENCE_S
            ]
            process.in_flight = [attempt for attempt in process.in_flight if attempt not in late]
            for attempt in late:
                self.call(process.journal.mark_unknown, attempt.key, "no answer")
        self.has_slept_long |= seconds > WIPED_S
        self.server_now += seconds
        self.clock.advance(seconds)

    @rule(offset_s=st.floats(-SET_S, SET_S))
    def clock_is_set(self, offset_s: float) -> None:
        self.clock.now = self.server_now + offset_s

    # How the world behaves

    def committed_as_sent(self, intent: Intent) -> None:
        (row,) = [row for row in self.rows() if row.key == intent.key]
        assert (row.state, row.tries, row.input) == (IntentState.SENT, intent.tries, intent.input)

    def executed(self, intent: Intent, lag_s: float) -> str:
        identifier = f"pred{len(self.remote):06d}"
        made = prediction(identifier, at=self.server_now, input=intent.input)
        self.remote[identifier] = Remote(made, self.server_now, self.server_now + lag_s)
        return identifier

    def listed(self) -> list[Prediction]:
        """The gateway's list: newest first, late, and without inputs after an hour."""
        seen = [remote for remote in self.remote.values() if remote.visible_at <= self.server_now]
        return [
            replace(remote.prediction, input={}, is_data_removed=True)
            if self.server_now - remote.created_at > WIPED_S
            else remote.prediction
            for remote in reversed(seen)
        ]

    def deliver(self, process: Process) -> None:
        for attempt in process.in_flight:
            if attempt.answer == "refused":
                self.call(process.journal.mark_refused, attempt.key, "busy")
            elif attempt.answer:
                self.call(process.journal.mark_known, attempt.key, self.remote[attempt.answer].prediction)
            else:
                self.call(process.journal.mark_unknown, attempt.key, "504")
        process.in_flight = []

    def come_to_rest(self) -> None:
        """At the end, with everything delivered and listed, the journal and the gateway agree."""
        for process in self.processes:
            self.deliver(process)
        self.reconcile(0, 0)
        self.reconcile(0, SETTLE_S + 2 * SET_S + 1)
        self.check_truth()
        if not self.has_slept_long:
            rows = self.rows()
            assert {row.prediction_id for row in rows if row.prediction_id} == set(self.remote)
            assert not [row for row in rows if row.state in (IntentState.SENT, IntentState.UNKNOWN)]

    # What must hold

    @invariant()
    def check_truth(self) -> None:
        if not self.processes:
            return
        rows = self.rows()
        known = {row.prediction_id for row in rows if row.state is IntentState.KNOWN}
        assert known <= set(self.remote), "a prediction was invented"
        for input in {str(normal_form(row.input)): row.input for row in rows}.values():
            equal = [row for row in rows if row.input == input and row.key in self.wished]
            made = [identifier for identifier, remote in self.remote.items() if remote.prediction.input == input]
            in_doubt = [row for row in equal if row.state in (IntentState.SENT, IntentState.UNKNOWN)]
            assert len(made) <= len(equal), "something was paid twice"
            assert len(set(made) - known) <= len(in_doubt), "something paid was lost"


async def _database(connection: Connection) -> SqliteDatabase:
    return SqliteDatabase(connection)


async def _pool(url: str) -> AbstractAsyncContextManager[Postgres]:
    return open_postgres(url, 3)


def test_two_processes_never_pay_twice_and_never_lose_a_prediction(place: Place) -> None:
    class Machine(JournalMachine):
        server = place if isinstance(place, PostgresServer) else None

    examples = rounds(6 if Machine.server else 20)
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples, stateful_step_count=25, deadline=None, suppress_health_check=SLOW_START
        ),
    )
