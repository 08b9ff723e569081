"""The person's daily limit, reserved before a create and settled after it."""

import time
from collections.abc import AsyncGenerator, Callable, Iterator
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import anyio
import pytest
from journal_fixtures import START, HandClock, Place, intended, missed, new_intent, opened, prediction
from systems import posix_files

from darkroom.charges import UNKNOWN_COST, Basis, Receipt, Verdict
from darkroom.errors import SpendingRefused
from darkroom.images import ImageState
from darkroom.journal import Journal, SpendingLimit, day_start
from darkroom.predictions import PredictionStatus

pytestmark = pytest.mark.anyio
OUTPUT = ("https://files.invalid/a.png",)
LIMIT = SpendingLimit(limit_usd=0.10, since=START - 100)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def journal(place: Place, clock: HandClock) -> AsyncGenerator[Journal, None]:
    async with opened(place, clock) as journal:
        yield journal


async def test_an_intent_reserves_and_the_next_one_over_the_limit_is_refused(journal: Journal) -> None:
    await intended(journal, new_intent(1, estimate_usd=0.06), spending=LIMIT)
    with pytest.raises(SpendingRefused, match=r"\$0\.04 of \$0\.1 is left today"):
        await intended(journal, new_intent(2, estimate_usd=0.06), spending=LIMIT)
    assert len(await journal.history()) == 1
    await intended(journal, new_intent(3, estimate_usd=0.04), spending=LIMIT)


async def test_of_many_creates_at_once_only_those_that_fit_are_written(journal: Journal) -> None:
    refused: list[int] = []

    async def intend(seed: int) -> None:
        try:
            await intended(journal, new_intent(seed, estimate_usd=0.03), spending=LIMIT)
        except SpendingRefused:
            refused.append(seed)

    async with anyio.create_task_group() as tasks:
        for seed in range(10):
            tasks.start_soon(intend, seed)
    assert len(refused) == 7
    assert (await journal.spent_usd(0)).total_usd == pytest.approx(0.09)


async def test_the_same_request_is_not_checked_again(journal: Journal) -> None:
    first = await intended(journal, new_intent(1, request_id="wish", estimate_usd=0.09), spending=LIMIT)
    again = await intended(journal, new_intent(1, request_id="wish", estimate_usd=0.09), spending=LIMIT)
    assert again == first
    assert await journal.claim(first.key, spending=LIMIT)


async def test_an_unknown_price_is_refused_under_a_limit_unless_allowed(journal: Journal) -> None:
    with pytest.raises(SpendingRefused, match="DARKROOM_ALLOW_UNKNOWN_PRICE"):
        await intended(journal, new_intent(estimate_usd=None), spending=LIMIT)
    allowed = SpendingLimit(limit_usd=0.10, since=0, allow_unknown_price=True)
    await intended(journal, new_intent(estimate_usd=None), spending=allowed)
    assert (await journal.spent_usd(0)).unknown_count == 1


async def test_an_end_settles_at_its_receipt_or_else_the_estimate(place: Place, clock: HandClock) -> None:
    receipts = {
        "pred0000": Receipt(usd=0.05, basis=Basis.COMPUTED),
        "pred0001": UNKNOWN_COST,
        "pred0002": Receipt(usd=0.0, basis=Basis.COMPUTED, doubt="stated, not seen"),
    }
    ends = (PredictionStatus.SUCCEEDED, PredictionStatus.CANCELED, PredictionStatus.FAILED, PredictionStatus.PROCESSING)
    async with opened(place, clock, lambda intent, seen: receipts[seen.id]) as journal:
        for number, status in enumerate(ends):
            intent = await intended(journal, new_intent(number, estimate_usd=0.01))
            await journal.claim(intent.key)
            await journal.mark_known(intent.key, prediction(f"pred000{number}", status, output=OUTPUT))
        spending = await journal.spent_usd(0)
        rows = [await journal.find(f"pred000{number}") for number in range(4)]
    assert (spending.settled_usd, spending.reserved_usd) == (pytest.approx(0.06), pytest.approx(0.01))
    charges = [row.charge for row in rows if row]
    assert [(charge.verdict.value, charge.usd, charge.basis.value) for charge in charges] == [
        ("yes", 0.05, "computed"),
        ("possibly", 0.01, "estimated"),
        ("no", 0.0, "computed"),
        ("at_most", 0.01, "estimated"),
    ]
    assert charges[2].doubt == "stated, not seen"


async def test_a_bill_is_never_overwritten_by_a_computed_cost(place: Place, clock: HandClock) -> None:
    async with opened(place, clock, lambda intent, seen: Receipt(usd=0.01, basis=Basis.COMPUTED)) as journal:
        intent = await intended(journal, new_intent(estimate_usd=0.02))
        await journal.claim(intent.key)
        await journal.mark_known(intent.key, prediction("pred0001"))
        await journal.bill(intent.key, 0.004, "at 14:02 UTC")
        done = await journal.record(prediction("pred0001", PredictionStatus.SUCCEEDED, output=OUTPUT))
        assert (done.cost_usd, done.charge.basis, done.charge.verdict) == (0.004, Basis.BILLED, Verdict.YES)
        assert await journal.last_bill(done.origin, done.model) == 0.004
        assert (await journal.spent_usd(0)).total_usd == pytest.approx(0.004)


async def test_a_small_limit_is_not_rounded_in_words(journal: Journal) -> None:
    limit = SpendingLimit(limit_usd=0.0005, since=0)
    await intended(journal, new_intent(1, estimate_usd=0.0004), spending=limit)
    with pytest.raises(SpendingRefused, match=r"cost up to \$0\.0004; \$0\.0001 of \$0\.0005 is left today"):
        await intended(journal, new_intent(2, estimate_usd=0.0004), spending=limit)


async def test_a_bill_of_an_aborted_run_counts_and_sums_are_whole_cents(journal: Journal) -> None:
    for number in (1, 2, 3):
        intent = await intended(journal, new_intent(number, estimate_usd=0.1))
        await journal.claim(intent.key)
        await journal.mark_known(intent.key, prediction(f"pred000{number}", PredictionStatus.ABORTED))
        assert (await journal.spent_usd(0)).total_usd == pytest.approx(0.1 * (number - 1))
        await journal.bill(intent.key, 0.1)
    assert (await journal.spent_usd(0)).settled_usd == (await journal.totals()).spending.settled_usd == 0.3


async def test_a_later_look_without_figures_does_not_take_a_known_cost_away(place: Place, clock: HandClock) -> None:
    costs = [Receipt(usd=0.01, basis=Basis.COMPUTED), UNKNOWN_COST, Receipt(usd=0.02, basis=Basis.COMPUTED)]
    ended = prediction("pred0001", PredictionStatus.SUCCEEDED, output=OUTPUT)
    async with opened(place, clock, lambda intent, seen: costs.pop(0)) as journal:
        intent = await intended(journal, new_intent(estimate_usd=0.02))
        await journal.claim(intent.key)
        rows = [await journal.mark_known(intent.key, ended), await journal.record(ended), await journal.record(ended)]
        assert [row.cost_usd for row in rows] == [0.01, 0.01, 0.02]


async def test_a_success_after_a_failure_does_not_keep_its_cost(place: Place, clock: HandClock) -> None:
    costs = [Receipt(usd=0.0, basis=Basis.COMPUTED), UNKNOWN_COST]
    async with opened(place, clock, lambda intent, seen: costs.pop(0)) as journal:
        intent = await intended(journal, new_intent(estimate_usd=0.02))
        await journal.claim(intent.key)
        await journal.mark_known(intent.key, prediction("pred0001", PredictionStatus.FAILED))
        done = await journal.record(prediction("pred0001", PredictionStatus.SUCCEEDED, output=OUTPUT))
        assert done.cost_usd is None and (await journal.spent_usd(0)).total_usd == pytest.approx(0.02)


async def test_a_lost_create_that_was_billed_is_never_sent_again(journal: Journal) -> None:
    intent = await intended(journal, new_intent(estimate_usd=0.06))
    await journal.claim(intent.key)
    await journal.mark_unknown(intent.key, "504")
    await missed(journal, intent.key)
    await journal.bill(intent.key, 0.05)
    assert not await missed(journal, intent.key)
    assert not await journal.claim(intent.key)
    row = await journal.find(intent.key)
    assert row and row.charge.verdict is Verdict.YES
    assert (await journal.spent_usd(0)).total_usd == pytest.approx(0.05)


async def test_refused_and_absent_creates_give_their_reservation_back_and_need_room_again(
    journal: Journal,
) -> None:
    refused = await intended(journal, new_intent(1, estimate_usd=0.06), spending=LIMIT)
    await journal.claim(refused.key)
    await journal.mark_refused(refused.key, "busy")
    other = await intended(journal, new_intent(2, estimate_usd=0.06), spending=LIMIT)
    with pytest.raises(SpendingRefused):
        await journal.claim(refused.key, spending=LIMIT)
    assert await journal.claim(other.key, spending=LIMIT)


async def test_an_unresolved_create_stays_reserved(journal: Journal) -> None:
    intent = await intended(journal, new_intent(1, estimate_usd=0.06), spending=LIMIT)
    await journal.claim(intent.key)
    await journal.mark_unknown(intent.key, "504")
    assert (await journal.spent_usd(0)).reserved_usd == pytest.approx(0.06)


async def test_an_intent_that_was_never_sent_holds_money_for_ten_minutes(journal: Journal, clock: HandClock) -> None:
    await intended(journal, new_intent(1, estimate_usd=0.06), spending=LIMIT)
    clock.advance(601)
    assert (await journal.spent_usd(0)).total_usd == 0


async def test_yesterday_does_not_count_today(journal: Journal, clock: HandClock) -> None:
    intent = await intended(journal, new_intent(1, estimate_usd=0.09))
    await journal.claim(intent.key)
    clock.advance(86400)
    today = SpendingLimit(limit_usd=0.10, since=clock.now - 3600)
    await intended(journal, new_intent(2, estimate_usd=0.09), spending=today)
    assert (await journal.spent_usd(0)).total_usd == pytest.approx(0.18)


async def test_totals_follow_every_change(journal: Journal) -> None:
    known, unknown, refused = [await intended(journal, new_intent(seed)) for seed in (1, 2, 3)]
    for intent in (known, unknown, refused):
        await journal.claim(intent.key)
    await journal.mark_refused(refused.key, "busy")
    await journal.mark_known(known.key, prediction("pred0001"))
    totals = await journal.totals()
    assert (totals.prediction_count, totals.unresolved_count, totals.stored_count) == (1, 1, 0)
    assert (totals.spending.reserved_usd, totals.spending.settled_usd) == (pytest.approx(0.006), 0)
    await journal.mark_known(known.key, prediction("pred0001", PredictionStatus.SUCCEEDED, output=OUTPUT))
    await journal.image_problem("pred0001", 0, ImageState.EXPIRED, "gone")
    after = await journal.totals()
    assert (after.prediction_count, after.expired_count) == (1, 1)
    assert (after.spending.settled_usd, after.spending.reserved_usd) == (0.003, 0.003)


@pytest.fixture
def in_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Sets the time zone of this process, and sets it back."""

    def place(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield place
    monkeypatch.undo()
    time.tzset()


@posix_files
def test_a_spending_day_begins_at_local_midnight(in_zone: Callable[[str], None]) -> None:
    in_zone("Asia/Tokyo")
    zone = timezone(timedelta(hours=9))
    assert day_start(datetime(2026, 11, 20, 3, 4, tzinfo=zone).timestamp()) == (
        datetime(2026, 11, 20, tzinfo=zone).timestamp()
    )


@posix_files
def test_a_spending_day_begins_at_midnight_also_when_clocks_are_set_back(in_zone: Callable[[str], None]) -> None:
    in_zone("Europe/Berlin")
    evening = datetime(2026, 10, 25, 23, 0, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
    assert evening - day_start(evening) == 24 * 3600


def test_a_spending_day_of_the_computers_zone_is_at_most_25_hours_long() -> None:
    assert 0 <= START - day_start(START) <= 25 * 3600
