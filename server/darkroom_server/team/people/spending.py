"""What a person has spent, by day and model, and what the limits of a team leave them of this day."""

from pydantic import JsonValue

from darkroom.journal import Journal, Spending
from darkroom.journal.database import Session
from darkroom.journal.postgres import Postgres
from darkroom.journal.spending_rows import left_of
from darkroom.reports.amounts import local
from darkroom_server.page.catalogue import Catalogue
from darkroom_server.team.quotas import Quotas, TeamLimit
from darkroom_server.team.tenants import Principal, zone_of

_ZONE = "SELECT zone FROM tenants WHERE name = ?"


async def spending_of(postgres: Postgres, person: Principal) -> dict[str, JsonValue]:
    """Rows as `Catalogue.spending` gives them, today's date and its zone, and the limits. Raises: JournalError."""
    database = postgres.database(person.tenant, person.hash)

    def work(session: Session) -> tuple[str, list[JsonValue]]:
        row = session.execute(_ZONE, (person.tenant,)).fetchone()
        limits = TeamLimit(person, Quotas()).limits(session, postgres.clock(), "")
        return row["zone"] if row else "UTC", [_told(*limit) for limit in limits]

    name, limits = await database.read(work)
    zone = zone_of(name)
    rows = await Catalogue(Journal(database, postgres.clock), zone=zone).spending()
    today = local(postgres.clock(), zone).date().isoformat()
    return {"spending": [*rows], "today": today, "zone": name, "limits": limits}


def _told(limit_usd: float, spending: Spending, whose: str) -> JsonValue:
    left = left_of(limit_usd, spending, whose)
    return {"whose": whose, "limit_usd": limit_usd, "left_usd": left.left_usd, "reserved_usd": left.reserved_usd}
