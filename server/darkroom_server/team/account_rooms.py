"""What a worker has for one gateway account: its client, the journal of everyone in its tenant, and who follows it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import anyio
import anyio.abc

from darkroom.errors import SettingsError
from darkroom.journal import account_rows
from darkroom.journal.database import EVERYONE, Database
from darkroom.journal.postgres import Postgres
from darkroom.outputs import OutputStores
from darkroom.registry import ModelRegistry
from darkroom.settings import Settings
from darkroom.work.bills import Bills
from darkroom.work.fences import Fences
from darkroom.work.image_fetching import ImageFetching
from darkroom.work.reconcile import ReconcileRules
from darkroom.work.runtime import Runtime
from darkroom_server.team import outbox
from darkroom_server.team.account_rows import AccountRows
from darkroom_server.team.account_watch import AccountWatch
from darkroom_server.team.clients import AccountClients, Clients
from darkroom_server.team.hooks import is_told
from darkroom_server.team.pace import Pace
from darkroom_server.team.team_account import TeamAccount
from darkroom_server.team.team_journal import TeamJournal
from darkroom_server.team.tenants import Directory, GatewayAccount

_PAUSES_S = (0.5, 1.0, 2.0)
_PUT_OFF_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRoom:
    """`watch` follows the account; `journal` and `database` are everyone's in its tenant."""

    clients: AccountClients
    journal: TeamJournal
    database: Database
    watch: AccountWatch
    fetching: ImageFetching
    bills: Bills


class AccountRooms:
    """Opened once for each account, and anew when its key has changed."""

    def __init__(
        self,
        postgres: Postgres,
        directory: Directory,
        clients: Clients,
        settings: Settings,
        pace: Pace,
        tasks: anyio.abc.TaskGroup,
    ) -> None:
        self._postgres = postgres
        self._directory = directory
        self._clients = clients
        self._registry = ModelRegistry.load(settings.models_dir)
        self._stores = OutputStores(settings.output_dir, spare=settings.data_path / "images")
        self._settings = settings
        self._pace = pace
        self._runtime = Runtime(clock=postgres.clock)
        self._tasks = tasks
        self._open: dict[str, AccountRoom] = {}

    async def watch(self, tenant: str, id: str, is_over: Callable[[], bool]) -> None:
        """Follow what is open of the account, and look for its bills. Raises: SettingsError, JournalError."""
        room = await self.at(tenant, id)
        self._tasks.start_soon(Fences(room.journal).run, "looking for bills", room.bills.run)
        await room.watch.run(is_over)

    async def bring_home(self, tenant: str, id: str, prediction_ids: Sequence[str]) -> None:
        """Try the images of some a few times; what then is still wanted, the watch of the account has tried again.

        A room that is open is as good as one with a newer key, which hosts never see.

        Raises: SettingsError, JournalError.
        """
        room = self._open.get(id) or await self.at(tenant, id)
        for pause_s in (0.0, *_PAUSES_S):
            await anyio.sleep(pause_s)
            if await room.fetching.try_once(await room.journal.wanting(prediction_ids)):
                return

    async def put_off(self, tenant: str, id: str) -> None:
        """Watch the account again in a minute: what is wrong with it does not pass by itself. Raises: JournalError."""
        at = self._postgres.clock() + _PUT_OFF_S
        database = self._postgres.database(tenant, EVERYONE)
        await database.write(lambda session: outbox.look_later(session, tenant, id, at))

    async def at(self, tenant: str, id: str) -> AccountRoom:
        """The room of an account; its key is opened now. Raises: SettingsError, JournalError."""
        account = await self._directory.account(id)
        if account is None or account.tenant != tenant:
            raise SettingsError(f"Gateway account '{id}' of tenant '{tenant}' is not there any more.")
        clients = await self._clients.of(account)
        room = self._open.get(id)
        if room is None or room.clients is not clients:
            room = self._open[id] = self._made(account, clients)
            await room.database.write(partial(account_rows.note, account=id, origin=clients.gateway.origin))
        return room

    def _made(self, account: GatewayAccount, clients: AccountClients) -> AccountRoom:
        gateway = clients.gateway
        database = self._postgres.database(account.tenant, EVERYONE)
        journal = TeamJournal(self._postgres, self._registry, gateway, account, EVERYONE)
        asked = TeamAccount(clients.client, journal, clients.key, account.id)
        asked.look_every_s = self._pace.told_s if is_told(self._settings, account, gateway) else 0.0
        rows = AccountRows(database, account.tenant, account.id, gateway.origin, self._pace.answered_s)
        bills = Bills(asked, journal, self._runtime)
        rules = ReconcileRules(settle_s=self._pace.settle_s, defaults=self._registry.defaults)
        return AccountRoom(
            clients=clients,
            journal=journal,
            database=database,
            watch=AccountWatch(asked, journal, rows, self._runtime, rules, self._registry.typical_s),
            fetching=ImageFetching(journal, self._stores, clients.fetcher, self._runtime),
            bills=bills,
        )
