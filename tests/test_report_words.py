"""The words of a report where the first line could mislead: what is damaged, unsaved or without a picture."""

from datetime import UTC, date, datetime
from typing import Any

import rows

from darkroom.charges import NO_CHARGE, Basis
from darkroom.images import ImageState
from darkroom.journal import Intent, IntentState, Listed
from darkroom.predictions import Prediction, PredictionStatus
from darkroom.reports import DayLimit, ListFacts, RepeatedFailure, list_report, prediction_report

CUT = "The file is damaged: its end is missing (29,133 bytes came)."


def said(*intents: Intent, **changes: Any) -> list[str]:
    return prediction_report(intents, rows.facts(**changes)).text.splitlines()


def test_a_file_that_came_without_its_end_is_headed_damaged_and_says_until_when_more_is_tried() -> None:
    lines = said(rows.succeeded(images=(rows.image(state=ImageState.WANTED, problem=CUT),)))
    assert lines[0].startswith("Damaged: 1 image by black-forest-labs/flux-schnell (prediction '")
    assert lines[-1].startswith("Next: darkroom keeps trying to fetch the missing files until 13:00 UTC; ")
    assert lines[-1].endswith("A repeat would cost again.")


def test_a_damaged_file_that_is_kept_tells_to_ask_before_a_repeat() -> None:
    lines = said(rows.succeeded(images=(rows.image(problem=CUT),)))
    assert lines[0].startswith("Damaged: 1 image")
    assert lines[-1] == "Next: tell the user that no whole file is to be had. A repeat costs again, so ask first."


def test_what_is_made_and_not_saved_is_never_headed_succeeded() -> None:
    wanted = rows.image(state=ImageState.WANTED, problem="No space left.")
    assert said(rows.succeeded(images=(wanted,)))[0].startswith("Made, but not saved yet: 1 image by")
    refused = rows.image(state=ImageState.REFUSED, problem="It is no image.")
    assert said(rows.succeeded(images=(refused,)))[0].startswith("Made, but not saved: 1 image by")


def test_some_flawed_images_among_sound_ones_are_counted_in_the_first_line() -> None:
    images = (rows.image(1), rows.image(2, problem=CUT), rows.image(3, state=ImageState.WANTED, problem="Full."))
    assert said(rows.succeeded(3, images=images))[0].endswith("; 1 is damaged, 1 is not saved yet.")
    assert ";" not in said(rows.succeeded(3))[0]


def test_one_that_the_gateway_calls_finished_without_output_is_not_called_processing() -> None:
    moment = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    seen = Prediction(id=rows.ID, status=PredictionStatus.PROCESSING, completed_at=moment)
    first = said(rows.intent(prediction=seen), percents={rows.ID: 99.0})[0]
    assert first.startswith("Finished without a picture so far: black-forest-labs/flux-schnell") and "%" not in first


def test_a_look_up_of_a_running_one_says_when_it_was_started_and_how_long_is_usual() -> None:
    row = rows.intent(PredictionStatus.PROCESSING, sent_at=1_000.0)
    first = said(row, is_look_up=True, now_s=1_480.0, typical_s=1.0, waited_s=3.0)[0]
    assert ", 8 min ago; usually 1 s. It goes on by itself." in first and " after 3" not in first
    assert "ago" not in said(row, now_s=1_480.0, waited_s=3.0)[0]


def test_a_second_refusal_by_moderation_still_says_to_change_the_prompt() -> None:
    repeated = RepeatedFailure(count=2, within_s=60.0, charge=NO_CHARGE)
    reason = said(rows.intent(PredictionStatus.FAILED, error="flagged as sensitive"), repeated=repeated)[1]
    assert "change the prompt" in reason and "It failed 2 times" in reason
    transient = said(rows.intent(PredictionStatus.FAILED, error="interrupted (code: PA)"), repeated=repeated)[1]
    assert "once more is sensible" not in transient and "It failed 2 times" in transient


def test_what_open_predictions_reserve_is_said_to_be_taken_off_already() -> None:
    day = DayLimit(left_usd=0.55, limit_usd=0.6, reserved_usd=0.003)
    assert day.words == "$0.55 of $0.60 is left today ($0.003 for what is not settled is already taken off)"


def test_a_list_names_each_as_the_answer_about_it_does() -> None:
    shown = [
        (rows.succeeded(1, image_count=2), "partial (1 of 2),"),
        (rows.succeeded(images=(rows.image(problem=CUT),)), "damaged,"),
        (rows.unsent(IntentState.ABSENT), "not created,"),
        (rows.intent(PredictionStatus.SUCCEEDED), "failed,"),
    ]
    for row, word in shown:
        facts = ListFacts(title="t", empty="e", answer=rows.facts(), today=date(2026, 11, 21), money={})
        text = list_report(Listed(rows=(row,), found=1), facts).text
        assert f" {word} flux-schnell, " in text, text


def test_what_the_log_of_a_reseller_does_not_show_after_20_minutes_ends_with_a_way_on() -> None:
    note = "no row in the gateway's log after 20 min: most likely not billed"
    fields: dict[str, Any] = {
        "cost_usd": 0.0,
        "cost_basis": Basis.COMPUTED,
        "cost_note": note,
        "gateway_request_id": "2026x",
    }
    lines = prediction_report([rows.unsent(IntentState.UNKNOWN, **fields)], rows.facts("cometapi")).text.splitlines()
    assert any(line.startswith(f"Charged: nothing ({note})") for line in lines)
    assert "most likely nothing was billed" in lines[-1] and "(log id 2026x)" in lines[-1]
    assert "Do not repeat" not in lines[-1]
