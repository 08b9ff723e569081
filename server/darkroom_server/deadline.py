"""Work with a deadline that holds whatever the work does, even where it cannot be interrupted."""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import anyio.abc

log = logging.getLogger(__name__)
T = TypeVar("T")

_END_S = 0.5


async def within(tasks: anyio.abc.TaskGroup, limit_s: float, work: Callable[[], Awaitable[T]]) -> T | None:
    """What `work` gives, or None once `limit_s` seconds are over: then it is cancelled, and nobody waits for its end.

    It runs in `tasks`, which outlive the caller. A caller who is cancelled himself waits half a second for its end, to
    know what it has done. What `work` raises in time is raised here.
    """
    done, scope = anyio.Event(), anyio.CancelScope()
    results: list[T] = []
    faults: list[Exception] = []

    async def run() -> None:
        try:
            with scope:
                results.append(await work())
        except Exception as error:
            if scope.cancel_called:
                log.warning("failed after its deadline: %r", error)
            faults.append(error)
        finally:
            done.set()

    tasks.start_soon(run)
    try:
        with anyio.move_on_after(limit_s):
            await done.wait()
    except anyio.get_cancelled_exc_class():
        scope.cancel()
        with anyio.move_on_after(_END_S, shield=True):
            await done.wait()
        raise
    if not done.is_set():
        scope.cancel()
    if faults:
        raise faults[0]
    return results[0] if results else None
