"""A row of `intents` as a record, and a new intent as the values of a row."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from darkroom.charges import Basis
from darkroom.images import StoredImage
from darkroom.journal import codec, image_rows
from darkroom.journal.database import Session
from darkroom.journal.records import Intent, NewIntent
from darkroom.journal.states import IntentState
from darkroom.predictions import PredictionStatus, parse_prediction
from darkroom.secrets_in_inputs import masked_secrets

_TEXTS = ("request_id", "gateway", "origin", "account", "model", "version", "output_place", "conversation")
_PLAIN = ("part", "image_count", "estimate_usd", "has_bound")
_COLUMNS = (*_TEXTS, *_PLAIN, "key", "input", "input_shown", "file_fields", "request", "seed", "state", "intended_at")
INSERT = f"INSERT INTO intents ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
_AS_THEY_ARE = [
    "key",
    "request_id",
    "part",
    "gateway",
    "origin",
    "account",
    "model",
    "version",
    "image_count",
    "estimate_usd",
    "cost_usd",
    "cost_note",
    "gateway_request_id",
    "output_place",
    "conversation",
    "reason",
    "problem",
    "intended_at",
    "sent_at",
    "known_at",
    "ended_at",
    "tries",
]


def values_of(new: NewIntent, key: str, now: float) -> list[Any]:
    """The values for INSERT: secrets are masked before anything is written."""
    return [
        *(codec.storable(getattr(new, name)) for name in _TEXTS),
        *(getattr(new, name) for name in _PLAIN),
        key,
        codec.to_json(masked_secrets(new.input)),
        codec.shown_json(dict(new.input)),
        codec.to_json(list(new.file_fields)),
        codec.shown_json(dict(new.request)),
        None if new.seed is None else str(new.seed),
        IntentState.INTENT.value,
        now,
    ]


def read_intents(session: Session, rest: str, values: Sequence[Any]) -> tuple[Intent, ...]:
    """Intents by a WHERE or ORDER clause of ours, with their images, in two statements."""
    rows = session.execute(f"SELECT * FROM intents {rest}", values).fetchall()
    images = image_rows.of_predictions(session, [row["prediction_id"] for row in rows if row["prediction_id"]])
    return tuple(_intent(row, images.get(row["prediction_id"], ())) for row in rows)


def _intent(row: Any, images: tuple[StoredImage, ...]) -> Intent:
    prediction = parse_prediction(json.loads(row["prediction"])) if row["prediction"] else None
    return Intent(
        **{name: row[name] for name in _AS_THEY_ARE},
        input=codec.from_json(row["input"] or row["input_shown"]),
        file_fields=tuple(json.loads(row["file_fields"])),
        request=codec.from_json(row["request"]),
        seed=None if row["seed"] is None else int(row["seed"]),
        has_bound=bool(row["has_bound"]),
        cost_basis=Basis(row["cost_basis"] or Basis.NONE),
        state=IntentState(row["state"]),
        prediction_id=row["prediction_id"] or "",
        status=PredictionStatus(row["status"]) if row["status"] else None,
        prediction=prediction and replace(prediction, output=tuple(image.url for image in images)),
        possible=tuple(json.loads(row["possible"])),
        is_adopted=bool(row["is_adopted"]),
        images=images,
    )
