"""The journal's file: private, durable, of a known format, and never silently dropped."""

import os
import sqlite3
import stat
from pathlib import Path

import anyio.to_thread
import pytest
import systems
from journal_fixtures import ORIGIN, START, HandClock, adopting, intended, missed, new_intent, opened, prediction
from kept_tables import CREATE, create_empty

from darkroom.errors import JournalError
from darkroom.journal import IntentState, Journal
from darkroom.journal.migrations import migrate, released_steps
from darkroom.journal.sqlite import SqliteDatabase, open_database

pytestmark = pytest.mark.anyio
MIGRATIONS = released_steps()
NAME = "journal.sqlite3"


@pytest.fixture(autouse=True)
def made_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here a new file gets its tables as it does for a person."""
    monkeypatch.setattr(CREATE, create_empty)


def raw(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def asides(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{NAME}.corrupt-*"))


async def written(folder: Path, count: int = 1) -> list[str]:
    """Keys of so many sent intents in a closed journal."""
    async with opened(folder, HandClock()) as journal:
        keys = [(await intended(journal, new_intent(seed))).key for seed in range(count)]
        for key in keys:
            assert await journal.claim(key)
        return keys


@systems.mode_bits
async def test_the_file_is_private_in_a_private_folder(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "darkroom"
    async with opened(folder, HandClock()) as journal:
        await intended(journal, new_intent())
        modes = {path.name: mode(path) for path in folder.iterdir()}
    assert modes == {NAME: 0o600, f"{NAME}-wal": 0o600, f"{NAME}-shm": 0o600}
    assert mode(folder) == 0o700


@systems.mode_bits
async def test_a_file_that_others_could_read_becomes_private(tmp_path: Path) -> None:
    await written(tmp_path)
    (tmp_path / NAME).chmod(0o644)
    await written(tmp_path)
    assert mode(tmp_path / NAME) == 0o600


async def test_every_commit_waits_for_the_disk(tmp_path: Path) -> None:
    connection, warnings = open_database(tmp_path / NAME)
    pragmas = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")}
    connection.close()
    assert (pragmas, warnings) == ({"journal_mode": "wal", "synchronous": 2}, ())


async def test_what_was_written_is_there_after_reopening(tmp_path: Path) -> None:
    (key,) = await written(tmp_path)
    async with opened(tmp_path, HandClock()) as journal:
        intent = await journal.find(key)
        assert intent is not None and intent.state is IntentState.SENT
        assert journal.warnings == ()


@pytest.mark.parametrize("place", ["a file/data", "a folder"])
async def test_a_journal_that_cannot_be_written_says_what_to_set(tmp_path: Path, place: str) -> None:
    (tmp_path / "a file").write_text("")
    (tmp_path / "a folder" / NAME).mkdir(parents=True)
    with pytest.raises(JournalError, match="cannot be opened: .*DARKROOM_DATA_DIR") as caught:
        async with opened(tmp_path / place, HandClock()):
            pass
    assert len(caught.value.message) <= 300


async def test_a_long_path_keeps_the_message_short(tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("")
    with pytest.raises(JournalError) as caught:
        async with opened(tmp_path / "a file" / ("x" * 200), HandClock()):
            pass
    assert len(caught.value.message) <= 300


async def test_a_full_disk_loses_nothing_that_was_confirmed(tmp_path: Path) -> None:
    connection, _ = open_database(tmp_path / NAME)
    pages: int = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 4}")
    database = SqliteDatabase(connection)
    journal, keys = Journal(database, HandClock()), list[str]()
    with pytest.raises(JournalError, match="the disk is full"):
        while True:
            keys.append((await intended(journal, new_intent(len(keys), prompt="x" * 500))).key)
    assert await journal.find(keys[-1]) is not None
    await database.close()
    async with opened(tmp_path, HandClock()) as reopened:
        assert {intent.key for intent in await reopened.history(limit=1000)} == set(keys)


async def test_a_claim_that_cannot_be_written_is_not_won(tmp_path: Path) -> None:
    (key,) = await written(tmp_path)
    connection, _ = open_database(tmp_path / NAME)
    journal = Journal(database := SqliteDatabase(connection), HandClock())
    await missed(journal, key)
    connection.execute("PRAGMA query_only = ON")
    with pytest.raises(JournalError, match="cannot be written"):
        await journal.claim(key)
    connection.execute("PRAGMA query_only = OFF")
    assert await journal.claim(key)
    await database.close()


async def test_a_lock_that_is_never_released_becomes_an_error(tmp_path: Path) -> None:
    connection, _ = open_database(tmp_path / NAME)
    connection.execute("PRAGMA busy_timeout = 0")
    other = raw(tmp_path / NAME)
    other.execute("BEGIN IMMEDIATE")
    database = SqliteDatabase(connection)
    with pytest.raises(JournalError, match="another process keeps it locked"):
        await intended(Journal(database, HandClock()), new_intent())
    other.close()
    await intended(Journal(database, HandClock()), new_intent())
    await database.close()


async def test_a_journal_of_a_newer_version_is_left_alone_and_names_its_writer(tmp_path: Path) -> None:
    await written(tmp_path)
    connection = raw(tmp_path / NAME)
    connection.execute("INSERT INTO writers VALUES (?, '9.1.0')", (len(MIGRATIONS) + 1,))
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    before = (tmp_path / NAME).read_bytes()
    with pytest.raises(JournalError, match=r"darkroom 9\.1\.0 \(format \d+\).*update darkroom-mcp") as caught:
        async with opened(tmp_path, HandClock()):
            pass
    assert len(caught.value.message) <= 300
    assert (tmp_path / NAME).read_bytes() == before


async def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    connection = raw(tmp_path / NAME)
    connection.execute("CREATE TABLE somebody_elses (x)")
    connection.close()
    with pytest.raises(JournalError, match="another program"):
        async with opened(tmp_path, HandClock()):
            pass


async def test_a_file_that_is_no_database_is_kept_aside_and_said(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"not a database " * 1000)
    async with opened(tmp_path, HandClock()) as journal:
        (warning,) = journal.warnings
        await intended(journal, new_intent())
    (aside,) = asides(tmp_path)
    assert aside.read_bytes() == b"not a database " * 1000
    assert "The journal was damaged" in warning and aside.name in warning


async def test_damaged_pages_are_found_at_the_door_and_kept_aside(tmp_path: Path) -> None:
    await written(tmp_path, 60)
    content = bytearray((tmp_path / NAME).read_bytes())
    content[8192:-4096] = os.urandom(len(content) - 8192 - 4096)
    (tmp_path / NAME).write_bytes(content)
    (tmp_path / f"{NAME}-wal").write_bytes(b"left over")
    async with opened(tmp_path, HandClock()) as journal:
        assert len(journal.warnings) == 1
        assert await journal.history() == ()
    assert asides(tmp_path)[0].read_bytes()[8192:9000] == bytes(content[8192:9000])


async def test_a_second_damaged_file_does_not_overwrite_the_first(tmp_path: Path) -> None:
    for turn in range(2):
        (tmp_path / NAME).write_bytes(b"damage %d" % turn * 1000)
        async with opened(tmp_path, HandClock(START)):
            pass
    assert len({path.read_bytes() for path in asides(tmp_path)}) == 2


async def test_damage_that_appears_later_is_an_error_not_a_crash(tmp_path: Path) -> None:
    await written(tmp_path, 60)
    connection, _ = open_database(tmp_path / NAME)
    connection.execute("PRAGMA cache_size = 0")
    connection.execute("PRAGMA shrink_memory")
    database = SqliteDatabase(connection)
    content = (tmp_path / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(content[:4096] + os.urandom(len(content) - 4096))
    with pytest.raises(JournalError, match="damaged; restart darkroom"):
        await Journal(database, HandClock()).history(limit=500)
    await database.close()


async def test_an_empty_file_becomes_a_journal(tmp_path: Path) -> None:
    (tmp_path / NAME).touch()
    async with opened(tmp_path, HandClock()) as journal:
        await journal.record(prediction("pred0001"), adopting=adopting())
        assert journal.warnings == ()


def test_migrations_are_applied_once_and_in_order(tmp_path: Path) -> None:
    connection = raw(tmp_path / NAME)
    migrate(connection)
    connection.execute("INSERT INTO images (prediction_id, idx, url, state) VALUES ('p', 0, 'u', 'wanted')")
    longer = (*MIGRATIONS, ("ALTER TABLE images ADD COLUMN note TEXT",), ("UPDATE images SET note = 'third'",))
    migrate(connection, longer)
    migrate(connection, longer)
    assert connection.execute("SELECT note FROM images").fetchall() == [("third",)]
    assert connection.execute("PRAGMA user_version").fetchone() == (len(longer),)
    formats = [row[0] for row in connection.execute("SELECT format FROM writers ORDER BY format")]
    assert formats == list(range(1, len(longer) + 1))
    connection.close()


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    connection = raw(tmp_path / NAME)
    migrate(connection)
    broken = (*MIGRATIONS, ("ALTER TABLE images ADD COLUMN note TEXT",), ("INSERT INTO nowhere VALUES (1)",))
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, broken)
    assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    assert "note" not in [row[1] for row in connection.execute("PRAGMA table_info(images)")]
    connection.close()


async def test_several_journals_open_a_new_file_at_once(tmp_path: Path) -> None:
    async def open_and_close() -> None:
        connection, _ = await anyio.to_thread.run_sync(open_database, tmp_path / NAME)
        connection.close()

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(open_and_close)
    assert await written(tmp_path)


@systems.mode_bits
async def test_opening_does_not_change_a_folder_that_is_there(tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o755)
    await written(tmp_path)
    assert mode(tmp_path) == 0o755


async def test_a_journal_of_the_first_format_is_taken_over(tmp_path: Path) -> None:
    """Its open doubts, wanted images and sums are there; its rows are everybody's."""
    connection = raw(tmp_path / NAME)
    migrate(connection, MIGRATIONS[:1])
    columns = "key, request_id, part, gateway, origin, model, version, input_shown, file_fields, fingerprint, request,"
    columns += " image_count, estimate_usd, state, prediction_id, status, intended_at, sent_at, known_at, ended_at"
    rows = [
        ("k1", "one", "unknown", None, None, None),
        ("k2", "two", "known", "pred0001", "succeeded", START + 9),
        ("k3", "three", "known", "pred0002", "processing", None),
    ]
    for key, request_id, state, prediction_id, status, ended_at in rows:
        values = (key, request_id, 0, "replicate", ORIGIN, "a/b", "", '{"prompt":"x"}', "[]", "f", '{"prompt":"x"}')
        values += (1, 0.5, state, prediction_id, status, START, START, START if prediction_id else None, ended_at)
        connection.execute(f"INSERT INTO intents ({columns}) VALUES ({', '.join('?' * len(values))})", values)
    connection.execute(
        "INSERT INTO images (prediction_id, idx, url, state) VALUES ('pred0001', 0, 'https://x/a', 'wanted')"
    )
    connection.execute(
        "INSERT INTO images (prediction_id, idx, url, state) VALUES ('pred0001', 1, 'https://x/b', 'stored')"
    )
    connection.close()
    async with opened(tmp_path, HandClock()) as journal:
        assert [intent.key for intent in await journal.unresolved(ORIGIN)] == ["k1"]
        assert {intent.key for intent in await journal.unfinished(ORIGIN)} == {"k2", "k3"}
        row = await journal.find("pred0001")
        assert row and row.account == row.output_place == "" and row.images[0].expires_at is not None
        totals = await journal.totals()
        assert (totals.prediction_count, totals.unresolved_count, totals.stored_count) == (2, 1, 1)
        assert (totals.spending.settled_usd, totals.spending.reserved_usd) == (0.5, 1.0)


@pytest.mark.parametrize("becomes", ["removed", "moved away with its folder", "another one"])
@systems.posix_files
async def test_nothing_new_is_begun_in_a_journal_that_was_taken_away(tmp_path: Path, becomes: str) -> None:
    folder = tmp_path / "data"
    async with opened(folder, HandClock()) as journal:
        before, waiting = await intended(journal, new_intent(1)), await intended(journal, new_intent(2))
        assert await journal.claim(before.key)
        if becomes == "moved away with its folder":
            folder.rename(tmp_path / "moved")
        else:
            (folder / NAME).unlink()
        if becomes == "another one":
            raw(folder / NAME).execute("CREATE TABLE x (y)")
        with pytest.raises(JournalError, match=r"removed or replaced .* Nothing was sent\. .* restart"):
            await intended(journal, new_intent(3))
        with pytest.raises(JournalError, match="removed or replaced"):
            await journal.claim(waiting.key)
        # What is paid for already goes on.
        assert (await journal.mark_known(before.key, prediction("p1" * 13))).prediction_id == "p1" * 13
