"""A long journal is not read whole at each start; what is damaged is kept aside all the same."""

import os
import sqlite3
import stat
import sys
from contextlib import closing
from pathlib import Path

import pytest
from journal_fixtures import START, HandClock, intended, new_intent, opened

from darkroom.errors import JournalError
from darkroom.journal.file_check import SMALL_BYTES

pytestmark = pytest.mark.anyio
NAME = "journal.sqlite3"
DAY_S = 24 * 3600


async def long_journal(folder: Path) -> None:
    """Rows, and so much else that the file is a large one."""
    async with opened(folder, HandClock(START)) as journal:
        for seed in range(3):
            await intended(journal, new_intent(seed))
    with closing(sqlite3.connect(folder / NAME)) as connection, connection:
        connection.execute("INSERT INTO meta VALUES ('large', zeroblob(?))", (SMALL_BYTES + 1,))


def damage(folder: Path) -> None:
    """Random bytes in the place of the page where the rows begin, which no start needs."""
    with closing(sqlite3.connect(folder / NAME)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'intents'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with (folder / NAME).open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(os.urandom(size))


async def warnings_at(folder: Path, now: float) -> tuple[str, ...]:
    async with opened(folder, HandClock(now)) as journal:
        return journal.warnings


async def test_a_large_file_is_read_whole_once_a_day(tmp_path: Path) -> None:
    await long_journal(tmp_path)
    assert await warnings_at(tmp_path, START) == ()
    if sys.platform != "win32":
        assert stat.S_IMODE((tmp_path / f"{NAME}-whole").stat().st_mode) == 0o600
    damage(tmp_path)
    assert await warnings_at(tmp_path, START + DAY_S - 1) == ()
    (told,) = await warnings_at(tmp_path, START + DAY_S)
    assert "damaged" in told


async def test_a_clock_that_was_set_back_does_not_put_the_look_off(tmp_path: Path) -> None:
    await long_journal(tmp_path)
    await warnings_at(tmp_path, START)
    damage(tmp_path)
    (told,) = await warnings_at(tmp_path, START - 1)
    assert "damaged" in told


async def test_damage_that_a_reading_meets_is_kept_aside_at_the_next_start(tmp_path: Path) -> None:
    await long_journal(tmp_path)
    await warnings_at(tmp_path, START)
    damage(tmp_path)
    async with opened(tmp_path, HandClock(START)) as journal:
        with pytest.raises(JournalError, match="restart darkroom, which then keeps it aside"):
            await journal.history()
    (told,) = await warnings_at(tmp_path, START)
    assert "damaged" in told and len(list(tmp_path.glob(f"{NAME}.corrupt-*"))) == 1
