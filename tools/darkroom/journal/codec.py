"""Between records and the text columns of the journal: JSON, predictions, times, keys."""

import json
import secrets
from datetime import UTC, datetime
from typing import cast

from pydantic import JsonValue

from darkroom.predictions import Prediction
from darkroom.secrets_in_inputs import masked_secrets
from darkroom.uris import shorten_data_uris

LOG_TAIL_BYTES = 4096
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_key(now: float) -> str:
    """26 characters: microseconds since the epoch, then 75 random bits; sorts by time."""
    return _base32(int(now * 1e6), 11) + _base32(secrets.randbits(75), 15)


def _base32(number: int, length: int) -> str:
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(5 * (length - 1), -1, -5))


def to_json(value: object) -> str:
    """ASCII, so that broken surrogates of a gateway can be stored too."""
    return json.dumps(value, separators=(",", ":"))


def from_json(text: str) -> dict[str, JsonValue]:
    return cast("dict[str, JsonValue]", json.loads(text))


def storable(text: str) -> str:
    """The text without what a database cannot hold: broken surrogates, and NUL for PostgreSQL."""
    return text.encode(errors="replace").decode().replace("\0", "\ufffd")


def shown_json(value: JsonValue) -> str:
    """What is kept for display: data URIs shortened, secrets masked."""
    short = shorten_data_uris(value)
    return to_json(masked_secrets(short) if isinstance(short, dict) else short)


def prediction_json(prediction: Prediction) -> str:
    """One object of the format without its outputs, which are the images' rows: `parse_prediction` reads it back.

    Of the logs the last 4 kB are kept.
    """
    metrics = prediction.metrics
    measured: dict[str, JsonValue] = {
        "predict_time": metrics.predict_s,
        "total_time": metrics.total_s,
        "image_count": metrics.image_count,
        **metrics.counts,
        **metrics.words,
    }
    body: dict[str, JsonValue] = {
        "id": prediction.id,
        "status": prediction.status.value,
        "model": prediction.model,
        "version": prediction.version,
        "input": prediction.input,
        "error": prediction.error,
        "logs": prediction.logs.encode(errors="replace")[-LOG_TAIL_BYTES:].decode(errors="ignore"),
        "metrics": {name: value for name, value in measured.items() if value is not None},
        "created_at": _stamp(prediction.created_at),
        "started_at": _stamp(prediction.started_at),
        "completed_at": _stamp(prediction.completed_at),
        "data_removed": prediction.is_data_removed,
    }
    return shown_json(body)


def seconds_of(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None


def moment_of(seconds: float | None) -> datetime | None:
    """A time that no calendar has is no time."""
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds is not None else None
    except (OverflowError, OSError, ValueError):
        return None


def _stamp(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
