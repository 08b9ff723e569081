"""What an assistant reads: true, short, and with the next step."""

import json
from typing import Any, cast

import pytest
import rows
from pydantic import JsonValue

from darkroom.charges import Basis
from darkroom.errors import CreateUnresolved, GatewayBusy, InvalidInput, KeyRefused, SpendingRefused, UnknownPrediction
from darkroom.images import ImageState
from darkroom.journal import Intent, IntentState
from darkroom.predictions import Prediction, PredictionStatus
from darkroom.reports import (
    AnswerFacts,
    DayLimit,
    Outcome,
    PredictionReport,
    look_up_refusal,
    overdue_report,
    prediction_report,
    refusal_report,
    wanted_end,
)


def report(*intents: Intent, facts: AnswerFacts | None = None) -> PredictionReport:
    return prediction_report(intents, facts or rows.facts())


def test_a_success_names_status_files_links_their_death_metrics_price_and_seed() -> None:
    answer = report(rows.succeeded())
    assert answer.outcome is Outcome.SUCCEEDED
    assert answer.text.splitlines() == [
        f"Succeeded: 1 image by black-forest-labs/flux-schnell (prediction '{rows.ID}').",
        "Saved in /home/ann/Pictures/darkroom:",
        "1. a-lighthouse-p3nd4jxkgs6r-1.webp (1024x1024 WEBP, 123 kB) " + rows.image().url,
        "The links die at 13:00 UTC; the saved files stay.",
        "Predict 0.8 s; queue 0.0 s; total 0.8 s; image count 1; seed 42; request_id lighthouse-1.",
        "Charged: at most $0.003 (by the price list).",
    ]


def test_an_answer_with_four_images_stays_under_a_kilobyte() -> None:
    answer = report(rows.succeeded(4), facts=rows.facts(notes=("aspect_ratio 5:7 is not offered; 4:5 was used.",)))
    assert len(answer.text.encode()) <= 1_000
    assert answer.text.count("https://") == 4


def test_the_links_and_paths_of_four_images_leave_the_words_under_half_a_kilobyte() -> None:
    answer = report(rows.succeeded(4))
    given = sum(len(rows.image(n).url) + len("a-lighthouse-p3nd4jxkgs6r-1.webp") for n in range(1, 5))
    assert len(answer.text.encode()) - given < 500


def test_a_spent_budget_is_no_error_and_warns_of_a_second_payment() -> None:
    answer = report(rows.intent(PredictionStatus.PROCESSING), facts=rows.facts(waited_s=45.0, percents={rows.ID: 40}))
    assert answer.outcome is Outcome.RUNNING and not answer.outcome.is_error
    assert answer.text.startswith("Still processing after 45 s: black-forest-labs/flux-schnell")
    assert "about 40 % done" in answer.text
    assert f"call get_prediction with id '{rows.ID}'" in answer.text
    assert "would start and cost a second one" in answer.text


def test_an_unanswered_create_hands_out_the_key_in_place_of_the_id() -> None:
    row = rows.unsent(IntentState.SENT)
    answer = report(row, facts=rows.facts(waited_s=48.0))
    assert answer.outcome is Outcome.RUNNING
    assert f"call get_prediction with id '{row.key}'" in answer.text


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("The input or output was flagged as sensitive. (E005)", "change the prompt"),
        ("Prediction interrupted; please retry (code: PA)", "passing fault"),
        ("CUDA out of memory. Tried to allocate 2 GiB", "ask for a smaller image, or choose another model"),
        ("ValueError: bad thing", "mend the input"),
    ],
)
def test_a_failure_quotes_the_gateway_and_says_what_to_do(error: str, advice: str) -> None:
    answer = report(rows.intent(PredictionStatus.FAILED, error=error))
    assert answer.outcome is Outcome.FAILED and answer.outcome.is_error
    assert answer.text.startswith("Failed: black-forest-labs/flux-schnell")
    assert advice in answer.text
    assert '"' in answer.text


def test_hidden_characters_and_markup_of_a_failure_do_not_reach_the_assistant() -> None:
    error = "bad\u202e\u200b input <script>alert(1)</script>\x07" + "x" * 2_000
    answer = report(rows.intent(PredictionStatus.FAILED, error=error))
    assert not set(answer.text) & {"\u202e", "\u200b", "\x07"}
    assert "<script" not in answer.text
    assert len(answer.text) < 900


def test_an_aborted_prediction_says_that_it_is_not_billed() -> None:
    answer = report(rows.intent(PredictionStatus.ABORTED))
    assert answer.text.startswith("Aborted:") and "not billed" in answer.text


def test_success_without_output_is_a_failure() -> None:
    answer = report(rows.intent(PredictionStatus.SUCCEEDED))
    assert answer.outcome is Outcome.FAILED
    assert "no output" in answer.text


def test_a_success_whose_data_the_gateway_has_removed_is_said_to_be_lost() -> None:
    seen = Prediction(id=rows.ID, status=PredictionStatus.SUCCEEDED, is_data_removed=True)
    answer = report(rows.intent(prediction=seen))
    assert answer.outcome is Outcome.FAILED
    assert (
        answer.text.startswith("Lost: 1 image")
        and "made, but removed before it could be saved. A lost image costs" in answer.text
    )
    assert answer.data["status"] == "lost" and "ask the user before repeating" in answer.text
    assert "no output" not in answer.text


def test_partial_success_is_reported_one_by_one() -> None:
    refused = rows.intent(PredictionStatus.FAILED, error="flagged as sensitive", part=1)
    answer = report(rows.succeeded(3, image_count=3), refused)
    assert answer.outcome is Outcome.SUCCEEDED
    assert answer.text.startswith("Partial: 3 of 4 images")
    assert "Prediction 2 of 2:" in answer.text


def test_partial_success_says_how_to_complete_it_and_at_what_price() -> None:
    refused = rows.intent(PredictionStatus.FAILED, error="flagged as sensitive", part=1, image_count=2)
    answer = report(rows.succeeded(4, request_id="auto-1"), refused)
    assert answer.text.startswith("Partial: 4 of 6 images")
    assert str(answer.data["next"]) == (
        "To complete: call generate_image with the same arguments and count=2, about $0.003; ask the user first."
    )
    given = {"prompt": "a lighthouse", "seed": 7}
    named = report(rows.succeeded(1, image_count=2, request=given), facts=rows.facts("sandbox"))
    assert "Reason: the gateway gave fewer images than were asked for." in named.text
    assert "the same arguments, another seed, a new request_id and count=1" in named.text


def test_a_part_in_doubt_is_never_called_missing() -> None:
    doubtful = rows.unsent(IntentState.UNKNOWN, part=1, key="another")
    answer = report(rows.succeeded(), doubtful, facts=rows.facts("cometapi"))
    assert "To complete" not in answer.text and "Do not repeat it on your own" in answer.text
    assert "request_id 'lighthouse-1' only repeats this answer, and a new one may pay a second time" in answer.text


def test_a_lost_image_among_saved_ones_is_missing_and_called_lost() -> None:
    images = (rows.image(1), rows.image(2, state=ImageState.EXPIRED))
    answer = report(rows.succeeded(2, images=images))
    assert answer.text.startswith("Partial: 1 of 2 images") and "count=1, about $0.0015" in answer.text
    assert "Image 2 is lost: its link died before it could be saved. A lost image costs what" in answer.text


def test_our_own_words_on_a_refusal_keep_their_address() -> None:
    reason = "Ask the user to check the address http://127.0.0.1:8932; a retry will not help."
    assert reason in report(rows.unsent(IntentState.REFUSED, reason=reason)).text


def test_the_gateways_own_name_of_a_call_is_not_called_a_request_id() -> None:
    answer = report(rows.intent(PredictionStatus.FAILED, error="upstream broke (request id: 20261125abc)"))
    assert "(the gateway's log id: 20261125abc)" in answer.text


def test_a_lost_answer_says_possibly_billed_and_how_to_go_on() -> None:
    error = CreateUnresolved("The answer of gateway 'replicate' was lost.", gateway="replicate")
    row = rows.unsent(IntentState.UNKNOWN, reason=error.message)
    answer = report(row, facts=rows.facts(errors={row.key: error}))
    assert answer.outcome is Outcome.UNRESOLVED and answer.outcome.is_error
    assert answer.text.startswith(f"Unresolved: {error.message}")
    assert "only with request_id 'lighthouse-1'" in answer.text
    assert answer.data["error"] == {
        "kind": "create_unresolved",
        "message": error.message,
        "billed": "maybe",
        "retry_after_s": None,
    }


def test_a_lost_answer_of_a_gateway_without_a_list_sends_the_user_to_its_log() -> None:
    answer = report(rows.unsent(IntentState.UNKNOWN), facts=rows.facts("cometapi"))
    assert "has no list" in answer.text and "Do not repeat it on your own" in answer.text


def test_a_create_that_the_list_does_not_show_may_be_sent_again() -> None:
    answer = report(rows.unsent(IntentState.ABSENT))
    assert answer.outcome is Outcome.REFUSED
    assert answer.text.startswith("Not created:") and "nothing was billed" in answer.text


def test_an_image_that_is_not_home_yet_keeps_its_link_and_says_why() -> None:
    wanted = rows.image(state=ImageState.WANTED, problem="No space left.")
    answer = report(rows.succeeded(images=(wanted,)))
    assert answer.outcome is Outcome.SUCCEEDED
    assert f"1. not saved yet: {wanted.url}" in answer.text
    assert "Image 1 is not saved yet: No space left." in answer.text
    assert "keeps trying" in answer.text


REFUSED = rows.image(state=ImageState.REFUSED, problem="It is no image. Ask the user to open the link.")


def test_an_image_that_was_refused_says_why_and_keeps_its_link_while_that_lives() -> None:
    answer = report(rows.succeeded(images=(REFUSED,)), facts=rows.facts(now_s=rows.DIES_AT.timestamp() - 1))
    assert answer.outcome is Outcome.SUCCEEDED
    assert f"1. not fetched: {REFUSED.url}" in answer.text and "The links die at 13:00 UTC." in answer.text
    assert "Image 1 was not fetched: It is no image. Ask the user to open the link." in answer.text
    assert answer.data["next"] == ""
    late = report(rows.succeeded(images=(REFUSED,)), facts=rows.facts(now_s=rows.DIES_AT.timestamp()))
    assert "https://" not in late.text and "1. not fetched: its link has died" in late.text


def test_a_saved_file_that_is_damaged_is_said_to_be() -> None:
    damaged = rows.image(problem="The file is damaged: its end is missing.")
    answer = report(rows.succeeded(images=(damaged,)))
    assert "Image 1 is saved, with a fault: The file is damaged: its end is missing." in answer.text
    [image] = cast("list[dict[str, JsonValue]]", answer.data["images"])
    assert image["problem"] == damaged.problem and image["path"]


def test_a_saved_image_is_shown_without_its_link_once_that_has_died() -> None:
    answer = report(rows.succeeded(), facts=rows.facts(now_s=rows.DIES_AT.timestamp()))
    assert "https://" not in answer.text and "links die" not in answer.text


@pytest.mark.parametrize("status", [PredictionStatus.FAILED, PredictionStatus.CANCELED, PredictionStatus.ABORTED])
def test_a_failure_is_an_error_of_the_call_that_made_it_and_none_of_a_look_up(status: PredictionStatus) -> None:
    assert report(rows.intent(status)).is_error
    looked_up = report(rows.intent(status), facts=rows.facts(is_look_up=True))
    assert not looked_up.is_error and looked_up.outcome is Outcome.FAILED
    assert wanted_end(looked_up).is_wanted_end is (status is not PredictionStatus.FAILED)


def test_an_answer_that_had_to_leave_early_says_how_to_go_on() -> None:
    answer = overdue_report("fox-1", 55, 25)
    assert not answer.is_error and answer.data["id"] == "fox-1"
    assert "Nothing is lost" in answer.text and "get_prediction with id 'fox-1'" in answer.text
    assert answer.text.endswith(str(answer.data["next"]))


def test_arguments_of_megabytes_are_not_repeated() -> None:
    request: dict[str, JsonValue] = {"prompt": "x" * 5_000_000, "options": {"y": "z" * 5_000_000}}
    answer = report(rows.succeeded(request=request), facts=rows.facts(notes=("n" * 5_000_000,)))
    assert len(json.dumps(answer.data)) + len(answer.text) < 100_000
    refused = refusal_report(InvalidInput("v" * 5_000_000, field="x"))
    assert len(json.dumps(refused.data)) + len(refused.text) < 5_000


def test_an_image_whose_link_died_first_is_said_to_be_lost() -> None:
    answer = report(rows.succeeded(images=(rows.image(state=ImageState.EXPIRED),)))
    assert "Image 1 is lost" in answer.text and answer.text.startswith("Lost: 1 image by ")
    assert answer.outcome is Outcome.FAILED and answer.data["status"] == "lost"
    assert "https://" not in answer.text


def test_an_unknown_price_is_said_as_unknown() -> None:
    answer = report(rows.succeeded(estimate_usd=None))
    assert "Charged: unknown (no price of this model is known)." in answer.text
    assert answer.data["price_usd"] is None


CHARGES: list[tuple[dict[str, object], str, dict[str, object]]] = [
    (
        {"cost_usd": 0.003, "cost_basis": Basis.BILLED},
        "Charged: $0.003 (by the gateway's own log).",
        {"verdict": "yes", "usd": 0.003, "basis": "billed"},
    ),
    (
        {"cost_usd": 0.003, "cost_basis": Basis.COMPUTED},
        "Charged: about $0.003 (computed from the gateway's figures).",
        {"verdict": "yes", "usd": 0.003, "basis": "computed"},
    ),
    (
        {"cost_usd": 0.0, "cost_basis": Basis.COMPUTED, "cost_note": "stated, not seen"},
        "Charged: nothing (stated, not seen).",
        {"verdict": "no", "usd": 0.0, "basis": "computed"},
    ),
    (
        {"estimate_usd": 0.0007, "has_bound": False},
        "Charged: unknown so far, usually less than $0.0007 (billed by run time, which has no bound).",
        {"verdict": "unknown", "usd": 0.0007, "basis": "estimated"},
    ),
    (
        {"estimate_usd": None},
        "Charged: unknown (no price of this model is known).",
        {"verdict": "unknown", "usd": None, "basis": "none"},
    ),
]


@pytest.mark.parametrize(("row", "words", "data"), CHARGES)
def test_every_answer_says_what_was_charged_and_how_that_is_known(
    row: dict[str, Any], words: str, data: dict[str, object]
) -> None:
    answer = report(rows.succeeded(**row))
    assert words in answer.text.splitlines()
    assert answer.data["charged"] == data


def test_what_is_left_of_the_day_stands_beside_the_charge() -> None:
    row = rows.succeeded(cost_usd=0.003, cost_basis=Basis.COMPUTED)
    answer = report(row, facts=rows.facts(day=DayLimit(left_usd=0.55, limit_usd=0.6)))
    assert "Charged: about $0.003 (computed from the gateway's figures); $0.55 of $0.60 is left today." in answer.text


def test_the_parts_of_an_answer_add_up_to_the_least_certain_charge() -> None:
    done = rows.succeeded(cost_usd=0.003, cost_basis=Basis.COMPUTED)
    lost = rows.unsent(IntentState.UNKNOWN, key="another")
    refused = rows.unsent(IntentState.REFUSED, key="third")
    assert report(done, lost, refused).data["charged"] == {"verdict": "possibly", "usd": 0.006, "basis": "estimated"}
    assert report(done, refused).data["charged"] == {"verdict": "yes", "usd": 0.003, "basis": "computed"}
    assert report(refused).data["charged"] == {"verdict": "no", "usd": 0.0, "basis": "none"}


def test_the_sandbox_is_named_in_every_answer() -> None:
    made = rows.succeeded(origin=rows.gateway("sandbox").origin)
    answer = report(made, facts=rows.facts("sandbox", sandbox_hint="This is the sandbox."))
    assert "Charged: nothing (sandbox)." in answer.text
    assert answer.text.endswith("This is the sandbox.")


@pytest.mark.parametrize(
    ("error", "outcome", "beginning"),
    [
        (InvalidInput("count 11 is not possible.", field="count"), Outcome.INVALID, "Refused: count 11"),
        (SpendingRefused("Over the limit. Nothing was sent."), Outcome.INVALID, "Refused: Over the limit."),
        (KeyRefused("The key was refused.", gateway="replicate"), Outcome.REFUSED, "Refused: The key"),
    ],
)
def test_a_refusal_says_once_that_nothing_was_sent_or_spent(
    error: InvalidInput, outcome: Outcome, beginning: str
) -> None:
    answer = refusal_report(error)
    assert answer.outcome is outcome
    assert answer.text.startswith(beginning)
    assert answer.text.count("Nothing was") == 1


def test_a_refused_look_up_promises_nothing_about_what_was_charged_before() -> None:
    answer = look_up_refusal(UnknownPrediction("Gateway 'replicate' knows no prediction 'p1' (HTTP 404)."))
    assert answer.text.endswith("(HTTP 404).\nCharged: nothing by this look-up.")
    assert answer.is_error and answer.data["charged"] == {"verdict": "unknown", "usd": None, "basis": "none"}


def test_a_busy_gateway_carries_the_seconds_in_the_data() -> None:
    error = GatewayBusy("Busy. Nothing was started.", gateway="replicate", retry_after_s=12)
    row = rows.unsent(IntentState.REFUSED, reason=error.message)
    answer = report(row, facts=rows.facts(errors={row.key: error}))
    assert answer.outcome is Outcome.REFUSED
    assert answer.data["error"] == {
        "kind": "gateway_busy",
        "message": error.message,
        "billed": "no",
        "retry_after_s": 12,
    }


def test_the_data_is_plain_json_and_holds_no_image_bytes() -> None:
    inline = rows.image()
    answer = report(rows.succeeded(images=(inline,)))
    again = json.loads(json.dumps(answer.data))
    assert again["images"][0]["path"].endswith("-1.webp")
    assert again["predictions"][0]["metrics"]["predict_s"] == 0.83


def test_what_failed_may_have_cost_the_estimate_at_most() -> None:
    answer = report(rows.intent(PredictionStatus.FAILED, error="bad", estimate_usd=0.04))
    assert "Charged: possibly, at most $0.04 (by the price list)." in answer.text


def test_a_lost_create_that_was_billed_is_told_as_billed_and_without_an_image() -> None:
    note = "billed at 14:02 UTC; the image cannot be fetched"
    lost = rows.unsent(IntentState.UNKNOWN, cost_usd=0.003, cost_basis=Basis.BILLED, cost_note=note)
    answer = report(lost, facts=rows.facts("deerapi"))
    assert answer.outcome is Outcome.UNRESOLVED
    assert f"Charged: $0.003 (by the gateway's own log; {note})." in answer.text.splitlines()
    assert "carried out and billed" in answer.text and "possibly" not in answer.text
    assert "has no way to fetch the image" in answer.text
