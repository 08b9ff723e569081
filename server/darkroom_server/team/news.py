"""What has become of intents, and that the tables of tenants have changed, as PostgreSQL tells it (NOTIFY).

One connection for all calls of a replica.
"""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import psycopg

from darkroom_server.team.outbox import CHANGED, CHANNEL

log = logging.getLogger(__name__)

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0


class Bell:
    """Rings when there is news of the intent with this key."""

    def __init__(self, key: str) -> None:
        self.key = key
        self._rung = anyio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def wait(self, within_s: float) -> bool:
        """Whether it has rung since the last wait, or does within so many seconds."""
        with anyio.move_on_after(within_s) as waiting:
            await self._rung.wait()
        self._rung = anyio.Event()
        return not waiting.cancelled_caught


class News:
    """`listen` runs for as long as the replica does; what comes while it is not connected, a look at the journal shows.

    `is_listening` is for whoever asks whether the replica is ready.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._bells: dict[str, set[Bell]] = {}
        self._changes = 0
        self.is_listening = False

    def version(self) -> int | None:
        """Another number after each change of tenants, people, tokens and keys; None where none would be heard."""
        return self._changes if self.is_listening else None

    @property
    def bell_count(self) -> int:
        """About how many intents somebody wants to hear."""
        return len(self._bells)

    def bell(self, key: str) -> Bell:
        """One that rings for this intent until it is taken off."""
        bell = Bell(key)
        self._bells.setdefault(key, set()).add(bell)
        return bell

    def take_off(self, bell: Bell) -> None:
        """It rings no more."""
        bells = self._bells[bell.key]
        bells.discard(bell)
        if not bells:
            del self._bells[bell.key]

    async def listen(self) -> None:
        """Runs for ever; a connection that is lost is made anew, and then every bell rings once."""
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                async with self._listening() as connection:
                    self.is_listening, pause_s = True, _FIRST_PAUSE_S
                    self._changes += 1
                    self._ring([*self._bells])
                    async for note in connection.notifies():
                        self._changes += note.channel == CHANGED
                        self._ring(note.payload.split())
            except psycopg.Error as error:
                log.warning("no news from the database for a moment: %s", type(error).__name__)
            finally:
                self.is_listening = False
            await anyio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    @asynccontextmanager
    async def _listening(self) -> AsyncGenerator[psycopg.AsyncConnection]:
        connection = await psycopg.AsyncConnection.connect(
            self._url, autocommit=True, connect_timeout=5, application_name="darkroom news"
        )
        try:
            await connection.execute(f"LISTEN {CHANNEL}; LISTEN {CHANGED}")
            yield connection
        finally:
            with anyio.CancelScope(shield=True):
                await connection.close()

    def _ring(self, keys: list[str]) -> None:
        for key in keys:
            for bell in self._bells.get(key, ()):
                bell.ring()
