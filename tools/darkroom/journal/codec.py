"""Between records and the text columns of the journal: JSON, predictions, times, keys."""

import json
import secrets
from datetime import UTC, datetime
from typing import cast

from pydantic import JsonValue

from darkroom.predictions import Prediction
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
    """The text without what SQLite cannot hold."""
    return text.encode(errors="replace").decode()


def prediction_to_json(prediction: Prediction) -> dict[str, JsonValue]:
    """One object of the format, which `parse_prediction` reads back as the same prediction."""
    metrics = prediction.metrics
    measured: dict[str, JsonValue] = {
        "predict_time": metrics.predict_s,
        "total_time": metrics.total_s,
        "image_count": metrics.image_count,
    }
    return {
        "id": prediction.id,
        "status": prediction.status.value,
        "model": prediction.model,
        "version": prediction.version,
        "input": prediction.input,
        "output": list(prediction.output),
        "error": prediction.error,
        "logs": prediction.logs,
        "metrics": {name: value for name, value in measured.items() if value is not None},
        "created_at": _stamp(prediction.created_at),
        "started_at": _stamp(prediction.started_at),
        "completed_at": _stamp(prediction.completed_at),
        "data_removed": prediction.is_data_removed,
    }


def bounded_prediction_json(prediction: Prediction) -> str:
    """What the journal keeps: no data URIs (outputs live with the images until they are stored), the end of the logs."""
    body = prediction_to_json(prediction)
    body["logs"] = prediction.logs.encode(errors="replace")[-LOG_TAIL_BYTES:].decode(errors="ignore")
    return to_json(shorten_data_uris(cast("JsonValue", body)))


def seconds_of(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None


def moment_of(seconds: float | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds is not None else None


def _stamp(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
