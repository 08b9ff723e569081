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
_DAYS = f"""SELECT to_char(to_timestamp({AT}) AT TIME ZONE ?, 'YYYY-MM-DD') AS day, model, {SUMS_OF_SPENT}
    GROUP BY 1, 2 ORDER BY 1, 2"""


async def spending_of(postgres: Postgres, person: Principal) -> dict[str, JsonValue]:
    """Rows as `Catalogue.spending` gives them, today's date and its zone, and the limits. Raises: JournalError."""
    now = postgres.clock()

    def work(session: Session) -> dict[str, JsonValue]:
        row = session.execute(_ZONE, (person.tenant,)).fetchone()
        zone = row["zone"] if row else "UTC"
        limits = TeamLimit(person, Quotas()).limits(session, now)
        return {
            "spending": [[*each.values()] for each in session.execute(_DAYS, (zone,)).fetchall()],
            "today": local(now, zone_of(zone)).date().isoformat(),
            "zone": zone,
            "limits": [_told(*limit) for limit in limits],
        }

    return await postgres.database(person.tenant, person.hash).read(work)


def _told(limit_usd: float, spending: Spending, whose: str) -> JsonValue:
    left = left_of(limit_usd, spending, whose)
    return {"whose": whose, "limit_usd": limit_usd, "left_usd": left.left_usd, "reserved_usd": left.reserved_usd}
