"""Keeps the Darkroom open for the server's whole life, in a task of its own.

Opening waits for the first call, or a second, so that the host's handshake comes first. A Darkroom that cannot be opened
never ends the server: each call is answered with the reason, and tries again.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

import anyio

from darkroom.errors import DarkroomError, JournalError

if TYPE_CHECKING:
    from darkroom.darkroom import Darkroom

log = logging.getLogger(__name__)

_HANDSHAKE_S = 1.0


class RoomKeeper:
    """`keep` runs in the lifespan's task group; calls ask `room`."""

    def __init__(self, open_room: Callable[[], AbstractAsyncContextManager["Darkroom"]]) -> None:
        self._open_room = open_room
        self._wanted = anyio.Event()
        self._answered = anyio.Event()
        self._room: Darkroom | None = None
        self._problem: DarkroomError | None = None

    async def keep(self) -> None:
        """Open, hold, and after a failure open again when a call wants it."""
        with anyio.move_on_after(_HANDSHAKE_S):
            await self._wanted.wait()
        while True:
            await self._hold()
            await self._wanted.wait()

    async def room(self) -> "Darkroom":
        """The open Darkroom.

        Raises: DarkroomError where it cannot be opened now.
        """
        if self._room:
            return self._room
        answered = self._answered
        self._wanted.set()
        await answered.wait()
        if self._room:
            return self._room
        raise self._problem or JournalError("darkroom is closing. Nothing was sent.")

    async def _hold(self) -> None:
        try:
            async with self._open_room() as room:
                self._answer(room, None)
                await anyio.sleep_forever()
        except DarkroomError as error:
            log.error("cannot open: %s", error)
            self._answer(None, error)
        except Exception:
            log.exception("the Darkroom ended by a fault; it opens again at the next call")
            self._answer(
                None, JournalError("darkroom had an internal fault and opens again at the next call. Try once more.")
            )

    def _answer(self, room: "Darkroom | None", problem: DarkroomError | None) -> None:
        """Tell everybody who waits, and let the next call want anew."""
        self._room, self._problem = room, problem
        self._wanted = anyio.Event()
        answered, self._answered = self._answered, anyio.Event()
        answered.set()
