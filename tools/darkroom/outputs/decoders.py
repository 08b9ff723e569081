"""The decoder processes of one event loop, kept between pictures: starting one takes longer than most pictures.

A kept one is ended after many pictures, by whatever goes wrong while it is asked, and by itself when it is idle.
"""

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.lowlevel import RunVar
from pydantic import JsonValue

from darkroom.outputs.decoder_process import DecoderEndedError, DecoderProcess

IDLE_S = 60.0
MOST_PICTURES = 200
_MOST_WARM = 4


class Decoders:
    """At most one process for each core is asked at a time. They are kept while somebody is in `kept`.

    One ends after `most_pictures`, or `idle_s` seconds without any.
    """

    def __init__(self, *, idle_s: float = IDLE_S, most_pictures: int = MOST_PICTURES) -> None:
        self._idle_s = idle_s
        self._most_pictures = most_pictures
        self._one_starts = anyio.Lock()
        self._turns = anyio.CapacityLimiter(os.cpu_count() or 1)
        self._free: list[DecoderProcess] = []
        self._owners = 0

    async def ask(
        self, about: Mapping[str, JsonValue], content: bytes, timeout_s: float
    ) -> tuple[dict[str, Any], bytes]:
        """The two parts of the answer. The time begins with its turn; cancelling kills the process.

        Raises: DecoderEndedError where the picture has killed the decoder; TimeoutError; OSError where none starts.
        """
        async with self._turns:
            with anyio.fail_after(timeout_s):
                while True:
                    process = await self._taken()
                    try:
                        answer = await process.ask(about, content)
                    except BaseException as error:
                        await process.kill()
                        if not isinstance(error, DecoderEndedError) or not error.was_idle:
                            raise
                    else:
                        await self._give_back(process)
                        return answer

    async def warm(self, count: int) -> None:
        """Have processes load what `count` pictures need at once; where none starts, the first picture says so."""
        wanted = min(count, _MOST_WARM, self._turns.total_tokens)
        async with self._one_starts:
            for ended in [process for process in self._free if not process.is_running]:
                self._free.remove(ended)
                await ended.kill()
            while self._turns.borrowed_tokens + sum(process.is_running for process in self._free) < wanted:
                try:
                    self._free.append(await DecoderProcess.start(self._idle_s))
                except OSError:
                    return

    async def close(self) -> None:
        while self._free:
            await self._free.pop().kill()

    async def _taken(self) -> DecoderProcess:
        """The one that is free for longest, whose next copy is ready, or a new one. Raises: OSError."""
        async with self._one_starts:  # so that one that is being warmed is waited for
            while self._free:
                process = self._free.pop(0)
                if process.is_running:
                    return process
                await process.kill()
            return await DecoderProcess.start(self._idle_s)

    async def _give_back(self, process: DecoderProcess) -> None:
        if process.asked < self._most_pictures and self._owners:
            self._free.append(process)
        else:
            await process.kill()

    @asynccontextmanager
    async def kept(self) -> AsyncGenerator[None]:
        """Processes are kept until the last of those who want that has left."""
        self._owners += 1
        try:
            yield
        finally:
            self._owners -= 1
            if not self._owners:
                await self.close()


_decoders: RunVar[Decoders] = RunVar("darkroom_decoders")


def decoders() -> Decoders:
    """Those of this event loop."""
    found = _decoders.get(None)
    if found is None:
        found = Decoders()
        _decoders.set(found)
    return found
