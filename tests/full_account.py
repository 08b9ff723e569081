"""An account with any number of open predictions, made quickly: one is created in earnest, and its row is copied."""

from collections.abc import Sequence

from busy_gateway import BusyGateway
from postgres_server import PostgresServer
from team_workers import MODEL, RoomOf

from darkroom.generate_image import generate_image
from darkroom.registry import ImageRequest

_HOUR_S = 3600.0
_COLUMNS = """SELECT column_name FROM information_schema.columns
    WHERE table_name = 'intents' AND is_identity = 'NO' AND is_generated = 'NEVER' ORDER BY ordinal_position"""
_WAKE = """INSERT INTO busy_accounts (tenant, account, look_at) SELECT DISTINCT tenant, account, 0 FROM intents
    ON CONFLICT (tenant, account) DO NOTHING"""


async def fill(
    postgres: PostgresServer,
    gateway: BusyGateway,
    room_of: RoomOf,
    spans: Sequence[tuple[float, float]],
    *,
    are_listed: bool = True,
) -> None:
    """Predictions, oldest first, that were created so many seconds ago and end in so many; one more runs for an hour.

    The gateway's list leaves those out that are not `are_listed`.
    """
    gateway.run_creates_for(_HOUR_S)
    report = await generate_image(await room_of("ada"), ImageRequest(prompt="a fox", model=MODEL), wait_s=0)
    made = gateway.fill(MODEL, dict(report.intents[0].input), spans, are_listed=are_listed)
    rows = ", ".join(f"({n}, '{id}', {age_s})" for n, (id, (age_s, _)) in enumerate(zip(made, spans, strict=True)))
    changed = {
        "key": "left(intents.key, 16) || lpad(copy.n::text, 10, '0')",
        "request_id": "''",
        "prediction_id": "copy.id",
        "prediction": "replace(prediction, prediction_id, copy.id)",
        "sent_at": "sent_at - copy.age_s",
        "known_at": "known_at - copy.age_s",
        "intended_at": "intended_at - copy.age_s",
    }
    names = [str(name) for (name,) in postgres.execute(_COLUMNS)]
    postgres.execute(
        f"""INSERT INTO intents ({", ".join(names)}) SELECT {", ".join(changed.get(name, name) for name in names)}
        FROM intents, (VALUES {rows}) AS copy (n, id, age_s) WHERE intents.prediction_id = '{report.id}'"""
    )
    postgres.execute("ANALYZE intents")
    postgres.execute(_WAKE)
