"""Which calls were answered: what a retry joins, and when a wish has failed often enough (theory of operation, 11).

`joinable` is the rule; the statements around it run in one transaction, so of two processes each sees what the other
has written.
"""

from collections.abc import Callable, Sequence

from darkroom.journal import account_rows, intent_rows
from darkroom.journal.codec import storable
from darkroom.journal.database import Database, Session
from darkroom.journal.records import Call, Intent
from darkroom.journal.states import DOUBTFUL, IntentState
from darkroom.predictions import PredictionStatus

# Equal calls that begin closer together than this are two wishes, unless the first one's host has given it up.
APART_S = 2.0
_ENDED_WITHIN_S = 120.0
# No prediction is followed for longer; an older row says nothing about this call.
_OLDEST_S = 2 * 3600.0
_MOST = 100
_UNANSWERED = f"""WHERE wish = ? AND wish <> '' AND answered_at IS NULL AND origin = ?
    AND (called_at > ? OR intended_at > ?)
    ORDER BY called_at, key LIMIT {_MOST}"""
_RUNNING = """WHERE origin = ? AND state = 'known' AND ended_at IS NULL AND wish = ? AND wish <> '' AND account = ?
    AND is_adopted = 0 AND intended_at >= ? ORDER BY intended_at DESC, key DESC LIMIT 1"""
_JOIN = "UPDATE intents SET caller = ?, joined_at = ? WHERE request_id = ?"
_ANSWERED = "UPDATE intents SET answered_at = ? WHERE request_id = ? AND wish <> '' AND answered_at IS NULL"
_LEFT = "UPDATE intents SET is_left = 1 WHERE request_id = ? AND caller = ? AND answered_at IS NULL"
_STOPPED_WORDS = "It was stopped before it was sent."
_STOPPED = (PredictionStatus.CANCELED, PredictionStatus.ABORTED)
_FAILED = """WHERE intended_at >= ? AND origin = ? AND is_adopted = 0 AND ended_at IS NOT NULL AND (status = 'failed'
    OR (status = 'succeeded' AND NOT EXISTS (SELECT 1 FROM images WHERE images.prediction_id = intents.prediction_id)))
    ORDER BY intended_at, key"""


class Answers:
    """The marks in the rows of calls that brought no request_id. Every method raises JournalError."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._write, self._read = database.write, database.read
        self._clock = clock

    async def before(self, call: Call) -> tuple[tuple[Intent, ...], Intent | None]:
        """All parts of the earlier call that this one joins, see `join`; and the newest equal one that still runs.

        Where there is nothing to join, nothing is written, and so nobody is waited for.
        """

        def look(session: Session) -> tuple[bool, tuple[Intent, ...]]:
            now = self._clock()
            running = (call.origin, call.wish, call.account, now - _OLDEST_S)
            return bool(_chosen(session, call, now)), intent_rows.read_intents(session, _RUNNING, running)

        is_any, running = await self._read(look)
        return await self.join(call) if is_any else (), next(iter(running), None)

    async def join(self, call: Call) -> tuple[Intent, ...]:
        """All parts of the earlier call that this one joins, which from now on waits for them; empty where none is."""
        return await self._write(lambda session: join(session, call, self._clock()))

    async def delivered(self, request_id: str, caller: str = "") -> None:
        """Its answer was written: nobody joins it any more.

        An answer to a call that a later one has taken over counts for nothing: whoever asked again had not got it.
        Without `caller` it counts in any case: somebody has looked the result up, or a person has stopped it.
        """
        rest, values = (" AND caller = ?", (caller,)) if caller else ("", ())
        name = storable(request_id)
        await self._write(lambda session: session.execute(_ANSWERED + rest, (self._clock(), name, *values)))

    async def left(self, request_id: str, caller: str) -> None:
        """Its host has given the call up, so an equal one may join at once."""
        await self._write(lambda session: session.execute(_LEFT, (storable(request_id), caller)))

    async def stopped(self, key: str) -> bool:
        """A person wants it no more; what was not sent holds no money any longer. False: it was sent, or refused."""
        return await self.given_up(key, _STOPPED_WORDS)

    async def given_up(self, key: str, reason: str) -> bool:
        """It is not sent, or not again."""
        return await self._write(lambda session: intent_rows.drop(session, key, reason))

    async def failed(self, origin: str, account: str, within_s: float) -> tuple[Intent, ...]:
        """Predictions of this account that were ordered within that time and made nothing, oldest first."""

        def work(session: Session) -> tuple[Intent, ...]:
            rows = intent_rows.read_intents(session, _FAILED, (self._clock() - within_s, origin))
            accounts = account_rows.same_as(session, account)
            return tuple(row for row in rows if row.account in accounts)

        return await self._read(work)


def join(session: Session, call: Call, now: float) -> tuple[Intent, ...]:
    """Inside the caller's transaction: take an unanswered call over. Of several the one that nobody has joined.

    A call that was given up itself takes nothing over: nobody waits for its answer.
    """
    if chosen := _chosen(session, call, now):
        if call.id not in call.left:
            session.execute(_JOIN, (call.id, call.begun_at, chosen))
        return intent_rows.by_request(session, chosen)
    return ()


def _chosen(session: Session, call: Call, now: float) -> str:
    """The request_id of the call that is joined, "" for none."""
    if not call.wish:
        return ""
    since = min(now, call.begun_at) - _OLDEST_S  # a clock that was set forward since does not make it old
    accounts = account_rows.same_as(session, call.account)
    rows = intent_rows.read_intents(session, _UNANSWERED, (call.wish, call.origin, since, since))
    requests: dict[str, list[Intent]] = {}
    for row in rows:
        if row.account in accounts and row.request_id not in call.answered:
            requests.setdefault(row.request_id, []).append(row)
    found = [parts[0] for parts in requests.values() if joinable(parts, call, now)]
    return min(found, key=lambda first: first.joined_at or 0.0).request_id if found else ""


def note_left(session: Session, request_id: str, call: Call | None) -> None:
    """Inside the caller's transaction: its host gave the call up before it was written down."""
    if call and call.id in call.left:
        session.execute(_LEFT, (storable(request_id), call.id))


def joinable(parts: Sequence[Intent], call: Call, now: float) -> bool:
    """Whether a retry takes over this unanswered call, given all its predictions.

    Not one that was stopped, nor one of which nothing was created or can have been: a retry sends that again.
    """
    is_left = parts[0].is_left or parts[0].caller in call.left or call.id in call.left
    is_apart = is_left or abs(call.begun_at - parts[0].called_at) >= APART_S
    return (
        is_apart
        and not any(part.status in _STOPPED for part in parts)
        and any(_is_open(part, call, now) for part in parts)
    )


def _is_open(part: Intent, call: Call, now: float) -> bool:
    """It runs, has just ended, is about to be sent, or may have been created."""
    if part.state is IntentState.KNOWN:
        return part.ended_at is None or _since_s(part, part.ended_at, call, now) <= _ENDED_WITHIN_S
    return part.state is IntentState.INTENT or part.state in DOUBTFUL


def _since_s(part: Intent, ended_at: float, call: Call, now: float) -> float:
    """Seconds since its end, by the wall clock or the clock of the calls: one of them may have been set meanwhile."""
    on_wall = now - ended_at
    on_calls = call.begun_at - part.called_at - (ended_at - part.intended_at)
    return min((age for age in (on_wall, on_calls) if age >= 0), default=0.0)
