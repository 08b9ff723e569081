"""The report as JSON: the shape that `_meta["darkroom/report"]`, `--json` and the gallery read."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from typing import Literal

from pydantic import JsonValue

from darkroom.charges import NO_CHARGE, Charge, total_charge
from darkroom.errors import CreateUnresolved, DarkroomError, GatewayError
from darkroom.gateways import Gateway, clean_words
from darkroom.images import ImageState, StoredFile, StoredImage
from darkroom.journal import Intent, IntentState
from darkroom.predictions import Prediction, PredictionStatus
from darkroom.reports.amounts import usd
from darkroom.reports.charge_words import DayLimit, charge_data
from darkroom.reports.details import LONGEST_REQUEST, LONGEST_SENTENCE, details_of, prompt_of
from darkroom.uris import scheme_of

_UNSENT_WORDS = {
    IntentState.INTENT: "queued",
    IntentState.SENT: "sending",
    IntentState.REFUSED: "refused",
    IntentState.UNKNOWN: "unresolved",
    IntentState.ABSENT: "absent",
}
# Nothing is wrong with a prediction of these, and it goes on by itself.
RUNNING_WORDS = frozenset({"starting", "processing", "unknown", "sending", "queued"})
# Whose the newest prediction is: of the conversation that asks, of another one, or nobody knows.
Whose = Literal["own", "other", "unknown"]
_NO_FILE = StoredFile(location="", mime_type="", width_px=0, height_px=0, size_bytes=0, sha256="")


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatedFailure:
    """One wish that failed more than once: how many calls, in how many seconds, and what they took together."""

    count: int
    within_s: float
    charge: Charge


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFacts:
    """What the words need beside the journal's rows.

    `errors` holds, by intent key, why a prediction was not created; `percents`, by prediction id, how far a running one
    is; `idle` the keys that nobody in this process works on; `day` is what is left of the person's limit; `now_s` is
    seconds since 1970 (0: every link counts as alive). `wait_s` is how long a call waits where it does not say.
    `repeated` is there where the same wish has failed before.

    `is_look_up`: it was asked what became of it; `records` are then the sidecars by the image's location. `free_call`
    names a call that has cost nothing itself, such as "this look-up". `canceled` are the keys of those that this call
    has stopped, `typical_s` the seconds that the model usually takes. `conversation` says whose it is, where the newest
    one was asked for. `links_words` is what to say of links that stand in place of locations. `zone` is the person's
    time zone (None: that of this computer). `is_unattended`: at this moment nobody follows or fetches anything.
    """

    gateway: Gateway
    notes: tuple[str, ...] = ()
    waited_s: float = 0.0
    now_s: float = 0.0
    errors: Mapping[str, DarkroomError] = field(default_factory=dict[str, DarkroomError])
    percents: Mapping[str, float] = field(default_factory=dict[str, float])
    idle: frozenset[str] = frozenset()
    day: DayLimit | None = None
    sandbox_hint: str = ""
    wait_s: float = 25.0
    is_look_up: bool = False
    free_call: str = ""
    records: Mapping[str, str] = field(default_factory=dict[str, str])
    conversation: Whose = "own"
    repeated: RepeatedFailure | None = None
    canceled: frozenset[str] = frozenset()
    typical_s: float | None = None
    links_words: str = ""
    zone: tzinfo | None = None
    is_unattended: bool = False


_UNSENT = (IntentState.INTENT, IntentState.REFUSED, IntentState.ABSENT)
# What a row in this state means when nobody works on it: the process that wrote it has died.
_IDLE_WORDS = {IntentState.INTENT: "absent", IntentState.SENT: "unresolved"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionView:
    """One prediction of an answer. `word` is its status, or how far its create came while it has none."""

    intent: Intent
    word: str
    charge: Charge
    problem: DarkroomError | None = None

    @classmethod
    def of(cls, intent: Intent, facts: AnswerFacts) -> "PredictionView":
        problem = facts.errors.get(intent.key)
        word = _word(intent, problem, is_idle=intent.key in facts.idle)
        return cls(intent=intent, word=word, charge=_charge(intent, word, facts.gateway), problem=problem)

    @property
    def made_count(self) -> int:
        """Images that it gave and that are not lost; while no row of an image is written, as many as it has outputs."""
        if self.intent.images:
            return sum(image.state is not ImageState.EXPIRED for image in self.intent.images)
        return len(_output(self.intent))

    @property
    def lost_count(self) -> int:
        """Images that were made and can never be had."""
        if self.word == "lost" and not self.intent.images:
            return self.intent.image_count
        return sum(image.state is ImageState.EXPIRED for image in self.intent.images)

    @property
    def missing_count(self) -> int:
        """Images that were asked for and will not come of it, lost ones among them."""
        if self.word in RUNNING_WORDS or self.word == "unresolved":
            return 0
        return max(self.intent.image_count - self.made_count, 0)


def _word(intent: Intent, problem: DarkroomError | None, *, is_idle: bool) -> str:
    if isinstance(problem, CreateUnresolved):
        return "unresolved"
    if problem and intent.state in _UNSENT:
        return "refused"
    if is_idle and intent.state is IntentState.INTENT and intent.reason:
        return "refused"  # whoever was to send it once more is gone
    if is_idle and intent.state in _IDLE_WORDS:
        return _IDLE_WORDS[intent.state]
    if intent.state is not IntentState.KNOWN:
        return _UNSENT_WORDS[intent.state]
    status = intent.prediction.status if intent.prediction else PredictionStatus.UNKNOWN
    if status is not PredictionStatus.SUCCEEDED:
        return status.value
    if intent.images:
        return "lost" if all(image.state is ImageState.EXPIRED for image in intent.images) else status.value
    if _output(intent):
        return status.value
    return "lost" if intent.prediction and intent.prediction.is_data_removed else "empty"


def _charge(intent: Intent, word: str, gateway: Gateway) -> Charge:
    """What it takes; one that is about to be sent counts like one on its way."""
    if gateway.is_sandbox and intent.origin == gateway.origin:
        return NO_CHARGE
    return replace(intent, state=IntentState.SENT).charge if word == "queued" else intent.charge


def answer_data(
    views: Sequence[PredictionView], facts: AnswerFacts, outcome: str, next_step: str
) -> dict[str, JsonValue]:
    """All facts of an answer; times are RFC 3339, sizes bytes and pixels, durations seconds, money USD."""
    first, request = views[0], views[0].intent.request
    images = [image for view in views for image in view.intent.images]
    problem = next((view.problem for view in views if view.problem), None)
    return {
        "outcome": outcome,
        "status": first.word if len(views) == 1 else outcome,
        "id": first.intent.handle,
        "request_id": first.intent.request_id,
        "gateway": {name: getattr(facts.gateway, name) for name in ("name", "title", "is_sandbox")},
        "model": first.intent.model,
        "prompt": prompt_of(first.intent)[:LONGEST_REQUEST],
        # Whole, or not at all where it is too long: with a part of the arguments another image would be made.
        "request": dict(request) if len(json.dumps(request)) <= LONGEST_REQUEST else {},
        "seed": first.intent.seed,
        "price_usd": total_usd(views),
        "charged": charge_data(answer_charge(views)),
        "waited_s": round(facts.waited_s, 2),
        "predictions": [_prediction_data(view, facts) for view in views],
        "images": [_image_data(number, image, facts) for number, image in enumerate(images, start=1)],
        "notes": [note[:LONGEST_SENTENCE] for note in facts.notes],
        "next": next_step,
        "error": error_data(problem) if problem else None,
    }


def total_usd(views: Sequence[PredictionView]) -> float | None:
    """What all predictions that were or may have been created cost at most; None where one is unknown."""
    prices = [view.intent.estimate_usd for view in views if view.word not in ("refused", "absent")]
    known = [price for price in prices if price is not None]
    return round(sum(known), 6) if len(known) == len(prices) else None


def answer_charge(views: Sequence[PredictionView]) -> Charge:
    """All predictions of the answer together; nothing while nothing was sent."""
    charge = total_charge([view.charge for view in views])
    if charge == NO_CHARGE or any(view.word != "queued" for view in views):
        return charge
    then = "the price is unknown" if charge.usd is None else f"at most {usd(charge.usd)}"
    return replace(NO_CHARGE, doubt=f"not sent yet; then {then}")


def error_data(error: DarkroomError) -> dict[str, JsonValue]:
    """Kind, sentence, whether money may have been spent, and when a retry makes sense."""
    retry = error.retry_after_s if isinstance(error, GatewayError) else None
    return {"kind": error.kind, "message": said_by(error), "billed": error.billed, "retry_after_s": retry}


def said_by(error: DarkroomError) -> str:
    """Its sentence, cut where it quotes a value of megabytes."""
    return error.message[:LONGEST_SENTENCE]


def is_alive(image: StoredImage, facts: AnswerFacts) -> bool:
    """False once the gateway's link to the image has died."""
    if image.state is ImageState.EXPIRED:
        return False
    # A clock that is ahead must not hide the link of an image that can still be fetched.
    return image.state is ImageState.WANTED or not image.expires_at or facts.now_s < image.expires_at.timestamp()


def _prediction_data(view: PredictionView, facts: AnswerFacts) -> dict[str, JsonValue]:
    prediction = view.intent.prediction or Prediction(id=view.intent.handle)
    metrics = prediction.metrics
    return {
        "id": view.intent.prediction_id,
        "key": view.intent.key,
        "status": view.word,
        "seed": view.intent.seed,
        "error": clean_words(prediction.error) or view.intent.reason,
        "percent": facts.percents.get(view.intent.handle),
        "created_at": prediction.created_at.isoformat() if prediction.created_at else None,
        "price_usd": view.intent.estimate_usd,
        "cost_usd": view.intent.cost_usd,
        "cost_basis": view.charge.basis.value,
        "charged": charge_data(view.charge),
        "metrics": {
            "predict_s": metrics.predict_s,
            "queue_s": metrics.queue_s,
            "total_s": metrics.total_s,
            "image_count": metrics.image_count or len(view.intent.images) or None,
        },
        **(details_of(view.intent) if facts.is_look_up else {}),
    }


def _image_data(number: int, image: StoredImage, facts: AnswerFacts) -> dict[str, JsonValue]:
    file = image.file or _NO_FILE
    record: dict[str, JsonValue] = {"record": facts.records.get(file.location, "")} if facts.is_look_up else {}
    return {
        "n": number,
        "prediction_id": image.prediction_id,
        "index": image.index,
        "url": "" if scheme_of(image.url) == "data" else image.url,
        "expires_at": image.expires_at.isoformat() if image.expires_at else None,
        "state": image.state.value,
        "problem": image.problem[:LONGEST_SENTENCE],
        "path": file.shown,
        "mime_type": file.mime_type,
        "width": file.width_px,
        "height": file.height_px,
        "size_bytes": file.size_bytes,
        "sha256": file.sha256,
        "is_transparent": file.is_transparent,
        "png_path": file.raster_shown,
        **record,
    }


def _output(intent: Intent) -> tuple[str, ...]:
    return intent.prediction.output if intent.prediction else ()
