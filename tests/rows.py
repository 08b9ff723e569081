"""Journal rows and answer facts as the reports get them, with everything that a test does not care about filled in."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from darkroom.charges import Basis
from darkroom.gateways import Gateway, load_gateways
from darkroom.images import ImageState, StoredFile, StoredImage
from darkroom.journal import Intent, IntentState
from darkroom.predictions import Metrics, Prediction, PredictionStatus
from darkroom.reports import AnswerFacts

DIES_AT = datetime(2026, 11, 21, 13, 0, tzinfo=UTC)
ID = "p3nd4jxkgs6r0c0cqzp49gpk"

_INTENT = Intent(
    key="01kaj2v0hd5ggq0w4b5y0m2q1r",
    request_id="lighthouse-1",
    part=0,
    gateway="replicate",
    origin="https://api.replicate.com",
    account="",
    model="black-forest-labs/flux-schnell",
    version="",
    input={"prompt": "a lighthouse"},
    file_fields=(),
    request={"prompt": "a lighthouse", "model": "black-forest-labs/flux-schnell"},
    seed=42,
    image_count=1,
    estimate_usd=0.003,
    has_bound=True,
    cost_usd=None,
    cost_basis=Basis.NONE,
    cost_note="",
    gateway_request_id="",
    output_place="",
    conversation="",
    state=IntentState.KNOWN,
    prediction_id=ID,
    status=PredictionStatus.STARTING,
    prediction=Prediction(id=ID),
    reason="",
    possible=(),
    problem="",
    intended_at=0.0,
    sent_at=0.0,
    known_at=0.0,
    ended_at=None,
    tries=1,
    is_adopted=False,
    images=(),
)


def gateway(name: str = "replicate") -> Gateway:
    return load_gateways()[name]


def facts(name: str = "replicate", **changes: Any) -> AnswerFacts:
    return replace(AnswerFacts(gateway=gateway(name)), **changes)


def intent(status: PredictionStatus | None = None, *, error: str = "", **changes: Any) -> Intent:
    """A known intent whose prediction has `status`; any other field as named."""
    row = replace(_INTENT, **changes)
    if status is None:
        return row
    metrics = Metrics(predict_s=0.83, queue_s=0.01, total_s=0.84) if status is PredictionStatus.SUCCEEDED else Metrics()
    prediction = Prediction(id=row.prediction_id, status=status, error=error, metrics=metrics)
    return replace(row, status=status, prediction=prediction)


def unsent(state: IntentState, *, reason: str = "", **changes: Any) -> Intent:
    """An intent without a prediction."""
    return replace(_INTENT, state=state, reason=reason, prediction_id="", status=None, prediction=None, **changes)


def image(number: int = 1, *, state: ImageState = ImageState.STORED, problem: str = "") -> StoredImage:
    """Output number `number`, from 1, stored in a folder named pictures unless told otherwise."""
    file = StoredFile(
        location=f"/home/ann/Pictures/darkroom/a-lighthouse-p3nd4jxkgs6r-{number}.webp",
        mime_type="image/webp",
        width_px=1024,
        height_px=1024,
        size_bytes=123_456,
        sha256="0" * 64,
    )
    return StoredImage(
        prediction_id=ID,
        index=number - 1,
        url=f"https://replicate.delivery/xezq/RoEhEdyl8PoIGFFPg46TU4Svj24i1NDVYmzehJfqLuX9nTFUA/out-{number - 1}.webp",
        state=state,
        expires_at=DIES_AT,
        file=file if state is ImageState.STORED else None,
        problem=problem,
    )


def succeeded(count: int = 1, **changes: Any) -> Intent:
    images = tuple(image(number) for number in range(1, count + 1))
    fields: dict[str, Any] = {"images": images, "image_count": count, **changes}
    return intent(PredictionStatus.SUCCEEDED, **fields)
