"""Waiting for what is followed: by condition and clock, never longer than the caller's budget."""

from collections.abc import Awaitable, Callable, Sequence

import anyio

from darkroom.work.watch import Following, Pulse

OnProgress = Callable[[float, str], Awaitable[None]]

_TICK_S = 2.0


class Waiting:
    """`monotonic` gives seconds; every `until_s` is on that clock. A cancelled wait loses nothing."""

    def __init__(self, pulse: Pulse, monotonic: Callable[[], float]) -> None:
        self._pulse = pulse
        self._monotonic = monotonic

    async def for_create(
        self, followings: Sequence[Following], *, until_s: float, on_progress: OnProgress | None = None
    ) -> None:
        """Return when every create is answered or has failed: an answer needs the ids."""
        await self._while(lambda: any(each.is_being_sent for each in followings), followings, until_s, on_progress)

    async def for_end(
        self, followings: Sequence[Following], *, until_s: float, on_progress: OnProgress | None = None
    ) -> None:
        """Return when all are settled, whatever the gateway does."""
        await self._while(lambda: not all(each.is_settled for each in followings), followings, until_s, on_progress)

    async def for_pictures(self, followings: Sequence[Following], *, until_s: float) -> None:
        """Return when the images of what has succeeded were tried once."""
        await self._while(lambda: any(each.is_coming_home for each in followings), followings, until_s, None)

    async def for_first_look(self, followings: Sequence[Following], *, until_s: float) -> None:
        """Return as soon as the gateway was asked once about each."""
        await self._while(lambda: not all(_is_seen(each) for each in followings), followings, until_s, None)

    def progress(self, followings: Sequence[Following]) -> tuple[float, str]:
        """Percent over all, and the words of the first that still runs, its id in front (100 characters at most)."""
        now_s = self._monotonic()
        steps = [following.progress(now_s) for following in followings]
        percent = sum(step.percent for step in steps) / len(steps)
        pairs = zip(followings, steps, strict=True)
        running = next(((following, step) for following, step in pairs if not following.is_settled), None)
        following, step = running or (followings[0], steps[0])
        return percent, f"{following.handle} {step.message}"[:100]

    def percents(self, followings: Sequence[Following]) -> dict[str, float]:
        """How far the running ones are, by prediction id (by key while there is none)."""
        now_s = self._monotonic()
        return {each.handle: each.progress(now_s).percent for each in followings if not each.is_settled}

    async def _while(
        self,
        is_open: Callable[[], bool],
        followings: Sequence[Following],
        until_s: float,
        on_progress: OnProgress | None,
    ) -> None:
        while is_open():
            left_s = until_s - self._monotonic()
            if left_s <= 0:
                return
            with anyio.move_on_after(min(left_s, _TICK_S)):
                await self._pulse.next()
            if on_progress:
                await on_progress(*self.progress(followings))


def _is_seen(following: Following) -> bool:
    return following.has_been_looked_up or following.is_settled
