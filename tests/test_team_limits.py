"""What a person and a tenant may spend and start: held over processes, said by whose limit it was."""

import contextlib
import os
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from forked_process import ForkedProcess
from journal_fixtures import HandClock, new_intent, prediction
from postgres_server import PostgresServer
from team_rooms import ISSUER, journal_of, limit_of, open_directory

from darkroom.charges import Basis, Receipt
from darkroom.errors import SpendingRefused
from darkroom.journal import Intent, Journal, Left
from darkroom.predictions import Prediction, PredictionStatus
from darkroom_server.team.administration import Person, administering
from darkroom_server.team.quotas import Quotas, TeamLimit

pytestmark = pytest.mark.anyio
ADA = Person(ISSUER, "ada")
PROGRAM = str(Path(__file__).with_name("team_process.py"))


def allow(server: PostgresServer, tenant_usd: float | None, own_usd: float | None, *, zone: str = "UTC") -> None:
    with administering(server.owner) as administration:
        with contextlib.suppress(Exception):
            administration.add("acme", zone)
        administration.set_limit("acme", tenant_usd)
        administration.set_limit("acme", own_usd, ADA)


@asynccontextmanager
async def orders(
    server: PostgresServer, subject: str = "ada", quotas: Quotas | None = None
) -> AsyncGenerator[tuple[Journal, TeamLimit]]:
    async with open_directory(server) as (directory, postgres):
        who = await directory.principal_of(ISSUER, subject, {})
        yield journal_of(postgres, who), limit_of(who, quotas)


async def order(journal: Journal, limit: TeamLimit, usd: float | None, seed: int = 7) -> Intent:
    [intent], _ = await journal.intend([new_intent(seed, estimate_usd=usd)], spending=limit)
    return intent


@pytest.mark.parametrize(
    ("tenant_usd", "own_usd", "whose"),
    [
        (0.10, None, "the limit for a day of the whole tenant 'acme'"),
        (None, 0.10, "your own limit for a day in tenant 'acme'"),
        (0.10, 5.0, "the limit for a day of the whole tenant 'acme'"),
        (5.0, 0.10, "your own limit for a day in tenant 'acme'"),
    ],
)
async def test_both_limits_hold_and_the_refusal_says_whose(
    postgres: PostgresServer, tenant_usd: float | None, own_usd: float | None, whose: str
) -> None:
    allow(postgres, tenant_usd, own_usd)
    async with orders(postgres) as (journal, limit):
        await order(journal, limit, 0.08)
        with pytest.raises(SpendingRefused, match=whose) as refused:
            await order(journal, limit, 0.03)
        assert "$0.02 of $0.1 is left today" in refused.value.message and len(refused.value.message) <= 300
        _, left = await journal.standing((), limit)
        assert left == Left(limit_usd=0.10, left_usd=0.02, reserved_usd=0.08, whose=whose) and limit.is_set


async def test_what_others_have_spent_counts_for_the_tenant_alone(postgres: PostgresServer) -> None:
    allow(postgres, 0.10, 0.05)
    async with orders(postgres, "bob") as (journal, limit):
        await order(journal, limit, 0.07)
    async with orders(postgres) as (journal, limit):
        with pytest.raises(SpendingRefused, match="whole tenant"):
            await order(journal, limit, 0.04)
        await order(journal, limit, 0.03)
        assert [each.estimate_usd for each in await journal.history()] == [0.03]


async def test_a_new_limit_holds_from_the_next_create_on(postgres: PostgresServer) -> None:
    allow(postgres, None, None)
    async with orders(postgres) as (journal, limit):
        await order(journal, limit, 100.0)
        assert await journal.standing((), limit) == ({}, None) and not limit.is_set
        allow(postgres, 100.5, None)
        with pytest.raises(SpendingRefused):
            await order(journal, limit, 1.0)
        allow(postgres, 0.0, None)
        with pytest.raises(SpendingRefused, match=r"\$0 of \$0 is left"):
            await order(journal, limit, 0.01)


async def test_an_unknown_price_is_refused_under_a_limit_unless_it_is_allowed(postgres: PostgresServer) -> None:
    allow(postgres, 1.0, None)
    async with orders(postgres) as (journal, limit):
        with pytest.raises(SpendingRefused, match="ask an administrator to set DARKROOM_ALLOW_UNKNOWN_PRICE"):
            await order(journal, limit, None)
    async with orders(postgres, quotas=Quotas(allow_unknown_price=True)) as (journal, limit):
        await order(journal, limit, None)


async def test_a_receipt_takes_the_place_of_the_bound(postgres: PostgresServer) -> None:
    allow(postgres, 0.10, None)

    def receipt_of(intent: Intent, end: Prediction) -> Receipt:
        return Receipt(usd=0.01, basis=Basis.COMPUTED)

    async with open_directory(postgres) as (directory, opened):
        who = await directory.principal_of(ISSUER, "ada", {})
        journal = Journal(opened.database("acme", who.hash), opened.clock, receipt_of)
        limit = limit_of(who)
        intent = await order(journal, limit, 0.10)
        assert await journal.claim(intent.key, spending=limit)
        await journal.mark_known(intent.key, prediction("made0000"))
        ended = replace(prediction("made0000", PredictionStatus.SUCCEEDED), output=("https://x.example/1.png",))
        await journal.record(ended)
        await order(journal, limit, 0.09, seed=8)
        with pytest.raises(SpendingRefused):
            await order(journal, limit, 0.01, seed=9)


async def test_a_create_that_has_lost_its_place_must_fit_anew(postgres: PostgresServer) -> None:
    allow(postgres, 0.10, None)
    async with orders(postgres) as (journal, limit):
        old, new = await order(journal, limit, 0.08), await order(journal, limit, 0.02, seed=8)
        assert await journal.claim(new.key, spending=limit)
        await journal.mark_refused(new.key, "the gateway is busy")
        postgres.execute(f"UPDATE intents SET intended_at = intended_at - 601 WHERE key = '{old.key}'")
        other = await order(journal, limit, 0.05, seed=9)
        for key in (old.key, new.key):
            allow(postgres, 0.06, None)
            with pytest.raises(SpendingRefused):
                await journal.claim(key, spending=limit)
        assert await journal.claim(other.key, spending=limit)


async def test_a_create_that_was_given_up_must_fit_anew(postgres: PostgresServer) -> None:
    allow(postgres, 0.10, None)
    async with orders(postgres, quotas=Quotas(max_open=2)) as (journal, limit):
        given_up = await order(journal, limit, 0.08)
        assert await journal.answers.given_up(given_up.key, "its turn is too far off")
        others = [await order(journal, limit, 0.02, seed=seed) for seed in (8, 9)]
        with pytest.raises(SpendingRefused, match="DARKROOM_MAX_OPEN"):
            await journal.claim(given_up.key, spending=limit)
        assert await journal.answers.given_up(others[0].key, "its turn is too far off")
        with pytest.raises(SpendingRefused, match="whole tenant"):
            await order(journal, limit, 0.09)
        allow(postgres, 0.09, None)
        with pytest.raises(SpendingRefused, match="whole tenant"):
            await journal.claim(given_up.key, spending=limit)
        allow(postgres, 0.10, None)
        assert await journal.claim(given_up.key, spending=limit)
        assert await journal.claim(others[1].key, spending=limit)


async def test_what_was_ordered_before_midnight_must_fit_into_the_new_day(postgres: PostgresServer) -> None:
    allow(postgres, 0.10, None)
    clock = HandClock(20_000 * 86_400 - 1.0)  # seconds before midnight
    async with open_directory(postgres) as (directory, opened):
        who = await directory.principal_of(ISSUER, "ada", {})
        journal, limit = Journal(opened.database("acme", who.hash), clock), limit_of(who)
        late = await order(journal, limit, 0.08)
        clock.advance(2)
        early = await order(journal, limit, 0.08, seed=8)
        with pytest.raises(SpendingRefused, match="whole tenant"):
            await journal.claim(late.key, spending=limit)
        assert await journal.claim(early.key, spending=limit)


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago", "America/Sao_Paulo"])
async def test_the_day_is_the_tenants(postgres: PostgresServer, zone: str) -> None:
    allow(postgres, 0.10, None, zone=zone)
    async with orders(postgres) as (journal, limit):
        early = await order(journal, limit, 0.10)
        midnight = f"extract(epoch FROM date_trunc('day', now() AT TIME ZONE '{zone}') AT TIME ZONE '{zone}')"
        postgres.execute(
            f"UPDATE intents SET state = 'unknown', sent_at = {midnight} + 0.001 WHERE key = '{early.key}'"
        )
        with pytest.raises(SpendingRefused):
            await order(journal, limit, 0.01)
        postgres.execute(f"UPDATE intents SET sent_at = {midnight} - 0.001 WHERE key = '{early.key}'")
        await order(journal, limit, 0.10)


async def test_a_person_may_run_only_so_many_at_once(postgres: PostgresServer) -> None:
    allow(postgres, None, None)
    async with orders(postgres, quotas=Quotas(max_open=2)) as (journal, limit):
        first = await order(journal, limit, 0.01)
        await order(journal, limit, 0.01, seed=8)
        with pytest.raises(SpendingRefused, match="At most 2 predictions of one person may be open at once"):
            await order(journal, limit, 0.01, seed=9)
        with pytest.raises(SpendingRefused):
            await journal.intend([new_intent(n, request_id="r", part=n) for n in range(2)], spending=limit)
        assert await journal.claim(first.key, spending=limit)
        await journal.mark_known(first.key, prediction("made0000", PredictionStatus.FAILED))
        await order(journal, limit, 0.01, seed=9)
    async with orders(postgres, "bob", Quotas(max_open=2)) as (journal, limit):
        await order(journal, limit, 0.01)


async def test_a_person_may_start_only_so_many_a_minute(postgres: PostgresServer) -> None:
    allow(postgres, None, None)
    async with orders(postgres, quotas=Quotas(max_creates_per_minute=2)) as (journal, limit):
        for seed in (1, 2):
            await order(journal, limit, 0.01, seed=seed)
        with pytest.raises(SpendingRefused, match=r"at most 2 predictions within a minute.*Try again in (5\d|6[01]) s"):
            await order(journal, limit, 0.01, seed=3)
        postgres.execute("UPDATE intents SET intended_at = intended_at - 61 WHERE seed = '1'")
        await order(journal, limit, 0.01, seed=3)


async def test_each_create_that_is_sent_is_in_the_audit(postgres: PostgresServer) -> None:
    allow(postgres, None, None)
    async with orders(postgres) as (journal, limit):
        sent, _ = await order(journal, limit, 0.01), await order(journal, limit, 0.01, seed=8)
        assert await journal.claim(sent.key)
    acts = postgres.execute("SELECT tenant, who, which FROM audit WHERE act = 'create'")
    [(principal,)] = postgres.execute("SELECT principal FROM principals WHERE subject = 'ada'")
    assert acts == [("acme", principal, sent.key)]


def test_four_processes_together_spend_no_more_than_the_limits(postgres: PostgresServer) -> None:
    allow(postgres, 0.50, 0.20)
    subjects = ("ada", "ada", "bob", "eve")
    pipe, environ = subprocess.PIPE, dict(os.environ)
    processes = [
        ForkedProcess([PROGRAM, postgres.app, who, "30"], env=environ, stdin=pipe, stdout=pipe, text=True)
        for who in subjects
    ]
    for process in processes:
        assert process.stdout and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    allowed = [int(process.communicate(timeout=120)[0]) for process in processes]
    assert sum(allowed) == 50 and sum(allowed[:2]) <= 20
