"""The journal on PostgreSQL: whose rows a principal sees, and what happens when the database goes away."""

import pytest
from journal_fixtures import intended, new_intent, prediction
from postgres_server import PostgresServer

from darkroom.journal import Journal
from darkroom.journal.postgres import Postgres, open_postgres

pytestmark = pytest.mark.anyio


def journal_of(opened: Postgres, tenant: str, principal: str) -> Journal:
    return Journal(opened.database(tenant, principal), opened.clock)


async def test_others_see_and_get_nothing(postgres: PostgresServer) -> None:
    async with open_postgres(postgres.app) as opened:
        alice, bob = (journal_of(opened, "acme", name) for name in ("alice", "bob"))
        row = await intended(alice, new_intent(1, request_id="wish"))
        assert await alice.claim(row.key)
        known = await alice.mark_known(row.key, prediction("pred00001"))
        assert known.prediction_id == "pred00001"
        assert await bob.find("pred00001") is None
