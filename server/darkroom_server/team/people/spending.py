"""What a person has spent, by day and model, and what the limits of a team leave them of this day."""

from pydantic import JsonValue

from darkroom.journal import Spending
from darkroom.journal.database import AT, Session
from darkroom.journal.listing import SUMS_OF_SPENT
from darkroom.journal.postgres import Postgres
from darkroom.journal.spending_rows import left_of
from darkroom.reports.amounts import local
from darkroom_server.team.quotas import Quotas, TeamLimit
from darkroom_server.team.tenants import Principal, zone_of

_ZONE = "SELECT zone FROM tenants WHERE name = ?"
# Day after day, each out of its stretch of an index: to compute the day of every row takes longer than to read it.
# Below row-level security, which no index answers, the rows of the whole tenant would be read.
_DAYS = f"""SELECT to_char(day, 'YYYY-MM-DD') AS day, made.* FROM (SELECT ? AS zone, ? AS person, ? AS until) AS asked,
    LATERAL (SELECT to_timestamp(min({AT})) AT TIME ZONE zone AS began FROM intents
        WHERE principal = person AND is_adopted = 0 AND state IN ('sent', 'unknown', 'known')) AS first,
    generate_series(date_trunc('day', began), to_timestamp(until) AT TIME ZONE zone, interval '1 day') AS day,
    LATERAL (SELECT model, {SUMS_OF_SPENT} WHERE principal = person
        AND {AT} >= extract(epoch FROM day AT TIME ZONE zone)::float8
        AND {AT} < extract(epoch FROM (day + interval '1 day') AT TIME ZONE zone)::float8 GROUP BY model) AS made
    ORDER BY day, model"""


async def spending_of(postgres: Postgres, person: Principal) -> dict[str, JsonValue]:
    """Rows as `Catalogue.spending` gives them, today's date and its zone, and the limits.

    Raises: AccessRefused, JournalError.
    """
    now = postgres.clock()

    def work(session: Session) -> dict[str, JsonValue]:
        limits = TeamLimit(person, Quotas()).limits(session, now)
        zone = session.execute(_ZONE, (person.tenant,)).fetchone()["zone"]
        return {
            "spending": [[*each.values()] for each in session.execute(_DAYS, (zone, person.hash, now)).fetchall()],
            "today": local(now, zone_of(zone)).date().isoformat(),
            "zone": zone,
            "limits": [_told(*limit) for limit in limits],
        }

    return await postgres.database(person.tenant, person.hash).read(work)


def _told(limit_usd: float, spending: Spending, whose: str) -> JsonValue:
    left = left_of(limit_usd, spending, whose)
    return {"whose": whose, "limit_usd": limit_usd, "left_usd": left.left_usd, "reserved_usd": left.reserved_usd}
