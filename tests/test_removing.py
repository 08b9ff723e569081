"""Removing a tenant: all of it goes and nothing of another's, unless something may still be paid for."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio.to_thread
import pytest
from journal_fixtures import intended, new_intent, prediction
from postgres_server import PostgresServer
from team_rooms import ISSUER, KEY, Administrator, dump, journal_of, limit_of, open_directory

from darkroom.errors import AccessRefused
from darkroom.journal.postgres import Postgres
from darkroom.predictions import PredictionStatus
from darkroom_server.team.tenants import Directory, Principal

pytestmark = pytest.mark.anyio
ADA = "ada.lovelace"


@pytest.fixture
def admin(postgres: PostgresServer, tmp_path: Path) -> Administrator:
    administrator = Administrator(postgres, tmp_path)
    for tenant in ("acme", "umbra"):
        administrator.does("add", tenant)
        administrator.does("key", tenant, "--gateway", "replicate", stdin=KEY)
        administrator.does("token", tenant, f"{tenant}-nightly")
        administrator.does("limit", tenant, "--usd-per-day", "5", "--principal", ISSUER, ADA)
        administrator.does("admin", tenant, ISSUER, ADA)
        folder = tmp_path / "images" / tenant / "somebody"
        folder.mkdir(parents=True)
        (folder / "picture.png").write_bytes(b"png")
    return administrator


@asynccontextmanager
async def ada_of(server: PostgresServer) -> AsyncGenerator[tuple[Directory, Postgres, Principal]]:
    async with open_directory(server, claim="org") as (directory, postgres):
        yield directory, postgres, await directory.principal_of(ISSUER, ADA, {"org": "acme"})


async def remove(admin: Administrator, *words: str) -> str:
    return await anyio.to_thread.run_sync(admin.does, "remove", "acme", *(words or ("--yes",)))


async def test_all_of_a_tenant_goes_and_nothing_of_another(
    admin: Administrator, postgres: PostgresServer, tmp_path: Path
) -> None:
    async with ada_of(postgres) as (directory, opened, ada):
        journal = journal_of(opened, ada)
        intent = await intended(journal, new_intent(1, prompt="a secret cake"))
        assert await journal.claim(intent.key)
        await journal.mark_known(
            intent.key, prediction("ended000", PredictionStatus.SUCCEEDED, output=("https://files.invalid/1",))
        )
        waiting = await intended(journal, new_intent(2))
        job = """INSERT INTO procrastinate_jobs (queue_name, task_name, args)
            VALUES ('home', 'bring_home', jsonb_build_object('tenant', '{}', 'prediction_id', 'ended000'))"""
        for tenant in ("acme", "umbra"):
            postgres.execute(job.format(tenant))
        said = await remove(admin)
        assert "Removed: tenant 'acme' with 1 person, 1 gateway key, 2 predictions and 1 image; 1 file deleted." in said
        assert not (tmp_path / "images" / "acme").exists() and (tmp_path / "images" / "umbra" / "somebody").exists()
        left = dump(postgres)
        assert [word for word in ("secret cake", intent.key, waiting.key, "acme-nightly") if word in left] == []
        assert left.count("acme") == 1 and "umbra-nightly" in left  # that it was removed
        assert postgres.execute("SELECT act FROM audit WHERE tenant = 'acme'") == [("remove tenant",)]
        assert "remove tenant" in admin.does("audit", "acme")
        assert not await journal.claim(waiting.key)
        with pytest.raises(AccessRefused, match="Tenant 'acme' was removed. Nothing was sent."):
            await intended(journal, new_intent(3), spending=limit_of(ada))
        with pytest.raises(AccessRefused, match="no tenant"):
            await directory.principal_of(ISSUER, ADA, {"org": "acme"})
        assert await directory.account_of(await directory.principal_of(ISSUER, ADA, {"org": "umbra"}))
        assert "Unknown tenant 'acme'" in admin.refused("remove", "acme", "--yes")


@pytest.mark.parametrize("state", ["sent", "unknown", "known"])
async def test_what_may_still_be_paid_for_stops_it(
    admin: Administrator, postgres: PostgresServer, tmp_path: Path, state: str
) -> None:
    async with ada_of(postgres) as (_, opened, ada):
        journal = journal_of(opened, ada)
        intent = await intended(journal, new_intent(1))
        assert await journal.claim(intent.key)
        if state == "unknown":
            await journal.mark_unknown(intent.key, "its answer was lost")
        if state == "known":
            await journal.mark_known(intent.key, prediction("runs0000"))
        before = dump(postgres)
        said = await anyio.to_thread.run_sync(admin.refused, "remove", "acme", "--yes")
        assert "1 prediction of tenant 'acme' may still be on the way or be paid for. Nothing was removed." in said
        assert dump(postgres) == before and (tmp_path / "images" / "acme" / "somebody" / "picture.png").exists()
        await journal.mark_known(intent.key, prediction("runs0000", PredictionStatus.FAILED))
        assert "Removed: tenant 'acme'" in await remove(admin)


def test_without_a_yes_nothing_is_removed(admin: Administrator, postgres: PostgresServer) -> None:
    before = dump(postgres)
    said = admin.refused("remove", "acme")
    assert "Remove tenant 'acme' with 1 person, 1 gateway key, 0 predictions and 0 images?" in said
    assert "Repeat it with --yes" in said and dump(postgres) == before
    assert "Unknown tenant 'acne'. Closest: 'acme'." in admin.refused("remove", "acne", "--yes")


def test_where_an_image_cannot_be_deleted_every_row_stays(
    admin: Administrator, postgres: PostgresServer, tmp_path: Path
) -> None:
    folder = tmp_path / "images" / "acme"
    folder.rename(tmp_path / "elsewhere")
    folder.write_bytes(b"no folder")  # what cannot be cleared as one
    before = dump(postgres)
    done = admin.run("remove", "acme", "--yes")
    assert done.code == 2 and "cannot" in done.err and dump(postgres) == before
    folder.unlink()
    admin.does("remove", "acme", "--yes")
