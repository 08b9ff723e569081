"""Time and crash points as one value, so that tests can bring their own.

Crash points are the lines between what the world knows and what the journal knows.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

import anyio


class CrashPoint(StrEnum):
    """In the order in which one prediction passes them; tests end the process at each."""

    BEFORE_CLAIM = "before the claim"
    INTENDED = "intents written, and claimed where their turn has come"
    CLAIMED = "claimed, before the POST"
    REFUSED = "refused, before it is marked"
    AMBIGUOUS = "ambiguous, before it is marked"
    CREATED = "created, before its id is written"
    ID_KEPT = "its id kept in a file, because the journal cannot be written"
    ID_WRITTEN = "id written"
    LISTED = "list read, before doubts are settled"
    SETTLED = "doubts settled, before they are followed"
    SEEN = "state seen, before it is noted"
    ENDED = "end noted"
    IMAGE_STORED = "image stored, before it is noted"
    IMAGE_NOTED = "image noted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """`clock` gives seconds since the epoch, `monotonic` ones that nobody can set; `at_crash_point` hears each.

    `on_create` is told of every create that goes out, and how many images its call makes.
    """

    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    at_crash_point: Callable[[CrashPoint], None] = lambda point: None
    on_create: Callable[[int], None] = lambda count: None
