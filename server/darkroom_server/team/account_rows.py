"""What is open of one gateway account, over all its principals."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from darkroom.journal.database import Database, Session
from darkroom_server.team import outbox

_OPEN = """SELECT prediction_id, model, image_count, coalesce(sent_at, known_at) AS since FROM intents
    WHERE origin = ? AND account = ? AND state = 'known' AND ended_at IS NULL AND known_at >= ? ORDER BY known_at"""
_DOUBTS = """SELECT count(*) AS number, max(sent_at) AS newest FROM intents WHERE origin = ? AND account = ?
    AND state <> 'known' AND (state = 'unknown' AND sent_at >= ? OR state = 'absent' AND sent_at >= ?
    OR state = 'sent' AND sent_at BETWEEN ? AND ?)"""
_ON_ITS_WAY = """SELECT 1 FROM intents WHERE origin = ? AND account = ? AND state <> 'known' AND state = 'sent'
    AND sent_at > ? LIMIT 1"""
_WANTED = """SELECT prediction_id FROM intents WHERE origin = ? AND account = ? AND state = 'known' AND ended_at < ?
    AND prediction_id IN (SELECT prediction_id FROM images WHERE state = 'wanted') ORDER BY ended_at LIMIT 500"""
_MISSED = "SELECT value FROM meta WHERE name = ?"
_KEEP_MISSED = """INSERT INTO meta (name, value) VALUES (?, ?)
    ON CONFLICT (tenant, name) DO UPDATE SET value = excluded.value"""

_DOUBTED_FOR_S, _ABSENT_FOR_S = 24 * 3600.0, 3600.0
# A worker has just taken the job that brings them home.
_AT_WORK_S = 30.0
_DOUBTS_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class Open:
    """A prediction that has not ended, how many images it makes, and since when (seconds since the epoch)."""

    prediction_id: str
    model: str
    image_count: int
    since: float


@dataclass(frozen=True, slots=True)
class Standing:
    """What is open of an account: predictions, oldest first, and creates without an answer.

    `doubts` are to be looked for in the gateway's list, and the newest of them was sent at `newest_doubt` (seconds
    since the epoch). `is_one_on_its_way`: the answer to one may come at any moment.
    """

    open: list[Open]
    doubts: int
    newest_doubt: float
    is_one_on_its_way: bool


class AccountRows:
    """Reads the rows of all principals, so `database` is that of everyone in the tenant.

    For `answered_s` seconds a create is left to the replica that has sent it.
    """

    def __init__(self, database: Database, tenant: str, account: str, origin: str, answered_s: float) -> None:
        self.tenant, self.account = tenant, account
        self._database = database
        self._place = (origin, account)
        self._missed_name = f"missed: {account}"
        self._answered_s = answered_s

    async def now(self, now: float, open_since: float) -> Standing:
        """As it stands, with the open predictions that got their id since then."""
        return await self._database.read(lambda session: self._standing(session, now, open_since))

    async def want_home(self, now: float) -> None:
        """Defer again what brings images home, where none of the jobs did."""

        def work(session: Session) -> None:
            if wanted := self._wanted(session, now):
                in_hand = outbox.in_hand(session, self.tenant)
                left = [each for each in wanted if each not in in_hand]
                outbox.bring_home(session, self.tenant, self.account, left)

        await self._database.write(work)

    async def missed(self) -> dict[tuple[str, int], float]:
        """Since when (seconds since the epoch) workers have missed which attempts, by key and number, in the lists."""
        row = await self._database.read(lambda session: session.execute(_MISSED, (self._missed_name,)).fetchone())
        return {(key, tries): at for key, tries, at in json.loads(row["value"])} if row else {}

    async def keep_missed(self, missed: Mapping[tuple[str, int], float]) -> None:
        """All of them, instead of those that were kept before."""
        value = json.dumps([[*each, at] for each, at in missed.items()])
        await self._database.write(lambda session: session.execute(_KEEP_MISSED, (self._missed_name, value)).rowcount)

    async def rest(self, now: float, open_since: float, pause_s: float, *, goes_on: bool) -> None:
        """End the watch: the account is at rest where nothing is open, else it is woken again after the pause.

        Where the watch `goes_on`, which another worker may do, also lost answers are looked for without one.
        In one transaction with the look, so that a create which comes meanwhile wakes it anew.
        """

        def work(session: Session) -> None:
            found = self._standing(session, now, open_since)
            if found.open or found.is_one_on_its_way or (goes_on and found.doubts):
                outbox.watch_job(session, self.tenant, self.account)
            elif self._wanted(session, now + _AT_WORK_S):
                outbox.look_later(session, self.tenant, self.account, now + pause_s)
            elif found.doubts:
                outbox.look_later(session, self.tenant, self.account, now + _DOUBTS_EVERY_S)
            else:
                outbox.at_rest(session, self.tenant, self.account)

        await self._database.write(work)

    def _standing(self, session: Session, now: float, open_since: float) -> Standing:
        rows = session.execute(_OPEN, (*self._place, open_since)).fetchall()
        doubted_since, unanswered = now - _DOUBTED_FOR_S, now - self._answered_s
        times = (doubted_since, now - _ABSENT_FOR_S, doubted_since, unanswered)
        doubts = session.execute(_DOUBTS, (*self._place, *times)).fetchone()
        on_its_way = session.execute(_ON_ITS_WAY, (*self._place, unanswered)).fetchone()
        return Standing(
            open=[Open(row["prediction_id"], row["model"], row["image_count"], row["since"]) for row in rows],
            doubts=doubts["number"],
            newest_doubt=doubts["newest"] or 0.0,
            is_one_on_its_way=on_its_way is not None,
        )

    def _wanted(self, session: Session, now: float) -> list[str]:
        rows = session.execute(_WANTED, (*self._place, now - _AT_WORK_S)).fetchall()
        return [row["prediction_id"] for row in rows]
