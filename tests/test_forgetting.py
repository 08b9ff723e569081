"""Forgetting a person, against a real gateway and real files: nothing of them stays, nothing that is paid is lost."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread
import pytest
from journal_fixtures import intended, new_intent, prediction
from postgres_server import PostgresServer
from sandbox_server import sandbox_server
from team_rooms import ISSUER, KEY, Administrator, dump, journal_of, limit_of, open_directory

from darkroom.errors import SpendingRefused
from darkroom.gateways import PredictionClient
from darkroom.journal import Journal
from darkroom.predictions import PredictionStatus
from darkroom_server.sandbox import SandboxOptions
from darkroom_server.team.tenants import GatewayAccount, Principal

pytestmark = pytest.mark.anyio
CANARY = "a secret birthday cake"
ADA = "ada.lovelace"


@dataclass(frozen=True)
class Room:
    """One person's place in the team."""

    who: Principal
    journal: Journal
    account: GatewayAccount
    folder: Path

    async def makes(self, name: str) -> Path:
        """A prediction that has ended, with its image; where that lies."""
        intent = await intended(self.journal, new_intent(1, prompt=f"{CANARY} {name}", estimate_usd=0.05))
        assert await self.journal.claim(intent.key)
        await self.journal.mark_known(intent.key, prediction(name, PredictionStatus.FAILED))
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{name}.png"
        path.write_bytes(b"png")
        return path

    async def runs(self, client: PredictionClient) -> str:
        """The id of a prediction that runs at the gateway."""
        sent = {"prompt": f"{CANARY} running"}
        new = new_intent(None, prompt=sent["prompt"], origin=self.account.choice.gateway.origin)
        intent = await intended(self.journal, new)
        assert await self.journal.claim(intent.key, account=self.account.id)
        made = await client.create(new.model, "", sent)
        return (await self.journal.mark_known(intent.key, made)).prediction_id


@dataclass(frozen=True)
class Team:
    """Ada and Bob in one tenant, and a gateway that takes its time."""

    admin: Administrator
    ada: Room
    bob: Room
    client: PredictionClient

    async def forget(self, *words: str, subject: str = ADA) -> str:
        return await anyio.to_thread.run_sync(self.admin.does, "forget", ISSUER, subject, *(words or ("--yes",)))


@asynccontextmanager
async def team(server: PostgresServer, home: Path) -> AsyncGenerator[Team]:
    admin = Administrator(server, home)
    async with (
        sandbox_server(SandboxOptions(speed=0.001)) as origin,
        open_directory(server) as (directory, postgres),
    ):
        admin.does("add", "acme")
        admin.does("key", "acme", "--gateway", "replicate", "--base-url", origin, stdin=KEY)
        rooms: list[Room] = []
        for subject in (ADA, "bob"):
            who = await directory.principal_of(ISSUER, subject, {})
            account = await directory.account_of(who)
            folder = home / "images" / "acme" / who.hash
            rooms.append(Room(who, journal_of(postgres, who), account, folder))
        choice = rooms[0].account.choice
        async with PredictionClient(choice.gateway, choice.key) as client:
            yield Team(admin, rooms[0], rooms[1], client)


async def test_nothing_of_a_forgotten_person_stays(postgres: PostgresServer, tmp_path: Path) -> None:
    async with team(postgres, tmp_path) as acme:
        mine, his = await acme.ada.makes("ada-made-this"), await acme.bob.makes("bob-made-this")
        running, bobs = await acme.ada.runs(acme.client), await acme.bob.runs(acme.client)
        waiting = await intended(acme.ada.journal, new_intent(9, prompt=CANARY))
        acme.admin.does("limit", "acme", "--usd-per-day", "5", "--principal", ISSUER, ADA)
        acme.admin.does("admin", "acme", ISSUER, ADA)
        own = ("key", "acme", "--gateway", "deerapi", "--principal", ISSUER, ADA)
        acme.admin.does(*own, stdin="sk-adas-own-key")
        queued = """INSERT INTO procrastinate_jobs (queue_name, task_name, args)
            SELECT 'bring_home', 'bring_home', jsonb_build_object('tenant', 'acme', 'prediction_ids', ids)
            FROM (VALUES ('["ada-made-this"]'::jsonb), ('["ada-made-this", "bob-made-this"]')) AS jobs (ids)"""
        postgres.execute(queued)
        keys = [each.key for each in await acme.ada.journal.history()]
        said = await acme.forget()
        assert "Forgotten: 3 predictions and 0 images in tenant acme; 1 file deleted, 1 canceled." in said
        assert (await acme.client.get(running)).status is PredictionStatus.CANCELED
        assert (await acme.client.get(bobs)).status is not PredictionStatus.CANCELED
        assert not mine.exists() and not mine.parent.exists() and his.exists()
        left = dump(postgres)
        words = [ADA, acme.ada.who.hash, running, "ada-made-this", "sk-adas", waiting.key, *keys]
        assert [word for word in words if word in left] == []
        assert [each.prediction_id for each in await acme.bob.journal.history()] == [bobs, "bob-made-this"]
        assert postgres.execute("SELECT args ->> 'prediction_ids' FROM procrastinate_jobs") == [('["bob-made-this"]',)]
        assert not await acme.ada.journal.claim(waiting.key)
        last = "SELECT act FROM audit WHERE who LIKE '%owner' ORDER BY number DESC LIMIT 1"
        assert postgres.execute(last) == [("forget",)]
        assert "was ever here" in acme.admin.refused("forget", ISSUER, ADA, "--yes")


async def test_what_a_forgotten_person_has_spent_counts_for_the_tenants_day(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    async with team(postgres, tmp_path) as acme:
        await acme.ada.makes("ada-made-this")
        acme.admin.does("limit", "acme", "--usd-per-day", "0.06")
        before = acme.admin.does("list", "--json")
        assert '"settled_usd": 0.05' in before
        await acme.forget()
        assert '"settled_usd": 0.05' in acme.admin.does("list", "--json")
        limit = limit_of(acme.bob.who)
        with pytest.raises(SpendingRefused, match="whole tenant"):
            await intended(acme.bob.journal, new_intent(1, estimate_usd=0.02), spending=limit)
        await intended(acme.bob.journal, new_intent(1, estimate_usd=0.01), spending=limit)


@pytest.mark.parametrize("state", ["sent", "unknown"])
async def test_a_create_that_may_be_paid_for_stops_it(postgres: PostgresServer, tmp_path: Path, state: str) -> None:
    async with team(postgres, tmp_path) as acme:
        path = await acme.ada.makes("ada-made-this")
        intent = await intended(acme.ada.journal, new_intent(2))
        assert await acme.ada.journal.claim(intent.key)
        if state == "unknown":
            await acme.ada.journal.mark_unknown(intent.key, "its answer was lost")
        forget = acme.admin.refused
        said = await anyio.to_thread.run_sync(forget, "forget", ISSUER, ADA, "--yes")
        assert "1 create of theirs in tenant 'acme' may be on the way or paid for already" in said
        assert path.exists() and len(await acme.ada.journal.history()) == 2
        await acme.ada.journal.mark_known(intent.key, prediction("late0000"))
        assert "could not be made to stop late0000" in await acme.forget()


async def test_without_a_yes_nothing_is_forgotten(postgres: PostgresServer, tmp_path: Path) -> None:
    async with team(postgres, tmp_path) as acme:
        path = await acme.ada.makes("ada-made-this")
        said = acme.admin.refused("forget", ISSUER, ADA)
        assert "Forget ada.lovelace of https://login.example.com: 1 prediction and 0 images in tenant acme?" in said
        assert "Repeat it with --yes" in said and path.exists()


async def test_a_machine_is_forgotten_with_its_tokens(postgres: PostgresServer, tmp_path: Path) -> None:
    async with team(postgres, tmp_path) as acme:
        acme.admin.does("token", "acme", "nightly")
        acme.admin.does("limit", "acme", "--usd-per-day", "1", "--principal", "darkroom", "nightly")
        done = await anyio.to_thread.run_sync(acme.admin.does, "forget", "darkroom", "acme/nightly", "--yes")
        assert "Forgotten" in done and "nightly" not in dump(postgres)
