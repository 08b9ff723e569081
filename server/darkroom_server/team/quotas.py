"""What a team allows: US dollars a day of a person and of the tenant, predictions at once, creates a minute.

Asked within the transaction that writes a create down, under the tenant's lock, so that no two creates pass together
where only one fits. The limits are read there too: a change holds from the next create on.
"""

from dataclasses import dataclass, replace
from typing import Any

from darkroom.errors import SpendingRefused
from darkroom.journal import Intent, Left, Spending
from darkroom.journal.database import Session
from darkroom.journal.spending_rows import RESERVED_S, is_reserved, left_of, refuse_price, spent
from darkroom.reports.amounts import counted
from darkroom_server.team.tenants import Principal

# Midnight by the tenant's clock, on which its spending day began.
_LIMITS = """SELECT tenants.usd_per_day AS team_usd, principals.usd_per_day AS own_usd, zone,
    extract(epoch FROM date_trunc('day', to_timestamp(?) AT TIME ZONE zone) AT TIME ZONE zone)::float8 AS day_began
    FROM tenants LEFT JOIN principals ON principals.tenant = tenants.name AND principals.principal = ?
    WHERE tenants.name = ?"""
_FORGOTTEN = "SELECT coalesce(sum(usd), 0) AS usd FROM forgotten_spending WHERE spent_at >= ?"
# A create that nobody knows to have been carried out blocks nobody for longer than its links would have lived.
_OPEN = """SELECT count(*) AS count FROM intents WHERE (state = 'known' AND ended_at IS NULL AND is_adopted = 0)
    OR (state IN ('sent', 'unknown') AND sent_at > ?) OR (state = 'intent' AND intended_at > ?)"""
_DOUBT_S = 3600.0
_RECENT = """SELECT count(*) AS count, min(at) AS first FROM (SELECT coalesce(sent_at, intended_at) AS at FROM intents
    WHERE is_adopted = 0 AND coalesce(sent_at, intended_at) > ? ORDER BY at DESC LIMIT ?) AS creates"""
_ADVICE = "An administrator can raise it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """What holds for each person alike; None for no limit."""

    max_open: int | None = None
    max_creates_per_minute: int | None = None
    allow_unknown_price: bool = False


def spent_by_all(session: Session, since: float, now: float, except_key: str = "") -> Spending:
    """What a whole tenant has spent since then, also those who were forgotten."""
    with session.everyone():
        team = spent(session, since, now, except_key)
        forgotten: Any = session.execute(_FORGOTTEN, (since,)).fetchone()
    return replace(team, settled_usd=round(team.settled_usd + forgotten["usd"], 9))


class TeamLimit:
    """`Limit` of one person: their own and the tenant's both hold, and the refusal says whose it was."""

    def __init__(self, principal: Principal, quotas: Quotas) -> None:
        self._principal = principal
        self._quotas = quotas
        self.is_set = False
        """Whether there was a limit of money when it was last asked."""

    def refuse_beyond(
        self, session: Session, estimate_usd: float | None, now: float, intent: Intent | None = None
    ) -> None:
        """Raise SpendingRefused unless one more create fits, or this intent, which is about to be claimed.

        One that has held its place since it was written down was found to fit then, and is one of those that are open;
        from midnight on it counts to a new day.
        """
        if not (is_held := intent is not None and is_reserved(intent, now)):
            self._refuse_open(session, now)
        if intent is None:
            self._refuse_frequent(session, now)
        if estimate_usd is None and self._quotas.allow_unknown_price:
            return
        day: Any = self._day(session, now)
        if intent and is_held and day and intent.intended_at >= day["day_began"]:
            return
        for limit_usd, spending, whose in self._limits(session, now, day, intent.key if intent else ""):
            refuse_price(estimate_usd, limit_usd, spending, f"It is {whose}. {_ADVICE}", "an administrator")

    def left(self, session: Session, now: float) -> Left | None:
        """What the tighter of the two leaves."""
        rooms = [left_of(limit_usd, spending, whose) for limit_usd, spending, whose in self.limits(session, now)]
        return min(rooms, key=lambda room: room.left_usd, default=None)

    def limits(self, session: Session, now: float) -> list[tuple[float, Spending, str]]:
        """Each limit of money: US dollars a day, what is spent and reserved of it, and whose it is."""
        return self._limits(session, now, self._day(session, now))

    def _day(self, session: Session, now: float) -> Any:
        """What may be spent on the tenant's day, and when that began; None where the tenant is not there any more."""
        row: Any = session.execute(_LIMITS, (now, self._principal.hash, self._principal.tenant)).fetchone()
        self.is_set = bool(row) and (row["own_usd"] is not None or row["team_usd"] is not None)
        return row

    def _limits(self, session: Session, now: float, day: Any, key: str = "") -> list[tuple[float, Spending, str]]:
        tenant = self._principal.tenant
        found: list[tuple[float, Spending, str]] = []
        if day and day["own_usd"] is not None:
            own = spent(session, day["day_began"], now, key)
            found.append((day["own_usd"], own, f"your own limit for a day in tenant '{tenant}'"))
        if day and day["team_usd"] is not None:
            team = spent_by_all(session, day["day_began"], now, key)
            found.append((day["team_usd"], team, f"the limit for a day of the whole tenant '{tenant}'"))
        return found

    def _refuse_open(self, session: Session, now: float) -> None:
        if (most := self._quotas.max_open) is not None:
            row: Any = session.execute(_OPEN, (now - _DOUBT_S, now - RESERVED_S)).fetchone()
            if row["count"] >= most:
                raise SpendingRefused(
                    f"At most {counted(most, 'prediction')} of one person may be open at once here "
                    "(DARKROOM_MAX_OPEN), and this would be more. Nothing was sent. Call again once one has ended, or "
                    "ask for fewer images."
                )

    def _refuse_frequent(self, session: Session, now: float) -> None:
        if (most := self._quotas.max_creates_per_minute) is not None:
            row: Any = session.execute(_RECENT, (now - 60, most)).fetchone()
            if row["count"] >= most:
                wait_s = max(1, round(row["first"] + 60 - now + 0.5))
                raise SpendingRefused(
                    f"One person may start at most {counted(most, 'prediction')} within a minute here "
                    "(DARKROOM_MAX_CREATES_PER_MINUTE), and this would be more. Nothing was sent. Try again in "
                    f"{wait_s} s, or ask for fewer images."
                )
