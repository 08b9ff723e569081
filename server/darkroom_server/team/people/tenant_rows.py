"""What an administrator sees of a tenant: what its people spend, their limits, what is open, and the audit.

Never a prompt, a picture, or a key: those are its people's own.
"""

from typing import Any

from pydantic import JsonValue

from darkroom.journal.database import AT, EVERYONE, Session
from darkroom.journal.postgres import Postgres
from darkroom.journal.records import day_start
from darkroom.reports.amounts import local
from darkroom_server.team.quotas import spent_by_all
from darkroom_server.team.tenants import Principal, zone_of

MOST_OPEN, MOST_ACTS = 200, 100

_ADMINISTERED = "SELECT administered_by(?) AS name"
_TENANT = "SELECT zone, usd_per_day FROM tenants WHERE name = ?"
_PRICE = "coalesce(cost_usd, CASE status WHEN 'aborted' THEN 0 ELSE estimate_usd END)"
_IS_OPEN = (
    "((state = 'known' AND ended_at IS NULL AND is_adopted = 0) OR (state IN ('sent', 'unknown') AND sent_at > ?))"
)
_PEOPLE = f"""WITH spent AS MATERIALIZED (SELECT principal, count(*) AS creates,
        coalesce(sum({_PRICE}), 0) AS month_usd,
        coalesce(sum(CASE WHEN {AT} >= ? THEN {_PRICE} END), 0) AS today_usd, max({AT}) AS last_at
        FROM intents WHERE {AT} >= ? AND is_adopted = 0 AND state IN ('sent', 'unknown', 'known') GROUP BY principal),
    running AS MATERIALIZED (SELECT principal, count(*) AS open FROM intents WHERE {_IS_OPEN} GROUP BY principal)
    SELECT subject, issuer, usd_per_day AS limit_usd, last_at, coalesce(creates, 0) AS creates,
    coalesce(open, 0) AS open, round(coalesce(today_usd, 0)::numeric, 6) AS today_usd,
    round(coalesce(month_usd, 0)::numeric, 6) AS month_usd,
    round(CASE WHEN usd_per_day >= 0 THEN greatest(0, usd_per_day - coalesce(today_usd, 0)) END::numeric, 6) AS left_usd
    FROM principals LEFT JOIN spent USING (principal) LEFT JOIN running USING (principal) ORDER BY subject, issuer"""
_OPEN = f"""SELECT coalesce(subject, '') AS who, coalesce(prediction_id, '') AS id, gateway, model, coalesce(status,
    CASE state WHEN 'known' THEN 'running' ELSE 'its answer is awaited or lost' END) AS status, {AT} AS at,
    estimate_usd AS most_usd FROM intents LEFT JOIN principals USING (principal)
    WHERE {_IS_OPEN} ORDER BY {AT}, key LIMIT {MOST_OPEN}"""
# With people named by their subject, where they are still known.
_ACTS = f"""SELECT extract(epoch FROM at)::float8 AS at, coalesce(doer.subject, who) AS who, act,
    coalesce(whom.subject, which) AS which FROM latest_acts({MOST_ACTS}) WITH ORDINALITY
    LEFT JOIN principals AS doer ON doer.principal = who LEFT JOIN principals AS whom ON whom.principal = which
    ORDER BY ordinality"""
# Nobody looks for the answer of a create for longer.
_DOUBTED_FOR_S = 24 * 3600.0


async def administered_by(postgres: Postgres, person: Principal) -> list[str]:
    """The tenants that this person administers. Raises: JournalError."""
    rows = await postgres.of_nobody.read(lambda session: _rows(session, _ADMINISTERED, person.hash))
    return [row["name"] for row in rows]


async def tenant_data(postgres: Postgres, tenant: str) -> dict[str, JsonValue]:
    """All that the page shows of a tenant, as of one moment; for its administrators alone. Raises: JournalError."""
    now = postgres.clock()
    return await postgres.database(tenant, EVERYONE).read(lambda session: _told(session, tenant, now))


def _told(session: Session, tenant: str, now: float) -> dict[str, JsonValue]:
    [own] = _rows(session, _TENANT, tenant)
    zone, doubted_since = zone_of(own["zone"]), now - _DOUBTED_FOR_S
    day = day_start(now, zone)
    month = day_start(day - (local(day, zone).day - 1) * 86_400 + 7_200, zone)  # whatever clocks did meanwhile
    people = _rows(session, _PEOPLE, day, month, doubted_since)
    today = spent_by_all(session, day, now)
    return {
        "tenant": tenant,
        "zone": own["zone"],
        "limit_usd": own["usd_per_day"],
        "today_usd": round(today.total_usd, 6),
        "reserved_usd": round(today.reserved_usd, 6),
        "people": [*people],
        "open": [*_rows(session, _OPEN, doubted_since)],
        "open_count": sum(each["open"] for each in people),
        "acts": [*_rows(session, _ACTS)],
    }


def _rows(session: Session, statement: str, *values: object) -> list[dict[str, Any]]:
    return session.execute(statement, values).fetchall()
