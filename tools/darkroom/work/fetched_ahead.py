"""Outputs that are asked for while the end of their prediction is written down.

Asking costs nothing, so it does not wait for the disk. What comes is stored only once the row is there.
"""

import math
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio
import anyio.abc

from darkroom.errors import OutputError
from darkroom.gateways import OutputFetcher
from darkroom.uris import scheme_of

_MOST = 4
_HELD_PIECES = 16  # of at most 64 kB; the host waits with the rest until somebody wants it
_KEPT_S = 30.0


class FetchedAhead:
    """Opens outputs as its fetcher does; without `tasks` none is asked for ahead."""

    def __init__(self, fetcher: OutputFetcher, tasks: anyio.abc.TaskGroup | None) -> None:
        self._fetcher = fetcher
        self._tasks = tasks
        self._begun: dict[str, _Begun] = {}

    def begin(self, urls: Sequence[str]) -> None:
        """Ask for the first few of them now. What nobody opens is let go of after half a minute."""
        for url in urls[:_MOST]:
            if self._tasks and url not in self._begun and scheme_of(url) != "data":
                begun = self._begun[url] = _Begun(anyio.current_time() + _KEPT_S)
                self._tasks.start_soon(self._fetch, url, begun)

    @asynccontextmanager
    async def open(self, url: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        """As `OutputFetcher.open`; what was asked for ahead is given once."""
        if (begun := self._begun.pop(url, None)) is None:
            async with self._fetcher.open(url) as chunks:
                yield chunks
            return
        begun.scope.deadline = math.inf
        try:
            yield begun.chunks()
        finally:
            begun.scope.cancel()

    async def _fetch(self, url: str, begun: "_Begun") -> None:
        try:
            with begun.scope:
                await begun.take(self._fetcher, url)
                await anyio.sleep_forever()  # until it is stored, or was not opened in time
        finally:
            if self._begun.get(url) is begun:
                del self._begun[url]


class _Begun:
    """One output on its way, from the task that fetches it to the one that stores it."""

    def __init__(self, until_s: float) -> None:
        self.scope = anyio.CancelScope(deadline=until_s)
        self._pieces = deque[bytes]()
        self._changed = anyio.Event()
        self._is_over = False
        self._error: Exception | None = OutputError("An image broke off.", can_retry=True)

    async def take(self, fetcher: OutputFetcher, url: str) -> None:
        try:
            async with fetcher.open(url) as chunks:
                async for chunk in chunks:
                    self._pieces.append(chunk)
                    self._wake()
                    while len(self._pieces) >= _HELD_PIECES:
                        await self._changed.wait()
            self._error = None
        except Exception as error:
            self._error = error
        finally:
            self._is_over = True
            self._wake()

    async def chunks(self) -> AsyncIterator[bytes]:
        while self._pieces or not self._is_over:
            if self._pieces:
                yield self._pieces.popleft()
                self._wake()
            else:
                await self._changed.wait()
        if self._error:
            raise self._error

    def _wake(self) -> None:
        """Of the two tasks the one that waits."""
        self._changed.set()
        self._changed = anyio.Event()
