"""What was found a moment ago, so that not every call asks again who it is and whose key pays."""

import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")

_FOR_S = 5.0
_MOST = 5_000


class Recent:
    """Answers that are at most five seconds old; `monotonic` gives seconds.

    `version` is another one after each change of what they say, and None while nobody would hear of one: then
    everything is asked anew. So a change holds at once, or after five seconds where the news of it was lost.
    """

    def __init__(self, version: Callable[[], int | None], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._version = version
        self._monotonic = monotonic
        self._kept_version: int | None = None
        self._kept: dict[Hashable, tuple[float, Any]] = {}

    async def get(self, name: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """What was kept under this name, else what `ask` gives; None is not kept."""
        version, now_s = self._version(), self._monotonic()
        if version != self._kept_version or len(self._kept) > _MOST:
            self._kept, self._kept_version = {}, version
        until_s, kept = self._kept.get(name, (0.0, None))
        if now_s < until_s:
            return kept
        asked = await ask()
        if asked is not None and version is not None and version == self._version():
            self._kept[name] = (now_s + _FOR_S, asked)
        return asked
