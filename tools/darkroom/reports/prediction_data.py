"""The report as JSON: the shape that `_meta["darkroom/report"]`, `--json` and the gallery read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from darkroom.errors import CreateUnresolved, DarkroomError, GatewayError
from darkroom.gateways import Gateway, clean_words
from darkroom.images import ImageState, StoredImage
from darkroom.journal import Intent, IntentState
from darkroom.predictions import Prediction, PredictionStatus
from darkroom.uris import scheme_of

_UNSENT_WORDS = {
    IntentState.INTENT: "sending",
    IntentState.SENT: "sending",
    IntentState.REFUSED: "refused",
    IntentState.UNKNOWN: "unresolved",
    IntentState.ABSENT: "absent",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFacts:
    """What the words need beside the journal's rows.

    `errors` holds, by intent key, why a part was not created; `percents`, by prediction id, how far a running one is;
    `idle` the keys that nobody in this process works on.
    """

    gateway: Gateway
    notes: tuple[str, ...] = ()
    waited_s: float = 0.0
    errors: Mapping[str, DarkroomError] = field(default_factory=dict[str, DarkroomError])
    percents: Mapping[str, float] = field(default_factory=dict[str, float])
    idle: frozenset[str] = frozenset()
    sandbox_hint: str = ""


_UNSENT = (IntentState.INTENT, IntentState.REFUSED, IntentState.ABSENT)
# What such a row means once nobody sends it any more: an earlier process died in the middle.
_IDLE_WORDS = {IntentState.INTENT: "absent", IntentState.SENT: "unresolved"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PartView:
    """One prediction of an answer. `word` is its status, or how far its create came while it has none."""

    intent: Intent
    word: str
    problem: DarkroomError | None = None

    @classmethod
    def of(cls, intent: Intent, facts: AnswerFacts) -> "PartView":
        problem = facts.errors.get(intent.key)
        if isinstance(problem, CreateUnresolved):
            return cls(intent=intent, word="unresolved", problem=problem)
        if problem and intent.state in _UNSENT:
            return cls(intent=intent, word="refused", problem=problem)
        if intent.key in facts.idle and intent.state in _IDLE_WORDS:
            return cls(intent=intent, word=_IDLE_WORDS[intent.state], problem=problem)
        if intent.state is not IntentState.KNOWN:
            return cls(intent=intent, word=_UNSENT_WORDS[intent.state], problem=problem)
        status = intent.prediction.status if intent.prediction else PredictionStatus.UNKNOWN
        if status is PredictionStatus.SUCCEEDED and not intent.images and not _output(intent):
            return cls(intent=intent, word="empty", problem=problem)
        return cls(intent=intent, word=status.value, problem=problem)

    @property
    def handle(self) -> str:
        """What get_prediction takes: the prediction's id, or the intent's key while there is none."""
        return self.intent.prediction_id or self.intent.key

    @property
    def price_usd(self) -> float | None:
        """The estimate, scaled to the images that came; None where unknown."""
        intent = self.intent
        if intent.estimate_usd is None or self.word != "succeeded" or not intent.image_count:
            return intent.estimate_usd
        return intent.estimate_usd * len(intent.images or _output(intent)) / intent.image_count


def answer_data(parts: Sequence[PartView], facts: AnswerFacts, outcome: str, next_step: str) -> dict[str, JsonValue]:
    """All facts of an answer; times are RFC 3339, sizes bytes and pixels, durations seconds, money USD."""
    first = parts[0]
    images = [image for part in parts for image in part.intent.images]
    problem = next((part.problem for part in parts if part.problem), None)
    return {
        "outcome": outcome,
        "status": first.word if len(parts) == 1 else outcome,
        "id": first.handle,
        "request_id": first.intent.request_id,
        "gateway": {
            "name": facts.gateway.name,
            "title": facts.gateway.title,
            "is_sandbox": facts.gateway.is_sandbox,
        },
        "model": first.intent.model,
        "prompt": str(first.intent.request.get("prompt", "")),
        "request": dict(first.intent.request),
        "seed": first.intent.seed,
        "price_usd": total_usd(parts),
        "waited_s": round(facts.waited_s, 2),
        "predictions": [_part_data(part, facts) for part in parts],
        "images": [_image_data(number, image) for number, image in enumerate(images, start=1)],
        "notes": list(facts.notes),
        "next": next_step,
        "error": error_data(problem) if problem else None,
    }


def total_usd(parts: Sequence[PartView]) -> float | None:
    """Estimate of all parts that were or may have been created; None where one is unknown."""
    prices = [part.price_usd for part in parts if part.word not in ("refused", "absent")]
    known = [price for price in prices if price is not None]
    return round(sum(known), 6) if len(known) == len(prices) else None


def error_data(error: DarkroomError) -> dict[str, JsonValue]:
    """Kind, sentence, whether money may have been spent, and when a retry makes sense."""
    retry = error.retry_after_s if isinstance(error, GatewayError) else None
    return {"kind": error.kind, "message": error.message, "billed": error.billed, "retry_after_s": retry}


def _part_data(part: PartView, facts: AnswerFacts) -> dict[str, JsonValue]:
    prediction = part.intent.prediction or Prediction(id=part.handle)
    metrics = prediction.metrics
    return {
        "id": part.intent.prediction_id or "",
        "key": part.intent.key,
        "status": part.word,
        "seed": part.intent.seed,
        "error": clean_words(prediction.error) or part.intent.reason,
        "percent": facts.percents.get(part.handle),
        "created_at": prediction.created_at.isoformat() if prediction.created_at else None,
        "price_usd": part.price_usd,
        "metrics": {
            "predict_s": metrics.predict_s,
            "queue_s": metrics.queue_s,
            "total_s": metrics.total_s,
            "image_count": metrics.image_count or len(part.intent.images) or None,
        },
    }


def _image_data(number: int, image: StoredImage) -> dict[str, JsonValue]:
    file = image.file
    return {
        "n": number,
        "prediction_id": image.prediction_id,
        "index": image.index,
        "url": "" if scheme_of(image.url) == "data" else image.url,
        "expires_at": image.expires_at.isoformat() if image.expires_at else None,
        "state": image.state.value,
        "problem": image.problem if image.state is not ImageState.STORED else "",
        "path": file.location if file else "",
        "mime_type": file.mime_type if file else "",
        "width": file.width_px if file else 0,
        "height": file.height_px if file else 0,
        "size_bytes": file.size_bytes if file else 0,
        "sha256": file.sha256 if file else "",
    }


def _output(intent: Intent) -> tuple[str, ...]:
    return intent.prediction.output if intent.prediction else ()
