"""The report in words: status first, then what was made and where it lies, what it took, and the next step.

At most about 1 kB for four images; words that came from outside stand in quotation marks, cleaned and shortened.
"""

import os.path
from collections.abc import Sequence
from datetime import datetime

from darkroom.charges import NO_CHARGE, Basis, Verdict
from darkroom.errors import DarkroomError, GatewayError, UnknownPrediction
from darkroom.gateways import failure_kind, quoted
from darkroom.images import ImageState, StoredImage
from darkroom.reports.amounts import clock, seconds, size, usd
from darkroom.reports.charge_words import charge_line
from darkroom.reports.details import LONGEST_SENTENCE
from darkroom.reports.headline import headline, reason_of, whose
from darkroom.reports.next_steps import call_again, next_step, sentences
from darkroom.reports.prediction_data import (
    AnswerFacts,
    PredictionView,
    RepeatedFailure,
    answer_charge,
    is_alive,
    said_by,
)
from darkroom.uris import is_unresolvable

_ERROR_WORDS_LIMIT = 300


def answer_text(views: Sequence[PredictionView], facts: AnswerFacts, outcome: str) -> str:
    """All lines of an answer."""
    images = [image for view in views for image in view.intent.images]
    charge = answer_charge(views)
    lines = [
        whose(views, facts),
        headline(views, facts, outcome),
        *_failure_lines(views, facts),
        *_image_lines(images, facts),
        *_problem_lines(images),
        _measure_line(views),
        _record_line(images, facts),
        charge_line(
            charge,
            facts.day,
            is_sandbox=facts.gateway.is_sandbox and charge == NO_CHARGE,
            free_call=facts.free_call,
        ),
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


def overdue_text(handle: str, waited_s: float, wait_s: float) -> str:
    """A call that must be answered before the work behind it has come to an end."""
    again = call_again(f"'{handle}'", wait_s)
    return (
        f"Still working after {seconds(waited_s)}: darkroom has no result yet. Nothing is lost: what was sent goes on "
        "by itself and is written down.\nCharged: unknown so far; get_prediction says it.\n"
        f"{sentences()['next']['overdue'].format(again=again)}"
    )


def _failure_lines(views: Sequence[PredictionView], facts: AnswerFacts) -> list[str]:
    """One line for each prediction that made nothing: why."""
    several = len(views) > 1
    lines: list[str] = []
    for number, view in enumerate(views, start=1):
        name = f"Prediction {number} of {len(views)}" if several else "Reason"
        if view.word == "succeeded" and view.missing_count > view.lost_count:
            lines.append(f"{name}: {sentences()['ended']['fewer']}")
        elif view.word in ("failed", "empty", "canceled", "aborted") or (view.word == "lost" and several):
            lines.append(f"{name}: {_failure_sentence(view, facts)}")
        elif view.word in ("refused", "unresolved", "absent") and several:
            why = said_by(view.problem) if view.problem else reason_of(view)
            lines.append(f"{name}: {view.word}. {why}".rstrip())
    return lines


def _failure_sentence(view: PredictionView, facts: AnswerFacts) -> str:
    prediction = view.intent.prediction
    repeated = _repeated_words(facts.repeated) if facts.repeated else ""
    if view.word == "empty" and repeated:
        return f"{sentences()['ended']['without']} {repeated}"
    if view.word != "failed":
        is_ours = view.word == "canceled" and view.intent.key in facts.canceled
        return sentences()["ended"]["canceled_now" if is_ours else view.word]
    error = prediction.error if prediction else ""
    words = quoted(error, _ERROR_WORDS_LIMIT)
    said = f"the gateway said {words}." if words else "the gateway gave no reason."
    kind = failure_kind(error)
    advice = sentences()["advice"]["too_large_one" if kind == "too_large" and view.intent.image_count == 1 else kind]
    # A prompt that is refused has to change, however often it has failed.
    return f"{said} {' '.join(filter(None, [advice if kind == 'moderation' else '', repeated])) or advice}"


def _repeated_words(repeated: RepeatedFailure) -> str:
    charge, minutes = repeated.charge, max(1, round(repeated.within_s / 60))
    about = "" if charge.basis is Basis.BILLED else "about "
    bound = about if charge.verdict is Verdict.YES else "at most " if charge.has_bound else "usually less than "
    cost = "at an unknown cost" if charge.usd is None else f"{bound}{usd(charge.usd)}" if charge.usd else "nothing paid"
    span = "a minute" if minutes == 1 else f"{minutes} minutes"
    return sentences()["advice"]["repeated"].format(count=repeated.count, span=span, cost=cost)


def _image_lines(images: Sequence[StoredImage], facts: AnswerFacts) -> list[str]:
    stored = [image.file for image in images if image.file]
    folders = {"" if file.link else os.path.dirname(file.location) for file in stored}
    lines = [f"Saved in {folders.pop()}:"] if len(folders) == 1 and "" not in folders else []
    is_short = bool(lines)
    deaths: list[datetime] = []
    for number, image in enumerate(images, start=1):
        # That of the sandbox inside darkroom opens nowhere, and its file is here.
        is_of_use = image.url.startswith(("https://", "http://")) and not (image.file and is_unresolvable(image.url))
        has_link = is_of_use and is_alive(image, facts) and not (image.file and image.file.link)
        lines.append(f"{number}. {_image_words(image, image.url if has_link else '', is_short=is_short)}")
        if has_link and image.expires_at:
            deaths.append(image.expires_at)
    if facts.links_words and stored:
        lines.append(facts.links_words)
    if deaths:
        lines.append(f"The links die at {clock(min(deaths))}{'; the saved files stay' if stored else ''}.")
    return lines


def _image_words(image: StoredImage, link: str, *, is_short: bool) -> str:
    """`is_short`: the folder has been named already."""
    if file := image.file:
        name = os.path.basename(file.location) if is_short else file.shown
        shape = f"{file.width_px}x{file.height_px} " if file.width_px else ""
        kind = file.mime_type.removeprefix("image/").removesuffix("+xml").upper()
        look = ", transparent" if file.is_transparent else ""
        raster = file.raster_link or os.path.basename(file.raster_location)
        beside = f"; as PNG: {raster}" if raster else ""
        return f"{name} ({shape}{kind}{look}, {size(file.size_bytes)}{beside}) {link}".rstrip()
    if image.state is ImageState.EXPIRED:
        return "lost"
    wait = "not fetched" if image.state is ImageState.REFUSED else "not saved yet"
    return f"{wait}: {link or ('inline data' if image.url.startswith('data:') else 'its link has died')}"


def _problem_lines(images: Sequence[StoredImage]) -> list[str]:
    return [
        f"Image {number} {sentences()['image'][image.state]} {image.problem[:LONGEST_SENTENCE]}".rstrip()
        for number, image in enumerate(images, start=1)
        if image.problem or image.state is ImageState.EXPIRED
    ]


def _record_line(images: Sequence[StoredImage], facts: AnswerFacts) -> str:
    """Where the sidecars lie; only a look-up tells it."""
    locations = [image.file.location for image in images if image.file]
    records = [facts.records[location] for location in locations if location in facts.records]
    more = " (one beside each image)" if len(records) > 1 else ""
    return f"Record: {records[0]}{more}" if records else ""


def _measure_line(views: Sequence[PredictionView]) -> str:
    """Metrics and seed of what came, and the request_id."""
    metrics = [view.intent.prediction.metrics for view in views if view.intent.prediction]
    words: list[str] = []
    for name in ("predict", "queue", "total"):
        if values := [value for entry in metrics if (value := getattr(entry, f"{name}_s")) is not None]:
            words.append(f"{name} {seconds(max(values))}")
    if count := sum(len(view.intent.images) for view in views if view.intent.prediction):
        words.append(f"image count {count}")
    if seeds := [str(view.intent.seed) for view in views if view.intent.seed is not None]:
        words.append(f"seed {', '.join(seeds)}")
    if request_id := views[0].intent.request_id:
        words.append(f"request_id {request_id}")
    line = "; ".join(words)
    return f"{line[:1].upper()}{line[1:]}." if line else ""
