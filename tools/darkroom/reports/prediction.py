"""What generate_image and get_prediction answer: first the status, then the images, then what to do next."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import cast

from pydantic import JsonValue

from darkroom.charges import NO_CHARGE, Charge, Verdict
from darkroom.errors import DarkroomError, GatewayError, InvalidRequest, SpendingRefused, UnknownPrediction
from darkroom.images import StoredFile
from darkroom.journal import Intent
from darkroom.reports import prediction_data as data
from darkroom.reports import prediction_words as words
from darkroom.reports.amounts import counted
from darkroom.reports.charge_words import charge_data, charge_line
from darkroom.reports.next_steps import next_step
from darkroom.reports.prediction_data import AnswerFacts
from darkroom.uris import is_url


class Outcome(StrEnum):
    """How an answer ended, one member per different next step of the caller."""

    SUCCEEDED = "succeeded"
    PLANNED = "planned"
    LISTED = "listed"
    RUNNING = "running"
    FAILED = "failed"
    UNRESOLVED = "unresolved"
    INVALID = "invalid"
    REFUSED = "refused"

    @property
    def is_error(self) -> bool:
        return self not in (Outcome.SUCCEEDED, Outcome.RUNNING, Outcome.PLANNED, Outcome.LISTED)


_NOTHING_MADE = (Outcome.INVALID, Outcome.REFUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionReport:
    """`text` for the assistant, `data` for programs; `intents` is what they were made from, empty for a refusal.

    `is_look_up`: it was asked what became of a prediction, and any answer to that is good. `is_wanted_end`: the caller
    had asked for the cancel that ended it. `shows_images` False: only the words tell of its images. `picture` is the
    number of the one that was asked for, 0 where that is all. `charged` is what
    its predictions took in all, in US dollars. `problem` is why nothing was made, where nothing was sent or the gateway
    took nothing.
    """

    outcome: Outcome
    text: str
    data: dict[str, JsonValue]
    intents: tuple[Intent, ...] = ()
    is_look_up: bool = False
    is_wanted_end: bool = False
    shows_images: bool = True
    picture: int = 0
    charged: Charge = NO_CHARGE
    problem: DarkroomError | None = None

    @property
    def id(self) -> str:
        """What get_prediction takes: the id of the first prediction; empty where there is none."""
        return str(self.data["id"])

    @property
    def request_id(self) -> str:
        """The name of the call: the same one again never pays twice. Empty where nothing was written down."""
        return self.intents[0].request_id if self.intents else ""

    @property
    def images(self) -> tuple[StoredFile, ...]:
        """The images that are saved, in the order of the answer."""
        return tuple(image.file for intent in self.intents for image in intent.images if image.file)

    @property
    def paths(self) -> tuple[Path, ...]:
        """Absolute paths of those images that are saved on this computer; those in a bucket are in `images` alone."""
        return tuple(Path(image.location) for image in self.images if not is_url(image.location))

    @property
    def is_error(self) -> bool:
        """Whether hosts should treat the answer as a failure."""
        return self.outcome.is_error and not self.is_look_up


def prediction_report(intents: Sequence[Intent], facts: AnswerFacts) -> PredictionReport:
    """Report on the predictions of one request, in order; several where one prediction could not make all images."""
    views = tuple(data.PredictionView.of(intent, facts) for intent in intents)
    outcome = _outcome(views)
    return PredictionReport(
        outcome=outcome,
        text=words.answer_text(views, facts, outcome.value),
        data=data.answer_data(views, facts, outcome.value, next_step(views, facts, outcome.value)),
        intents=tuple(intents),
        is_look_up=facts.is_look_up,
        shows_images=facts.conversation == "own",
        charged=data.answer_charge(views),
        problem=next((view.problem for view in views if view.problem), None) if outcome in _NOTHING_MADE else None,
    )


def with_notes(report: PredictionReport, notes: Sequence[str]) -> PredictionReport:
    """The same report with notes on what came to light after it was made."""
    if not notes:
        return report
    earlier = cast("list[JsonValue]", report.data["notes"])
    text = "\n".join([report.text, *(f"Note: {note}" for note in notes)])
    return replace(report, text=text, data={**report.data, "notes": [*earlier, *notes]})


def of_picture(report: PredictionReport, number: int) -> PredictionReport:
    """The same report for a caller who has asked for picture `number` of it, from 1."""
    images = [image for intent in report.intents for image in intent.images]
    if number > len(images):
        has = counted(len(images), "image") if images else "no image yet"
        return with_notes(report, [f"there is no image {number}: it has {has}."])
    file = images[number - 1].file
    told = with_notes(report, [f"image {number} is {file.shown}"] if file else [])
    return replace(told, picture=number)


def with_preview(report: PredictionReport, numbers: Sequence[int]) -> PredictionReport:
    """The same report, its text saying what the picture beside it shows, where that is not plain: these images."""
    count = sum(len(intent.images) for intent in report.intents)
    if len(numbers) > 1:
        words = "Preview: one sheet, numbered as above."
    else:
        words = f"Preview: image {numbers[0]}." if numbers and count > 1 else ""
    return replace(report, text=f"{report.text}\n{words}") if words else report


def wanted_end(report: PredictionReport) -> PredictionReport:
    """The same report for a caller who had asked for a cancel."""
    return replace(report, is_wanted_end=report.data["status"] in ("canceled", "aborted"))


def refusal_report(error: DarkroomError) -> PredictionReport:
    """Report on a call of which nothing was sent, or that the gateway refused."""
    charge = NO_CHARGE if error.billed == "no" else Charge(verdict=Verdict.POSSIBLY)
    return _refused(error, f"{words.refusal_text(error)}\n{charge_line(charge)}", charge)


def look_up_refusal(error: DarkroomError) -> PredictionReport:
    """Report on a question that could not be answered; it promises nothing about what was charged before."""
    said = "nothing by this look-up" if isinstance(error, UnknownPrediction) else "not known from here; asking is free"
    return _refused(error, f"Refused: {data.said_by(error)}\nCharged: {said}.", Charge(verdict=Verdict.UNKNOWN))


def _refused(error: DarkroomError, text: str, charge: Charge) -> PredictionReport:
    outcome = Outcome.INVALID if isinstance(error, InvalidRequest | SpendingRefused) else Outcome.REFUSED
    facts: dict[str, JsonValue] = {"error": data.error_data(error)}
    bare = bare_data(outcome, "refused", charge) | facts
    return PredictionReport(outcome=outcome, text=text, data=bare, charged=charge, problem=error)


def overdue_report(handle: str, waited_s: float, wait_s: float) -> PredictionReport:
    """Report that a call had to be answered before its work was done; `handle` is what get_prediction takes.

    `wait_s` are the seconds that the next call should wait.
    """
    text = words.overdue_text(handle, waited_s, wait_s)
    facts: dict[str, JsonValue] = {"id": handle, "next": text.rpartition("\n")[2], "waited_s": round(waited_s, 2)}
    charge = Charge(verdict=Verdict.UNKNOWN)
    return PredictionReport(
        outcome=Outcome.RUNNING, text=text, data=bare_data(Outcome.RUNNING, "unknown", charge) | facts, charged=charge
    )


def bare_data(outcome: Outcome, status: str, charge: Charge) -> dict[str, JsonValue]:
    """The data of an answer that is about no row of the journal."""
    return {
        "outcome": outcome.value,
        "status": status,
        "id": "",
        "predictions": [],
        "images": [],
        "notes": [],
        "next": "",
        "charged": charge_data(charge),
        "error": None,
    }


def _outcome(views: Sequence[data.PredictionView]) -> Outcome:
    states = {view.word for view in views}
    if states & data.RUNNING_WORDS:
        return Outcome.RUNNING
    if "succeeded" in states:
        return Outcome.SUCCEEDED
    if "unresolved" in states:
        return Outcome.UNRESOLVED
    if states <= {"refused", "absent"}:
        is_ours = all(view.problem and not isinstance(view.problem, GatewayError) for view in views)
        return Outcome.INVALID if is_ours else Outcome.REFUSED
    return Outcome.FAILED
