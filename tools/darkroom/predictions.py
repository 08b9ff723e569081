"""The prediction as the format gives it, read leniently: only `id` is certain, everything else may be missing or odd.

Facts and their sources: Replicate's OpenAPI description and recorded answers of five gateways, checked 2026-11-20.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import cast
from urllib.parse import quote

from pydantic import JsonValue

from darkroom.uris import is_web_url, scheme_of

ID_PATTERN = re.compile(r"[A-Za-z0-9_-]{8,64}")
_FRACTION = re.compile(r"(\.\d{6})\d+")
_PLAIN_REST = re.compile(r"[A-Za-z0-9/:?#\[\]@!$&()*+,;=%._~-]*")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@+-]{0,199}")
# Spellings seen at gateways that re-wrap the format.
_OTHER_SPELLINGS = {
    "cancelled": "canceled",
    "success": "succeeded",
    "completed": "succeeded",
    "error": "failed",
    "failure": "failed",
    "in_progress": "processing",
    "running": "processing",
    "queued": "starting",
    "pending": "starting",
    "submitted": "starting",
}


class PredictionStatus(StrEnum):
    """The six statuses of the format, and UNKNOWN for any other word (which is polled on, never taken as an end)."""

    STARTING = "starting"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    ABORTED = "aborted"
    UNKNOWN = "unknown"

    @property
    def is_terminal(self) -> bool:
        return self in _TERMINAL

    @classmethod
    def parse(cls, word: object) -> "PredictionStatus":
        """Accept any case and the spellings of gateways that re-wrap the format."""
        text = str(word or "").strip().lower()
        text = _OTHER_SPELLINGS.get(text, text)
        return _STATUSES.get(text, cls.UNKNOWN)


_STATUSES = {status.value: status for status in PredictionStatus}
_TERMINAL = frozenset(
    {PredictionStatus.SUCCEEDED, PredictionStatus.FAILED, PredictionStatus.CANCELED, PredictionStatus.ABORTED}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Seconds and counts, each None where the gateway does not say."""

    predict_s: float | None = None
    queue_s: float | None = None
    total_s: float | None = None
    image_count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One run of a model. `output` is always a tuple of URIs, in the model's order, empty where there is none."""

    id: str
    status: PredictionStatus = PredictionStatus.STARTING
    model: str = ""
    version: str = ""
    input: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    output: tuple[str, ...] = ()
    error: str = ""
    logs: str = ""
    metrics: Metrics = Metrics()
    created_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    is_data_removed: bool = False


def parse_prediction(body: Mapping[str, object]) -> Prediction:
    """Read one prediction object.

    Raises: ValueError where there is no usable `id`.
    """
    identifier = body.get("id")
    if not isinstance(identifier, str) or not ID_PATTERN.fullmatch(identifier):
        raise ValueError("prediction without a usable id")
    created, started, completed = (parse_time(body.get(f"{word}_at")) for word in ("created", "started", "completed"))
    sent = _mapping(body.get("input")) or {}
    return Prediction(
        id=identifier,
        status=PredictionStatus.parse(body.get("status")),
        model=_name(body.get("model")),
        version=_name(body.get("version")),
        input=cast("dict[str, JsonValue]", dict(sent)),
        output=output_uris(body.get("output")),
        error=_error_text(body.get("error")),
        logs=_text(body.get("logs")),
        metrics=_metrics(body.get("metrics"), created, started, completed),
        created_at=created,
        started_at=started,
        completed_at=completed,
        is_data_removed=body.get("data_removed") is True,
    )


def output_uris(output: object) -> tuple[str, ...]:
    """Every http(s) or data URI in an output of any shape (string, list, object), in order, as one plain word each."""
    if isinstance(output, str):
        return (_plain_uri(output),) if is_web_url(output) or scheme_of(output) == "data" else ()
    if (parts := _mapping(output)) is not None:
        return tuple(uri for value in parts.values() for uri in output_uris(value))
    if isinstance(output, list):
        return tuple(uri for value in cast("list[object]", output) for uri in output_uris(value))
    return ()


def _plain_uri(uri: str) -> str:
    """The URI as one word without blanks, quotation marks and hidden characters, which stand in it percent-encoded."""
    scheme, colon, rest = uri.strip().partition(":")
    is_plain = scheme.lower() == "data" or _PLAIN_REST.fullmatch(rest)
    return scheme.lower() + colon + (rest if is_plain else quote(rest, safe="/:?#[]@!$&()*+,;=%~", errors="replace"))


def parse_time(stamp: object) -> datetime | None:
    """RFC 3339 with 0 to 9 fractional digits to an aware datetime; None where it is missing or unreadable."""
    if not isinstance(stamp, str):
        return None
    try:
        moment = datetime.fromisoformat(_FRACTION.sub(r"\1", stamp.strip()))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _metrics(raw: object, created: datetime | None, started: datetime | None, completed: datetime | None) -> Metrics:
    """Take what the gateway measured; fill queue and total from the timestamps where they make sense."""
    given = _mapping(raw) or {}
    count = given.get("image_count")
    return Metrics(
        predict_s=_seconds(given.get("predict_time")),
        # `started_at` can precede `created_at` by up to 0.8 s in recorded answers.
        queue_s=max(0.0, (started - created).total_seconds()) if created and started else None,
        total_s=_seconds(given.get("total_time"))
        or (max(0.0, (completed - created).total_seconds()) if created and completed else None),
        image_count=count if isinstance(count, int) and not isinstance(count, bool) else None,
    )


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < 1e9 else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _name(value: object) -> str:
    """A model or version as far as it is one: these names stand in answers, and a sentence has no place there."""
    text = _text(value)
    return text if _NAME.fullmatch(text) else ""


def _error_text(error: object) -> str:
    if (parts := _mapping(error)) is not None:
        return next((text for key in ("message", "detail", "code") if (text := _text(parts.get(key)))), "")
    return _text(error).strip()


def _mapping(value: object) -> Mapping[str, object] | None:
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else None
