"""What generate_image and get_prediction answer: first the status, then the pictures, then what to do next."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import cast

from pydantic import JsonValue

from darkroom.errors import DarkroomError, GatewayError, InvalidRequest, SpendingRefused
from darkroom.journal import Intent
from darkroom.reports import prediction_data as data
from darkroom.reports import prediction_words as words
from darkroom.reports.prediction_data import AnswerFacts


class Outcome(StrEnum):
    """How an answer ended, one member per different next step of the caller."""

    SUCCEEDED = "succeeded"
    RUNNING = "running"
    FAILED = "failed"
    UNRESOLVED = "unresolved"
    INVALID = "invalid"
    REFUSED = "refused"

    @property
    def is_error(self) -> bool:
        return self not in (Outcome.SUCCEEDED, Outcome.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionReport:
    """`text` for the assistant, `data` for programs; `intents` is what they were made from, empty for a refusal."""

    outcome: Outcome
    text: str
    data: dict[str, JsonValue]
    intents: tuple[Intent, ...] = ()


def prediction_report(intents: Sequence[Intent], facts: AnswerFacts) -> PredictionReport:
    """Report on the predictions of one request, in order; several where one prediction could not make all images."""
    parts = tuple(data.PartView.of(intent, facts) for intent in intents)
    outcome = _outcome(parts)
    return PredictionReport(
        outcome=outcome,
        text=words.answer_text(parts, facts, outcome.value),
        data=data.answer_data(parts, facts, outcome.value, words.next_step(parts, facts, outcome.value)),
        intents=tuple(intents),
    )


def with_notes(report: PredictionReport, notes: Sequence[str]) -> PredictionReport:
    """The same report with notes on what came to light after it was made."""
    if not notes:
        return report
    earlier = cast("list[JsonValue]", report.data["notes"])
    text = "\n".join([report.text, *(f"Note: {note}" for note in notes)])
    return replace(report, text=text, data={**report.data, "notes": [*earlier, *notes]})


def refusal_report(error: DarkroomError) -> PredictionReport:
    """Report on a call of which nothing was sent, or that the gateway refused."""
    outcome = Outcome.INVALID if isinstance(error, InvalidRequest | SpendingRefused) else Outcome.REFUSED
    sentence = words.refusal_text(error)
    return PredictionReport(
        outcome=outcome,
        text=sentence,
        data={
            "outcome": outcome.value,
            "status": "refused",
            "id": "",
            "predictions": [],
            "images": [],
            "notes": [],
            "next": "",
            "error": data.error_data(error),
        },
    )


def _outcome(parts: Sequence[data.PartView]) -> Outcome:
    states = {part.word for part in parts}
    if states & {"starting", "processing", "unknown", "sending"}:
        return Outcome.RUNNING
    if "succeeded" in states:
        return Outcome.SUCCEEDED
    if "unresolved" in states:
        return Outcome.UNRESOLVED
    if states <= {"refused", "absent"}:
        is_ours = all(part.problem and not isinstance(part.problem, GatewayError) for part in parts)
        return Outcome.INVALID if is_ours else Outcome.REFUSED
    return Outcome.FAILED
