"""A rate that all processes of this journal keep together: the generic cell rate algorithm (ITU-T I.371, annex A).

Each request moves the time at which the account would be idle again by one interval. A request may go when that time
lies no more than a burst of intervals ahead; so in any minute there are at most `burst` + `per_minute` of them.
"""

from collections.abc import Callable
from dataclasses import dataclass

from darkroom.journal.database import Database, Session
from darkroom.journal.records import Intent

# What was noted in the future was noted before the clock was set back.
_READ = "SELECT idle_at, frozen_until FROM rates WHERE name = ? AND noted_at <= ?"
_KEEP = "UPDATE rates SET idle_at = ?, frozen_until = ?, noted_at = ? WHERE name = ?"
_FIRST = "INSERT INTO rates (idle_at, frozen_until, noted_at, name) VALUES (?, ?, ?, ?)"
# Of this account, claimed no later than this one, which is among them; no answer is held for more than a minute.
_ON_THEIR_WAY = """SELECT count(*) AS number FROM intents WHERE state <> 'known' AND state = 'sent' AND account = ?
    AND origin = ? AND sent_at > ? AND sent_at <= (SELECT sent_at FROM intents WHERE key = ?)"""
_LONGEST_HOLD_S = 60.0
_UNEVEN_S = 1.0  # two processes may read the clock in another order than they write


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Requests in a minute, and how many may go at once on top of them after a rest."""

    per_minute: float
    burst: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One request under the rate of this name; it waits at most so many seconds for its turn."""

    name: str
    rate: Rate
    within_s: float

    def taken(self, session: Session, now: float) -> float | None:
        """Seconds until the turn that is taken with this; None where it would be later, and none is taken."""
        return reserve(session, self.name, self.rate, self.within_s, now)


@dataclass(frozen=True, slots=True)
class Queued:
    """Its turn comes in so many seconds, and is taken; None where it would be later, and none is taken."""

    pause_s: float | None


class Rates:
    """The rates of one journal by name. `clock` gives seconds since the epoch. Raises JournalError, as a journal."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    async def reserve(self, name: str, rate: Rate, patience_s: float, count: int = 1) -> float | None:
        """Seconds until the turn that is taken with this; None where it would be later, and none is taken.

        Of `count` turns that are taken together, until the last one.
        """
        return await self._database.note(lambda session: reserve(session, name, rate, patience_s, self._clock(), count))

    async def freeze(self, name: str, for_s: float) -> None:
        """Nobody gets a turn under this name for so many seconds."""

        def freeze(session: Session) -> None:
            now = self._clock()
            idle_at, frozen_until = _read(session, name, now)
            _keep(session, name, idle_at, max(frozen_until, now + for_s), now)

        await self._database.note(freeze)

    async def frozen_s(self, name: str) -> float:
        """For how many seconds more nobody gets one."""

        def left_s(session: Session) -> float:
            now = self._clock()
            return max(0.0, _read(session, name, now)[1] - now)

        return await self._database.read(left_s)

    async def on_their_way(self, intent: Intent, account: str) -> int:
        """How many creates of the account are not answered yet, up to this one, by all processes."""

        def count(session: Session) -> int:
            values = (account, intent.origin, self._clock() - _LONGEST_HOLD_S, intent.key)
            with session.everyone():
                return session.execute(_ON_THEIR_WAY, values).fetchone()["number"]

        return await self._database.read(count)


def reserve(session: Session, name: str, rate: Rate, patience_s: float, now: float, count: int = 1) -> float | None:
    """Seconds until the last turn that is taken with this; None where it would be later than that."""
    interval_s = 60 / rate.per_minute
    idle_at, frozen_until = _read(session, name, now)
    idle_at = max(idle_at, frozen_until, now) + count * interval_s
    pause_s = round(max(0.0, idle_at - rate.burst * interval_s - now, frozen_until - now), 3)
    if pause_s > patience_s:
        return None
    _keep(session, name, idle_at, frozen_until, now)
    return pause_s


def _keep(session: Session, name: str, idle_at: float, frozen_until: float, now: float) -> None:
    values = (idle_at, frozen_until, now, name)
    if session.execute(_KEEP, values).rowcount == 0:
        session.execute(_FIRST, values)


def _read(session: Session, name: str, now: float) -> tuple[float, float]:
    row = session.execute(_READ, (name, now + _UNEVEN_S)).fetchone()
    return (row["idle_at"], row["frozen_until"]) if row else (0.0, 0.0)
