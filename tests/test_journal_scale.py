"""No reading of the journal grows with its length: an index answers each statement (see bench/journal_scale.py)."""

import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from journal_fixtures import GATEWAY, MODEL, ORIGIN, HandClock, adopting, intended, new_intent, prediction

from darkroom.journal import Filter, Journal
from darkroom.journal.sqlite import SqliteDatabase, open_database
from darkroom.predictions import PredictionStatus

pytestmark = pytest.mark.anyio


def readings(since: float) -> dict[str, Callable[[Journal], Awaitable[Any]]]:
    """Everything that is asked of a journal again and again."""
    return {
        "history": lambda journal: journal.history(20),
        "the next page of history": lambda journal: journal.history(20, before="0"),
        "latest": lambda journal: journal.latest(),
        "latest of a conversation": lambda journal: journal.latest("mine"),
        "totals": lambda journal: journal.totals(),
        "unfinished": lambda journal: journal.unfinished(ORIGIN),
        "unresolved": lambda journal: journal.unresolved(ORIGIN),
        "absent": lambda journal: journal.absent(ORIGIN, 3600),
        "known ids": lambda journal: journal.known_ids(ORIGIN, since),
        "seconds": lambda journal: journal.seconds(GATEWAY, MODEL),
        "by request": lambda journal: journal.by_request("wish"),
        "find": lambda journal: journal.find("pred0001"),
        "spent today": lambda journal: journal.spent_usd(since),
        "last bill": lambda journal: journal.last_bill(ORIGIN, MODEL),
        "sent of late": lambda journal: journal.sent_since(ORIGIN, "mine", since),
        "the newest": lambda journal: journal.lists.between(0.0, 1e18, 10),
        "a day": lambda journal: journal.lists.between(since, since + 86_400, 10),
        "words of a prompt": lambda journal: journal.lists.matching(Filter(words=("fox",)), 10),
        "money of a day": lambda journal: journal.lists.money(since, since + 86_400),
        "has a log": lambda journal: journal.has_token_log("mine"),
    }


@pytest.mark.parametrize("reading", readings(0))
async def test_a_reading_is_answered_by_indexes(tmp_path: Path, reading: str) -> None:
    connection, _ = open_database(tmp_path / "journal.sqlite3")
    journal = Journal(SqliteDatabase(connection), HandClock())
    await intended(journal, new_intent(request_id="wish"))
    done = prediction("pred0001", PredictionStatus.SUCCEEDED, output=("https://files.invalid/a.png",))
    await journal.record(done, adopting=adopting())
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    await readings(0)[reading](journal)
    connection.set_trace_callback(None)
    selects = [each for each in statements if each.startswith("SELECT")]
    assert selects
    for statement in selects:
        slow = [step for step in _plan(connection, statement) if _grows(step)]
        assert not slow, f"{slow} in {statement}"
    connection.close()


def _plan(connection: sqlite3.Connection, statement: str) -> list[str]:
    return [row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]


def _grows(step: str) -> bool:
    """A table is read whole, or all of a gateway is."""
    is_scan = step.startswith("SCAN ") and "USING" not in step and ("intents" in step or "images" in step)
    return is_scan or (step.endswith("(origin=?)") and "intents_running" not in step)
