"""An open Darkroom on a fault gateway, a clock that can be set, and ears for its moments."""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import anyio
from scripted_gateway import gateway_at

from darkroom.darkroom import Darkroom, DarkroomOptions
from darkroom.gateways import Key, Timeouts
from darkroom.journal import day_start
from darkroom.work.runtime import CrashPoint


class NoonClock:
    """It is noon of today where it begins, so that no test runs past midnight. Seconds since 1970.

    Time that has passed moves both clocks; who sets the clock of the computer moves only that one.
    """

    def __init__(self) -> None:
        now = time.time()
        self._ahead_s = day_start(now) + 12 * 3600 - now
        self._passed_s = 0.0

    def __call__(self) -> float:
        return time.time() + self._ahead_s

    def monotonic(self) -> float:
        return time.monotonic() + self._passed_s

    def move(self, seconds: float) -> None:
        """Time passes."""
        self._ahead_s += seconds
        self._passed_s += seconds

    def set_by(self, seconds: float) -> None:
        """Somebody sets the clock."""
        self._ahead_s += seconds


async def quick_sleep(seconds: float) -> None:
    """The pauses of the work between two looks, so short that tests need not wait for them."""
    await anyio.sleep(seconds / 5)


async def until(is_so: Callable[[], object]) -> None:
    """Return once it is so; who calls bounds it."""
    while not is_so():  # noqa: ASYNC110 - what it waits for gives no event
        await anyio.sleep(0.01)


class Ears:
    """Hears every moment; `heard` gives an event to wait for, `at` does something at the next such moment."""

    def __init__(self) -> None:
        self._events = {moment: anyio.Event() for moment in CrashPoint}
        self._actions: dict[CrashPoint, Callable[[], object]] = {}

    def __call__(self, moment: CrashPoint) -> None:
        self._events[moment].set()
        if action := self._actions.pop(moment, None):
            action()

    def at(self, moment: CrashPoint, action: Callable[[], object]) -> None:
        self._actions[moment] = action

    async def heard(self, moment: CrashPoint) -> None:
        await self._events[moment].wait()


class Served(Protocol):
    """A gateway of the tests, in this process or in another."""

    base_url: str


def room_options(gateway: Served, folder: Path, **changes: Any) -> DarkroomOptions:
    """A Replicate that is not asked to hold a create, but where `holds`; `profile` names another gateway."""
    profile, holds = gateway_at(gateway.base_url, changes.pop("profile", "replicate")), changes.pop("holds", False)
    options = DarkroomOptions(
        gateway=replace(profile, honours_prefer=holds, output_hosts=("*",)),
        key=Key("room-key-0123456789"),
        data_dir=folder / "data",
        output_dir=str(folder / "images"),
        timeouts=Timeouts(connect_s=2, write_s=2, read_s=2),
        clock=NoonClock(),
        sleep=quick_sleep,
    )
    if isinstance(clock := changes.get("clock"), NoonClock):
        changes.setdefault("monotonic", clock.monotonic)
    return replace(options, **changes)


@asynccontextmanager
async def room_at(gateway: Served, folder: Path, **changes: Any) -> AsyncGenerator[Darkroom]:
    with anyio.fail_after(240):  # far more than it takes on a busy machine
        async with Darkroom.open(room_options(gateway, folder, **changes)) as room:
            yield room
