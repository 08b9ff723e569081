"""Several have one journal file open: a start waits for no writer, and a second use takes no locks away."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from fault_gateway import FaultGateway
from fault_plan import Plan
from journal_fixtures import HandClock, intended, new_intent, opened
from open_rooms import room_at

from darkroom.generate_image import generate_image
from darkroom.list_predictions import list_predictions
from darkroom.registry import ImageRequest

pytestmark = pytest.mark.anyio
NAME = "journal.sqlite3"
FOX = ImageRequest(prompt="a fox", model="black-forest-labs/flux-schnell")
# The last program that closes the file empties the -wal into it and deletes the -wal.
_WRITES = "database.execute(\"INSERT INTO meta VALUES ('somebody', 'else')\"); database.commit()"
_COUNTS = "print(database.execute('SELECT count(*) FROM intents').fetchone()[0])"


def in_another_process(folder: Path, does: str) -> str:
    program = f"import sqlite3, sys; database = sqlite3.connect(sys.argv[1]); {does}; database.close()"
    command = [sys.executable, "-c", program, str(folder / NAME)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


async def test_what_is_written_after_a_second_use_in_one_process_is_kept(tmp_path: Path) -> None:
    async with opened(tmp_path, HandClock()) as journal:
        await intended(journal, new_intent(1))
        async with opened(tmp_path, HandClock()):
            pass
        in_another_process(tmp_path, _WRITES)
        await intended(journal, new_intent(2))
        assert in_another_process(tmp_path, _COUNTS) == "2"


async def test_a_journal_is_opened_and_read_while_another_process_writes(tmp_path: Path) -> None:
    async with opened(tmp_path, HandClock()) as journal:
        key = (await intended(journal, new_intent())).key
    with closing(sqlite3.connect(tmp_path / NAME, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        async with opened(tmp_path, HandClock()) as journal:
            assert await journal.find(key)


async def test_a_darkroom_that_only_reads_waits_for_no_writer(tmp_path: Path) -> None:
    async with FaultGateway(Plan(run_s=0)) as gateway:
        async with room_at(gateway, tmp_path) as room:
            assert (await generate_image(room, FOX, wait_s=20)).outcome == "succeeded"
        with closing(sqlite3.connect(tmp_path / "data" / NAME, isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            async with room_at(gateway, tmp_path) as room:
                assert (await list_predictions(room, "recent", 10)).data["predictions"]
