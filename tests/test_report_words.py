"""The words of a report where the first line could mislead: what is damaged, unsaved or without a picture."""

from datetime import UTC, datetime
from typing import Any

import rows

from darkroom.images import ImageState
from darkroom.journal import Intent
from darkroom.predictions import Prediction, PredictionStatus
from darkroom.reports import prediction_report

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
