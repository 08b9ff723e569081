"""How long the journal's readings take with many rows. Run: python tests/bench/journal_scale.py [ROWS]."""

import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools"), str(ROOT / "server")]

import anyio  # noqa: E402
from journal_fixtures import ORIGIN, new_intent  # noqa: E402
from test_journal_scale import readings  # noqa: E402

from darkroom.journal import Journal  # noqa: E402
from darkroom.journal.codec import values_of  # noqa: E402
from darkroom.journal.sqlite import SqliteDatabase, open_database  # noqa: E402

_TURNS = 20
_ENDED = """UPDATE intents SET state = 'known', prediction_id = 'p' || key, status = 'succeeded', sent_at = intended_at,
    known_at = intended_at, ended_at = intended_at + 2, total_s = 2"""
_IMAGES = """INSERT INTO images (prediction_id, idx, url, state, expires_at)
    SELECT prediction_id, 0, 'https://files.invalid/' || key, 'stored', intended_at + 3600 FROM intents"""


async def main(rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        connection, _ = open_database(Path(folder) / "journal.sqlite3")
        start = time.time() - rows * 60
        connection.execute("BEGIN")
        new = new_intent()
        columns = values_of(new, "", start)
        connection.executemany(
            f"INSERT INTO intents ({', '.join(columns)}) VALUES (:{', :'.join(columns)})",
            (values_of(new, f"{number:026d}", start + number * 60) for number in range(rows)),
        )
        connection.execute(_ENDED)
        connection.execute(_IMAGES)
        connection.execute(f"UPDATE intents SET ended_at = NULL, status = 'processing' WHERE key > '{rows - 5:026d}'")
        connection.execute("COMMIT")
        journal = Journal(SqliteDatabase(connection), time.time)
        print(f"{rows} rows, {ORIGIN}; median of {_TURNS}, ms")
        for name, reading in readings(time.time() - 24 * 3600).items():
            print(f"  {name:<28} {await _median_ms(journal, reading):8.2f}")
        connection.close()


async def _median_ms(journal: Journal, reading: Callable[[Journal], Awaitable[Any]]) -> float:
    times: list[float] = []
    for _ in range(_TURNS):
        began = time.perf_counter()
        await reading(journal)
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


if __name__ == "__main__":
    anyio.run(main, int(sys.argv[1]) if len(sys.argv) > 1 else 300_000)
