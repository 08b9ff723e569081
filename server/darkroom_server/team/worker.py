"""`darkroom-mcp worker`: follows the predictions of every tenant and stores their images, beside any number of others.

At SIGTERM it takes no new job, ends its watches at the next look and lets images that are on their way arrive; another
worker goes on at once. One that dies loses nothing: its jobs are taken back when it was not heard of for a while.
"""

import logging
import signal
from collections.abc import Callable

import anyio
import anyio.abc

from darkroom.settings import Settings
from darkroom.team_settings import TeamSettings
from darkroom_server.team.account_rooms import AccountRooms
from darkroom_server.team.clients import Clients
from darkroom_server.team.pace import Pace
from darkroom_server.team.tasks import queue, run_jobs, tend
from darkroom_server.team.tenants import Directory
from darkroom_server.team.vault import Vault

log = logging.getLogger(__name__)

_CONNECTIONS = 6


async def work(settings: Settings, team: TeamSettings, on_ready: Callable[[], None], pace: Pace | None = None) -> None:
    """Runs until SIGTERM or SIGINT. Raises: SettingsError, JournalError where it cannot begin."""
    from darkroom.journal.postgres import open_postgres

    team.require("database_url", "master_keys")
    assert team.database_url is not None
    url, pace = team.database_url.get_secret_value(), pace or Pace()
    vault = Vault.read(team.master_keys.get_secret_value())
    async with open_postgres(url, _CONNECTIONS) as postgres, Clients() as clients:
        leaving = anyio.Event()
        async with anyio.create_task_group() as tasks:
            directory = Directory(postgres, vault)
            rooms = AccountRooms(postgres, directory, clients, settings, pace, tasks)
            await tasks.start(tend, postgres, pace)
            await tasks.start(_until_told, leaving, tasks)
            on_ready()
            await run_jobs(queue(url, rooms, leaving.is_set), pace, leaving)
            tasks.cancel_scope.cancel()


async def _until_told(
    leaving: anyio.Event, tasks: anyio.abc.TaskGroup, *, task_status: anyio.abc.TaskStatus[None]
) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for _ in signals:
            if leaving.is_set():  # told twice
                tasks.cancel_scope.cancel()
                return
            log.warning("ends as soon as its jobs have")
            leaving.set()
