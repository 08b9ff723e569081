"""What is to be written at the same time goes to the disk in one commit; a failure of one takes nothing from others."""

import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from fault_gateway import FaultGateway
from fault_plan import Plan
from journal_fixtures import HandClock, intended, new_intent, opened
from open_rooms import room_at

from darkroom.errors import JournalError, SpendingRefused
from darkroom.generate_image import generate_image
from darkroom.journal import Intent, Journal, ReceiptOf, SpendingLimit
from darkroom.journal.sqlite import SqliteDatabase, open_database
from darkroom.registry import ImageRequest

pytestmark = pytest.mark.anyio
MANY = 50


@asynccontextmanager
async def journal_with_connection(folder: Path) -> AsyncGenerator[tuple[Journal, sqlite3.Connection]]:
    connection, _ = open_database(folder / "journal.sqlite3")
    database = SqliteDatabase(connection)
    yield Journal(database, HandClock()), connection
    await database.close()


async def at_once(calls: list[Callable[[], Awaitable[object]]]) -> list[object]:
    """What each gave, or its error."""
    results: list[object] = [None] * len(calls)

    async def run(number: int) -> None:
        try:
            results[number] = await calls[number]()
        except (JournalError, SpendingRefused) as error:
            results[number] = error

    async with anyio.create_task_group() as tasks:
        for number in range(len(calls)):
            tasks.start_soon(run, number)
    return results


def writing(journal: Journal, number: int, limit: SpendingLimit | None = None) -> Callable[[], Awaitable[object]]:
    new = new_intent(number, prompt="x" * 500, estimate_usd=1.0 if limit else 0.0)
    return lambda: intended(journal, new, spending=limit)


async def test_many_writes_at_once_are_few_commits(tmp_path: Path) -> None:
    async with journal_with_connection(tmp_path) as (journal, connection):
        statements: list[str] = []
        connection.set_trace_callback(statements.append)
        await at_once([writing(journal, number) for number in range(MANY)])
        connection.set_trace_callback(None)
        assert statements.count("COMMIT") <= MANY / 5
        assert len(await journal.history(limit=1000)) == MANY


async def test_one_that_is_refused_takes_nothing_from_the_others(tmp_path: Path) -> None:
    limit = SpendingLimit(limit_usd=10.0, since=0.0, allow_unknown_price=False)
    async with journal_with_connection(tmp_path) as (journal, _):
        results = await at_once([writing(journal, number, limit) for number in range(MANY)])
        assert sum(isinstance(each, SpendingRefused) for each in results) == MANY - 10
        assert len(await journal.history(limit=1000)) == 10


async def test_a_disk_that_fills_up_keeps_exactly_what_was_confirmed(tmp_path: Path) -> None:
    async with journal_with_connection(tmp_path) as (journal, connection):
        pages: int = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 6}")
        results = [await at_once([writing(journal, round * 10 + n) for n in range(10)]) for round in range(5)]
        confirmed = {each.key for round in results for each in round if isinstance(each, Intent)}
        assert any(isinstance(each, JournalError) and "full" in str(each) for round in results for each in round)
    async with opened(tmp_path, HandClock()) as reopened:
        assert {each.key for each in await reopened.history(limit=1000)} == confirmed != set()


async def test_a_database_that_cannot_be_written_refuses_all_and_serves_again(tmp_path: Path) -> None:
    async with journal_with_connection(tmp_path) as (journal, connection):
        connection.execute("PRAGMA query_only = ON")
        results = await at_once([writing(journal, number) for number in range(5)])
        assert all(isinstance(each, JournalError) for each in results)
        connection.execute("PRAGMA query_only = OFF")
        assert await writing(journal, 9)()
        assert len(await journal.history()) == 1


async def test_a_call_waits_for_the_disk_three_times_and_reads_twice(tmp_path: Path) -> None:
    """Written down and claimed; its prediction; its image. And what the model cost last, and how long it takes."""
    statements: list[str] = []

    @asynccontextmanager
    async def traced(
        path: Path, clock: Callable[[], float], receipt_of: ReceiptOf | None = None
    ) -> AsyncGenerator[Journal]:
        connection, _ = open_database(path)
        connection.set_trace_callback(statements.append)
        database = SqliteDatabase(connection)
        yield Journal(database, clock, receipt_of)
        await database.close()

    request = ImageRequest(prompt="a fox", model="black-forest-labs/flux-schnell")
    async with (
        FaultGateway(Plan(run_s=0, born_done=1)) as gateway,
        room_at(gateway, tmp_path, profile="custom", open_journal=traced) as room,
    ):
        for _ in range(2):
            for _ in range(100):  # in turn with what the start, or the call before, has begun in the background
                await room.journal.history(1)
            statements.clear()
            assert (await generate_image(room, request, wait_s=20)).outcome == "succeeded"
            assert (statements.count("BEGIN IMMEDIATE"), statements.count("BEGIN")) == (3, 2)
