"""The process that is ended in the middle of its work, again and again.

Run: python tests/crash_child.py FOLDER BASE_URL [DATABASE_URL]. Each line of stdin is one life as JSON: {"numbers":
[...], "at": a moment, "times": how often it is passed before the end, "after_s": or else an end by the clock}.
Everything is imported once; each life is a fork. The answer to a line: {"killed": true, "done": [numbers whose
pictures are home]}.
"""

import importlib
import json
import os
import sqlite3
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

import anyio
from scripted_gateway import gateway_at

from darkroom.darkroom import Darkroom, DarkroomOptions
from darkroom.errors import JournalError
from darkroom.gateways import Key, Timeouts
from darkroom.generate_image import generate_image
from darkroom.journal import Intent, Journal, ReceiptOf, open_journal
from darkroom.registry import ImageRequest, ModelRegistry
from darkroom.work.runtime import CrashPoint

CRASHED = 7
KEYS = ("crash-key-0123456789", "crash-key-9876543210")
SETTLE_S = 3.0
# A life whose clock is behind that of one before waits in vain for a doubt to be settled; the next one may not.
LIFE_S = 8.0
_AGAIN_AFTER_S = 1.0
# Long enough for an id to be kept in a file, shorter than others wait for the lock.
_LOCKED_S = 2.0
# A whole create takes less than half the settle time, as it does with the product's own values.
_TIMEOUTS = Timeouts(connect_s=0.4, write_s=0.4, read_s=0.4)


@dataclass(frozen=True)
class Place:
    """Where the journal and the images of all lives are; the journal is a file in the folder without a `database`."""

    folder: Path
    database: str = ""

    @asynccontextmanager
    async def journal(
        self, path: Path, clock: Callable[[], float], receipt_of: ReceiptOf | None = None
    ) -> AsyncGenerator[Journal]:
        """Of one person of a team where there is a database."""
        if not self.database:
            async with open_journal(path, clock, receipt_of) as journal:
                yield journal
            return
        from darkroom.journal.postgres import open_postgres

        async with open_postgres(self.database) as postgres:
            yield Journal(postgres.database("crash", "ada"), clock, receipt_of)

    def lock(self) -> Callable[[], object]:
        """Keep everybody from writing until the function is called that this gives."""
        if not self.database:
            path = self.folder / "data" / "journal.sqlite3"
            lock = sqlite3.connect(path, timeout=1, isolation_level=None, check_same_thread=False)
            with suppress(sqlite3.OperationalError):  # another life has locked it: then nobody can write either
                lock.execute("BEGIN IMMEDIATE")
            return lock.close
        import psycopg

        with suppress(psycopg.Error):  # nor then
            connection = psycopg.connect(self.database, options="-c lock_timeout=1s")
            connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('crash', 7))")
            return connection.close
        return lambda: None


def request_for(number: int) -> ImageRequest:
    """Every tenth asks for two images of a model that makes one, every seventh for two of one that makes four."""
    if number % 10 == 0:
        return ImageRequest(prompt=f"picture {number}", model="black-forest-labs/flux-1.1-pro", count=2)
    return ImageRequest(
        prompt=f"picture {number}", model="black-forest-labs/flux-schnell", count=2 if number % 7 == 0 else 1
    )


def prediction_count(number: int) -> int:
    return 2 if number % 10 == 0 else 1


def options(
    place: Place, base_url: str, at_crash_point: Callable[[CrashPoint], None], life: Mapping[str, Any]
) -> DarkroomOptions:
    """A Replicate that is asked to hold its answers; everything that waits for minutes waits for seconds.

    A life has one of the account's two keys, a clock that may have been set, and may not ask for holds.
    """
    ahead_s: float = life.get("clock_ahead_s", 0.0)
    return DarkroomOptions(
        clock=lambda: time.time() + ahead_s,
        gateway=replace(gateway_at(base_url), honours_prefer=bool(life.get("holds"))),
        key=Key(KEYS[int(life.get("key", 0))]),
        data_dir=place.folder / "data",
        output_dir=str(place.folder / "images"),
        open_journal=place.journal,
        timeouts=_TIMEOUTS,
        settle_s=SETTLE_S,
        lease_s=2.0,
        at_crash_point=at_crash_point,
    )


async def live(options: DarkroomOptions, numbers: Sequence[int], tell: Callable[[int], None]) -> None:
    """Ask for every number until its pictures are home, always with the same request_id, as an assistant should."""
    with anyio.move_on_after(LIFE_S):
        while True:
            with suppress(JournalError):  # somebody else keeps it locked
                async with Darkroom.open(options) as room, anyio.create_task_group() as tasks:
                    for number in numbers:
                        tasks.start_soon(_bring, room, number, tell)
                return


async def _bring(room: Darkroom, number: int, tell: Callable[[int], None]) -> None:
    while True:
        with suppress(JournalError):  # its database goes away now and then
            report = await generate_image(room, request_for(number), wait_s=5, request_id=f"number {number}")
            # Where the look for a lost part takes too long, an answer is about the others alone.
            if len(report.intents) == prediction_count(number) and all(map(_is_home, report.intents)):
                return tell(number)
        await anyio.sleep(_AGAIN_AFTER_S)


def _is_home(intent: Intent) -> bool:
    return bool(intent.images) and all(image.file for image in intent.images)


def in_fork(place: Place, base_url: str, order: Mapping[str, Any]) -> dict[str, Any]:
    """One life; a fork has no memory but the journal."""
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(told)
        at_crash_point = _ending(place, CrashPoint(order["at"]), order["times"]) if order.get("at") else _unheard
        if order.get("after_s"):
            threading.Timer(order["after_s"], lambda: os._exit(CRASHED)).start()
        with open(tell, "w", encoding="ascii", buffering=1) as lines:
            anyio.run(live, options(place, base_url, at_crash_point, order), order["numbers"], _teller(lines))
        os._exit(0)
    os.close(tell)
    with open(told, encoding="ascii") as lines:
        done = [int(line) for line in lines]
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in (0, CRASHED):
        raise SystemExit(f"a life ended with {code}")
    return {"killed": code == CRASHED, "done": done}


def _teller(lines: TextIO) -> Callable[[int], None]:
    return lambda number: print(number, file=lines)


def _unheard(moment: CrashPoint) -> None:
    """Nobody dies here."""


def _ending(place: Place, at: CrashPoint, times: int) -> Callable[[CrashPoint], None]:
    left = times
    locks: list[Callable[[], object]] = []

    def unlock() -> None:
        locks.pop()()

    def at_crash_point(point: CrashPoint) -> None:
        nonlocal left
        left -= point is at
        if left <= 0:
            os._exit(CRASHED)
        if at is CrashPoint.ID_KEPT and point is CrashPoint.CREATED and not locks:
            # Only a journal that cannot be written brings us there.
            locks.append(place.lock())
            # An answer that was found in the list meanwhile writes nothing: the others are not kept waiting for that.
            threading.Timer(_LOCKED_S, unlock).start()

    return at_crash_point


def main(place: Place, base_url: str) -> None:
    database = "darkroom.journal.postgres" if place.database else "darkroom.journal.sqlite"
    for name in ("darkroom.gateways.wire", database, "darkroom.outputs.store"):
        importlib.import_module(name)
    ModelRegistry.load().names()
    for line in sys.stdin:
        print(json.dumps(in_fork(place, base_url, json.loads(line))), flush=True)


if __name__ == "__main__":
    main(Place(Path(sys.argv[1]), *sys.argv[3:]), sys.argv[2])
