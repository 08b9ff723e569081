"""Between records and the rows of the journal: intents, images, predictions, times, keys."""

import json
import secrets
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import JsonValue

from darkroom.charges import Basis
from darkroom.images import ImageState, ReadImage, StoredFile, StoredImage, WantedOutput
from darkroom.journal.records import Intent, NewIntent
from darkroom.journal.states import IntentState
from darkroom.predictions import Prediction, PredictionStatus, parse_prediction
from darkroom.secrets_in_inputs import masked_secrets
from darkroom.uris import shorten_data_uris

T = TypeVar("T")
LOG_TAIL_BYTES = 4096
# Kept in the column `request`, beside the arguments, which have other names.
_READ, _WANTED = "_images_read", "_wanted"
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_TEXTS = (
    "request_id",
    "gateway",
    "origin",
    "account",
    "model",
    "version",
    "output_place",
    "conversation",
    "wish",
    "caller",
)
_PLAIN = ("part", "image_count", "estimate_usd", "called_at")
_TIMES = ("intended_at", "sent_at", "known_at", "ended_at")
_LATER = (
    "cost_usd",
    "cost_note",
    "gateway_request_id",
    "reason",
    "problem",
    *_TIMES,
    "tries",
    "joined_at",
    "answered_at",
)
FILE_COLUMNS = (
    "location",
    "mime_type",
    "width_px",
    "height_px",
    "size_bytes",
    "sha256",
    "is_transparent",
    "raster_location",
)


def values_of(new: NewIntent, key: str, now: float) -> dict[str, Any]:
    """A new row of `intents` by its columns: secrets are masked before anything is written."""
    return {
        **{name: storable(getattr(new, name)) for name in _TEXTS},
        **{name: getattr(new, name) for name in _PLAIN},
        "has_bound": int(new.has_bound),
        "key": key,
        "input": to_json(masked_secrets(new.input)),
        "input_shown": shown_json(dict(new.input)),
        "file_fields": to_json(list(new.file_fields)),
        "request": shown_json(dict(new.request) | _beside_request(new)),
        "seed": None if new.seed is None else str(new.seed),
        "state": IntentState.INTENT.value,
        "intended_at": now,
    }


def intent_of(found: Any, images: tuple[StoredImage, ...]) -> Intent:
    """A row of `intents` and the images of its prediction as a record."""
    # SQLite's own row looks each name up among all of them.
    row = found if hasattr(found, "get") else dict[str, Any](zip(found.keys(), found, strict=True))
    prediction = parse_prediction(json.loads(row["prediction"])) if row["prediction"] else None
    request = json.loads(row["request"])
    images_read, wanted = request.pop(_READ, []), request.pop(_WANTED, {})
    return Intent(
        **{name: row[name] for name in ("key", *_TEXTS, *_PLAIN, *_LATER)},
        has_bound=bool(row["has_bound"]),
        cost_basis=Basis(row["cost_basis"] or Basis.NONE),
        input=json.loads(row["input"] or row["input_shown"]),
        file_fields=tuple(json.loads(row["file_fields"])),
        request=request,
        images_read=tuple(_facts(ReadImage, each) for each in images_read),
        wanted=_facts(WantedOutput, wanted),
        seed=None if row["seed"] is None else int(row["seed"]),
        state=IntentState(row["state"]),
        prediction_id=row["prediction_id"] or "",
        status=PredictionStatus(row["status"]) if row["status"] else None,
        prediction=prediction and replace(prediction, output=tuple(image.url for image in images)),
        possible=tuple(json.loads(row["possible"])),
        is_adopted=bool(row["is_adopted"]),
        is_left=bool(row["is_left"]),
        images=images,
    )


def _beside_request(new: NewIntent) -> dict[str, JsonValue]:
    facts: dict[str, JsonValue] = {_READ: [asdict(each) for each in new.images_read], _WANTED: asdict(new.wanted)}
    return {name: value for name, value in facts.items() if value and value != asdict(WantedOutput())}


def _facts(kind: type[T], told: dict[str, Any]) -> T:
    """What is known of them; a later darkroom may have written more."""
    names = {each.name for each in fields(kind)}  # pyright: ignore[reportArgumentType]  # both are dataclasses
    return kind(**{name: value for name, value in told.items() if name in names})


def image_of(row: Any) -> StoredImage:
    """A row of `images` as a record."""
    is_stored = row["state"] == ImageState.STORED.value
    return StoredImage(
        prediction_id=row["prediction_id"],
        index=row["idx"],
        url=row["url"],
        state=ImageState(row["state"]),
        expires_at=_moment_of(row["expires_at"]),
        file=_file_of(row) if is_stored else None,
        problem=row["problem"],
    )


def file_values(file: StoredFile) -> list[Any]:
    """The values of FILE_COLUMNS."""
    values: dict[str, Any] = {name: getattr(file, name) for name in FILE_COLUMNS}
    places = {name: storable(values[name]) for name in ("location", "raster_location")}
    look = None if file.is_transparent is None else int(file.is_transparent)
    return list((values | places | {"is_transparent": look}).values())


def _file_of(row: Any) -> StoredFile:
    values: dict[str, Any] = {name: row[name] for name in FILE_COLUMNS}
    if (look := values.pop("is_transparent")) is not None:
        look = bool(look)
    return StoredFile(**values, is_transparent=look)


def new_key(now: float) -> str:
    """26 characters: microseconds since the epoch, then 75 random bits; sorts by time."""
    return _base32(int(now * 1e6), 11) + _base32(secrets.randbits(75), 15)


def _base32(number: int, length: int) -> str:
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(5 * (length - 1), -1, -5))


def to_json(value: object) -> str:
    """ASCII, so that broken surrogates of a gateway can be stored too."""
    return json.dumps(value, separators=(",", ":"))


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


def _moment_of(seconds: float | None) -> datetime | None:
    """A time that no calendar has is no time."""
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds is not None else None
    except (OverflowError, OSError, ValueError):
        return None


def _stamp(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
