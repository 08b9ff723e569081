"""Which remote prediction an unresolved create made, decided without a clock, a network or a database."""

import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_fixtures import GATEWAY, MODEL, ORIGIN, START, prediction
from pydantic import JsonValue

from darkroom.charges import Basis
from darkroom.journal import Intent, IntentState, Search, Verdict, match
from darkroom.predictions import Prediction

SEEDED: dict[str, JsonValue] = {"prompt": "a lighthouse", "seed": 7}
PLAIN: dict[str, JsonValue] = {"prompt": "a lighthouse"}


def unresolved(
    key: str = "intent",
    input: dict[str, JsonValue] = SEEDED,
    *,
    sent_at: float = START,
    state: IntentState = IntentState.UNKNOWN,
    file_fields: tuple[str, ...] = (),
    version: str = "",
) -> Intent:
    seed = input.get("seed")
    return Intent(
        key=key,
        request_id="",
        part=0,
        gateway=GATEWAY,
        origin=ORIGIN,
        model=MODEL,
        version=version,
        input=input,
        file_fields=file_fields,
        account="",
        output_place="",
        conversation="",
        possible=(),
        problem="",
        request={},
        seed=seed if isinstance(seed, int) else None,
        image_count=1,
        estimate_usd=None,
        has_bound=True,
        cost_usd=None,
        cost_basis=Basis.NONE,
        cost_note="",
        gateway_request_id="",
        state=state,
        prediction_id="",
        status=None,
        prediction=None,
        reason="",
        intended_at=sent_at,
        sent_at=sent_at,
        known_at=None,
        ended_at=None,
        tries=1,
        is_adopted=False,
        images=(),
    )


def decide(
    *intents: Intent,
    remote: tuple[Prediction, ...] = (),
    known_ids: tuple[str, ...] = (),
    is_missed: bool = False,
    skew_s: float = 0,
    defaults: dict[str, JsonValue] | None = None,
) -> list[Verdict]:
    """`is_missed`: the list was read far enough, and for long enough."""
    search = Search(skew_s=skew_s, defaults=lambda model: defaults or {})
    missed = {intent.key for intent in intents} if is_missed else set[str]()
    return match(intents, remote, known_ids, search=search, may_be_absent=missed)


def test_the_prediction_with_our_input_is_ours() -> None:
    other, ours = prediction("other001", input={"prompt": "a lighthouse", "seed": 8}), prediction("ours0001")
    assert decide(unresolved(), remote=(other, ours)) == [
        Verdict(key="intent", tries=1, state=IntentState.KNOWN, prediction=ours)
    ]


def test_a_prediction_that_is_known_already_is_not_given_twice() -> None:
    (verdict,) = decide(unresolved(), remote=(prediction("ours0001"),), known_ids=("ours0001",))
    assert (verdict.state, verdict.possible) == (IntentState.UNKNOWN, ())


def test_a_create_is_absent_only_where_the_list_was_read_far_enough_and_for_long_enough() -> None:
    assert [decide(unresolved(), is_missed=is_missed)[0].state for is_missed in (False, True)] == [
        IntentState.UNKNOWN,
        IntentState.ABSENT,
    ]


def test_the_model_of_an_answer_does_not_matter() -> None:
    renamed = replace(prediction("ours0001"), model="flux-schnell-internal")
    assert decide(unresolved(), remote=(renamed,))[0].prediction == renamed


def test_file_fields_do_not_matter_because_gateways_rename_files() -> None:
    intent = unresolved(input={**SEEDED, "image": "data:image/png;base64,AAAA"}, file_fields=("image",))
    ours = prediction("ours0001", input={**SEEDED, "image": "https://files.invalid/x.png"})
    assert decide(intent, remote=(ours,))[0].prediction == ours


LONG: dict[str, JsonValue] = {
    "prompt": "  ein Möwe\r\nüber dem Meer ",
    "seed": 70_007,
    "go_fast": False,
    "key_token": "s",
}


@pytest.mark.parametrize(
    "echoed",
    [
        {"prompt": "ein Möwe\r\nüber dem Meer"},
        {"prompt": "  ein Möwe\nüber dem Meer "},
        {"prompt": unicodedata.normalize("NFD", "  ein Möwe\r\nüber dem Meer ")},
        {"seed": "70007"},
        {"seed": 70007.0},
        {"go_fast": None},
        {"go_fast": "false"},
        {"key_token": "[REDACTED]"},
        {"key_token": None},
        {"num_outputs": 1, "aspect_ratio": "1:1"},
    ],
)
@pytest.mark.parametrize("has_seed", [True, False])
def test_an_echo_in_another_form_is_still_ours(echoed: dict[str, JsonValue], has_seed: bool) -> None:
    sent = {name: value for name, value in LONG.items() if has_seed or name != "seed"}
    whole: dict[str, JsonValue] = {**sent, **echoed}
    body: dict[str, JsonValue] = {
        name: value for name, value in whole.items() if value is not None and (has_seed or name != "seed")
    }
    known: dict[str, JsonValue] = {"go_fast": False, "num_outputs": 1, "aspect_ratio": "1:1"}
    ours = prediction("ours0001", input=body)
    assert decide(unresolved(input=sent), remote=(ours,), is_missed=True, defaults=known)[0].prediction == ours


def test_our_drawn_seed_in_an_input_that_is_otherwise_in_doubt_is_possible() -> None:
    rewritten = prediction("maybe001", input={"prompt": "translated", "seed": 7})
    (verdict,) = decide(unresolved(), remote=(rewritten,), is_missed=True)
    assert (verdict.state, verdict.possible) == (IntentState.UNKNOWN, (rewritten,))


def test_a_seed_of_the_caller_does_not_tell_two_creates_with_files_apart() -> None:
    given = {**SEEDED, "image": "data:image/png;base64,AAAA"}
    intent = replace(unresolved(input=given, file_fields=("image",)), request={"seed": 7})
    colleagues = prediction("other001", input={**SEEDED, "image": "https://files.invalid/x.png"})
    (verdict,) = decide(intent, remote=(colleagues,), is_missed=True)
    assert (verdict.state, verdict.prediction, verdict.possible) == (IntentState.UNKNOWN, None, (colleagues,))


def test_a_create_that_is_all_file_is_never_given_a_prediction_only_told_what_may_be_it() -> None:
    intent = unresolved(input={"image": "data:image/png;base64,AAAA"}, file_fields=("image",))
    found = prediction("other001", input={"image": "https://files.invalid/x.png"})
    (verdict,) = decide(intent, remote=(found,), is_missed=True)
    assert (verdict.state, verdict.prediction, verdict.possible) == (IntentState.UNKNOWN, None, (found,))


def test_an_equal_prompt_of_another_model_is_not_given() -> None:
    other = replace(prediction("other001", input=PLAIN), model="another/model")
    (verdict,) = decide(unresolved(input=PLAIN), remote=(other,), is_missed=True)
    assert (verdict.state, verdict.prediction, verdict.possible) == (IntentState.ABSENT, None, ())


def test_what_a_deployment_ran_is_ours_by_its_seed_and_else_only_possible() -> None:
    named = {"model": "ada/painter"}
    seeded, plain = (replace(prediction("ours0001", input=input), **named) for input in (SEEDED, PLAIN))
    deployed = [replace(unresolved(input=input), model="deployments/ada/fast") for input in (SEEDED, PLAIN)]
    drawn = replace(deployed[0], request={"prompt": "a lighthouse", "seed": -1})
    assert decide(drawn, remote=(seeded,))[0].prediction == seeded
    (verdict,) = decide(deployed[1], remote=(plain,), is_missed=True)
    assert (verdict.state, verdict.prediction, verdict.possible) == (IntentState.UNKNOWN, None, (plain,))


def test_defaults_that_nobody_knows_make_an_equal_prompt_possible() -> None:
    added = prediction("maybe001", input={**PLAIN, "num_outputs": 4})
    (verdict,) = decide(unresolved(input=PLAIN), remote=(added,), is_missed=True)
    assert (verdict.state, verdict.possible) == (IntentState.UNKNOWN, (added,))


def test_a_large_drawn_seed_is_ours_at_whatever_time() -> None:
    sent: dict[str, JsonValue] = {**PLAIN, "seed": 1_234_567}
    ours = prediction("ours0001", at=START + 90_000, input=sent)
    assert decide(unresolved(input=sent), remote=(ours,))[0].prediction == ours


def test_one_number_may_come_back_in_its_other_spelling() -> None:
    intent = unresolved(input={**PLAIN, "guidance": 3.0, "sizes": [1.0, {"w": 2}]})
    ours = prediction("ours0001", input={**PLAIN, "guidance": 3, "sizes": [1, {"w": 2.0}]})
    assert decide(intent, remote=(ours,))[0].prediction == ours


def test_defaults_that_a_gateway_adds_do_not_matter_where_our_seed_is_in_the_input() -> None:
    ours = prediction("ours0001", input={**SEEDED, "num_outputs": 1})
    assert decide(unresolved(), remote=(ours,))[0].prediction == ours


def test_defaults_that_a_gateway_adds_do_matter_without_a_seed() -> None:
    other = prediction("other001", input={**PLAIN, "num_outputs": 4})
    assert decide(unresolved(input=PLAIN), remote=(other,))[0].state is IntentState.UNKNOWN


def test_equal_inputs_are_given_oldest_first() -> None:
    intents = [unresolved(f"k{place}", PLAIN, sent_at=START + place) for place in (2, 0, 1)]
    remote = tuple(prediction(f"pred000{place}", at=START + place, input=PLAIN) for place in (1, 0))
    given_out = [
        (verdict.key, verdict.prediction and verdict.prediction.id) for verdict in decide(*intents, remote=remote)
    ]
    assert given_out == [("k0", "pred0000"), ("k1", "pred0001"), ("k2", None)]


def test_the_window_follows_the_clock_of_the_gateway() -> None:
    ours = prediction("ours0001", at=START + 7200)
    assert decide(unresolved(), remote=(ours,), skew_s=7200)[0].prediction == ours


def test_our_input_at_an_odd_time_is_possible_and_keeps_the_create_from_being_absent() -> None:
    odd = prediction("odd00001", at=START + 7200)
    (verdict,) = decide(unresolved(), remote=(odd,), is_missed=True)
    assert (verdict.state, verdict.prediction, verdict.possible) == (IntentState.UNKNOWN, None, (odd,))


def test_a_prediction_without_its_input_is_possible_and_never_claimed() -> None:
    wiped = replace(prediction("wiped001", input={}), is_data_removed=True)
    (verdict,) = decide(unresolved(), remote=(wiped,), is_missed=True)
    assert (verdict.state, verdict.prediction, verdict.possible) == (IntentState.UNKNOWN, None, (wiped,))


def test_a_prediction_without_its_input_of_another_model_or_time_is_not_possible() -> None:
    other = replace(prediction("other001", input={}), model="another/model")
    earlier = prediction("early001", input={}, at=START - 600)
    (verdict,) = decide(unresolved(), remote=(other, earlier), is_missed=True)
    assert (verdict.state, verdict.possible) == (IntentState.ABSENT, ())


def test_a_prediction_without_input_model_or_time_is_possible() -> None:
    bare = Prediction(id="bare0001")
    assert decide(unresolved(), remote=(bare,), is_missed=True)[0].possible == (bare,)


def test_a_prediction_of_the_same_version_is_possible_under_another_model_name() -> None:
    wiped = replace(prediction("wiped001", input={}, model="internal/name"), version="ab" * 32)
    assert decide(unresolved(version="ab" * 32), remote=(wiped,), is_missed=True)[0].possible == (wiped,)


def test_what_one_create_has_taken_is_not_possible_for_another() -> None:
    lost = unresolved("lost", {"prompt": "a boat", "seed": 1})
    (ours, nothing) = decide(unresolved("a"), lost, remote=(prediction("ours0001"),), is_missed=True)
    assert (ours.state, nothing.state) == (IntentState.KNOWN, IntentState.ABSENT)


def test_an_absent_create_becomes_known_or_stays_absent() -> None:
    absent = unresolved(state=IntentState.ABSENT)
    assert decide(absent, is_missed=True)[0].state is IntentState.ABSENT
    assert decide(absent, remote=(prediction("p0000001", input={}),))[0].state is IntentState.UNKNOWN, "not paid again"
    assert decide(absent, remote=(prediction("ours0001"),), is_missed=True)[0].state is IntentState.KNOWN


def test_a_prediction_without_a_time_is_matched_by_its_input() -> None:
    timeless = replace(prediction("ours0001"), created_at=None)
    assert decide(unresolved(), remote=(timeless,))[0].prediction == timeless


@settings(deadline=None)
@given(
    sent=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 300)), max_size=8),
    created=st.lists(st.tuples(st.integers(0, 3), st.integers(-200, 500)), max_size=8),
)
def test_no_prediction_is_given_twice_and_none_to_another_input(
    sent: list[tuple[int, int]], created: list[tuple[int, int]]
) -> None:
    intents = [unresolved(f"k{place}", {"seed": seed}, sent_at=START + at) for place, (seed, at) in enumerate(sent)]
    remote = [
        prediction(f"pred{place:04}", at=START + at, input={"seed": seed}) for place, (seed, at) in enumerate(created)
    ]
    verdicts = decide(*intents, remote=tuple(remote), is_missed=True)
    taken = [verdict.prediction for verdict in verdicts if verdict.prediction]
    assert len({found.id for found in taken}) == len(taken)
    assert sorted(verdict.key for verdict in verdicts) == sorted(intent.key for intent in intents)
    by_key = {intent.key: intent for intent in intents}
    assert all(v.prediction.input == by_key[v.key].input for v in verdicts if v.prediction)
    left = [found.input for found in remote if found not in taken]
    assert all(by_key[v.key].input not in left for v in verdicts if v.state is IntentState.ABSENT)


def test_true_is_not_one_and_another_seed_is_another_create() -> None:
    for seed in (8, "8", True):
        other = prediction("other001", input={**PLAIN, "seed": seed})
        assert decide(unresolved(), remote=(other,), is_missed=True)[0].state is IntentState.ABSENT
