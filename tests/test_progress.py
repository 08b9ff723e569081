"""Progress: what the logs draw, never backwards, never done before the end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.predictions import Prediction, PredictionStatus
from darkroom.progress import ProgressTracker, log_percent


def prediction(status: str, logs: str = "") -> Prediction:
    return Prediction(id="abcdefgh", status=PredictionStatus(status), logs=logs)


@pytest.mark.parametrize(
    ("logs", "percent"),
    [
        ("", None),
        ("Using seed: 7\nGenerated in 3.1sec", None),
        ("  0%|          | 0/4 [00:00<?, ?it/s]", 0),
        ("  0%|   | 0/4 [00:00<?]\n 75%|███████▌  | 3/4 [00:00<00:00, 15.4it/s]", 75),
        ("12%| | 5/40 [00:00<00:07, 4.8it/s]", 12.5),
        ("Slices: 50%|█████     | 1/2 [00:04<00:04]", 50),
        ("\x1b[A\r 10%|█| 1/10 [00:01]\r 30%|███| 3/10 [00:02]\x1b[K", 30),
        ("100%|██████████| 25/25 [00:05<00:00]\n 40%|████      | 2/5 [00:00<00:00]", 40),
        ("4it [00:00, 5.23it/s]", None),
        ("100%|██████████| 2/2 [00:01]\n4it [00:00, 5.23it/s]", 100),
        ("  7%| | 0/0 [00:00<?]", 7),
        ("100%| | 9/4 [00:00<?]", 100),
        (f"5%| | {'9' * 5000}/1", None),
        (f"5%| | {'9' * 400}/1", None),
    ],
)
def test_the_last_bar_of_the_logs_gives_the_percent(logs: str, percent: float | None) -> None:
    assert log_percent(logs) == percent


def test_a_second_bar_does_not_turn_the_percent_back() -> None:
    tracker = ProgressTracker(10)
    first = tracker.update(prediction("processing", "80%|████| 4/5 [00:01]"), 3)
    second = tracker.update(prediction("processing", "80%|████| 4/5 [00:01]\n 0%| | 0/5 [00:00]"), 4)
    assert (first.percent, second.percent) == (80, 80)


def test_a_full_bar_is_not_the_end() -> None:
    assert ProgressTracker(10).update(prediction("processing", "100%|████| 5/5 [00:01]"), 3).percent == 99


def test_without_a_bar_the_age_counts_against_the_typical_time() -> None:
    tracker = ProgressTracker(10)
    percents = [tracker.update(prediction("processing"), elapsed_s).percent for elapsed_s in (2, 7, 12, 60, 600)]
    assert percents == sorted(percents)
    assert percents[0] == 0
    assert 70 < percents[2] < 80
    assert percents[-1] <= 95


def test_a_queue_does_not_count_as_running() -> None:
    tracker = ProgressTracker(10)
    tracker.update(prediction("starting"), 100)
    assert tracker.update(prediction("processing"), 101).percent < 15


@pytest.mark.parametrize(
    ("typical_s", "elapsed_s", "message"),
    [
        (None, 7, "starting, 7 s"),
        (None, 22, "starting, cold start (22 s)"),
        (1.0, 2, "starting, 2 s"),
        (1.0, 4, "starting, cold start (4 s)"),
        (60.0, 9, "starting, cold start (9 s)"),
    ],
)
def test_a_start_that_lasts_is_called_a_cold_start(typical_s: float | None, elapsed_s: float, message: str) -> None:
    assert ProgressTracker(typical_s).update(prediction("starting"), elapsed_s).message == message


def test_the_message_names_percent_and_seconds() -> None:
    progress = ProgressTracker(5).update(prediction("processing", "40%|████ | 2/5 [00:01]"), 3)
    assert progress.message == "processing 40 %, 3 s"


def test_only_a_success_is_a_hundred_percent() -> None:
    tracker = ProgressTracker(5)
    tracker.update(prediction("processing", "40%|████ | 2/5 [00:01]"), 3)
    assert tracker.update(prediction("failed"), 4).percent == 40
    assert tracker.update(prediction("succeeded"), 4).percent == 100


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["starting", "processing", "unknown"]),
            st.text("0123456789%|/ it[\r\n█\x1b", max_size=60),
            st.floats(0, 1e6),
        )
    )
)
def test_percent_never_falls_nor_ends_early_whatever_the_logs_say(updates: list[tuple[str, str, float]]) -> None:
    tracker = ProgressTracker(3)
    last = 0.0
    for status, logs, elapsed_s in updates:
        progress = tracker.update(prediction(status, logs), elapsed_s)
        assert last <= progress.percent <= 99
        assert len(progress.message) <= 100
        last = progress.percent
