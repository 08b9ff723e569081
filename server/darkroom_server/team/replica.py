"""The Darkroom of one person in a replica: their journal, their account's client, their place for images."""

from dataclasses import dataclass

import anyio.abc

from darkroom.darkroom import Darkroom, DarkroomOptions
from darkroom.journal import Limit
from darkroom.journal.postgres import Postgres
from darkroom.outputs import OutputStores
from darkroom.outputs.links import Links
from darkroom.registry import ModelRegistry
from darkroom.settings import Settings
from darkroom.work.create_rate import CREATES, Turns
from darkroom_server.team.clients import AccountClients
from darkroom_server.team.hooks import webhooks
from darkroom_server.team.news import News
from darkroom_server.team.queued_work import QueuedWork
from darkroom_server.team.team_account import TeamAccount
from darkroom_server.team.team_journal import TeamJournal
from darkroom_server.team.tenants import GatewayAccount, Principal, zone_of
from darkroom_server.team.workers_seen import WorkersSeen

# A call that would have to wait longer for its turn is refused: others of the team wait as well.
TURN_WITHIN_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Replica:
    """What all persons in this process share. `tasks` must outlive their rooms; `links` shows them their images."""

    settings: Settings
    registry: ModelRegistry
    postgres: Postgres
    news: News
    tasks: anyio.abc.TaskGroup
    links: Links
    workers: WorkersSeen

    def room(
        self, person: Principal, account: GatewayAccount, clients: AccountClients, limit: Limit | None
    ) -> Darkroom:
        """Not yet taking anything up (`work.take_up_unfinished`); whoever has it closes its work."""
        journal = TeamJournal(self.postgres, self.registry, clients.gateway, account, person.hash)
        options = self._options(person, account, clients, limit)
        turns = Turns(rate=account.rate or CREATES, within_s=TURN_WITHIN_S)
        webhook_of = webhooks(self.settings, account, clients.gateway)
        return Darkroom(
            options,
            self.registry,
            TeamAccount(clients.client, journal, clients.key, account.id),
            OutputStores(options.output_dir, spare=options.data_dir / "images"),
            clients.fetcher,
            lambda room: QueuedWork(room, self.tasks, self.news, turns, webhook_of),
        )

    def _options(
        self, person: Principal, account: GatewayAccount, clients: AccountClients, limit: Limit | None
    ) -> DarkroomOptions:
        settings = self.settings
        place = f"{settings.output_location.rstrip('/')}/{person.tenant}/{person.hash}"
        return DarkroomOptions(
            gateway=clients.gateway,
            key=clients.key,
            data_dir=settings.data_path / "team" / person.tenant / person.hash,
            output_dir=place,
            uploads_place=f"{place}/uploads",
            links=self.links,
            unattended=self.workers.words,
            models_dir=settings.models_dir,
            keep_metadata=settings.keep_metadata,
            default_model=settings.default_model,
            max_usd_per_call=settings.max_usd_per_call,
            team_limit=limit,
            allow_unknown_price=settings.allow_unknown_price,
            clock=self.postgres.clock,
            zone=zone_of(account.zone),
            wait_s=settings.wait_seconds,
        )
