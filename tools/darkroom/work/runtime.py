"""Time and crash points as one value, so that tests can bring their own."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio

from darkroom.work.crash_points import CrashPoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """`clock` gives seconds since the epoch, `monotonic` ones that nobody can set; `at_crash_point` hears each.

    `on_create` is told of every create that goes out.
    """

    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    at_crash_point: Callable[[CrashPoint], None] = lambda point: None
    on_create: Callable[[], None] = lambda: None
