"""The report in words: status first, then what was made and where it lies, what it took, and the next step.

At most about 1 kB for four images; words that came from outside stand in quotation marks, cleaned and shortened.
"""

import os.path
from collections.abc import Sequence
from datetime import datetime

from darkroom.errors import CreateUnresolved, DarkroomError, GatewayError, UnknownPrediction
from darkroom.gateways import clean_words, failure_kind, quoted
from darkroom.images import ImageState, StoredImage
from darkroom.reports.amounts import clock, counted, seconds, size, usd
from darkroom.reports.prediction_data import AnswerFacts, PartView, total_usd
from darkroom.uris import is_web_url

_FAILURE_ADVICE = {
    "moderation": "The content was refused: change the prompt or the image; the same call will fail again.",
    "transient": "This is a passing fault of the gateway: calling generate_image once more is sensible (it may cost again).",
    "too_large": "It was too large for the model: ask for fewer or smaller images.",
    "other": "Read the reason, mend the input or choose another model; a repeat costs again.",
}
_ERROR_WORDS_LIMIT = 300


def answer_text(parts: Sequence[PartView], facts: AnswerFacts, outcome: str) -> str:
    """All lines of an answer."""
    images = [image for part in parts for image in part.intent.images]
    lines = [
        _headline(parts, facts, outcome),
        *_part_lines(parts),
        *_picture_lines(images),
        *_lost_lines(images),
        _measure_line(parts, facts),
        *(f"Note: {note}" for note in facts.notes),
        next_step(parts, facts, outcome),
        facts.sandbox_hint,
    ]
    return "\n".join(line for line in lines if line)


def refusal_text(error: DarkroomError) -> str:
    """One refused call: what happened, and that nothing was spent where that is certain."""
    if error.billed == "no" and "othing was" not in error.message:
        was_asked = isinstance(error, GatewayError | UnknownPrediction)
        return f"Refused: {error.message} Nothing was {'spent' if was_asked else 'sent or spent'}."
    return f"Refused: {error.message}" if error.billed == "no" else f"Unresolved: {error.message}"


def next_step(parts: Sequence[PartView], facts: AnswerFacts, outcome: str) -> str:
    """What the assistant should do now; empty where nothing is left to do."""
    running = [part for part in parts if part.word in ("starting", "processing", "unknown", "sending")]
    if running:
        ids = ", ".join(f"'{part.handle}'" for part in running)
        return (
            f"Next: call get_prediction with id {ids} and wait_seconds 45. "
            "Do not call generate_image again for it: that would start and cost a second one."
        )
    if outcome == "unresolved":
        return _unresolved_step(parts, facts)
    if any(image.state is ImageState.WANTED for part in parts for image in part.intent.images):
        return f"Next: darkroom keeps trying to fetch the missing files; get_prediction with id '{parts[0].handle}' shows how it went."
    return ""


def _unresolved_step(parts: Sequence[PartView], facts: AnswerFacts) -> str:
    part = next(part for part in parts if part.word == "unresolved")
    repeat = f"call generate_image again only with request_id '{part.intent.request_id}', which never pays twice."
    if facts.gateway.has_list:
        return (
            f"Next: darkroom looks for it in the gateway's list for about two minutes; ask get_prediction with id "
            f"'{part.handle}', or {repeat}"
        )
    return (
        f"Next: gateway '{facts.gateway.name}' has no list to look it up in, so tell the user that it was possibly created and "
        f"billed, and to check the gateway's own log. Do not repeat it on your own; if the user wants it all the same, "
        f"use a new request_id."
    )


def _headline(parts: Sequence[PartView], facts: AnswerFacts, outcome: str) -> str:
    model = parts[0].intent.model
    images = [image for part in parts for image in part.intent.images]
    asked = sum(part.intent.image_count for part in parts)
    if outcome == "succeeded":
        made = len(images) or sum(len(part.intent.prediction.output) for part in parts if part.intent.prediction)
        share = counted(made, "image") if made >= asked else f"{made} of {counted(asked, 'image')}"
        return f"Succeeded: {share} by {model}{_named(parts)}."
    if outcome == "running":
        return _running_headline(parts, facts, model)
    if outcome == "unresolved":
        return f"Unresolved: {_doubt(parts, facts)}"
    if outcome == "failed":
        return f"{_ended_word(parts)}: {model}{_named(parts)} made no image."
    if {part.word for part in parts} == {"absent"}:
        return f"Not created: {facts.gateway.title} has no trace of this request, so nothing was billed. It may be sent again."
    return f"Refused: {_first_problem(parts)}"


def _running_headline(parts: Sequence[PartView], facts: AnswerFacts, model: str) -> str:
    running = [part for part in parts if part.word in ("starting", "processing", "unknown", "sending")]
    percent = facts.percents.get(running[0].handle)
    share = f", about {percent:.0f} % done" if percent and percent >= 1 else ""
    if running[0].word == "sending":
        return f"Sent, not yet answered after {seconds(facts.waited_s)}: {model}. The work goes on by itself."
    done = f"{len(parts) - len(running)} of {len(parts)} predictions are done; " if len(parts) > 1 else ""
    waited = f" after {seconds(facts.waited_s)}" if facts.waited_s >= 1 else ""
    return f"Still {running[0].word}{waited}: {done}{model}{_named(running)}{share}. It goes on by itself."


def _part_lines(parts: Sequence[PartView]) -> list[str]:
    """Why parts failed: one line for each that made nothing."""
    several = len(parts) > 1
    lines: list[str] = []
    for number, part in enumerate(parts, start=1):
        name = f"Prediction {number} of {len(parts)}" if several else "Reason"
        if part.word in ("failed", "empty", "canceled", "aborted"):
            lines.append(f"{name}: {_failure_sentence(part)}")
        elif part.word in ("refused", "unresolved", "absent") and several:
            lines.append(
                f"{name}: {part.word}. {part.problem.message if part.problem else part.intent.reason}".rstrip()
            )
    return lines


def _failure_sentence(part: PartView) -> str:
    if part.word == "canceled":
        return "it was canceled; work done before that may be billed."
    if part.word == "aborted":
        return "it was aborted before it started, which is not billed."
    if part.word == "empty" and part.intent.prediction and part.intent.prediction.is_data_removed:
        return "the gateway has removed its output already, so the image is lost. A repeat would cost again."
    if part.word == "empty":
        return "the gateway said 'succeeded' but gave no output. A repeat may work and may cost again."
    error = part.intent.prediction.error if part.intent.prediction else ""
    words = quoted(error, _ERROR_WORDS_LIMIT)
    said = f"the gateway said {words}." if words else "the gateway gave no reason."
    return f"{said} {_FAILURE_ADVICE[failure_kind(error)]}"


def _picture_lines(images: Sequence[StoredImage]) -> list[str]:
    stored = [image for image in images if image.file]
    folders = {os.path.dirname(image.file.location) for image in stored if image.file}
    lines = [f"Saved in {folders.pop()}:"] if len(folders) == 1 else []
    lines += [_picture_line(number, image, is_short=bool(lines)) for number, image in enumerate(images, start=1)]
    deaths = [image.expires_at for image in images if image.expires_at and _has_link(image)]
    if deaths:
        lines.append(_link_line(min(deaths), bool(stored)))
    return lines


def _picture_line(number: int, image: StoredImage, *, is_short: bool) -> str:
    link = f" {image.url}" if _has_link(image) else ""
    file = image.file
    if image.state is ImageState.EXPIRED:
        return f"{number}. lost"
    if not file:
        return f"{number}. not saved yet:{link or ' (inline data)'}"
    name = os.path.basename(file.location) if is_short else file.location
    shape = f"{file.width_px}x{file.height_px} " if file.width_px else ""
    return f"{number}. {name} ({shape}{_kind(file.mime_type)}, {size(file.size_bytes)}){link}"


def _link_line(death: datetime, is_saved: bool) -> str:
    return f"The links die at {clock(death)}{'; the saved files stay' if is_saved else ''}."


def _lost_lines(images: Sequence[StoredImage]) -> list[str]:
    lines: list[str] = []
    for number, image in enumerate(images, start=1):
        if image.state is ImageState.EXPIRED:
            lines.append(f"Image {number} is lost: its link died before it could be fetched. {image.problem}".rstrip())
        elif image.state is ImageState.WANTED and image.problem:
            lines.append(f"Image {number} is not saved yet: {image.problem}")
    return lines


def _measure_line(parts: Sequence[PartView], facts: AnswerFacts) -> str:
    """Metrics, price and seed of what came; only the price for what runs."""
    created = [part for part in parts if part.intent.prediction]
    if not created:
        return ""
    words = _metric_words(created)
    words.append(_price_words(parts, facts))
    seeds = [str(part.intent.seed) for part in parts if part.intent.seed is not None]
    if seeds:
        words.append(f"seed {', '.join(seeds)}")
    return "; ".join(words).capitalize() + "."


def _metric_words(created: Sequence[PartView]) -> list[str]:
    metrics = [part.intent.prediction.metrics for part in created if part.intent.prediction]
    words: list[str] = []
    for name in ("predict", "queue", "total"):
        values = [value for entry in metrics if (value := getattr(entry, f"{name}_s")) is not None]
        if values:
            words.append(f"{name} {seconds(max(values))}")
    count = sum(len(part.intent.images) for part in created)
    return [*words, f"image count {count}"] if count else words


def _price_words(parts: Sequence[PartView], facts: AnswerFacts) -> str:
    if facts.gateway.is_sandbox:
        return "no cost (sandbox)"
    total = total_usd(parts)
    if total is None:
        return "price unknown"
    # Gateways often do not bill what failed, but nobody promises it.
    is_sure = all(part.word == "succeeded" for part in parts)
    return f"price about {usd(total)}" if is_sure else f"price at most about {usd(total)}"


def _named(parts: Sequence[PartView]) -> str:
    ids = [f"'{part.intent.prediction_id}'" for part in parts if part.intent.prediction_id]
    if not ids:
        return ""
    return f" (prediction {ids[0]})" if len(ids) == 1 else f" (predictions {', '.join(ids)})"


def _doubt(parts: Sequence[PartView], facts: AnswerFacts) -> str:
    """Why nobody can tell whether it was created."""
    part = next(part for part in parts if part.word == "unresolved")
    if isinstance(part.problem, CreateUnresolved):
        return part.problem.message
    if part.intent.reason:
        return clean_words(part.intent.reason, _ERROR_WORDS_LIMIT)
    return f"{facts.gateway.title} was sent the create of {part.intent.model}; it was possibly carried out and billed."


def _first_problem(parts: Sequence[PartView]) -> str:
    problem = next((part.problem for part in parts if part.problem), None)
    if problem:
        return problem.message
    return next((clean_words(part.intent.reason) for part in parts if part.intent.reason), "nothing was sent.")


def _ended_word(parts: Sequence[PartView]) -> str:
    words = {part.word for part in parts}
    return (
        {"canceled": "Canceled", "aborted": "Aborted"}.get(next(iter(words)), "Failed") if len(words) == 1 else "Failed"
    )


def _has_link(image: StoredImage) -> bool:
    return is_web_url(image.url) and image.state is not ImageState.EXPIRED


def _kind(mime_type: str) -> str:
    return mime_type.removeprefix("image/").removesuffix("+xml").upper()
