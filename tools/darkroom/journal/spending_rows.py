"""What was spent, what is reserved, and whether one more create fits.

A create counts to the day on which it was sent, at its estimate until its receipt is known. Adopted predictions were
not ordered here and do not count.
"""

from dataclasses import dataclass

from darkroom.errors import SpendingRefused
from darkroom.journal.codec import storable
from darkroom.journal.database import AT, Session
from darkroom.journal.records import Intent, Left, Limit, Spending, Totals
from darkroom.journal.states import Event, IntentState, guarded

# The variable of the person's own limit.
OWN_LIMIT = "DARKROOM_MAX_USD_PER_DAY"
# An intent that was never sent (its process died first) keeps its reservation no longer than this.
RESERVED_S = 600.0
_CREATES = f"""SELECT ended_at, coalesce(cost_usd, CASE status WHEN 'aborted' THEN 0 ELSE estimate_usd END) AS price
    FROM intents WHERE {AT} >= ? AND is_adopted = 0 AND key <> ?
    AND (state IN ('sent', 'unknown', 'known') OR (state = 'intent' AND intended_at > ?))"""
_SPENT = f"""SELECT
    coalesce(sum(CASE WHEN ended_at IS NOT NULL THEN price END), 0) AS settled,
    coalesce(sum(CASE WHEN ended_at IS NULL THEN price END), 0) AS reserved,
    count(*) - count(price) AS unpriced FROM ({_CREATES}) AS creates"""

_UNBILLED = "FROM intents WHERE origin = ? AND sent_at >= ? AND is_adopted = 0 AND cost_basis <> 'billed'"
# What is billed has used up rows of the log that would fit others of its model.
SENT_SINCE = f"""WHERE key IN (SELECT key {_UNBILLED} UNION SELECT key FROM intents WHERE origin = ? AND sent_at >= ?
    AND cost_basis = 'billed' AND model IN (SELECT model {_UNBILLED}))
    AND account = ? AND state IN ('sent', 'unknown', 'absent', 'known') ORDER BY sent_at, key"""
_LAST_BILL = """SELECT cost_usd / CASE WHEN image_count > 1 THEN image_count ELSE 1 END AS usd
    FROM intents WHERE origin = ? AND model = ? AND cost_basis = 'billed' AND cost_usd > 0
    ORDER BY sent_at DESC, key DESC LIMIT 1"""
_BILL = "UPDATE intents SET cost_usd = ?, cost_basis = 'billed', cost_note = ? WHERE key = ?"
_IS_CARRIED_OUT = f"UPDATE intents SET {guarded(Event.BILL)} AND key = ?"
_UNBILLED_SO_FAR = """UPDATE intents SET cost_usd = 0, cost_basis = 'computed', cost_note = ?
    WHERE key = ? AND cost_basis <> 'billed' AND state IN ('sent', 'unknown')"""
_COUNTS = ("prediction_count", "unresolved_count", "stored_count", "expired_count")
_TALLIES = (*_COUNTS, "settled_usd", "reserved_usd", "unpriced_count")
_TOTALS = f"SELECT {', '.join(f'coalesce(sum({name}), 0) AS {name}' for name in _TALLIES)} FROM tallies"
_NOTE = "UPDATE intents SET cost_note = ? WHERE key = ? AND cost_basis <> 'billed'"


def bill(session: Session, key: str, usd: float, note: str) -> None:
    session.execute(_BILL, (usd, storable(note), key))
    session.execute(_IS_CARRIED_OUT, (key,))


def note(session: Session, key: str, note: str) -> None:
    session.execute(_NOTE, (storable(note), key))


def call_unbilled(session: Session, key: str, note: str) -> None:
    """Of one whose answer was lost; a bill that comes later is written over it."""
    session.execute(_UNBILLED_SO_FAR, (storable(note), key))


def last_bill(session: Session, origin: str, model: str) -> float | None:
    row = session.execute(_LAST_BILL, (origin, model)).fetchone()
    return row["usd"] if row else None


def spent(session: Session, since: float, now: float, except_key: str = "") -> Spending:
    row = session.execute(_SPENT, (since, except_key, now - RESERVED_S)).fetchone()
    settled_usd, reserved_usd = round(row["settled"], 9), round(row["reserved"], 9)
    return Spending(settled_usd=settled_usd, reserved_usd=reserved_usd, unknown_count=row["unpriced"])


def is_reserved(intent: Intent, now: float) -> bool:
    """Whether one that was not sent yet holds its money now."""
    return intent.state is IntentState.INTENT and intent.intended_at > now - RESERVED_S


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingLimit:
    """The person's own limit: what is spent and reserved since `since` (see `day_start`) stays below `limit_usd`."""

    limit_usd: float
    since: float
    allow_unknown_price: bool = False
    is_set: bool = True

    def refuse_beyond(
        self, session: Session, estimate_usd: float | None, now: float, intent: Intent | None = None
    ) -> None:
        """Raise SpendingRefused unless one more create fits, or this intent, which is about to be claimed."""
        if estimate_usd is None and self.allow_unknown_price:
            return
        spending = spent(session, self.since, now, intent.key if intent else "")
        refuse_price(estimate_usd, self.limit_usd, spending, "The user can wait until tomorrow or raise " + OWN_LIMIT)

    def left(self, session: Session, now: float) -> Left:
        return left_of(self.limit_usd, spent(session, self.since, now), OWN_LIMIT)


def refuse_beyond(
    session: Session, limit: Limit | None, estimate_usd: float | None, now: float, intent: Intent | None = None
) -> None:
    """Raise SpendingRefused unless one more create, or this intent, fits under the limit, if there is one."""
    if limit is not None:
        limit.refuse_beyond(session, estimate_usd, now, intent)


def left_of(limit_usd: float, spending: Spending, whose: str) -> Left:
    left_usd = max(0.0, round(limit_usd - spending.total_usd, 6))
    reserved_usd = round(spending.reserved_usd, 6)
    return Left(limit_usd=limit_usd, left_usd=left_usd, reserved_usd=reserved_usd, whose=whose)


def refuse_price(
    estimate_usd: float | None, limit_usd: float, spending: Spending, advice: str, who: str = "the user"
) -> None:
    """Raise SpendingRefused where a create at this price would take what is spent beyond the limit.

    `advice` says what can be done about it, without its full stop; `who` sets what else is allowed.
    """
    if estimate_usd is None:
        raise SpendingRefused(
            "The price of this model is unknown and a daily limit is set, so nothing was sent. Choose a model with a "
            f"price, or ask {who} to set DARKROOM_ALLOW_UNKNOWN_PRICE=true."
        )
    if spending.total_usd + estimate_usd > limit_usd + 1e-9:
        left_usd = max(0.0, limit_usd - spending.total_usd)
        raise SpendingRefused(
            f"This would cost up to ${estimate_usd:.6g}; ${left_usd:.6g} of ${limit_usd:.6g} is left today "
            f"(${spending.reserved_usd:.6g} is reserved for unfinished predictions). Nothing was sent. {advice}."
        )


def totals(session: Session) -> Totals:
    """Over all time, out of sums that the database keeps up to date with every change."""
    row = session.execute(_TOTALS).fetchone()
    spending = Spending(
        settled_usd=round(row["settled_usd"], 9),
        reserved_usd=round(row["reserved_usd"], 9),
        unknown_count=row["unpriced_count"],
    )
    return Totals(spending=spending, **{name: row[name] for name in _COUNTS})
