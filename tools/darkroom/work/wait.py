"""Waiting for what is watched: by condition and clock, never longer than the caller's budget.

Who wants to hear of progress is woken by time as well; everybody else by changes alone.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack

import anyio

from darkroom.work.watch import Watched

OnProgress = Callable[[float, str], Awaitable[None]]

_TICK_S = 2.0


class Waiting:
    """`monotonic` gives seconds; every `until_s` is on that clock. A cancelled wait loses nothing."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic

    async def for_create(
        self, watched: Sequence[Watched], *, until_s: float, on_progress: OnProgress | None = None
    ) -> None:
        """Return when every create that is not queued is answered or has failed: an answer needs the ids."""
        await self._while(lambda: any(each.is_on_its_way for each in watched), watched, until_s, on_progress)

    async def for_end(
        self, watched: Sequence[Watched], *, until_s: float, on_progress: OnProgress | None = None
    ) -> None:
        """Return when all are settled, whatever the gateway does."""
        await self._while(lambda: not all(each.is_settled for each in watched), watched, until_s, on_progress)

    async def for_images(self, watched: Sequence[Watched], *, until_s: float) -> None:
        """Return when the images of what has succeeded were tried once."""
        await self._while(lambda: any(each.has_images_on_their_way for each in watched), watched, until_s, None)

    async def for_first_look(self, watched: Sequence[Watched], *, until_s: float) -> None:
        """Return as soon as the gateway was asked once about each that was sent, or holds its answer back."""

        def is_unseen() -> bool:
            return not all(
                each.has_been_looked_up or each.is_settled or each.is_queued or each.hold for each in watched
            )

        await self._while(is_unseen, watched, until_s, None)

    def progress(self, watched: Sequence[Watched]) -> tuple[float, str]:
        """Percent over all, and the words of the first that still runs, its id in front (100 characters at most)."""
        now_s = self._monotonic()
        steps = [each.progress(now_s) for each in watched]
        percent = sum(step.percent for step in steps) / len(steps)
        pairs = list(zip(watched, steps, strict=True))
        each, step = next((pair for pair in pairs if not pair[0].is_settled), pairs[0])
        if each.hold and not each.intent.prediction_id:
            return percent, "starting: the gateway has the request and has not told its id yet"
        return percent, f"{each.intent.handle} {step.message}"[:100]

    def percents(self, watched: Sequence[Watched]) -> dict[str, float]:
        """How far the running ones are, by prediction id (by key while there is none)."""
        now_s = self._monotonic()
        return {each.intent.handle: each.progress(now_s).percent for each in watched if not each.is_settled}

    async def _while(
        self, is_open: Callable[[], bool], watched: Sequence[Watched], until_s: float, on_progress: OnProgress | None
    ) -> None:
        while is_open():
            left_s = until_s - self._monotonic()
            if left_s <= 0:
                return
            changed = anyio.Event()
            with ExitStack() as listening, anyio.move_on_after(min(left_s, _TICK_S) if on_progress else left_s):
                for each in watched:
                    listening.enter_context(each.waking(changed))
                await changed.wait()
            if on_progress:
                await on_progress(*self.progress(watched))
