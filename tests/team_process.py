"""A replica of its own: `team_process.py URL SUBJECT COUNT` orders as one person and prints how many were allowed."""

import sys
from functools import partial

import anyio
from journal_fixtures import new_intent
from journal_process import until_done

from darkroom.errors import SpendingRefused
from darkroom.journal import Journal
from darkroom.journal.postgres import open_postgres
from darkroom_server.team.quotas import Quotas, TeamLimit
from darkroom_server.team.tenants import Directory
from darkroom_server.team.vault import Vault


async def order(url: str, subject: str, count: int) -> None:
    allowed = 0
    async with open_postgres(url) as postgres:
        who = await Directory(postgres, Vault({"k1": bytes(32)})).principal_of("https://login.example.com", subject, {})
        journal = Journal(postgres.database(who.tenant, who.hash), postgres.clock)
        limit = TeamLimit(who, Quotas())

        async def one(seed: int) -> None:
            nonlocal allowed
            try:
                new = new_intent(seed, estimate_usd=0.01)
                [intent], _ = await until_done(partial(journal.intend, [new], spending=limit))
                is_ours = await until_done(partial(journal.claim, intent.key, spending=limit))
                allowed += is_ours is True
            except SpendingRefused:
                pass

        print("ready", flush=True)
        sys.stdin.readline()
        async with anyio.create_task_group() as tasks:
            for seed in range(count):
                tasks.start_soon(one, seed)
    print(allowed, flush=True)


if __name__ == "__main__":
    anyio.run(order, sys.argv[1], sys.argv[2], int(sys.argv[3]))
