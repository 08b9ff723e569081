"""Several writes of one process for a tenant at the same time: few transactions, and each with its own outcome."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import anyio.abc
import anyio.lowlevel
import psycopg
import pytest
from journal_fixtures import intended, new_intent
from postgres_server import PostgresServer

from darkroom.errors import JournalError, SpendingRefused
from darkroom.journal import Journal
from darkroom.journal.database import Session
from darkroom.journal.postgres import Postgres

pytestmark = pytest.mark.anyio
_PEOPLE = ("alice", "bob", "carol", "dave")
_WAIT = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


@pytest.fixture
async def opened(postgres: PostgresServer) -> AsyncGenerator[Postgres]:
    async with postgres.pool() as opened:
        yield opened


@asynccontextmanager
async def all_waiting(postgres: PostgresServer) -> AsyncGenerator[anyio.abc.TaskGroup]:
    """The tenant's lock is held elsewhere inside the block; what is started there is done at its end."""
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            with psycopg.connect(postgres.owner) as elsewhere:
                elsewhere.execute("SELECT pg_advisory_xact_lock(hashtextextended('acme', 7))")
                yield tasks
                while postgres.execute(_WAIT) == [(0,)]:  # noqa: ASYNC110 - by whom the lock is wanted, only it knows
                    await anyio.sleep(0.01)
                await anyio.lowlevel.checkpoint()


def insert(name: str, session: Session) -> str:
    session.execute("INSERT INTO meta (name, value) VALUES (?, '')", (name,))
    return name


async def test_writes_of_many_at_once_are_few_transactions_and_each_row_is_its_writers(
    postgres: PostgresServer, opened: Postgres
) -> None:
    async def intend(who: str, seed: int) -> None:
        await intended(Journal(opened.database("acme", who), opened.clock), new_intent(seed))

    async with all_waiting(postgres) as tasks:
        for seed in range(20):
            tasks.start_soon(intend, _PEOPLE[seed % 4], seed)
    assert postgres.execute("SELECT count(DISTINCT xmin::text) <= 2, count(*) FROM intents") == [(True, 20)]
    counted = postgres.execute("SELECT principal, count(*) FROM intents GROUP BY 1 ORDER BY 1")
    assert counted == [(who, 5) for who in _PEOPLE]
    assert len(await Journal(opened.database("acme", "bob"), opened.clock).history()) == 5


async def test_what_is_read_does_not_wait_behind_writes(postgres: PostgresServer, opened: Postgres) -> None:
    database = opened.database("acme", "alice")
    async with all_waiting(postgres) as tasks:
        for number in range(20):
            tasks.start_soon(database.write, partial(insert, f"n{number}"))
        await anyio.lowlevel.checkpoint()
        with anyio.fail_after(3):  # the lock would be waited for five seconds
            await database.read(lambda session: session.execute("SELECT 1").fetchone())


async def test_what_is_refused_or_cannot_be_written_takes_nothing_from_the_others(
    postgres: PostgresServer, opened: Postgres
) -> None:
    outcomes: dict[str, Any] = {}

    async def write(name: str, work: Callable[[Session], Any]) -> None:
        try:
            outcomes[name] = await opened.database("acme", name).write(work)
        except (SpendingRefused, JournalError) as error:
            outcomes[name] = type(error)

    def fail(session: Session) -> None:
        session.execute("SELECT nonsense")

    def refuse(session: Session) -> None:
        insert("of the refused", session)
        raise SpendingRefused("no")

    async with all_waiting(postgres) as tasks:
        tasks.start_soon(write, "first", refuse)
        tasks.start_soon(write, "second", partial(insert, "of the second"))
        tasks.start_soon(write, "third", refuse)
        tasks.start_soon(write, "fourth", fail)
        tasks.start_soon(write, "fifth", partial(insert, "of the fifth"))
    refused = {"first": SpendingRefused, "third": SpendingRefused, "fourth": JournalError}
    assert outcomes == refused | {"second": "of the second", "fifth": "of the fifth"}
    written = postgres.execute("SELECT name FROM meta WHERE name LIKE 'of the%' ORDER BY 1")
    assert written == [("of the fifth",), ("of the second",)]


async def test_a_commit_of_several_whose_answer_is_lost_is_an_error_for_each_and_is_not_repeated(
    postgres: PostgresServer, opened: Postgres
) -> None:
    tries, failures = list[str](), list[JournalError]()

    async def write(name: str) -> None:
        def work(session: Session) -> None:
            tries.append(insert(name, session))

        with pytest.raises(JournalError, match="not known whether that was written") as failed:
            await opened.database("acme", "alice").write(work)
        failures.append(failed.value)

    with postgres.dying_commits():
        async with all_waiting(postgres) as tasks:
            for number in range(5):
                tasks.start_soon(write, f"n{number}")
    assert sorted(tries) == [f"n{number}" for number in range(5)] and len(set(map(id, failures))) == 5


async def test_a_write_whose_caller_is_cancelled_is_finished(postgres: PostgresServer, opened: Postgres) -> None:
    async with all_waiting(postgres) as tasks:
        for number in range(3):
            tasks.start_soon(opened.database("acme", "alice").write, partial(insert, f"n{number}"))
        await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
        with anyio.move_on_after(20, shield=True):
            while postgres.execute(_WAIT) == [(0,)]:  # noqa: ASYNC110 - as above
                await anyio.sleep(0.01)
    assert postgres.execute("SELECT count(*) FROM meta WHERE name IN ('n0', 'n1', 'n2')") == [(3,)]


async def test_a_write_that_is_broken_off_before_it_has_begun_never_happens(
    postgres: PostgresServer, opened: Postgres
) -> None:
    database = opened.database("acme", "alice")
    async with all_waiting(postgres) as tasks:
        tasks.start_soon(database.write, partial(insert, "first"))
        while postgres.execute(_WAIT) == [(0,)]:  # noqa: ASYNC110 - as above
            await anyio.sleep(0.01)
        late = asyncio.ensure_future(database.write(partial(insert, "late")))
        await anyio.lowlevel.checkpoint()
        late.cancel()  # by the event loop itself, through every shield
        with pytest.raises(asyncio.CancelledError):
            await late
    await database.write(partial(insert, "next"))
    written = postgres.execute("SELECT name FROM meta WHERE name IN ('first', 'late', 'next') ORDER BY name")
    assert written == [("first",), ("next",)]
