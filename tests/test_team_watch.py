"""What a worker and a replica keep in memory, with clocks that are moved by hand: nothing they keep costs money."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import pytest
from journal_fixtures import HandClock, intended, new_intent
from mapped import REGISTRY
from postgres_server import PostgresServer
from scripted_gateway import Answer, ScriptedGateway
from team_rooms import MASTER, open_directory

from darkroom.journal.database import EVERYONE
from darkroom.journal.postgres import Postgres
from darkroom.work.reconcile import ReconcileRules
from darkroom.work.runtime import Runtime
from darkroom_server.team import team_journal
from darkroom_server.team.account_rows import AccountRows
from darkroom_server.team.account_watch import AccountWatch
from darkroom_server.team.administration import administering
from darkroom_server.team.clients import AccountClients, Clients
from darkroom_server.team.new_key import NewKey
from darkroom_server.team.recent import Recent
from darkroom_server.team.team_account import TeamAccount
from darkroom_server.team.team_journal import TeamJournal
from darkroom_server.team.tenants import GatewayAccount
from darkroom_server.team.vault import Vault

pytestmark = pytest.mark.anyio
SETTLE_S = 120.0


@dataclass(frozen=True)
class Place:
    """A tenant with a gateway whose list is empty."""

    postgres: Postgres
    account: GatewayAccount
    clients: AccountClients
    gateway: ScriptedGateway

    def journal(self, principal: str = EVERYONE) -> TeamJournal:
        return TeamJournal(self.postgres, REGISTRY, self.clients.gateway, self.account, principal)

    async def lost(self) -> str:
        """The key of a create whose answer was lost."""
        journal = self.journal("ada")
        origin = self.clients.gateway.origin
        row = await intended(journal, new_intent(origin=origin, account=self.account.id))
        assert await journal.claim(row.key, account=self.account.id)
        await journal.mark_unknown(row.key, "no answer", "")
        return row.key

    def watch(self, runtime: Runtime) -> AccountWatch:
        """As a worker that was started just now."""
        journal, clients, account = self.journal(), self.clients, self.account
        database = self.postgres.database(account.tenant, EVERYONE)
        rows = AccountRows(database, account.tenant, account.id, clients.gateway.origin, answered_s=0.0)
        asked = TeamAccount(clients.client, journal, clients.key, account.id)
        return AccountWatch(asked, journal, rows, runtime, ReconcileRules(settle_s=SETTLE_S), lambda model: None)


@asynccontextmanager
async def place(server: PostgresServer) -> AsyncGenerator[Place]:
    async with ScriptedGateway() as gateway:
        gateway.answer(lambda request: Answer({"results": [], "next": None}))
        new = NewKey(gateway="replicate", base_url=gateway.base_url, key="k" * 20, secret="")
        with administering(server.owner) as administration:
            administration.add("acme", "UTC")
            id = administration.set_key("acme", new, Vault.read(MASTER), None)
        async with open_directory(server) as (directory, postgres), Clients() as clients:
            account = await directory.account(id)
            assert account
            yield Place(postgres, account, await clients.of(account), gateway)


class Passing:
    """A clock that passes while somebody sleeps, and is set by `jump_s` at the first sleep after a list was read."""

    def __init__(self, place: Place, jump_s: float = 0.0) -> None:
        self.clock = HandClock(place.postgres.clock())
        self.runtime = Runtime(clock=self.clock, monotonic=self.clock.monotonic, sleep=self._sleep)
        self._place = place
        self._jump_s = jump_s

    async def _sleep(self, seconds: float) -> None:
        if self._place.gateway.requests:
            self.clock.set_by(self._jump_s)
            self._jump_s = 0.0
        self.clock.advance(seconds)

    def after(self, seconds: float) -> bool:
        return self.clock.monotonic() >= seconds


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0])
async def test_a_jump_of_the_databases_clock_calls_no_create_lost(postgres: PostgresServer, jump_s: float) -> None:
    async with place(postgres) as here:
        key, passing = await here.lost(), Passing(here, jump_s)
        watch = here.watch(passing.runtime)
        await watch.run(lambda: passing.after(SETTLE_S - 10))
        assert len(here.gateway.requests) > 10
        assert postgres.execute(f"SELECT state FROM intents WHERE key = '{key}'") == [("unknown",)]
        await watch.run(lambda: passing.after(SETTLE_S + 20))
        assert postgres.execute(f"SELECT state FROM intents WHERE key = '{key}'") == [("absent",)]


async def test_what_one_worker_has_missed_counts_for_the_next(postgres: PostgresServer) -> None:
    async with place(postgres) as here:
        key, passing = await here.lost(), Passing(here)
        for until_s in (SETTLE_S - 10, SETTLE_S + 20):
            await here.watch(passing.runtime).run(partial(passing.after, until_s))
        assert postgres.execute(f"SELECT state FROM intents WHERE key = '{key}'") == [("absent",)]


async def test_what_was_learned_of_a_model_is_kept_for_five_seconds(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = HandClock()
    monkeypatch.setattr(team_journal, "Recent", partial(Recent, monotonic=clock.monotonic))
    async with place(postgres) as here:
        journal, origin = here.journal("ada"), here.clients.gateway.origin
        new = new_intent(origin=origin, account=here.account.id)
        row = await intended(journal, new)

        async def learned() -> tuple[float | None, tuple[float, ...]]:
            return await journal.last_bill(origin, new.model), await journal.seconds(new.gateway, new.model)

        assert await learned() == (None, ())
        postgres.execute(
            f"UPDATE intents SET cost_usd = 0.02, cost_basis = 'billed', total_s = 3 WHERE key = '{row.key}'"
        )
        assert await learned() == (None, ()), "that there is none is kept as well"
        assert await here.journal("ada").last_bill(origin, new.model) == 0.02
        clock.advance(5.1)
        assert await learned() == (0.02, (3.0,))
