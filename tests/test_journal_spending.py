"""The person's daily limit, reserved before a create and settled after it."""

from collections.abc import AsyncGenerator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import anyio
import pytest
from journal_fixtures import START, HandClock, new_intent, opened, prediction

from darkroom.errors import SpendingRefused
from darkroom.journal import SpendingLimit, SqliteJournal, day_start
from darkroom.predictions import PredictionStatus

pytestmark = pytest.mark.anyio
LIMIT = SpendingLimit(limit_usd=0.10, since=START - 100)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def journal(tmp_path: Path, clock: HandClock) -> AsyncGenerator[SqliteJournal, None]:
    async with opened(tmp_path, clock) as journal:
        yield journal


async def test_an_intent_reserves_and_the_next_one_over_the_limit_is_refused(journal: SqliteJournal) -> None:
    await journal.intend(new_intent(1, estimate_usd=0.06), spending=LIMIT)
    with pytest.raises(SpendingRefused, match=r"\$0\.040 of the daily limit of \$0\.10 is left"):
        await journal.intend(new_intent(2, estimate_usd=0.06), spending=LIMIT)
    assert len(await journal.history()) == 1
    await journal.intend(new_intent(3, estimate_usd=0.04), spending=LIMIT)


async def test_of_many_creates_at_once_only_those_that_fit_are_written(journal: SqliteJournal) -> None:
    refused: list[int] = []

    async def intend(seed: int) -> None:
        try:
            await journal.intend(new_intent(seed, estimate_usd=0.03), spending=LIMIT)
        except SpendingRefused:
            refused.append(seed)

    async with anyio.create_task_group() as tasks:
        for seed in range(10):
            tasks.start_soon(intend, seed)
    assert len(refused) == 7
    assert (await journal.spent_usd(0)).total_usd == pytest.approx(0.09)


async def test_the_same_request_is_not_checked_again(journal: SqliteJournal) -> None:
    first = await journal.intend(new_intent(1, request_id="wish", estimate_usd=0.09), spending=LIMIT)
    again = await journal.intend(new_intent(1, request_id="wish", estimate_usd=0.09), spending=LIMIT)
    assert again == first
    assert await journal.claim(first.key, spending=LIMIT)


async def test_an_unknown_price_is_refused_under_a_limit_unless_allowed(journal: SqliteJournal) -> None:
    with pytest.raises(SpendingRefused, match="DARKROOM_ALLOW_UNKNOWN_PRICE"):
        await journal.intend(new_intent(estimate_usd=None), spending=LIMIT)
    allowed = SpendingLimit(limit_usd=0.10, since=0, allow_unknown_price=True)
    await journal.intend(new_intent(estimate_usd=None), spending=allowed)
    assert (await journal.spent_usd(0)).unknown_count == 1


async def test_an_end_settles_at_the_cost_or_else_the_estimate(journal: SqliteJournal) -> None:
    for number, (status, cost_usd) in enumerate(
        [
            (PredictionStatus.SUCCEEDED, 0.05),
            (PredictionStatus.CANCELED, None),
            (PredictionStatus.ABORTED, None),
            (PredictionStatus.PROCESSING, None),
        ]
    ):
        intent = await journal.intend(new_intent(number, estimate_usd=0.01))
        await journal.claim(intent.key)
        await journal.mark_known(intent.key, prediction(f"pred000{number}", status), cost_usd=cost_usd)
    spending = await journal.spent_usd(0)
    assert spending.settled_usd == pytest.approx(0.06)
    assert spending.reserved_usd == pytest.approx(0.01)


async def test_a_cost_learned_after_the_end_counts(journal: SqliteJournal) -> None:
    intent = await journal.intend(new_intent(estimate_usd=0.01))
    await journal.claim(intent.key)
    done = prediction("pred0001", PredictionStatus.SUCCEEDED, output=("https://files.invalid/a.png",))
    await journal.mark_known(intent.key, done)
    assert (await journal.record(prediction("pred0001"), cost_usd=0.02)).cost_usd == 0.02
    assert (await journal.spent_usd(0)).settled_usd == pytest.approx(0.02)


async def test_refused_and_absent_creates_give_their_reservation_back_and_need_room_again(
    journal: SqliteJournal,
) -> None:
    refused = await journal.intend(new_intent(1, estimate_usd=0.06), spending=LIMIT)
    await journal.claim(refused.key)
    await journal.mark_refused(refused.key, "busy")
    other = await journal.intend(new_intent(2, estimate_usd=0.06), spending=LIMIT)
    with pytest.raises(SpendingRefused):
        await journal.claim(refused.key, spending=LIMIT)
    assert await journal.claim(other.key, spending=LIMIT)


async def test_an_unresolved_create_stays_reserved(journal: SqliteJournal) -> None:
    intent = await journal.intend(new_intent(1, estimate_usd=0.06), spending=LIMIT)
    await journal.claim(intent.key)
    await journal.mark_unknown(intent.key, "504")
    assert (await journal.spent_usd(0)).reserved_usd == pytest.approx(0.06)


async def test_an_intent_that_was_never_sent_holds_money_for_ten_minutes(
    journal: SqliteJournal, clock: HandClock
) -> None:
    await journal.intend(new_intent(1, estimate_usd=0.06), spending=LIMIT)
    clock.advance(601)
    assert (await journal.spent_usd(0)).total_usd == 0


async def test_yesterday_does_not_count_today(journal: SqliteJournal, clock: HandClock) -> None:
    intent = await journal.intend(new_intent(1, estimate_usd=0.09))
    await journal.claim(intent.key)
    clock.advance(86400)
    today = SpendingLimit(limit_usd=0.10, since=clock.now - 3600)
    await journal.intend(new_intent(2, estimate_usd=0.09), spending=today)
    assert (await journal.totals()).spending.total_usd == pytest.approx(0.18)


async def test_totals_count_predictions_and_unresolved_creates(journal: SqliteJournal) -> None:
    known, unknown = [await journal.intend(new_intent(seed)) for seed in (1, 2)]
    for intent in (known, unknown):
        await journal.claim(intent.key)
    await journal.mark_known(known.key, prediction("pred0001"))
    totals = await journal.totals()
    assert (totals.prediction_count, totals.unresolved_count, totals.stored_count) == (1, 1, 0)


def test_a_spending_day_begins_at_local_midnight() -> None:
    zone = timezone(timedelta(hours=9))
    assert day_start(datetime(2026, 11, 20, 3, 4, tzinfo=zone).timestamp(), zone) == (
        datetime(2026, 11, 20, tzinfo=zone).timestamp()
    )


def test_a_spending_day_begins_at_midnight_also_when_clocks_are_set_back() -> None:
    zone = ZoneInfo("Europe/Berlin")
    evening = datetime(2026, 10, 25, 23, 0, tzinfo=zone).timestamp()
    assert evening - day_start(evening, zone) == 24 * 3600


def test_a_spending_day_of_the_computers_zone_is_at_most_25_hours_long() -> None:
    assert 0 <= START - day_start(START) <= 25 * 3600
