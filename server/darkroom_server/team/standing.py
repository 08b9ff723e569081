"""Figures of the whole team out of its database, for `/metrics`: what is open, who works, and what waits.

Read every 5 s by each replica, by statements that touch only what is open. All replicas tell the same.
"""

import logging
from collections.abc import Callable, Iterable, Mapping

import anyio
from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from darkroom.errors import JournalError
from darkroom.journal.database import EVERYONE, Session
from darkroom.journal.postgres import Postgres
from darkroom_server import __version__

log = logging.getLogger(__name__)

_EVERY_S = 5.0
_SILENT_S = 15.0
_QUEUE = """SELECT
    (SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - make_interval(secs => ?)) AS workers,
    (SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo') AS waiting,
    (SELECT count(*) FROM procrastinate_jobs AS jobs
        LEFT JOIN procrastinate_workers AS workers ON workers.id = jobs.worker_id WHERE jobs.status = 'doing'
        AND coalesce(workers.last_heartbeat, '-infinity') < now() - make_interval(secs => ?)) AS stalled,
    (SELECT coalesce(greatest(0, extract(epoch FROM now()) - min(look_at)), 0) FROM busy_accounts)::float8 AS overdue"""
# An account that nothing is open of is at rest, and is not there.
_TENANTS = "SELECT DISTINCT tenant FROM busy_accounts"
_OPEN = """SELECT (SELECT count(*) FROM intents WHERE state = 'known' AND ended_at IS NULL) AS running,
    (SELECT count(*) FROM intents
        WHERE state <> 'known' AND state IN ('sent', 'unknown') AND sent_at > ?) AS doubtful"""
_DOUBTED_FOR_S = 24 * 3600.0
_GAUGES = {
    "running": ("darkroom.predictions.open", "Predictions that have not ended"),
    "doubtful": ("darkroom.creates.doubtful", "Creates whose answer is on its way or was lost"),
    "workers": ("darkroom.workers", "Signs of life of late: two for each worker that runs"),
    "waiting": ("darkroom.jobs.waiting", "Jobs that no worker has begun"),
    "stalled": ("darkroom.jobs.stalled", "Jobs of workers that are not heard of any more"),
    "overdue": ("darkroom.accounts.overdue", "Seconds by which the gateway account that waits longest is overdue"),
}


async def keep_looking(postgres: Postgres) -> None:
    """Runs for ever; where the database is away, nothing is told until it is back."""
    figures: dict[str, float] = {}
    meter = metrics.get_meter("darkroom", __version__)
    for name, (title, description) in _GAUGES.items():
        unit = "s" if description.startswith("Seconds") else ""
        meter.create_observable_gauge(title, [_telling(figures, name)], unit=unit, description=description)
    while True:
        try:
            figures.update(await _read(postgres))
        except JournalError as error:
            figures.clear()
            log.warning("the figures of the team cannot be read: %s", error)
        await anyio.sleep(_EVERY_S)


async def _read(postgres: Postgres) -> dict[str, float]:
    def work(session: Session) -> tuple[dict[str, float], list[str]]:
        row = session.execute(_QUEUE, (_SILENT_S, _SILENT_S)).fetchone()
        return dict(row), [each["tenant"] for each in session.execute(_TENANTS).fetchall()]

    figures, tenants = await postgres.of_nobody.read(work)
    figures |= {"running": 0, "doubtful": 0}
    since = postgres.clock() - _DOUBTED_FOR_S
    for tenant in tenants:
        database = postgres.database(tenant, EVERYONE)
        row = await database.read(lambda session: session.execute(_OPEN, (since,)).fetchone())
        for name in ("running", "doubtful"):
            figures[name] += row[name]
    return figures


def _telling(figures: Mapping[str, float], name: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
    return lambda _: [Observation(figures[name])] if name in figures else []
