"""The journal on PostgreSQL: whose rows a principal sees, claims and writes."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import psycopg
import pytest
from journal_fixtures import ORIGIN, START, adopting, intended, missed, new_intent, prediction
from postgres_server import PostgresServer

from darkroom.errors import InternalFault, JournalError, UnknownPrediction
from darkroom.images import ImageState, StoredFile, StoredImage
from darkroom.journal import Filter, Intent, IntentState, Journal, Look, Rate, Verdict
from darkroom.journal.database import EVERYONE, Session
from darkroom.journal.postgres import Postgres
from darkroom.predictions import PredictionStatus
from darkroom.work.paid_ids import PaidIds

pytestmark = pytest.mark.anyio
SUCCEEDED = PredictionStatus.SUCCEEDED
PICTURE = ("https://files.invalid/a.png",)
FILE = StoredFile(location="/a.png", mime_type="image/png", width_px=1, height_px=1, size_bytes=9, sha256="ab" * 32)
STORED = StoredImage(prediction_id="pred0001", index=0, url=PICTURE[0], state=ImageState.STORED, file=FILE)


@pytest.fixture
async def opened(postgres: PostgresServer) -> AsyncGenerator[Postgres]:
    async with postgres.pool() as opened:
        yield opened


def journal_of(opened: Postgres, tenant: str, principal: str) -> Journal:
    return Journal(opened.database(tenant, principal), opened.clock)


@pytest.fixture
def alice(opened: Postgres) -> Journal:
    return journal_of(opened, "acme", "alice")


@pytest.fixture
def bob(opened: Postgres) -> Journal:
    return journal_of(opened, "acme", "bob")


@pytest.fixture
def worker(opened: Postgres) -> Journal:
    """All of the tenant's rows."""
    return journal_of(opened, "acme", EVERYONE)


async def done_by(journal: Journal, identifier: str = "pred0001", seed: int = 7) -> Intent:
    row = await intended(journal, new_intent(seed, request_id="wish", conversation="mine"))
    assert await journal.claim(row.key)
    return await journal.mark_known(row.key, prediction(identifier, SUCCEEDED, output=PICTURE))


READINGS: dict[str, Callable[[Journal, Intent], Awaitable[Any]]] = {
    "its id": lambda journal, row: journal.find(row.prediction_id),
    "its key": lambda journal, row: journal.find(row.key),
    "the request": lambda journal, row: journal.by_request("wish"),
    "the latest": lambda journal, row: journal.latest("mine"),
    "the history": lambda journal, row: journal.history(),
    "what is unfinished": lambda journal, row: journal.unfinished(ORIGIN),
    "what is unresolved": lambda journal, row: journal.unresolved(ORIGIN),
    "the seconds": lambda journal, row: journal.seconds(row.gateway, row.model),
    "what was sent": lambda journal, row: journal.sent_since(ORIGIN, "", 0),
    "the last bill": lambda journal, row: journal.last_bill(ORIGIN, row.model),
    "a claim": lambda journal, row: journal.claim(row.key),
    "a lease": lambda journal, row: journal.lease(row.key, "me", 30),
    "a note": lambda journal, row: journal.note_problem(row.key, "mine now"),
    "a loss": lambda journal, row: journal.mark_unknown(row.key, "mine now"),
    "a stop": lambda journal, row: journal.answers.stopped(row.key),
    "a wish for its images": lambda journal, row: journal.want_again(row.prediction_id),
    "the money": lambda journal, row: journal.lists.money(0, 1e18),
    "what was spent": lambda journal, row: journal.lists.spent(),
    "the files": lambda journal, row: journal.lists.locations(),
    "the file": lambda journal, row: journal.lists.with_file("/a.png", "ab" * 32),
}


@pytest.mark.parametrize(("tenant", "principal"), [("acme", "bob"), ("evil", "alice"), ("evil", EVERYONE)])
async def test_others_see_claim_lease_and_list_nothing(
    opened: Postgres, alice: Journal, tenant: str, principal: str
) -> None:
    row = await done_by(alice)
    await alice.image_stored(STORED)
    other = journal_of(opened, tenant, principal)
    assert {name: given for name, read in READINGS.items() if (given := await read(other, row))} == {}
    listed = await other.lists.between(0, 1e18, 10)
    found = (await other.lists.matching(Filter(), 10), await other.lists.matching(Filter(words=("lighthouse",)), 10))
    assert [each.rows for each in (listed, *found)] == [()] * 3
    totals, spending = await other.totals(), await other.spent_usd(0)
    assert (totals.prediction_count, totals.stored_count, spending.total_usd, spending.unknown_count) == (0, 0, 0, 0)
    with pytest.raises(InternalFault):
        await other.mark_known(row.key, prediction("pred0002"))
    await other.image_problem("pred0001", 0, ImageState.EXPIRED, "mine now")
    await other.bill(row.key, 9.0)
    assert await alice.find(row.key) == (await alice.history())[0]
    mine = await alice.find("pred0001")
    assert mine and mine.images[0].file == FILE and mine.cost_usd != 9.0


async def test_the_worker_sees_all_of_its_tenant_and_writes_for_the_owner(
    alice: Journal, bob: Journal, worker: Journal
) -> None:
    hers, his = await intended(alice, new_intent(1)), await intended(bob, new_intent(2))
    for journal, row in ((alice, hers), (bob, his)):
        assert await journal.claim(row.key)
    for number, row in enumerate((hers, his)):
        await worker.mark_known(row.key, prediction(f"pred000{number}"))
        await worker.record(prediction(f"pred000{number}", SUCCEEDED, output=PICTURE))
    assert len(await worker.unfinished(ORIGIN)) == 2
    await worker.image_stored(replace(STORED, prediction_id="pred0000"))
    (mine,) = await alice.history()
    assert [image.file for image in mine.images] == [FILE]
    assert [image.state for row in await bob.history() for image in row.images] == [ImageState.WANTED]
    assert ((await alice.totals()).stored_count, (await bob.totals()).stored_count) == (1, 0)
    assert (await worker.totals()).prediction_count == 2


async def test_a_second_prediction_of_a_row_gets_a_row_of_the_same_owner(alice: Journal, worker: Journal) -> None:
    row = await done_by(alice)
    second = await worker.mark_known(row.key, prediction("pred0002"))
    assert {each.prediction_id for each in await alice.history()} == {"pred0001", "pred0002"}
    assert await alice.find(second.key) == second


async def test_a_prediction_that_another_holds_stays_with_them_and_ours_is_looked_for(
    alice: Journal, bob: Journal, worker: Journal
) -> None:
    """Reconciliation gave bob's equal create the prediction whose answer then reaches alice."""
    hers, his = await intended(alice, new_intent(None)), await intended(bob, new_intent(None))
    assert await alice.claim(hers.key) and await bob.claim(his.key)
    known = Verdict(key=his.key, tries=1, state=IntentState.KNOWN, prediction=prediction("pred0001"))
    await worker.settle([known])
    told = await alice.mark_known(hers.key, prediction("pred0001"))
    assert (told.key, told.state, told.prediction_id) == (hers.key, IntentState.UNKNOWN, "")
    assert await alice.find("pred0001") is None and await bob.find("pred0001")
    assert await alice.known_ids(ORIGIN, 0) == {"pred0001"}


async def test_nobody_adopts_what_is_anothers_and_the_owner_gets_what_was_adopted(alice: Journal, bob: Journal) -> None:
    await done_by(alice)
    with pytest.raises(UnknownPrediction):
        await bob.record(prediction("pred0001"), adopting=adopting())
    row = await intended(alice, new_intent(2))
    assert await alice.claim(row.key)
    await bob.record(prediction("pred0002", SUCCEEDED, output=PICTURE), adopting=adopting())
    mine = await alice.mark_known(row.key, prediction("pred0002", SUCCEEDED, output=PICTURE))
    assert (mine.key, len(mine.images)) == (row.key, 1)
    assert await bob.find("pred0002") is None
    assert (await bob.totals()).prediction_count == 0


async def test_a_kept_id_that_is_anothers_does_not_keep_the_next_one_back(
    alice: Journal, bob: Journal, tmp_path: Path
) -> None:
    await done_by(alice)
    lost = [replace(await intended(bob, new_intent(seed)), key=f"lost{seed}") for seed in (1, 2)]
    before = PaidIds(tmp_path)
    for row, id in zip(lost, ("pred0001", "pred0009"), strict=True):
        await before.keep(row, id)
    await PaidIds(tmp_path).restore(bob, Look(now=START))
    assert await bob.find("pred0001") is None and await bob.find("pred0009")
    assert list(tmp_path.iterdir()) == []


async def test_the_same_request_id_of_two_people_is_two_wishes(alice: Journal, bob: Journal) -> None:
    one, two = [await intended(journal, new_intent(1, request_id="wish")) for journal in (alice, bob)]
    assert one.key != two.key
    assert await intended(alice, new_intent(2, request_id="wish")) == one


async def test_a_tenants_own_things_are_shared_by_its_people_alone(
    opened: Postgres, alice: Journal, bob: Journal
) -> None:
    other = journal_of(opened, "other", "alice")
    accounts = [await journal.account(ORIGIN, "r8_key") for journal in (alice, bob, other)]
    assert accounts[0] == accounts[1] != accounts[2]
    assert [await journal.take_turn("log", 60) for journal in (alice, bob, other)] == [True, False, True]
    rate = Rate(per_minute=60, burst=1)
    assert [await journal.rates.reserve("a", rate, 0.5) for journal in (alice, bob, other)] == [0, None, 0]


@pytest.mark.parametrize("setting", ["", "SET darkroom.tenant = ''", "SET darkroom.tenant = 'acme'"])
async def test_without_a_tenant_and_principal_there_is_nothing_to_read_or_write(
    postgres: PostgresServer, alice: Journal, setting: str
) -> None:
    await done_by(alice)
    with psycopg.connect(postgres.app, autocommit=True) as connection:
        connection.execute(setting.encode() or b"SELECT 1")
        for table in ("intents", "images", "tallies"):
            assert connection.execute(f"SELECT * FROM {table}".encode()).fetchall() == []
        for statement in (
            "INSERT INTO images (prediction_id, idx, url, state) VALUES ('pred0009', 0, 'u', 'wanted')",
            "INSERT INTO images (tenant, principal, prediction_id, idx, url, state)"
            " VALUES ('acme', 'alice', 'pred0009', 0, 'u', 'wanted')",
        ):
            with pytest.raises((psycopg.IntegrityError, psycopg.errors.InsufficientPrivilege)):
                connection.execute(statement.encode())


async def test_a_write_into_another_tenant_fails(opened: Postgres, alice: Journal) -> None:
    await done_by(alice)

    def steal(session: Session) -> None:
        session.execute(
            "INSERT INTO images (tenant, principal, prediction_id, idx, url, state) VALUES (?, ?, ?, 1, 'u', 'wanted')",
            ("acme", "alice", "pred0001"),
        )

    with pytest.raises(JournalError):
        await opened.database("evil", "mallory").write(steal)
    with pytest.raises(JournalError):
        await opened.database("acme", "bob").write(steal)
    with pytest.raises(JournalError):
        await opened.database("acme", EVERYONE).write(
            lambda session: session.execute("UPDATE intents SET tenant = 'evil'")
        )


async def test_a_claim_is_won_once_and_an_attempt_is_called_absent_once(alice: Journal, worker: Journal) -> None:
    row = await intended(alice, new_intent())
    won: list[bool] = []

    async def claim(journal: Journal) -> None:
        won.append(await journal.claim(row.key) is True)

    async with anyio.create_task_group() as tasks:
        for number in range(8):
            tasks.start_soon(claim, (alice, worker)[number % 2])
    assert won.count(True) == 1
    assert await missed(worker, row.key) and not await missed(worker, row.key)


async def test_texts_that_the_database_cannot_hold_are_kept_without_what_is_wrong(alice: Journal) -> None:
    odd = "a\0b\ud800c"
    row = await intended(alice, new_intent(prompt=odd, request_id=odd * 4000))
    assert [each.key for each in await alice.by_request(odd * 4000)] == [row.key]
    assert await alice.mark_unknown(odd, odd, odd) is False
    assert await alice.find(odd) is None
