"""Many creates, many ends of the process, a gateway that misbehaves; and at the end the books are compared."""

import json
import os
import random
import subprocess
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import cycle
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import anyio.to_thread
import crash_child
from anyio.streams.text import TextReceiveStream
from fault_plan import Plan, Truth, picture
from forking_program import python_command
from gateway_process import GatewayProcess, gateway_process
from postgres_server import PostgresServer

from darkroom.images import ImageState
from darkroom.journal import Intent
from darkroom.work.runtime import CrashPoint

ANYWHERE = "anywhere, by the clock"
_FAULTS = Plan(creates=0.3, looks=0.3, born_done=0.2, run_s=0.3, stall_s=1.2, lag_s=0.5, oddities=0.3, holds=True)
# By how much the clock of a life may have been set, in seconds. What one has left in doubt, only its like can settle.
_CLOCKS_AHEAD_S = (0.0, 300.0, -300.0)
_ASKS_FOR_HOLDS = 0.75
_AFTER_AT_MOST_S = 2.0
_RARE = (CrashPoint.REFUSED, CrashPoint.ID_KEPT)
_REFUSES_NEXT = replace(_FAULTS, script=("429", "503") * 2)  # by chance alone many a life would pass without that


@dataclass(kw_only=True)
class Figures:
    """What a run counted. `lost`: made at the gateway, not in the journal. `duplicated`: made beyond what was asked."""

    requests: int
    seconds: float = 0.0
    lives: int = 0
    restarts: int = 0
    kills: Counter[str] = field(default_factory=Counter[str])
    intents: int = 0
    creates_on_the_wire: int = 0
    held: int = 0
    created: int = 0
    faults: Counter[str] = field(default_factory=Counter[str])
    lost: int = 0
    duplicated: int = 0
    open_intents: int = 0
    images: int = 0
    images_missing: int = 0
    images_stored_twice: int = 0
    images_wrong: int = 0

    def lines(self) -> list[str]:
        kills = ", ".join(f"{name} {count}" for name, count in sorted(self.kills.items()))
        faults = ", ".join(f"{name} {count}" for name, count in sorted(self.faults.items()))
        return [
            f"{self.requests} requests, {self.intents} intents, {self.kills.total()} kills in {self.lives} lives, "
            f"{self.restarts} restarts of the database, {self.seconds:.0f} s",
            f"creates on the wire {self.creates_on_the_wire}, to be held {self.held}, predictions made {self.created}",
            f"lost {self.lost}, duplicated {self.duplicated}, left open {self.open_intents}",
            f"images {self.images}: missing {self.images_missing}, stored twice {self.images_stored_twice}, "
            f"with other bytes {self.images_wrong}",
            f"kills: {kills}",
            f"answers: {faults}",
        ]


@dataclass(frozen=True, kw_only=True)
class CrashRun:
    """`lanes` processes work on one journal at once; a life has `batch` requests, four times that if none ends it.

    Up to `more` requests are added while an end has not been met. With `postgres` the journal is there, and that is
    ended in the middle of its work every `restart_every_s`.
    """

    folder: Path
    postgres: PostgresServer | None = None
    restart_every_s: float = 0.0
    requests: int
    kills: int
    more: int = 0
    batch: int = 10
    lanes: int = 2
    seed: int = 1

    async def run(self) -> Figures:
        """Until every picture is home. The kills go round all moments; the rest of the requests meets faults only."""
        started = time.monotonic()
        figures = Figures(requests=self.requests)
        pending = deque(range(self.requests))
        rounds = [*CrashPoint, ANYWHERE] * (self.kills // len(CrashPoint) + 1)
        rng, clocks = random.Random(self.seed), cycle(_CLOCKS_AHEAD_S)
        ends = deque((end, 1 if end in _RARE else rng.randint(1, 3)) for end in rounds[: self.kills])
        with gateway_process(_FAULTS) as gateway:
            gateway.serve_accounts(dict.fromkeys(crash_child.KEYS, "ada"))
            async with anyio.create_task_group() as restarts:
                restarts.start_soon(self._restart, ends, figures)
                async with anyio.create_task_group() as tasks:
                    for lane in range(self.lanes):
                        lives = _Lives(random.Random(self.seed + lane), clocks)
                        tasks.start_soon(self._lane, gateway, pending, ends, figures, lives)
                restarts.cancel_scope.cancel()
            await self._compare(gateway.truth(), figures)
        figures.seconds = time.monotonic() - started
        return figures

    @property
    def _place(self) -> crash_child.Place:
        return crash_child.Place(self.folder, self.postgres.app if self.postgres else "")

    async def _restart(self, ends: deque[tuple[str, int]], figures: Figures) -> None:
        """As long as processes are ended, too: what both have left is brought home in peace."""
        while self.postgres and self.restart_every_s and ends:
            await anyio.sleep(self.restart_every_s)
            await anyio.to_thread.run_sync(self.postgres.restart)
            figures.restarts += 1

    async def _lane(
        self,
        gateway: GatewayProcess,
        pending: deque[int],
        ends: deque[tuple[str, int]],
        figures: Figures,
        lives: "_Lives",
    ) -> None:
        words = [crash_child.__file__, str(self.folder), gateway.base_url]
        words += [self._place.database] if self.postgres else []
        environ = dict(os.environ)
        command = python_command(environ, *words)
        async with await anyio.open_process(command, env=environ, stderr=None) as process:
            while self._is_left(pending, ends, figures):
                end, times = ends.popleft() if ends else ("", 0)
                size = min(self.batch if end else 4 * self.batch, len(pending))
                # Those that other lives have begun, and fresh ones: without creates no life would end at one.
                numbers = [pending.pop() if n % 2 else pending.popleft() for n in range(size)]
                # What another lane is at, too: two processes with one request_id.
                numbers_of_both = [*numbers, *list(pending)[-2:]]
                if end is CrashPoint.REFUSED:
                    await anyio.to_thread.run_sync(gateway.follow, _REFUSES_NEXT)
                answer = await lives.one(process, numbers_of_both, end, times)
                figures.lives += 1
                if answer["killed"]:
                    figures.kills[end] += 1
                elif end:
                    ends.append((end, 1))
                pending.extendleft(number for number in numbers if number not in answer["done"])

    def _is_left(self, pending: deque[int], ends: deque[tuple[str, int]], figures: Figures) -> bool:
        """While an end has not been met there are fresh requests, up to `more`."""
        if ends and len(pending) < self.batch:
            count = min(self.batch, self.requests + self.more - figures.requests)
            pending.extend(range(figures.requests, figures.requests + count))
            figures.requests += count
        return bool(pending)

    async def _compare(self, truth: Truth, figures: Figures) -> None:
        async with self._place.journal(self.folder / "data" / "journal.sqlite3", time.time) as journal:
            intents = await journal.history(limit=10 * figures.requests)
        known = {intent.prediction_id for intent in intents}
        asked = Counter({f"picture {n}": crash_child.prediction_count(n) for n in range(figures.requests)})
        figures.intents = len(intents)
        figures.held = sum("prefer" in headers for headers in truth.create_headers)
        figures.creates_on_the_wire, figures.created = truth.creates, len(truth.predictions)
        figures.faults = Counter(truth.faults)
        figures.lost = sum(made.id not in known for made in truth.predictions)
        figures.duplicated = (Counter(truth.prompts) - asked).total()
        figures.open_intents = sum(not intent.prediction_id for intent in intents)
        _compare_images(truth, intents, self.folder / "images", figures)


def _compare_images(truth: Truth, intents: tuple[Intent, ...], folder: Path, figures: Figures) -> None:
    names = {f"{made.id}-{n}.png" for made in truth.predictions for n in range(made.input.get("num_outputs", 1))}
    figures.images = len(names)
    stored = [image for intent in intents for image in intent.images if image.state is ImageState.STORED]
    contents = [path.read_bytes() for path in folder.glob("*.png")]
    wanted = {picture(name) for name in names}
    figures.images_missing = len(wanted - set(contents)) + max(0, len(names) - len(stored))
    figures.images_stored_twice = len(contents) - len(set(contents))
    figures.images_wrong = len(set(contents) - wanted)


@dataclass(frozen=True)
class _Lives:
    """How the lives of a lane differ. Where none ends them, `clocks` go round, so that every doubt is settled soon."""

    rng: random.Random
    clocks: Iterator[float]

    async def one(self, process: anyio.abc.Process, numbers: list[int], end: str, times: int) -> dict[str, Any]:
        rng = self.rng
        order: dict[str, Any] = {"numbers": numbers}
        # A held answer tells the end, so that no state is seen before.
        order |= {"holds": rng.random() < _ASKS_FOR_HOLDS and end is not CrashPoint.SEEN}
        ahead_s = rng.choice(_CLOCKS_AHEAD_S) if end else next(self.clocks)
        order |= {"key": rng.randrange(len(crash_child.KEYS)), "clock_ahead_s": ahead_s}
        if end == ANYWHERE:
            order["after_s"] = rng.uniform(0.02, _AFTER_AT_MOST_S)
        elif end:
            order |= {"at": end, "times": times}
        assert process.stdin and process.stdout
        await process.stdin.send(json.dumps(order).encode() + b"\n")
        line = ""
        async for part in TextReceiveStream(process.stdout):
            line += part
            if line.endswith("\n"):
                return json.loads(line)
        raise subprocess.SubprocessError("the crash child ended")
