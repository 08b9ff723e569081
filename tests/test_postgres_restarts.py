"""The journal on PostgreSQL while the database goes away and comes back."""

import time
from collections.abc import AsyncGenerator
from functools import partial

import anyio
import anyio.to_thread
import psycopg
import pytest
from journal_fixtures import intended, new_intent
from postgres_server import PostgresServer
from test_journal_processes import process, told_at_once

from darkroom.errors import JournalError
from darkroom.journal import IntentState, Journal
from darkroom.journal.database import Session
from darkroom.journal.postgres import Postgres, open_postgres
from darkroom.journal.postgres_words import in_words

pytestmark = pytest.mark.anyio


@pytest.fixture
async def opened(postgres: PostgresServer) -> AsyncGenerator[Postgres]:
    async with open_postgres(postgres.app) as opened:
        yield opened


@pytest.fixture
def alice(opened: Postgres) -> Journal:
    return Journal(opened.database("acme", "alice"), opened.clock)


async def test_a_restart_between_two_calls_is_not_noticed(postgres: PostgresServer, alice: Journal) -> None:
    row = await intended(alice, new_intent())
    for mode in ("fast", "immediate"):
        await anyio.to_thread.run_sync(postgres.restart, mode)
        assert await alice.find(row.key) == row
    await anyio.to_thread.run_sync(postgres.restart, "immediate")
    assert await alice.claim(row.key)


async def test_calls_while_the_database_starts_again_wait_for_it(postgres: PostgresServer, alice: Journal) -> None:
    keys: list[str] = []

    async def intend(seed: int) -> None:
        keys.append((await intended(alice, new_intent(seed))).key)

    await anyio.to_thread.run_sync(postgres.stop, "immediate")
    async with anyio.create_task_group() as tasks:
        for seed in range(5):
            tasks.start_soon(intend, seed)
        await anyio.to_thread.run_sync(postgres.start)
    assert {row.key for row in await alice.history()} == set(keys) and len(keys) == 5


async def test_a_standby_is_read_until_it_takes_over_and_what_is_to_be_written_waits_for_that(
    postgres: PostgresServer, alice: Journal
) -> None:
    row, told = await intended(alice, new_intent()), list[bool]()

    async def claim() -> None:
        told.append(bool(await alice.claim(row.key)))

    await anyio.to_thread.run_sync(postgres.stop, "fast")
    (postgres.data / "standby.signal").touch()
    await anyio.to_thread.run_sync(postgres.start)
    assert await alice.find(row.key) == row
    with pytest.raises(psycopg.Error) as refused:
        postgres.execute("BEGIN READ WRITE")
    assert "may be a standby" in in_words(refused.value)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(claim)
        await anyio.to_thread.run_sync(postgres.execute, "SELECT pg_promote()")
    assert told == [True]


async def test_claims_of_several_processes_are_won_once_while_the_database_crashes(
    postgres: PostgresServer, alice: Journal
) -> None:
    keys = [(await intended(alice, new_intent(seed))).key for seed in range(150)]

    def crash_twice() -> None:
        postgres.restart()
        postgres.restart()

    with process("claim", postgres, *keys) as one, process("claim", postgres, *keys[::-1]) as two:
        told = await anyio.to_thread.run_sync(partial(told_at_once, one, two, meanwhile=crash_twice))
    won = [key for word, key in told if word == "won"]
    assert len(set(won)) == len(won)
    rows = {row.key: row for row in await alice.history(limit=200)}
    assert {row.state for row in rows.values()} == {IntentState.SENT}
    assert {row.tries for row in rows.values()} == {1}
    assert set(keys) - set(won) <= {key for word, key in told if word == "lost"}


async def test_a_work_that_was_interrupted_is_done_again_whole(postgres: PostgresServer, opened: Postgres) -> None:
    tries: list[int] = []

    def work(session: Session) -> int:
        session.execute("INSERT INTO meta (name, value) VALUES ('tries', ?)", (str(len(tries)),))
        tries.append(1)
        if len(tries) == 1:
            postgres.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'darkroom'"
            )
        session.execute("SELECT 1")
        return len(tries)

    assert await opened.database("acme", "alice").write(work) == 2
    assert postgres.execute("SELECT value FROM meta WHERE name = 'tries'") == [("1",)]


async def test_a_commit_whose_answer_is_lost_is_an_error_and_is_not_repeated(
    postgres: PostgresServer, opened: Postgres
) -> None:
    tries: list[int] = []

    def work(session: Session) -> None:
        tries.append(1)
        session.execute("INSERT INTO meta (name, value) VALUES ('a', 'b')")

    with postgres.dying_commits(), pytest.raises(JournalError, match="not known whether that was written"):
        await opened.database("acme", "alice").write(work)
    assert len(tries) == 1


async def test_times_are_those_of_the_database(postgres: PostgresServer, opened: Postgres, alice: Journal) -> None:
    ((earlier,),) = postgres.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
    row = await intended(alice, new_intent())
    ((later,),) = postgres.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
    assert earlier - 0.5 <= row.intended_at <= later + 0.5
    before, at = opened.clock(), time.monotonic()
    assert opened.clock() - before <= time.monotonic() - at + 0.01
