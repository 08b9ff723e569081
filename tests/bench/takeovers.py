"""Who follows the account, asked of the database five times a second: for how long nobody living does after a kill."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import anyio
import anyio.to_thread
import psycopg

_EVERY_S = 0.2
_WATCHER = """SELECT workers.id, extract(epoch FROM workers.last_heartbeat)::float8 FROM procrastinate_jobs AS jobs
    JOIN procrastinate_workers AS workers ON workers.id = jobs.worker_id
    WHERE jobs.task_name = 'watch' AND jobs.status = 'doing' ORDER BY 2 DESC LIMIT 1"""
_BUSY = "SELECT count(*) FROM busy_accounts"


@dataclass(frozen=True, slots=True)
class Sample:
    """`watcher` has the job that watches (None: nobody), and gave its last sign of life at `heard_at`."""

    at: float
    watcher: int | None
    heard_at: float
    is_busy: bool


@dataclass(frozen=True, slots=True)
class Kill:
    """One process, killed at `at` (seconds since the epoch)."""

    at: float
    is_worker: bool


class Follower:
    """Samples the database at `url` (as a superuser) while it runs."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self.samples: list[Sample] = []

    async def run(self, is_over: Callable[[], bool]) -> None:
        while not is_over():
            await anyio.to_thread.run_sync(self._look)
            await anyio.sleep(_EVERY_S)
        self._connection.close()

    def _look(self) -> None:
        row = self._connection.execute(_WATCHER).fetchone()
        busy = self._connection.execute(_BUSY).fetchone()
        watcher, heard_at = (int(row[0]), float(row[1])) if row else (None, 0.0)
        self.samples.append(Sample(time.time(), watcher, heard_at, bool(busy and busy[0])))


def unfollowed(samples: list[Sample], kills: list[Kill]) -> list[tuple[float, float]]:
    """From each kill of the worker that watched until another one has the watch: begin and end of each such time.

    A worker died at a kill where its last sign of life came before it and none after.
    """
    last_heard = {each.watcher: each.heard_at for each in samples}
    found: list[tuple[float, float]] = []
    for kill in (each for each in kills if each.is_worker):
        before = [each for each in samples if each.at <= kill.at and each.watcher is not None]
        if not before or kill.at - before[-1].at > 1.0:
            continue
        watcher = before[-1].watcher
        if last_heard.get(watcher, 0.0) > kill.at or any(begin <= kill.at < end for begin, end in found):
            continue
        after = (each.at for each in samples if each.at > kill.at and each.watcher not in (None, watcher))
        found.append((kill.at, next(after, samples[-1].at)))
    return found


def overlap_s(spells: list[tuple[float, float]], begin: float, end: float) -> float:
    """How much of the time between the two nobody followed."""
    return sum(max(0.0, min(end, until) - max(begin, since)) for since, until in spells)
