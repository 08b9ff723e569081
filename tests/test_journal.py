"""Each change of state in the journal, in one process with a clock moved by hand."""

import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_fixtures import (
    GATEWAY,
    MODEL,
    ORIGIN,
    HandClock,
    Place,
    adopting,
    everything_written,
    intended,
    missed,
    new_intent,
    opened,
    prediction,
)

from darkroom.errors import InternalFault
from darkroom.journal import Intent, IntentState, Journal, Look, Verdict
from darkroom.journal.codec import new_key, prediction_json
from darkroom.predictions import PredictionStatus, parse_prediction
from darkroom.secrets_in_inputs import masked_secrets

pytestmark = pytest.mark.anyio
SUCCEEDED = PredictionStatus.SUCCEEDED
PNG = "https://files.invalid/a.png"


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def journal(place: Place, clock: HandClock) -> AsyncGenerator[Journal, None]:
    async with opened(place, clock) as journal:
        yield journal


async def sent(journal: Journal, seed: int = 7) -> Intent:
    intent = await intended(journal, new_intent(seed))
    assert await journal.claim(intent.key)
    return await found(journal, intent.key)


async def found(journal: Journal, id_or_key: str) -> Intent:
    intent = await journal.find(id_or_key)
    assert intent is not None
    return intent


async def test_an_intent_is_written_as_it_was_decided(journal: Journal, clock: HandClock) -> None:
    intent = await intended(journal, new_intent(7, request_id="wish", part=2, file_fields=("image",)))
    assert intent == await found(journal, intent.key)
    assert (intent.state, intent.request_id, intent.part) == (IntentState.INTENT, "wish", 2)
    assert (intent.input, intent.seed, intent.file_fields) == ({"prompt": "a lighthouse", "seed": 7}, 7, ("image",))
    assert (intent.intended_at, intent.sent_at, intent.tries) == (clock.now, None, 0)


async def test_the_same_request_gives_the_first_intent_with_its_input_and_seed(journal: Journal) -> None:
    first = await intended(journal, new_intent(1, request_id="wish"))
    assert await journal.claim(first.key)
    again = await intended(journal, new_intent(2, request_id="wish", prompt="something else"))
    assert (again.key, again.seed, again.input) == (first.key, 1, first.input)
    assert again.state is IntentState.SENT


async def test_parts_of_a_request_are_intents_of_their_own_in_order(journal: Journal) -> None:
    written, _ = await journal.intend([new_intent(part, request_id="wish", part=part) for part in (1, 0, 2)])
    assert [intent.part for intent in written] == [1, 0, 2]
    assert [intent.part for intent in await journal.by_request("wish")] == [0, 1, 2]


async def test_a_request_is_written_with_all_its_parts_once(journal: Journal) -> None:
    first = await journal.intend([new_intent(1, request_id="wish")])
    ten = [new_intent(seed, request_id="wish", part=seed, prompt="another") for seed in range(10)]
    assert await journal.intend(ten) == first


async def test_intents_without_a_request_id_are_never_the_same(journal: Journal) -> None:
    first, second = await intended(journal, new_intent(7)), await intended(journal, new_intent(7))
    assert first.key != second.key
    assert await journal.by_request("") == ()


async def test_only_the_first_claim_may_send(journal: Journal, clock: HandClock) -> None:
    intent = await intended(journal, new_intent())
    clock.advance(5)
    assert [await journal.claim(intent.key) for _ in range(3)] == [True, False, False]
    after = await found(journal, intent.key)
    assert (after.state, after.sent_at, after.tries) == (IntentState.SENT, clock.now, 1)


async def test_an_unknown_create_cannot_be_claimed(journal: Journal) -> None:
    intent = await sent(journal)
    assert await journal.mark_unknown(intent.key, "no answer within 60 s")
    assert not await journal.claim(intent.key)
    assert (await found(journal, intent.key)).reason == "no answer within 60 s"


async def test_a_refused_create_can_be_claimed_again(journal: Journal) -> None:
    intent = await sent(journal)
    assert await journal.mark_refused(intent.key, "busy")
    assert (await found(journal, intent.key)).reason == "busy"
    assert await journal.claim(intent.key)
    after = await found(journal, intent.key)
    assert (after.tries, after.reason) == (2, "")


async def test_an_absent_create_can_be_claimed_again(journal: Journal) -> None:
    intent = await sent(journal)
    assert await missed(journal, intent.key)
    assert await journal.claim(intent.key)


async def test_a_verdict_on_an_old_attempt_does_not_touch_the_new_one(journal: Journal) -> None:
    intent = await sent(journal)
    await journal.mark_refused(intent.key, "busy")
    await journal.claim(intent.key)
    old = Verdict(key=intent.key, tries=1, state=IntentState.ABSENT)
    assert await journal.settle([old]) == ()
    assert not await missed(journal, intent.key)
    assert (await found(journal, intent.key)).state is IntentState.SENT


async def test_a_late_refusal_does_not_free_the_claim_of_another_process(place: Place, clock: HandClock) -> None:
    async with opened(place, clock) as slow, opened(place, clock) as other:
        intent = await sent(slow)
        await missed(other, intent.key)
        assert await other.claim(intent.key)
        assert not await slow.mark_refused(intent.key, "busy")
        assert (await found(other, intent.key)).state is IntentState.SENT


async def test_a_known_create_keeps_its_prediction_and_lets_the_payload_go(journal: Journal, clock: HandClock) -> None:
    picture = "data:image/png;base64," + "A" * 4000
    intent = await intended(journal, new_intent(input={"image": picture}, file_fields=("image",)))
    assert intent.input["image"] == picture
    await journal.claim(intent.key)
    clock.advance(3)
    known = await journal.mark_known(intent.key, prediction("pred0001"))
    assert (known.state, known.prediction_id, known.known_at) == (IntentState.KNOWN, "pred0001", clock.now)
    assert known.input["image"] == "data:image/png;… (3000 bytes)"
    assert known.status is PredictionStatus.STARTING
    assert await journal.find("pred0001") == known == await journal.find(intent.key)


async def test_a_known_create_cannot_be_claimed_refused_or_called_absent(journal: Journal) -> None:
    intent = await sent(journal)
    known = await journal.mark_known(intent.key, prediction("pred0001"))
    assert not await journal.claim(intent.key)
    assert not await journal.mark_refused(intent.key, "busy")
    assert not await journal.mark_unknown(intent.key, "late")
    assert not await missed(journal, intent.key)
    assert await found(journal, intent.key) == known


async def test_a_create_called_absent_becomes_known_when_its_prediction_turns_up(journal: Journal) -> None:
    intent = await sent(journal)
    await missed(journal, intent.key)
    assert (await journal.mark_known(intent.key, prediction("pred0001"))).state is IntentState.KNOWN


async def test_a_second_prediction_of_one_intent_gets_a_row_of_its_own(journal: Journal) -> None:
    intent = await intended(journal, new_intent(request_id="wish"))
    await journal.claim(intent.key)
    first = await journal.mark_known(intent.key, prediction("pred0001"))
    second = await journal.mark_known(intent.key, prediction("pred0002"))
    assert second.key != first.key
    assert (second.prediction_id, second.estimate_usd, second.is_adopted) == ("pred0002", 0.003, False)
    assert (await found(journal, intent.key)).prediction_id == "pred0001"
    assert [part.key for part in await journal.by_request("wish")] == [intent.key]
    assert (await journal.spent_usd(0)).reserved_usd == pytest.approx(0.006)


async def test_an_equal_intent_keeps_the_prediction_it_was_given_first(journal: Journal) -> None:
    lost, answered = await sent(journal), await sent(journal)
    holder = await journal.mark_known(lost.key, prediction("pred0001"))
    assert (await journal.mark_known(answered.key, prediction("pred0001"))).key == holder.key
    assert (await found(journal, answered.key)).state is IntentState.UNKNOWN


async def test_a_wish_that_is_only_spelt_otherwise_is_an_equal_one(journal: Journal) -> None:
    lost, answered = [
        await intended(journal, new_intent(prompt=prompt)) for prompt in ("a light\r\nhouse ", "a light\nhouse")
    ]
    assert await journal.claim(lost.key) and await journal.claim(answered.key)
    holder = await journal.mark_known(lost.key, prediction("pred0001"))  # by the list
    assert (await journal.mark_known(answered.key, prediction("pred0001"))).key == holder.key
    assert (await found(journal, answered.key)).state is IntentState.UNKNOWN


@pytest.mark.parametrize("why", ["another gateway", "another input", "an end before", "an end before, looked up"])
async def test_an_id_that_comes_twice_is_two_predictions(journal: Journal, clock: HandClock, why: str) -> None:
    ended = prediction("pred0001", SUCCEEDED, output=(PNG,))
    if why == "an end before, looked up":
        await journal.record(ended, adopting=adopting())
    else:
        seed = 8 if why == "another input" else 7
        other = new_intent(seed, origin="https://b.example" if why == "another gateway" else ORIGIN)
        first = await intended(journal, other)
        assert await journal.claim(first.key)
        await journal.mark_known(first.key, ended if "before" in why else prediction("pred0001"))
    clock.advance(5)
    mine = await sent(journal)
    known = await journal.mark_known(mine.key, prediction("pred0001"))
    assert (known.key, known.prediction_id, known.status) == (mine.key, "pred0001~2", "starting")
    again = await journal.mark_known(mine.key, prediction("pred0001"))  # as after a crash
    assert (again.key, again.prediction_id) == (mine.key, "pred0001~2")
    seen = await journal.record(prediction("pred0001~2", SUCCEEDED, output=(PNG,)))
    assert (seen.key, seen.images[0].prediction_id) == (mine.key, "pred0001~2")
    third = await sent(journal, 9)
    clock.advance(5)
    assert (await journal.mark_known(third.key, prediction("pred0001"))).prediction_id == "pred0001~3"
    assert "pred0001" in await journal.known_ids(ORIGIN, 0)
    assert not any("~" in each for each in await journal.known_ids(ORIGIN, 0))
    assert len(await journal.history()) == 3


@pytest.mark.parametrize("is_first", [True, False])
async def test_of_equal_creates_each_gets_one_though_they_were_mixed_up(journal: Journal, is_first: bool) -> None:
    wishes = [await intended(journal, new_intent(request_id=name)) for name in ("early", "late")]
    for wish in wishes:
        assert await journal.claim(wish.key)
    await journal.mark_known(wishes[1].key, prediction("pred0001"))  # by the list
    done = prediction("pred0002", PredictionStatus.SUCCEEDED, output=("https://output.invalid/1.png",))
    answers = [(wishes[0].key, prediction("pred0001")), (wishes[1].key, done)]
    for key, answer in answers if is_first else answers[::-1]:
        await journal.mark_known(key, answer)
    early, late = [await found(journal, wish.key) for wish in wishes]
    assert (early.prediction_id, early.status, len(early.images)) == ("pred0002", PredictionStatus.SUCCEEDED, 1)
    assert late.prediction_id == "pred0001" and len(await journal.history()) == 2


async def test_a_prediction_looked_up_before_its_create_was_settled_moves_to_the_intent(journal: Journal) -> None:
    intent = await sent(journal)
    await journal.record(prediction("pred0001", SUCCEEDED, output=(PNG,)), adopting=adopting())
    known = await journal.mark_known(intent.key, prediction("pred0001"))
    assert (known.key, known.is_adopted) == (intent.key, False)
    assert len(known.images) == 1
    assert len(await journal.history()) == 1


async def test_marking_an_intent_that_is_not_there_names_it(journal: Journal) -> None:
    with pytest.raises(InternalFault, match="no intent or prediction 'nobody'"):
        await journal.mark_known("nobody", prediction("pred0001"))


async def test_settle_applies_all_verdicts_and_gives_what_changed(journal: Journal) -> None:
    known, absent, waiting = [await sent(journal, seed) for seed in (1, 2, 3)]
    changed = await journal.settle(
        [
            Verdict(key=known.key, tries=1, state=IntentState.KNOWN, prediction=prediction("pred0001")),
            Verdict(key=absent.key, tries=1, state=IntentState.ABSENT),
            Verdict(key=waiting.key, tries=1, state=IntentState.UNKNOWN),
            Verdict(key="nobody", tries=1, state=IntentState.ABSENT),
        ]
    )
    assert [(intent.key, intent.state) for intent in changed] == [
        (known.key, IntentState.KNOWN),
        (absent.key, IntentState.ABSENT),
    ]
    assert (await found(journal, waiting.key)).state is IntentState.SENT


async def test_an_end_is_kept_against_a_late_earlier_state(journal: Journal, clock: HandClock) -> None:
    await journal.record(prediction("pred0001", SUCCEEDED, output=(PNG,)), adopting=adopting())
    ended_at = clock.now
    clock.advance(9)
    after = await journal.record(prediction("pred0001", PredictionStatus.PROCESSING), adopting=adopting())
    assert (after.status, after.ended_at) == (SUCCEEDED, ended_at)


async def test_outputs_that_were_seen_survive_their_removal_at_the_gateway(journal: Journal) -> None:
    await journal.record(prediction("pred0001", SUCCEEDED, output=(PNG,)), adopting=adopting())
    removed = replace(prediction("pred0001", SUCCEEDED, input={}), is_data_removed=True)
    after = await journal.record(removed)
    assert after.prediction is not None
    assert (after.prediction.output, after.prediction.input) == ((PNG,), {"prompt": "a lighthouse", "seed": 7})


async def test_the_words_of_a_failure_survive_their_removal_at_the_gateway(journal: Journal) -> None:
    failed = prediction("pred0001", PredictionStatus.FAILED)
    await journal.record(replace(failed, error="out of memory"), adopting=adopting())
    after = (await journal.record(replace(failed, is_data_removed=True))).prediction
    assert after is not None and after.error == "out of memory"


async def test_the_end_is_when_it_was_first_seen(journal: Journal, clock: HandClock) -> None:
    done = prediction("pred0001", SUCCEEDED, output=(PNG,))
    first = await journal.record(done, adopting=adopting())
    clock.advance(9)
    assert (await journal.record(done)).ended_at == first.ended_at


async def test_a_foreign_prediction_is_adopted_and_costs_nothing(journal: Journal) -> None:
    adopted = await journal.record(prediction("foreign1"), adopting=adopting())
    assert (adopted.state, adopted.is_adopted, adopted.gateway) == (IntentState.KNOWN, True, GATEWAY)
    assert (adopted.request, adopted.model) == ({}, MODEL)
    spending = await journal.spent_usd(0)
    assert (spending.total_usd, spending.unknown_count) == (0, 0)
    assert [intent.prediction_id for intent in await journal.unfinished(ORIGIN)] == ["foreign1"]


async def test_logs_are_kept_to_their_last_4_kb(journal: Journal) -> None:
    logs = "".join(f"line {number} ü\n" for number in range(2000))
    kept = (await journal.record(replace(prediction("pred0001"), logs=logs), adopting=adopting())).prediction
    assert kept is not None
    assert logs.endswith(kept.logs)
    assert 4000 < len(kept.logs.encode()) <= 4096


async def test_latest_and_history_are_newest_first_without_adopted_ones_being_latest(
    journal: Journal, clock: HandClock
) -> None:
    assert await journal.latest() is None
    keys: list[str] = []
    for seed in range(5):
        clock.advance(1)
        keys.insert(0, (await intended(journal, new_intent(seed))).key)
    await journal.record(prediction("foreign1", at=clock.now + 60), adopting=adopting())
    latest = await journal.latest()
    assert latest is not None and latest.key == keys[0]
    page = await journal.history(limit=3)
    assert [intent.key for intent in page[1:]] == keys[:2]
    assert [intent.key for intent in await journal.history(limit=9, before=keys[1])] == keys[2:]


async def test_history_of_one_request_keeps_the_order_of_its_parts(journal: Journal) -> None:
    parts, _ = await journal.intend([new_intent(part, request_id="wish", part=part) for part in range(4)])
    keys = [intent.key for intent in parts]
    assert [intent.key for intent in await journal.history()] == keys[::-1]
    assert [intent.key for intent in await journal.history(before=keys[2])] == [keys[1], keys[0]]


async def test_unresolved_gives_sent_and_unknown_creates_of_one_gateway(journal: Journal, clock: HandClock) -> None:
    first = await sent(journal, 1)
    clock.advance(1)
    second = await sent(journal, 2)
    await journal.mark_unknown(second.key, "504")
    known = await sent(journal, 3)
    await journal.mark_known(known.key, prediction("pred0001"))
    other = await intended(journal, new_intent(4, origin="https://elsewhere.invalid"))
    await journal.claim(other.key)
    assert [intent.key for intent in await journal.unresolved(ORIGIN)] == [first.key, second.key]


async def test_recently_absent_creates_are_asked_about_again_on_wish(journal: Journal, clock: HandClock) -> None:
    intent = await sent(journal)
    await missed(journal, intent.key)
    assert await journal.unresolved(ORIGIN) == ()
    assert [intent.key for intent in await journal.absent(ORIGIN, 3600)] == [intent.key]
    clock.advance(3601)
    assert await journal.absent(ORIGIN, 3600) == ()


async def test_known_ids_are_those_of_our_intents_at_the_gateway(journal: Journal) -> None:
    for number, origin in ((1, ORIGIN), (2, "https://elsewhere.invalid")):
        intent = await intended(journal, new_intent(number, origin=origin))
        await journal.mark_known(intent.key, prediction(f"pred000{number}"))
    await journal.record(prediction("pred0003"), adopting=adopting())
    assert await journal.known_ids(ORIGIN, 0) == {"pred0001"}, "an adopted one may still turn out to be ours"


async def test_unfinished_is_soonest_to_expire_first(journal: Journal, clock: HandClock) -> None:
    for identifier, lifetime_s in (("later001", 5000), ("sooner01", 60)):
        await journal.record(
            prediction(identifier, SUCCEEDED, output=(PNG,)),
            Look(now=clock.now, link_lifetime_s=lifetime_s),
            adopting=adopting(),
        )
    await journal.record(prediction("running1", PredictionStatus.PROCESSING), adopting=adopting())
    await journal.record(prediction("failed01", PredictionStatus.FAILED), adopting=adopting())
    unfinished = await journal.unfinished(ORIGIN)
    assert [intent.prediction_id for intent in unfinished] == ["sooner01", "running1", "later001"]


async def test_seconds_are_those_of_the_newest_succeeded_predictions(journal: Journal, clock: HandClock) -> None:
    for number, status in enumerate([SUCCEEDED, SUCCEEDED, PredictionStatus.FAILED, SUCCEEDED]):
        clock.advance(100)
        intent = await sent(journal, number)
        done = prediction(f"pred000{number}", status, at=clock.now, output=(PNG,))
        took = replace(done.metrics, total_s=1.5 + number)
        await journal.mark_known(intent.key, replace(done, metrics=took))
    assert await journal.seconds(GATEWAY, MODEL) == (4.5, 2.5, 1.5)
    assert await journal.seconds(GATEWAY, MODEL, limit=2) == (4.5, 2.5)
    assert await journal.seconds(GATEWAY, "another/model") == ()


async def test_a_lease_is_held_by_one_owner_until_it_ends(journal: Journal, clock: HandClock) -> None:
    key = (await sent(journal)).key
    assert await journal.lease(key, "a", 30)
    assert not await journal.lease(key, "b", 30)
    clock.advance(20)
    assert await journal.lease(key, "a", 30), "renewed in time"
    clock.advance(20)
    assert not await journal.lease(key, "b", 30)
    clock.advance(11)
    assert await journal.lease(key, "b", 30)
    assert not await journal.lease(key, "a", 30)


async def test_a_lease_that_is_given_back_is_free(journal: Journal) -> None:
    key = (await sent(journal)).key
    assert await journal.lease(key, "a", 30)
    assert await journal.lease(key, "a", 0)
    assert await journal.lease(key, "b", 30)


async def test_the_lease_of_a_dead_process_ends_also_when_the_clock_is_set_back(
    journal: Journal, clock: HandClock
) -> None:
    key = (await sent(journal)).key
    assert await journal.lease(key, "dead", 30)
    clock.advance(-24 * 3600)
    assert await journal.lease(key, "next", 30)


async def test_there_is_no_lease_on_what_is_not_written(journal: Journal) -> None:
    assert not await journal.lease("nobody01", "a", 30)


async def test_a_success_without_outputs_is_no_end_until_it_is_final(journal: Journal) -> None:
    hollow = prediction("pred0001", SUCCEEDED)
    seen = await journal.record(hollow, adopting=adopting())
    assert (seen.status, seen.ended_at) == (PredictionStatus.PROCESSING, None)
    assert len(await journal.unfinished(ORIGIN)) == 1
    ended = await journal.record(hollow, Look(now=0, is_final=True))
    assert ended.status is SUCCEEDED and ended.ended_at is not None


async def test_secrets_are_never_written(journal: Journal, place: Place) -> None:
    new = new_intent(input={"openai_api_key": "canary-0815", "nested": {"hf_token": "canary-0815"}})
    intent = await intended(journal, replace(new, request={"options": {"openai_api_key": "canary-0815"}}))
    echoed = prediction("pred0001", input={"openai_api_key": "canary-0815"})
    await journal.mark_known(intent.key, echoed)
    assert intent.input["openai_api_key"] == "[secret]"
    assert "canary-0815" not in everything_written(place)


async def test_an_account_is_a_hash_of_its_key_that_only_this_journal_makes(journal: Journal, place: Place) -> None:
    account = await journal.account(ORIGIN, "r8_canary")
    assert account == await journal.account(ORIGIN, "r8_canary") != await journal.account(ORIGIN, "r8_other")
    assert await journal.account(ORIGIN, "") == ""
    async with opened(place / "another" if isinstance(place, Path) else place, HandClock(), tenant="other") as other:
        assert await other.account(ORIGIN, "r8_canary") != account
    assert "r8_canary" not in everything_written(place)


async def test_two_keys_that_the_gateway_gives_one_name_are_one_account(journal: Journal) -> None:
    first, second, third = [await journal.account(ORIGIN, key) for key in ("key one", "key two", "key three")]
    for account, name in ((first, "ada"), (second, "ada"), (third, "bob")):
        await journal.name_account(account, name)
    assert await journal.same_accounts(first) == {"", first, second}
    assert await journal.same_accounts(third) == {"", third}


async def test_an_account_whose_key_was_not_here_for_a_day_is_away(journal: Journal, clock: HandClock) -> None:
    gone = await journal.account(ORIGIN, "key one")
    clock.advance(25 * 3600)
    await journal.account(ORIGIN, "key two")
    assert await journal.accounts_away(ORIGIN, 24 * 3600) == {gone}
    await journal.account(ORIGIN, "key one")
    assert await journal.accounts_away(ORIGIN, 24 * 3600) == frozenset()


async def test_latest_is_of_the_conversation_where_it_has_one(journal: Journal, clock: HandClock) -> None:
    mine = await intended(journal, new_intent(1, conversation="mine"))
    clock.advance(1)
    newest = await intended(journal, new_intent(2, conversation="another"))
    clock.advance(1)
    unnamed = await intended(journal, new_intent(3))
    assert (await journal.latest("another")) == newest
    for conversation, key in (("mine", mine.key), ("", unnamed.key), ("third", unnamed.key)):
        latest = await journal.latest(conversation)
        assert latest is not None and latest.key == key


async def test_a_write_that_has_begun_is_finished_when_its_caller_is_cancelled(journal: Journal) -> None:
    intent = await sent(journal)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await journal.mark_known(intent.key, prediction("pred0001"))
    assert (await found(journal, intent.key)).prediction_id == "pred0001"


async def test_many_tasks_use_one_journal_at_once(journal: Journal) -> None:
    intent = await intended(journal, new_intent())
    wins: list[bool] = []

    async def try_claim() -> None:
        wins.append(await journal.claim(intent.key) is True)

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(try_claim)
    assert sorted(wins) == [False] * 19 + [True]


async def test_odd_text_of_a_gateway_can_be_stored(journal: Journal) -> None:
    odd = "broken \ud800 and \x00"
    intent = await intended(journal, new_intent(2**70, prompt=odd))
    await journal.claim(intent.key)
    await journal.mark_unknown(intent.key, odd)
    known = await journal.mark_known(intent.key, replace(prediction("pred0001", input={"prompt": odd}), error=odd))
    assert known.seed == 2**70
    assert known.prediction is not None and known.prediction.error == "broken \ufffd and \ufffd"
    assert await journal.find(odd) is None


def test_keys_sort_by_time_and_are_26_characters() -> None:
    keys = [new_key(1_790_000_000 + step / 1e5) for step in range(100)]
    assert sorted(keys) == keys
    assert {len(key) for key in keys} == {26}


_TIMES = st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2040, 1, 1))
_STAMPS = st.none() | _TIMES.map(lambda moment: moment.isoformat() + "Z")
_BODIES = st.fixed_dictionaries(
    {"id": st.from_regex(r"[a-z0-9]{8,26}", fullmatch=True)},
    optional={
        "status": st.sampled_from(["starting", "succeeded", "CANCELED", "pending", "odd", None]),
        "model": st.text() | st.none(),
        "version": st.text(),
        "input": st.dictionaries(st.text(), st.integers() | st.text() | st.floats(allow_nan=False) | st.none()),
        "output": st.lists(st.sampled_from([PNG, "data:image/png;base64,AAAA", "nonsense"])) | st.just(PNG),
        "error": st.text() | st.none(),
        "logs": st.text(),
        "metrics": st.dictionaries(
            st.sampled_from(["predict_time", "total_time", "image_count"]), st.integers(0, 99) | st.floats(0, 99)
        ),
        "created_at": _STAMPS,
        "started_at": _STAMPS,
        "completed_at": _STAMPS,
        "data_removed": st.booleans(),
    },
)


@settings(deadline=None)
@given(_BODIES)
def test_a_prediction_written_as_json_reads_back_the_same(body: dict[str, object]) -> None:
    read = parse_prediction(body)
    kept = replace(read, output=(), input=masked_secrets(read.input), logs=read.logs.encode(errors="replace").decode())
    assert parse_prediction(json.loads(prediction_json(read))) == kept
