"""The jobs of a worker: `watch` follows all predictions of a gateway account, `bring_home` stores the images of some.

Creates are never jobs. A job that ends in a fault, or with its worker, is queued anew by `tend`, which runs beside each
worker and outside the queue: as a job of its own it could be the one that is stuck.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress

import anyio
import anyio.abc
import procrastinate
from procrastinate.job_context import JobContext
from procrastinate.retry import RetryStrategy
from procrastinate.worker import Worker
from psycopg_pool import AsyncConnectionPool

from darkroom.errors import DarkroomError, SettingsError
from darkroom.journal.database import Session
from darkroom.journal.postgres import RECONNECT_S, Postgres
from darkroom_server.team import outbox
from darkroom_server.team.account_rooms import AccountRooms
from darkroom_server.team.pace import Pace

log = logging.getLogger(__name__)

_WATCH_S = 10.0  # then another worker may have the account
_RESTART_S = 1.0
_JUST_AFTER_S = 0.1
_END_WITHIN_S = 25.0
_GO_ON_WITHIN_S = 1.0  # after a fault of the queue, for which jobs that wait must not wait
_WATCHES, _AT_HOME = 200, 20  # a watch mostly waits
# What is new is notified; a watch can also wait for the end of the one before.
_POLLED_S = {outbox.WATCH: 0.5, outbox.BRING_HOME: 2.0}


def queue(url: str, rooms: AccountRooms, is_leaving: Callable[[], bool]) -> procrastinate.App:
    """The two jobs; `url` is the database as the role of the workers."""
    app = procrastinate.App(
        connector=procrastinate.PsycopgConnector(
            conninfo=url,
            min_size=1,
            max_size=6,
            kwargs={"application_name": outbox.WORKERS, "connect_timeout": 5},
            reconnect_timeout=RECONNECT_S,
            reconnect_failed=AsyncConnectionPool.check,
        )
    )

    @app.task(name=outbox.WATCH, queue=outbox.WATCH, pass_context=True)
    async def watch(context: JobContext, tenant: str, account: str) -> None:
        until_s = time.monotonic() + _WATCH_S
        try:
            await rooms.watch(
                tenant, account, lambda: is_leaving() or context.should_abort() or time.monotonic() > until_s
            )
        except SettingsError as error:
            log.warning("account %s of tenant %s is watched again later: %s", account, tenant, error)
            await rooms.put_off(tenant, account)
        except DarkroomError as error:
            log.warning("account %s of tenant %s is watched again soon: %s", account, tenant, error)

    @app.task(name=outbox.BRING_HOME, queue=outbox.BRING_HOME, retry=RetryStrategy(max_attempts=5, linear_wait=1))
    async def bring_home(tenant: str, account: str, prediction_ids: list[str]) -> None:
        try:
            await rooms.bring_home(tenant, account, prediction_ids)
        except DarkroomError as error:
            log.warning("images of %s are brought home later: %s", ", ".join(prediction_ids), error)

    assert watch and bring_home
    return app


async def run_jobs(app: procrastinate.App, pace: Pace, leaving: anyio.Event) -> None:
    """Until `leaving`; jobs that run then get a moment to end."""
    async with app.open_async(), anyio.create_task_group() as tasks:
        for name, concurrency in ((outbox.WATCH, _WATCHES), (outbox.BRING_HOME, _AT_HOME)):
            tasks.start_soon(_run_queue, app, name, concurrency, pace, leaving)


async def _run_queue(app: procrastinate.App, name: str, concurrency: int, pace: Pace, leaving: anyio.Event) -> None:
    """It begins anew where the database was away; what it was doing then is broken off and done again."""
    while not leaving.is_set():
        worker = Worker(
            app,
            queues=[name],
            concurrency=concurrency,
            install_signal_handlers=False,
            fetch_job_polling_interval=_POLLED_S[name],
            delete_jobs="always",
            update_heartbeat_interval=pace.heartbeat_s,
            stalled_worker_timeout=pace.stale_s,
            shutdown_graceful_timeout=_GO_ON_WITHIN_S,
        )
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_stop, worker, leaving)
                await worker.run()
                tasks.cancel_scope.cancel()
        except Exception as error:
            log.warning("the queue '%s' begins anew: %s", name, type(error).__name__)
        with anyio.move_on_after(_RESTART_S):
            await leaving.wait()


async def _stop(worker: Worker, leaving: anyio.Event) -> None:
    await leaving.wait()
    worker.shutdown_graceful_timeout = _END_WITHIN_S
    worker.stop()


async def tend(postgres: Postgres, pace: Pace, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    """Runs for ever: takes back what dead workers had, as soon as they count as dead, and wakes accounts that are due.

    It has started once it has taken over what the only worker had, which must be before the queue is connected.
    """
    database = postgres.of_nobody
    with suppress(DarkroomError):
        await database.write(outbox.take_over)
    task_status.started()

    def work(session: Session) -> tuple[int, float]:
        number = outbox.take_back(session, pace.stale_s)
        outbox.wake_the_due(session, postgres.clock())
        return number, outbox.until_stale_s(session, pace.stale_s)

    while True:
        pause_s = pace.stale_s / 3
        try:
            number, left_s = await database.write(work)
            pause_s = min(pause_s, left_s + _JUST_AFTER_S)
            if number:
                log.warning("%d jobs of a worker that is gone were taken back", number)
        except DarkroomError as error:
            log.warning("the queue could not be tended: %s", error)
        await anyio.sleep(pause_s)
