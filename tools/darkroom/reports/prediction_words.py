"""The report in words: status first, then what was made and where it lies, what it took, and the next step.

At most about 1 kB for four images; words that came from outside stand in quotation marks, cleaned and shortened.
"""

import os.path
import tomllib
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path

from darkroom.charges import NO_CHARGE, Basis
from darkroom.errors import CreateUnresolved, DarkroomError, GatewayError, UnknownPrediction
from darkroom.gateways import clean_words, failure_kind, quoted
from darkroom.images import ImageState, StoredImage
from darkroom.reports.amounts import clock, counted, seconds, size
from darkroom.reports.charge_words import charge_line
from darkroom.reports.prediction_data import (
    LONGEST_SENTENCE,
    RUNNING_WORDS,
    AnswerFacts,
    PredictionView,
    answer_charge,
    is_alive,
    said_by,
)

_ERROR_WORDS_LIMIT = 300


@cache
def _sentences() -> dict[str, dict[str, str]]:
    """The sentences of sentences.toml by table and name."""
    return tomllib.loads(Path(__file__).with_name("sentences.toml").read_text(encoding="utf-8"))


def answer_text(views: Sequence[PredictionView], facts: AnswerFacts, outcome: str) -> str:
    """All lines of an answer."""
    images = [image for view in views for image in view.intent.images]
    charge = answer_charge(views)
    lines = [
        _headline(views, facts, outcome),
        *_failure_lines(views),
        *_image_lines(images, facts),
        *_problem_lines(images),
        _measure_line(views),
        charge_line(charge, facts.day, is_sandbox=facts.gateway.is_sandbox and charge == NO_CHARGE),
        *(f"Note: {note[:LONGEST_SENTENCE]}" for note in facts.notes),
        next_step(views, facts, outcome),
        facts.sandbox_hint,
    ]
    return "\n".join(line for line in lines if line)


def refusal_text(error: DarkroomError) -> str:
    """One refused call: what happened, and that nothing was spent where that is certain."""
    said = said_by(error)
    if error.billed == "no" and "othing was" not in said:
        was_asked = isinstance(error, GatewayError | UnknownPrediction)
        return f"Refused: {said} Nothing was {'spent' if was_asked else 'sent or spent'}."
    return f"Refused: {said}" if error.billed == "no" else f"Unresolved: {said}"


def overdue_text(handle: str, waited_s: float) -> str:
    """A call that must be answered before the work behind it has come to an end."""
    return (
        f"Still working after {seconds(waited_s)}: darkroom has no result yet. Nothing is lost: what was sent goes on "
        "by itself and is written down.\nCharged: unknown so far; get_prediction says it.\n"
        f"{_sentences()['next']['overdue'].format(id=handle)}"
    )


def next_step(views: Sequence[PredictionView], facts: AnswerFacts, outcome: str) -> str:
    """What the assistant should do now; empty where nothing is left to do."""
    steps = _sentences()["next"]
    if running := [f"'{view.handle}'" for view in views if view.word in RUNNING_WORDS]:
        return steps["running"].format(ids=", ".join(running))
    if outcome == "unresolved":
        view = next(view for view in views if view.word == "unresolved")
        unbilled = "unlisted" if facts.gateway.has_token_log is False else "logged"
        lost = "billed" if view.intent.cost_basis is Basis.BILLED else unbilled
        step = steps["listed" if facts.gateway.has_list else lost]
        return step.format(id=view.handle, request_id=view.intent.request_id, gateway=facts.gateway.name)
    if any(image.state is ImageState.WANTED for view in views for image in view.intent.images):
        return steps["wanted"].format(id=views[0].handle)
    return ""


def _headline(views: Sequence[PredictionView], facts: AnswerFacts, outcome: str) -> str:
    model = views[0].intent.model
    images = [image for view in views for image in view.intent.images]
    asked = sum(view.intent.image_count for view in views)
    if outcome == "succeeded":
        made = len(images) or sum(len(view.intent.prediction.output) for view in views if view.intent.prediction)
        share = counted(made, "image") if made >= asked else f"{made} of {counted(asked, 'image')}"
        return f"Succeeded: {share} by {model}{_named(views)}."
    if outcome == "running":
        return _running_headline(views, facts, model)
    if outcome == "unresolved":
        return f"Unresolved: {_doubt(views, facts)}"
    if outcome == "failed":
        return f"{_ended_word(views)}: {model}{_named(views)} made no image."
    if {view.word for view in views} == {"absent"}:
        told = f"Not created: {facts.gateway.title} has no trace of this request, so nothing was billed."
        return f"{told} It may be sent again."
    return f"Refused: {_first_problem(views)}"


def _running_headline(views: Sequence[PredictionView], facts: AnswerFacts, model: str) -> str:
    running = [view for view in views if view.word in RUNNING_WORDS]
    percent = facts.percents.get(running[0].handle)
    share = f", about {percent:.0f} % done" if percent and percent >= 1 else ""
    if running[0].word == "queued":
        return f"Queued after {seconds(facts.waited_s)}, nothing sent yet: {model}. It is sent in its turn."
    if running[0].word == "sending":
        return f"Sent, not yet answered after {seconds(facts.waited_s)}: {model}. The work goes on by itself."
    done = f"{len(views) - len(running)} of {len(views)} predictions are done; " if len(views) > 1 else ""
    waited = f" after {seconds(facts.waited_s)}" if facts.waited_s >= 1 else ""
    return f"Still {running[0].word}{waited}: {done}{model}{_named(running)}{share}. It goes on by itself."


def _failure_lines(views: Sequence[PredictionView]) -> list[str]:
    """One line for each prediction that made nothing: why."""
    several = len(views) > 1
    lines: list[str] = []
    for number, view in enumerate(views, start=1):
        name = f"Prediction {number} of {len(views)}" if several else "Reason"
        if view.word in ("failed", "empty", "canceled", "aborted"):
            lines.append(f"{name}: {_failure_sentence(view)}")
        elif view.word in ("refused", "unresolved", "absent") and several:
            why = said_by(view.problem) if view.problem else view.intent.reason
            lines.append(f"{name}: {view.word}. {why}".rstrip())
    return lines


def _failure_sentence(view: PredictionView) -> str:
    prediction = view.intent.prediction
    if view.word == "empty" and prediction and prediction.is_data_removed:
        return _sentences()["ended"]["removed"]
    if view.word != "failed":
        return _sentences()["ended"][view.word]
    error = prediction.error if prediction else ""
    words = quoted(error, _ERROR_WORDS_LIMIT)
    said = f"the gateway said {words}." if words else "the gateway gave no reason."
    return f"{said} {_sentences()['advice'][failure_kind(error)]}"


def _image_lines(images: Sequence[StoredImage], facts: AnswerFacts) -> list[str]:
    stored = [image.file for image in images if image.file]
    folders = {os.path.dirname(file.location) for file in stored}
    lines = [f"Saved in {folders.pop()}:"] if len(folders) == 1 else []
    is_short = bool(lines)
    deaths: list[datetime] = []
    for number, image in enumerate(images, start=1):
        has_link = image.url.startswith(("https://", "http://")) and is_alive(image, facts)
        lines.append(f"{number}. {_image_words(image, image.url if has_link else '', is_short=is_short)}")
        if has_link and image.expires_at:
            deaths.append(image.expires_at)
    if deaths:
        lines.append(f"The links die at {clock(min(deaths))}{'; the saved files stay' if stored else ''}.")
    return lines


def _image_words(image: StoredImage, link: str, *, is_short: bool) -> str:
    """`is_short`: the folder has been named already."""
    if file := image.file:
        name = os.path.basename(file.location) if is_short else file.location
        shape = f"{file.width_px}x{file.height_px} " if file.width_px else ""
        kind = file.mime_type.removeprefix("image/").removesuffix("+xml").upper()
        return f"{name} ({shape}{kind}, {size(file.size_bytes)}) {link}".rstrip()
    if image.state is ImageState.EXPIRED:
        return "lost"
    wait = "not fetched" if image.state is ImageState.REFUSED else "not saved yet"
    return f"{wait}: {link or ('inline data' if image.url.startswith('data:') else 'its link has died')}"


def _problem_lines(images: Sequence[StoredImage]) -> list[str]:
    return [
        f"Image {number} {_sentences()['image'][image.state]} {image.problem[:LONGEST_SENTENCE]}".rstrip()
        for number, image in enumerate(images, start=1)
        if image.problem or image.state is ImageState.EXPIRED
    ]


def _measure_line(views: Sequence[PredictionView]) -> str:
    """Metrics and seed of what came."""
    metrics = [view.intent.prediction.metrics for view in views if view.intent.prediction]
    if not metrics:
        return ""
    words: list[str] = []
    for name in ("predict", "queue", "total"):
        if values := [value for entry in metrics if (value := getattr(entry, f"{name}_s")) is not None]:
            words.append(f"{name} {seconds(max(values))}")
    if count := sum(len(view.intent.images) for view in views if view.intent.prediction):
        words.append(f"image count {count}")
    if seeds := [str(view.intent.seed) for view in views if view.intent.seed is not None]:
        words.append(f"seed {', '.join(seeds)}")
    return "; ".join(words).capitalize() + "." if words else ""


def _named(views: Sequence[PredictionView]) -> str:
    ids = [f"'{view.intent.prediction_id}'" for view in views if view.intent.prediction_id]
    if not ids:
        return ""
    return f" (prediction {ids[0]})" if len(ids) == 1 else f" (predictions {', '.join(ids)})"


def _doubt(views: Sequence[PredictionView], facts: AnswerFacts) -> str:
    """Why nobody can tell whether it was created."""
    view = next(view for view in views if view.word == "unresolved")
    if view.intent.cost_basis is Basis.BILLED:
        return f"its answer was lost, but {facts.gateway.title}'s own log shows that it was carried out and billed."
    if isinstance(view.problem, CreateUnresolved):
        return said_by(view.problem)
    if view.intent.reason:
        return clean_words(view.intent.reason, _ERROR_WORDS_LIMIT)
    return f"{facts.gateway.title} was sent the create of {view.intent.model}; it was possibly carried out and billed."


def _first_problem(views: Sequence[PredictionView]) -> str:
    problem = next((view.problem for view in views if view.problem), None)
    if problem:
        return said_by(problem)
    return next((clean_words(view.intent.reason) for view in views if view.intent.reason), "nothing was sent.")


def _ended_word(views: Sequence[PredictionView]) -> str:
    words = {view.word for view in views}
    return next(iter(words)).capitalize() if words in ({"canceled"}, {"aborted"}) else "Failed"
