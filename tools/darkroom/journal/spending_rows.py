"""What was spent, what is reserved, and whether one more create fits.

A create counts to the day on which it was sent, at its estimate until a cost is known; one that ended as `aborted`
never started and costs nothing. Adopted predictions were not ordered here and do not count.
"""

from typing import TYPE_CHECKING

from darkroom.errors import SpendingRefused
from darkroom.journal.records import Spending, SpendingLimit, Totals

if TYPE_CHECKING:
    from sqlite3 import Connection

# An intent that was never sent (its process died first) keeps its reservation no longer than this.
RESERVED_S = 600.0
_CREATES = """SELECT ended_at, CASE status WHEN 'aborted' THEN 0 ELSE coalesce(cost_usd, estimate_usd) END AS price
    FROM intents WHERE coalesce(sent_at, intended_at) >= ? AND is_adopted = 0 AND key <> ?
    AND (state IN ('sent', 'unknown', 'known') OR (state = 'intent' AND intended_at > ?))"""
_SPENT = f"""SELECT
    coalesce(sum(CASE WHEN ended_at IS NOT NULL THEN price END), 0),
    coalesce(sum(CASE WHEN ended_at IS NULL THEN price END), 0),
    count(*) - count(price) FROM ({_CREATES})"""
_IMAGES = """SELECT count(*) FROM images JOIN intents USING (prediction_id)
    WHERE images.state = ? AND coalesce(sent_at, intended_at) >= ?"""


def spent(connection: "Connection", since: float, now: float, except_key: str = "") -> Spending:
    settled, reserved, unknown = connection.execute(_SPENT, (since, except_key, now - RESERVED_S)).fetchone()
    return Spending(settled_usd=settled, reserved_usd=reserved, unknown_count=unknown)


def refuse_beyond(
    connection: "Connection", limit: SpendingLimit | None, estimate_usd: float | None, now: float, key: str = ""
) -> None:
    """Raise SpendingRefused unless one more create, or the one of `key`, fits under the limit."""
    if limit is None or (estimate_usd is None and limit.allow_unknown_price):
        return
    if estimate_usd is None:
        raise SpendingRefused(
            "The price of this model is unknown and a daily limit is set, so nothing was sent. Choose a model with a "
            "price, or ask the user to set DARKROOM_ALLOW_UNKNOWN_PRICE=true."
        )
    spending = spent(connection, limit.since, now, key)
    if spending.total_usd + estimate_usd > limit.limit_usd + 1e-9:
        left_usd = max(0.0, limit.limit_usd - spending.total_usd)
        raise SpendingRefused(
            f"This would cost about ${estimate_usd:.3f}, and ${left_usd:.3f} of the daily limit of "
            f"${limit.limit_usd:.2f} is left (${spending.reserved_usd:.3f} is reserved for unfinished predictions). "
            "Nothing was sent. The user can wait until tomorrow or raise DARKROOM_MAX_USD_PER_DAY."
        )


def totals(connection: "Connection", since: float, now: float) -> Totals:
    count = "SELECT count(*) FROM intents WHERE coalesce(sent_at, intended_at) >= ? AND state IN "
    return Totals(
        prediction_count=connection.execute(f"{count} ('known')", (since,)).fetchone()[0],
        unresolved_count=connection.execute(f"{count} ('sent', 'unknown')", (since,)).fetchone()[0],
        stored_count=connection.execute(_IMAGES, ("stored", since)).fetchone()[0],
        expired_count=connection.execute(_IMAGES, ("expired", since)).fetchone()[0],
        spending=spent(connection, since, now),
    )
