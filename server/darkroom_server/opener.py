"""Opens the Darkroom and keeps it open for the server's whole life, in a task of its own.

Opening waits for the first call, or a second, so that the host's handshake comes first. A Darkroom that cannot be
opened never ends the server: each call is answered with the reason, and tries again.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

import anyio

from darkroom.errors import DarkroomClosed, DarkroomError

if TYPE_CHECKING:
    from darkroom.darkroom import Darkroom

log = logging.getLogger(__name__)

_HANDSHAKE_S = 1.0


class DarkroomOpener:
    """`keep_open` runs in the lifespan's task group; calls ask for `darkroom`. `opened` is None while it is closed."""

    def __init__(self, open_darkroom: Callable[[], AbstractAsyncContextManager["Darkroom"]]) -> None:
        self._open = open_darkroom
        self._wanted = anyio.Event()
        self._answered = anyio.Event()
        self._problem: DarkroomError | None = None
        self.opened: Darkroom | None = None

    async def keep_open(self) -> None:
        """Open it, hold it, and after a failure open it again when a call wants it."""
        with anyio.move_on_after(_HANDSHAKE_S):
            await self._wanted.wait()
        while True:
            await self._hold()
            await self._wanted.wait()

    async def darkroom(self) -> "Darkroom":
        """The open Darkroom. Raises: DarkroomError where it cannot be opened now."""
        if self.opened:
            return self.opened
        answered = self._answered
        self._wanted.set()
        await answered.wait()
        if self.opened:
            return self.opened
        raise self._problem or DarkroomClosed("darkroom is closing. Nothing was sent.")

    async def _hold(self) -> None:
        try:
            async with self._open() as darkroom:
                self._answer(darkroom, None)
                await anyio.sleep_forever()
        except DarkroomError as error:
            log.error("cannot open: %s", error)
            self._answer(None, error)
        except Exception:
            log.exception("the Darkroom ended by a fault; it opens again at the next call")
            fault = DarkroomClosed("darkroom had an internal fault and opens again at the next call. Nothing was sent.")
            self._answer(None, fault)

    def _answer(self, darkroom: "Darkroom | None", problem: DarkroomError | None) -> None:
        """Wake all waiters and reset for the next opening."""
        self.opened, self._problem = darkroom, problem
        self._wanted = anyio.Event()
        answered, self._answered = self._answered, anyio.Event()
        answered.set()
