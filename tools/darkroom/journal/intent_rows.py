"""The rows of `intents`: each change of state is one guarded UPDATE, inside the caller's transaction."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from darkroom.errors import JournalError
from darkroom.journal import codec, image_rows
from darkroom.journal.reconcile import Verdict, fingerprint
from darkroom.journal.records import Intent, IntentState, NewIntent
from darkroom.predictions import Prediction, PredictionStatus, parse_prediction
from darkroom.uris import shorten_data_uris

if TYPE_CHECKING:
    from sqlite3 import Connection, Row

_INSERT = """INSERT INTO intents (key, request_id, part, gateway, origin, model, version, input, input_shown, file_fields,
    fingerprint, request, seed, image_count, estimate_usd, state, intended_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'intent', ?)"""
_ADOPT = """INSERT INTO intents (key, request_id, part, gateway, origin, model, version, input_shown, file_fields,
    fingerprint, request, image_count, state, prediction_id, intended_at, known_at, is_adopted)
    VALUES (?, '', 0, ?, ?, ?, ?, ?, '[]', ?, '{}', 1, 'known', ?, ?, ?, 1)"""
_COPY = """INSERT INTO intents (key, request_id, part, gateway, origin, model, version, input_shown, file_fields,
    fingerprint, request, seed, image_count, estimate_usd, state, prediction_id, intended_at, sent_at, known_at, tries)
    SELECT ?, '', 0, gateway, origin, model, version, input_shown, file_fields, fingerprint, request, seed, image_count,
    estimate_usd, 'known', ?, ?, sent_at, ?, 1 FROM intents WHERE key = ?"""
_KNOWN = """UPDATE intents SET state = 'known', prediction_id = ?, known_at = coalesce(known_at, ?), input = NULL,
    reason = '' WHERE key = ?"""
_SEEN = """UPDATE intents SET status = ?, prediction = ?, ended_at = coalesce(ended_at, ?),
    total_s = coalesce(?, total_s), cost_usd = coalesce(?, cost_usd) WHERE prediction_id = ?"""
_GIVEN_AWAY = "Reconciliation gave its prediction to an equal request; it is looked for again."


def insert(connection: "Connection", new: NewIntent, now: float) -> Intent:
    """A new row in state INTENT."""
    key = codec.new_key(now)
    texts = [new.request_id, new.part, new.gateway, new.origin, new.model, new.version]
    jsons = [dict(new.input), shorten_data_uris(dict(new.input)), list(new.file_fields)]
    values = [
        key,
        *(codec.storable(text) if isinstance(text, str) else text for text in texts),
        *(codec.to_json(value) for value in jsons),
        fingerprint(new.input, new.file_fields),
        codec.to_json(shorten_data_uris(dict(new.request))),
        None if new.seed is None else str(new.seed),
        new.image_count,
        new.estimate_usd,
        now,
    ]
    connection.execute(_INSERT, values)
    return get(connection, key)


def claim(connection: "Connection", key: str, claimed_by: str, now: float) -> bool:
    return _changed(
        connection,
        """UPDATE intents SET state = 'sent', sent_at = ?, tries = tries + 1, claimed_by = ?, reason = ''
           WHERE key = ? AND state IN ('intent', 'refused', 'absent')""",
        (now, claimed_by, key),
    )


def mark_refused(connection: "Connection", key: str, claimed_by: str, reason: str) -> bool:
    return _changed(
        connection,
        "UPDATE intents SET state = 'refused', reason = ? WHERE key = ? AND state = 'sent' AND claimed_by = ?",
        (codec.storable(reason), key, claimed_by),
    )


def mark_unknown(connection: "Connection", key: str, reason: str) -> bool:
    return _changed(
        connection,
        "UPDATE intents SET state = 'unknown', reason = ? WHERE key = ? AND state IN ('sent', 'unknown')",
        (codec.storable(reason), key),
    )


def mark_absent(connection: "Connection", key: str, tries: int) -> bool:
    return _changed(
        connection,
        """UPDATE intents SET state = 'absent', reason = ''
           WHERE key = ? AND state IN ('sent', 'unknown') AND tries = ?""",
        (key, tries),
    )


def mark_known(
    connection: "Connection", key: str, prediction: Prediction, now: float, cost_usd: float | None = None
) -> Intent:
    """Give `key` its prediction, or find the row that must hold it (see the theory of operation)."""
    mine, holder = get(connection, key), find(connection, prediction.id)
    if holder is not None and holder.key != mine.key:
        if not holder.is_adopted:
            mark_unknown(connection, key, _GIVEN_AWAY)
            return see(connection, prediction, now, cost_usd)
        connection.execute("DELETE FROM intents WHERE key = ?", (holder.key,))
    if mine.prediction_id in ("", prediction.id):
        connection.execute(_KNOWN, (prediction.id, now, key))
    else:
        connection.execute(_COPY, (codec.new_key(now), prediction.id, now, now, key))
    return see(connection, prediction, now, cost_usd)


def settle(connection: "Connection", verdicts: Sequence[Verdict], now: float) -> tuple[Intent, ...]:
    changed = [_settle_one(connection, verdict, now) for verdict in verdicts]
    return tuple(intent for intent in changed if intent is not None)


def _settle_one(connection: "Connection", verdict: Verdict, now: float) -> Intent | None:
    before = find(connection, verdict.key)
    if before is None:
        return None
    if verdict.prediction is not None:
        after = mark_known(connection, verdict.key, verdict.prediction, now)
    elif verdict.state is IntentState.ABSENT:
        mark_absent(connection, verdict.key, verdict.tries)
        after = find(connection, verdict.key)
    else:
        return None
    return after if after != before else None


def record(
    connection: "Connection", prediction: Prediction, now: float, gateway: str, origin: str, cost_usd: float | None
) -> Intent:
    if _row(connection, prediction.id) is None:
        created_at = codec.seconds_of(prediction.created_at) or now
        shown = codec.to_json(shorten_data_uris(dict(prediction.input)))
        names = [codec.storable(text) for text in (gateway, origin, prediction.model, prediction.version)]
        values = (codec.new_key(created_at), *names, shown, fingerprint(prediction.input), prediction.id)
        connection.execute(_ADOPT, (*values, created_at, now))
    return see(connection, prediction, now, cost_usd)


def see(connection: "Connection", prediction: Prediction, now: float, cost_usd: float | None = None) -> Intent:
    """Keep the state seen unless the stored one is later; at `succeeded` want its outputs."""
    before = get(connection, prediction.id)
    if before.prediction is not None and not _is_news(before.prediction, prediction):
        connection.execute(
            "UPDATE intents SET cost_usd = coalesce(?, cost_usd) WHERE prediction_id = ?", (cost_usd, prediction.id)
        )
        return get(connection, prediction.id)
    has_succeeded = prediction.status is PredictionStatus.SUCCEEDED
    body = codec.bounded_prediction_json(prediction)
    ended_at = now if prediction.status.is_terminal else None
    total_s = prediction.metrics.total_s if has_succeeded else None
    connection.execute(_SEEN, (prediction.status.value, body, ended_at, total_s, cost_usd, prediction.id))
    if has_succeeded:
        image_rows.want(connection, prediction.id, prediction.output, None)
    return get(connection, prediction.id)


def _is_news(before: Prediction, seen: Prediction) -> bool:
    """An end stays an end, and outputs that were seen are not forgotten when the gateway removes them."""
    if not before.status.is_terminal:
        return True
    return seen.status.is_terminal and not seen.is_data_removed and (bool(seen.output) or not before.output)


def find(connection: "Connection", id_or_key: str) -> Intent | None:
    row = _row(connection, id_or_key)
    return None if row is None else _intent(connection, row)


def get(connection: "Connection", id_or_key: str) -> Intent:
    """Raises: JournalError where there is no such intent."""
    intent = find(connection, id_or_key)
    if intent is None:
        raise JournalError(f"The journal has no intent or prediction '{id_or_key}'.")
    return intent


def select(connection: "Connection", rest: str, values: tuple[object, ...]) -> tuple[Intent, ...]:
    """Intents by a WHERE or ORDER clause of ours."""
    rows = connection.execute(f"SELECT * FROM intents {rest}", values).fetchall()
    return tuple(_intent(connection, row) for row in rows)


def _row(connection: "Connection", id_or_key: str) -> "Row | None":
    return connection.execute(
        "SELECT * FROM intents WHERE prediction_id = ? OR key = ?", (codec.storable(id_or_key),) * 2
    ).fetchone()


def _changed(connection: "Connection", statement: str, values: tuple[object, ...]) -> bool:
    return connection.execute(statement, values).rowcount == 1


def _intent(connection: "Connection", row: "Row") -> Intent:
    images = image_rows.of_prediction(connection, row["prediction_id"]) if row["prediction_id"] else ()
    prediction = parse_prediction(json.loads(row["prediction"])) if row["prediction"] else None
    if prediction is not None and len(images) == len(prediction.output):
        prediction = replace(prediction, output=tuple(image.url for image in images))
    return Intent(
        key=row["key"],
        request_id=row["request_id"],
        part=row["part"],
        gateway=row["gateway"],
        origin=row["origin"],
        model=row["model"],
        version=row["version"],
        input=codec.from_json(row["input"] or row["input_shown"]),
        file_fields=tuple(json.loads(row["file_fields"])),
        fingerprint=row["fingerprint"],
        request=codec.from_json(row["request"]),
        seed=None if row["seed"] is None else int(row["seed"]),
        image_count=row["image_count"],
        estimate_usd=row["estimate_usd"],
        cost_usd=row["cost_usd"],
        state=IntentState(row["state"]),
        prediction_id=row["prediction_id"] or "",
        status=PredictionStatus(row["status"]) if row["status"] else None,
        prediction=prediction,
        reason=row["reason"],
        intended_at=row["intended_at"],
        sent_at=row["sent_at"],
        known_at=row["known_at"],
        ended_at=row["ended_at"],
        tries=row["tries"],
        is_adopted=bool(row["is_adopted"]),
        images=images,
    )
