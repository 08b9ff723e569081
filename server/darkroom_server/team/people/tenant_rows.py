"""What an administrator sees of a tenant: what its people spend, their limits, what is open, and the audit.

Never a prompt, a picture, or a key: those are its people's own.
"""

from collections.abc import Callable
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
_PEOPLE = """SELECT principal, issuer, subject, usd_per_day,
    extract(epoch FROM first_seen_at)::float8 AS first_seen FROM principals ORDER BY subject, issuer"""
_PRICE = "coalesce(cost_usd, CASE status WHEN 'aborted' THEN 0 ELSE estimate_usd END)"
_SPENT = f"""SELECT principal, count(*) AS creates, coalesce(sum({_PRICE}), 0) AS month_usd,
    coalesce(sum(CASE WHEN {AT} >= ? THEN {_PRICE} END), 0) AS today_usd, max({AT}) AS last_at
    FROM intents WHERE {AT} >= ? AND is_adopted = 0 AND state IN ('sent', 'unknown', 'known') GROUP BY principal"""
_IS_OPEN = (
    "((state = 'known' AND ended_at IS NULL AND is_adopted = 0) OR (state IN ('sent', 'unknown') AND sent_at > ?))"
)
_OPEN_COUNTS = f"SELECT principal, count(*) AS number FROM intents WHERE {_IS_OPEN} GROUP BY principal"
_OPEN = f"""SELECT principal, prediction_id, gateway, model, state, status, {AT} AS at, estimate_usd
    FROM intents WHERE {_IS_OPEN} ORDER BY {AT}, key LIMIT {MOST_OPEN}"""
_ACTS = f"SELECT extract(epoch FROM at)::float8 AS at, who, act, which FROM latest_acts({MOST_ACTS})"
# Nobody looks for the answer of a create for longer.
_DOUBTED_FOR_S = 24 * 3600.0

Row = dict[str, Any]


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
    zone = zone_of(own["zone"])
    day = day_start(now, zone)
    month = day_start(day - (local(day, zone).day - 1) * 86_400 + 7_200, zone)  # whatever clocks did meanwhile
    people = _rows(session, _PEOPLE)
    spent = {row["principal"]: row for row in _rows(session, _SPENT, day, month)}
    open_counts = {row["principal"]: row["number"] for row in _rows(session, _OPEN_COUNTS, now - _DOUBTED_FOR_S)}
    names = {row["principal"]: row["subject"] for row in people}
    today = spent_by_all(session, day, now)
    return {
        "tenant": tenant,
        "zone": own["zone"],
        "limit_usd": own["usd_per_day"],
        "today_usd": round(today.total_usd, 6),
        "reserved_usd": round(today.reserved_usd, 6),
        "people": [_person(row, spent.get(row["principal"], {}), open_counts) for row in people],
        "open": [_open(row, names.get) for row in _rows(session, _OPEN, now - _DOUBTED_FOR_S)],
        "open_count": sum(open_counts.values()),
        "acts": [_act(row, names.get) for row in _rows(session, _ACTS)],
    }


def _person(row: Row, spent: Row, open_counts: dict[str, int]) -> JsonValue:
    limit_usd, today_usd = row["usd_per_day"], round(spent.get("today_usd", 0.0), 6)
    return {
        "subject": row["subject"],
        "issuer": row["issuer"],
        "today_usd": today_usd,
        "month_usd": round(spent.get("month_usd", 0.0), 6),
        "creates": spent.get("creates", 0),
        "limit_usd": limit_usd,
        "left_usd": None if limit_usd is None else max(0.0, round(limit_usd - today_usd, 6)),
        "open": open_counts.get(row["principal"], 0),
        "last_at": spent.get("last_at"),
    }


def _open(row: Row, name_of: Callable[[str], str | None]) -> JsonValue:
    return {
        "who": name_of(row["principal"]) or "",
        "id": row["prediction_id"] or "",
        "gateway": row["gateway"],
        "model": row["model"],
        "status": row["status"] or ("running" if row["state"] == "known" else "its answer is awaited or lost"),
        "at": row["at"],
        "most_usd": row["estimate_usd"],
    }


def _act(row: Row, name_of: Callable[[str], str | None]) -> JsonValue:
    """With people named by their subject, where they are still known."""
    which, who = (name_of(row[name]) or row[name] for name in ("which", "who"))
    return {"at": row["at"], "who": who, "act": row["act"], "which": which}


def _rows(session: Session, statement: str, *values: object) -> list[Row]:
    return session.execute(statement, values).fetchall()
