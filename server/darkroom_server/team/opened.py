"""What is open while a replica runs: the database, the accounts' clients, the news of the workers, and the rooms."""

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial

import anyio
import anyio.abc

from darkroom.darkroom import Darkroom
from darkroom.errors import DarkroomError
from darkroom.journal.postgres import Postgres, open_postgres
from darkroom.outputs.decoders import decoders
from darkroom.outputs.links import Links
from darkroom.registry import ModelRegistry
from darkroom.settings import Settings
from darkroom.team_settings import TeamSettings
from darkroom.work.paid_ids import KEPT_IDS
from darkroom_server.deadline import within
from darkroom_server.team.clients import Clients
from darkroom_server.team.hooks import Hooks
from darkroom_server.team.news import News
from darkroom_server.team.quotas import Quotas, TeamLimit
from darkroom_server.team.recent import Recent
from darkroom_server.team.replica import Replica
from darkroom_server.team.rooms import TeamRooms
from darkroom_server.team.standing import keep_looking
from darkroom_server.team.tenants import Directory, GatewayAccount, Principal
from darkroom_server.team.vault import Vault
from darkroom_server.team.workers_seen import WorkersSeen

log = logging.getLogger(__name__)

_READY_WITHIN_S = 2.0


@dataclass(frozen=True, kw_only=True)
class Opened:
    """`tasks` outlive every call."""

    postgres: Postgres
    directory: Directory
    news: News
    rooms: TeamRooms
    hooks: Hooks
    workers: WorkersSeen
    tasks: anyio.abc.TaskGroup

    async def missing(self) -> list[str]:
        """What keeps the replica from serving calls at this moment; it takes two seconds at most."""

        async def ask() -> bool:
            await self.postgres.of_nobody.read(lambda session: None)
            return True

        has_answered = await within(self.tasks, _READY_WITHIN_S, ask)
        return ["database"] * (not has_answered) + ["news"] * (not self.news.is_listening)


@asynccontextmanager
async def open_team(
    settings: Settings, team: TeamSettings, registry: Callable[[], ModelRegistry]
) -> AsyncGenerator[Opened]:
    """Raises: SettingsError, JournalError where it cannot be opened."""
    assert team.database_url
    url, vault = team.database_url.get_secret_value(), Vault.read(team.master_keys.get_secret_value())
    async with AsyncExitStack() as stack:
        postgres = await stack.enter_async_context(open_postgres(url))
        clients = await stack.enter_async_context(Clients())
        await stack.enter_async_context(decoders().kept())
        tasks = await stack.enter_async_context(anyio.create_task_group())
        news, directory = News(url), Directory(postgres, vault, team.tenant_claim)
        links = Links(origin=team.public_url, lifetime_s=team.link_seconds)
        workers = WorkersSeen(postgres)
        replica = Replica(
            settings=settings,
            registry=registry(),
            postgres=postgres,
            news=news,
            tasks=tasks,
            links=links,
            workers=workers,
        )

        open_darkroom = partial(_darkroom_of, replica, clients, _quotas(settings, team))
        rooms = TeamRooms(directory, open_darkroom, registry, settings, tasks, Recent(news.version))
        tasks.start_soon(news.listen)
        tasks.start_soon(workers.keep_counting)
        tasks.start_soon(rooms.close_quiet_ones)
        tasks.start_soon(_write_down_kept_ids, settings, rooms)
        if team.metrics_port:
            tasks.start_soon(keep_looking, postgres)
        try:
            hooks = Hooks(postgres=postgres, directory=directory, registry=registry())
            yield Opened(
                postgres=postgres,
                directory=directory,
                news=news,
                rooms=rooms,
                hooks=hooks,
                workers=workers,
                tasks=tasks,
            )
        finally:
            await rooms.settle()
            tasks.cancel_scope.cancel()


@asynccontextmanager
async def _darkroom_of(
    replica: Replica, clients: Clients, quotas: Quotas, person: Principal, account: GatewayAccount
) -> AsyncGenerator[Darkroom]:
    """The Darkroom of one person, open. Raises: DarkroomError."""
    limit = TeamLimit(person, quotas)
    async with anyio.create_task_group() as own_tasks:
        room = replace(replica, tasks=own_tasks).room(person, account, await clients.of(account), limit)
        with suppress(OSError):  # it only holds what the database does not take
            await anyio.Path(room.options.data_dir).mkdir(parents=True, exist_ok=True)
        own_tasks.start_soon(room.work.take_up_unfinished)
        own_tasks.start_soon(anyio.to_thread.run_sync, room.uploads.sweep)
        try:
            yield room
        finally:
            room.work.close()


def _quotas(settings: Settings, team: TeamSettings) -> Quotas:
    return Quotas(
        max_open=team.max_open,
        max_creates_per_minute=team.max_creates_per_minute,
        allow_unknown_price=settings.allow_unknown_price,
    )


async def _write_down_kept_ids(settings: Settings, rooms: TeamRooms) -> None:
    """Open the rooms of all whose paid ids an earlier process could not write into the database."""
    folders = {path.parent for path in (settings.data_path / "team").glob(f"*/*/{KEPT_IDS}")}
    for folder in sorted(folders):
        person = Principal(tenant=folder.parent.name, issuer="", subject="", hash=folder.name)
        try:
            await rooms.of(person)
        except DarkroomError as error:
            log.error("ids of paid predictions stay in '%s': %s", folder, error)
