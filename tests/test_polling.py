"""The rule of looking: pure, so time is moved by hand."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.gateways import PollSchedule
from darkroom.predictions import parse_prediction
from darkroom.work.polling import Polling

WARM_9_S = [8.0, 8.4, 8.8, 9.0, 9.2, 9.6, 10.0, 10.4, 11.0, 12.0] * 3


def looks(schedule: PollSchedule, until_s: float) -> list[float]:
    """When looks happen, in seconds after the create."""
    rng, at_s, moments = Random(7), 0.0, list[float]()
    while (at_s := at_s + schedule.next_delay(at_s, rng)) < until_s:
        moments.append(at_s)
    return moments


def test_with_nothing_known_it_looks_each_half_second_and_then_each_second() -> None:
    moments = looks(PollSchedule.learned(), 20)
    steps = [later - earlier for earlier, later in zip(moments, moments[1:], strict=False)]
    assert all(0.44 < step < 0.56 for step in steps[:6])
    assert all(0.9 <= step <= 1.1 for step in steps[9:])


def test_the_first_look_is_when_the_fastest_runs_end() -> None:
    assert 7.9 <= looks(PollSchedule.learned(WARM_9_S), 20)[0] <= 8.5


def test_after_the_first_look_the_step_is_steady() -> None:
    moments = looks(PollSchedule.learned(WARM_9_S), 16)
    steps = [later - earlier for earlier, later in zip(moments, moments[1:], strict=False)]
    assert all(0.27 <= step <= 0.6 for step in steps)


def test_a_late_prediction_is_looked_at_less_and_less_often_but_each_ten_seconds_at_least() -> None:
    schedule, rng = PollSchedule.learned(WARM_9_S), Random(7)
    assert schedule.next_delay(12, rng) < schedule.next_delay(40, rng) < schedule.next_delay(70, rng)
    assert schedule.next_delay(3600, rng) <= 11


def test_a_slow_model_is_looked_at_within_ten_seconds_so_that_an_early_end_is_seen() -> None:
    assert looks(PollSchedule.learned(typical_s=240), 100)[0] == 10


def test_on_a_new_installation_an_end_is_seen_within_a_second_on_average() -> None:
    for typical_s in (1.0, 3.5, 9.0, 14.0, 20.0):
        moments = [0.0, *looks(PollSchedule.learned(typical_s=typical_s), 1.5 * typical_s + 5)]
        lags = [min(each for each in moments if each >= end_s) - end_s for end_s in (typical_s, 1.2 * typical_s)]
        assert max(lags) <= (1.0 if typical_s <= 9 else 2.0)


def test_a_nine_second_model_needs_far_fewer_looks_than_a_fixed_half_second() -> None:
    assert len(looks(PollSchedule.learned(WARM_9_S), 9)) <= 4


@pytest.mark.parametrize(
    ("samples", "typical_s", "left_s", "wait_s"),
    [
        ([1.0, 1.2, 1.4], None, 25, 24),
        ([], 1.3, 25, 24),
        ([], 9.0, 25, 24),
        ([], 9.0, 300, 60),
        ([], 9.0, 6, 0),
        ([], 9.0, 8.5, 7),
        ([], 0.1, 1.9, 0),
        ([], 0.1, 2.1, 1),
        ([], 13.0, 25, 0),
        ([1.0, 1.2, 30.0], None, 25, 0),
        ([], None, 25, 0),
        ([0.7], None, 25, 24),
        ([40.0, 50.0, 60.0], 1.3, 25, 0),
        ([], 1.3, 0, 0),
        ([], 1.3, -5, 0),
    ],
)
def test_only_what_ends_soon_is_held_and_no_longer_than_its_call_waits(
    samples: list[float], typical_s: float | None, left_s: float, wait_s: int
) -> None:
    assert PollSchedule.learned(samples, typical_s).hold_s(left_s) == wait_s


@pytest.mark.parametrize(
    ("samples", "typical_s", "deadline_s"),
    [
        ([], None, 1800),
        ([], 10.0, 1800),
        ([], 100.0, 2280),
        ([], 900.0, 7200),
        ([2.0] * 50, None, 1800),
        ([2.0] * 49 + [600.0], None, 3480),
        ([2.0] * 49 + [3000.0], None, 7200),
    ],
)
def test_the_deadline_of_a_forgotten_prediction_leaves_room_for_the_longest_cold_start(
    samples: list[float], typical_s: float | None, deadline_s: int
) -> None:
    assert PollSchedule.learned(samples, typical_s).cancel_after_s() == deadline_s


@given(
    st.lists(st.floats(0, 5000), max_size=50),
    st.none() | st.floats(0, 5000),
    st.floats(0, 100_000),
    st.integers(0, 1000),
)
def test_a_delay_is_always_sane(samples: list[float], typical_s: float | None, elapsed_s: float, seed: int) -> None:
    schedule = PollSchedule.learned(samples, typical_s)
    assert 0.25 <= schedule.next_delay(elapsed_s, Random(seed)) <= 11
    assert 1800 <= schedule.cancel_after_s() <= 7200


def test_outputs_under_a_status_that_nobody_knows_are_a_success_once_they_stay_as_many() -> None:
    polling = Polling(schedule=PollSchedule(), started_s=0.0, settle_s=60.0)

    def seen(outputs: int, at_s: float, status: str = "polishing") -> str:
        links = [f"https://a.example/{at_s}/{number}.png" for number in range(outputs)]
        return polling.saw(parse_prediction({"id": "p1", "status": status, "output": links}), at_s).status

    assert [seen(0, 0), seen(0, 90), seen(1, 100), seen(1, 159), seen(2, 161), seen(2, 220)] == ["unknown"] * 6
    assert seen(2, 221, "processing") == "processing"
    assert seen(2, 222) == "succeeded"


def test_fewer_outputs_than_were_asked_for_are_waited_for_much_longer() -> None:
    polling = Polling(schedule=PollSchedule(), started_s=0.0, settle_s=60.0)
    polished = parse_prediction({"id": "p1", "status": "polishing", "output": ["https://a.example/1.png"]})
    assert [polling.saw(polished, at_s, 4).status for at_s in (0, 500, 601)] == ["unknown", "unknown", "succeeded"]
