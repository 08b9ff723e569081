"""The rows of `intents`: each change of state is one guarded UPDATE, inside the caller's transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import JsonValue

from darkroom.errors import InternalFault, UnknownPrediction
from darkroom.images import StoredImage
from darkroom.journal import codec, image_rows
from darkroom.journal.database import Session
from darkroom.journal.reconcile import Verdict
from darkroom.journal.records import Intent, Look, NewIntent
from darkroom.journal.same_ids import own_id
from darkroom.journal.states import Event, IntentState, guarded
from darkroom.predictions import Prediction, PredictionStatus, id_at_gateway
from darkroom.secrets_in_inputs import masked_secrets

_CLAIM = f"""UPDATE intents SET sent_at = ?, tries = tries + 1, claimed_by = ?, account = ?, reason = '',
    possible = '[]', cost_note = '', gateway_request_id = '', {guarded(Event.CLAIM)} AND key = ?"""
_REFUSE = f"UPDATE intents SET reason = ?, {guarded(Event.REFUSE)} AND key = ? AND claimed_by = ?"
_RELEASE = f"UPDATE intents SET reason = ?, {guarded(Event.RELEASE)} AND key = ? AND claimed_by = ?"
_DROP = f"UPDATE intents SET reason = ?, {guarded(Event.DROP)} AND key = ?"
_LOSE = f"""UPDATE intents SET reason = ?, gateway_request_id = coalesce(nullif(?, ''), gateway_request_id),
    {guarded(Event.LOSE)} AND key = ?"""
_AMEND = """UPDATE intents SET version = ?, input = ?, input_shown = ?, seed = ?
    WHERE key = ? AND state IN ('intent', 'refused') AND prediction_id IS NULL"""
_NAME = "UPDATE intents SET gateway_request_id = ? WHERE prediction_id = ?"
_DOUBT = f"UPDATE intents SET possible = ?, {guarded(Event.LOSE)} AND key = ? AND tries = ?"
_MISS = f"""UPDATE intents SET reason = '', possible = '[]', {guarded(Event.MISS)} AND key = ? AND tries = ?
    AND cost_basis <> 'billed'"""
_ANSWER = f"""UPDATE intents SET prediction_id = ?, known_at = coalesce(known_at, ?), input = NULL, reason = '',
    possible = '[]', {guarded(Event.ANSWER)} AND key = ?"""
_ADOPT = """INSERT INTO intents (key, request_id, part, gateway, origin, account, output_place, model, version,
    input_shown, file_fields, request, image_count, state, prediction_id, intended_at, known_at, estimate_usd,
    has_bound, is_adopted) VALUES (?, '', 0, ?, ?, ?, ?, ?, ?, ?, '[]', '{}', 1, 'known', ?, ?, ?, ?, ?, 1)"""
_COPIED = """gateway, origin, account, output_place, conversation, model, version, input_shown, file_fields, request,
    seed, image_count, estimate_usd, has_bound, sent_at"""
_COPY = f"""INSERT INTO intents (key, prediction_id, intended_at, known_at, request_id, part, state, tries, {_COPIED})
    SELECT ?, ?, ?, ?, '', 0, 'known', 1, {_COPIED} FROM intents WHERE key = ?"""
_SEEN = """UPDATE intents SET status = ?, prediction = ?, ended_at = coalesce(ended_at, ?),
    total_s = coalesce(?, total_s) WHERE prediction_id = ?"""
# What the gateway's own log says stays.
_COST = """UPDATE intents SET cost_usd = ?, cost_basis = ?, cost_note = ?
    WHERE prediction_id = ? AND cost_basis <> 'billed'"""
_IS_SEEN = "SELECT key FROM intents WHERE prediction_id = ?"
_KNOWN_IDS = """SELECT prediction_id FROM intents WHERE origin IN (?, '') AND is_adopted = 0 AND known_at >= ?
    AND prediction_id IS NOT NULL"""
_GIVEN_AWAY = "Reconciliation gave its prediction to an equal request; it is looked for again."
# A row without a call that holds what `mine` has made besides, and an equal create whose own prediction `mine` holds.
_SPARE = """SELECT spare.key AS spare, twin.key AS twin FROM intents AS mine
    JOIN intents AS spare ON spare.request_id = '' AND spare.is_adopted = 0 AND spare.state = 'known'
        AND spare.sent_at = mine.sent_at AND spare.input_shown = mine.input_shown AND spare.key <> mine.key
    JOIN intents AS twin ON twin.state = 'unknown' AND twin.reason = ? AND twin.origin = mine.origin
        AND twin.account = mine.account AND twin.model = mine.model AND twin.version = mine.version
        AND twin.input_shown = mine.input_shown
    WHERE mine.key = ? ORDER BY twin.sent_at, spare.key LIMIT 1"""
_MADE = "prediction_id, status, prediction, ended_at, total_s, cost_usd, cost_basis, cost_note, gateway_request_id"
_TAKE = f"UPDATE intents SET ({_MADE}) = (?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE key = ?"


def insert(session: Session, new: NewIntent, now: float) -> Intent:
    """A new row in state INTENT. Raises: JournalError where the journal is not there any more."""
    session.refuse_if_lost()
    values = codec.values_of(new, codec.new_key(now), now)
    statement = f"INSERT INTO intents ({', '.join(values)}) VALUES ({', '.join('?' * len(values))}) RETURNING *"
    return codec.intent_of(session.execute(statement, [*values.values()]).fetchone(), ())


def claim(session: Session, key: str, claimed_by: str, account: str, now: float) -> bool:
    session.refuse_if_lost()
    return session.execute(_CLAIM, (now, claimed_by, account, key)).rowcount == 1


def mark_refused(session: Session, key: str, claimed_by: str, reason: str) -> bool:
    return session.execute(_REFUSE, (codec.storable(reason), key, claimed_by)).rowcount == 1


def release(session: Session, key: str, claimed_by: str, reason: str) -> bool:
    return session.execute(_RELEASE, (codec.storable(reason), key, claimed_by)).rowcount == 1


def drop(session: Session, key: str, reason: str) -> bool:
    return session.execute(_DROP, (codec.storable(reason), key)).rowcount == 1


def amend(session: Session, key: str, version: str, input: Mapping[str, JsonValue], seed: int | None) -> bool:
    shown = codec.shown_json(dict(input))
    values = (version, codec.to_json(masked_secrets(input)), shown, None if seed is None else str(seed), key)
    return session.execute(_AMEND, values).rowcount == 1


def mark_unknown(session: Session, key: str, reason: str, request_id: str = "") -> bool:
    return session.execute(_LOSE, (codec.storable(reason), request_id, key)).rowcount == 1


def mark_known(session: Session, key: str, prediction: Prediction, look: Look) -> Intent:
    """Give `key` its prediction, or find the row that must hold it (see the theory of operation)."""
    mine = get(session, key)
    with session.everyone():
        prediction = replace(prediction, id=own_id(session, mine, prediction.id))
        is_new = _give(session, mine, prediction, look)
        if prediction.request_id:  # the gateway's own name of the create, by which its log names it
            session.execute(_NAME, (prediction.request_id, prediction.id))
        known = see(session, prediction, look, mine if is_new else None)
    # Where another principal's equal intent holds it, this one goes on being looked for.
    is_seen = known.key == key or session.execute(_IS_SEEN, (prediction.id,)).fetchone()
    return known if is_seen else get(session, key)


def _give(session: Session, mine: Intent, prediction: Prediction, look: Look) -> bool:
    """Whether nothing was known of it before, and `mine` holds it now."""
    held = session.execute(_IS_SEEN, (prediction.id,)).fetchone()
    if held and held["key"] != mine.key:
        holder = get(session, held["key"])
        if not holder.is_adopted:
            mark_unknown(session, mine.key, _GIVEN_AWAY)
            _give_spare(session, holder, look)
            return False
        session.execute("DELETE FROM intents WHERE key = ?", (holder.key,))
    if mine.prediction_id in ("", prediction.id):
        session.execute(_ANSWER, (prediction.id, look.now, mine.key))
        return not held
    with session.as_owner(mine.key):
        session.execute(_COPY, (codec.new_key(look.now), prediction.id, look.now, look.now, mine.key))
    _give_spare(session, mine, look)
    return False


def _give_spare(session: Session, mine: Intent, look: Look) -> None:
    """What `mine` has made besides goes to the equal create whose prediction it holds, if there are both."""
    with session.as_owner(mine.key):
        if (pair := session.execute(_SPARE, (_GIVEN_AWAY, mine.key)).fetchone()) is None:
            return
        made = session.execute(f"SELECT {_MADE} FROM intents WHERE key = ?", (pair["spare"],)).fetchone()
        session.execute("DELETE FROM intents WHERE key = ?", (pair["spare"],))
        session.execute(_ANSWER, (made["prediction_id"], look.now, pair["twin"]))
        session.execute(_TAKE, (*(made[name] for name in _MADE.split(", ")), pair["twin"]))


def settle(session: Session, verdicts: Sequence[Verdict], look: Look) -> tuple[Intent, ...]:
    """Write down what the gateway's list says of each; gives the rows that have changed."""
    return tuple(filter(None, [_settle_one(session, verdict, look) for verdict in verdicts]))


def _settle_one(session: Session, verdict: Verdict, look: Look) -> Intent | None:
    before = find(session, verdict.key)
    if before is None:
        return None
    if verdict.prediction is not None:
        mark_known(session, verdict.key, verdict.prediction, look)
    elif verdict.state is IntentState.ABSENT:
        session.execute(_MISS, (verdict.key, verdict.tries))
    elif verdict.possible:
        ids = codec.to_json([found.id for found in verdict.possible])
        session.execute(_DOUBT, (ids, verdict.key, verdict.tries))
    after = find(session, verdict.key)
    return after if after != before else None


def record(session: Session, prediction: Prediction, look: Look, adopting: NewIntent | None) -> Intent:
    """Keep the state seen; an id without a row is adopted into the place that `adopting` names."""
    if adopting is not None and find(session, prediction.id) is None:
        _refuse_anothers(session, prediction.id)
        created_at = codec.seconds_of(prediction.created_at) or look.now
        names = (adopting.gateway, adopting.origin, adopting.account, adopting.output_place)
        texts = [codec.storable(text) for text in (*names, prediction.model, prediction.version)]
        values = (codec.new_key(created_at), *texts, codec.shown_json(dict(prediction.input)), prediction.id)
        price = (adopting.estimate_usd, int(adopting.has_bound))
        session.execute(_ADOPT, (*values, created_at, look.now, *price))
    return see(session, prediction, look)


def _refuse_anothers(session: Session, prediction_id: str) -> None:
    with session.everyone():
        if find(session, prediction_id) is not None:
            raise UnknownPrediction(f"No prediction '{prediction_id}' is known. Nothing was sent.")


def see(session: Session, prediction: Prediction, look: Look, before: Intent | None = None) -> Intent:
    """Keep the state seen unless the stored one is later; at `succeeded` want its outputs.

    `before` is its row as it was just before it got its id, without images.
    """
    before = before or get(session, prediction.id)
    if not (believed := _believed(prediction, look)).status.is_terminal:
        if before.prediction and not _is_news(before.prediction, believed):
            return before
        row = session.execute(f"{_SEEN} RETURNING *", _seen_values(believed, look)).fetchone()
        return codec.intent_of(row, before.images)
    return get(session, prediction.id) if _see(session, [(before, prediction)], look) else before


def see_all(session: Session, seen: Sequence[Prediction], look: Look) -> tuple[Intent, ...]:
    """The same for many, of which those without a row are left out."""
    before = _by_id(session, [each.id for each in seen])
    latest = {each.id: each for each in reversed(seen) if each.id in before}
    changed = _see(session, [(before[id], each) for id, each in latest.items()], look)
    return tuple((before | _by_id(session, changed)).values())


def _by_id(session: Session, ids: Sequence[str]) -> dict[str, Intent]:
    found = read_intents(session, f"WHERE prediction_id IN ({', '.join('?' * len(ids))})", ids) if ids else ()
    return {intent.prediction_id: intent for intent in found}


def _see(session: Session, seen: Sequence[tuple[Intent, Prediction]], look: Look) -> list[str]:
    """The ids of those that are news; each comes with its row as this transaction has read it."""
    news = [
        (before, _believed(prediction, look))
        for before, prediction in seen
        if before.prediction is None or _is_news(before.prediction, prediction)
    ]
    costs = list[Sequence[Any]]()
    for before, prediction in news:
        if prediction.status.is_terminal:
            receipt = look.receipt_of(before, prediction)
            # The same end without figures takes nothing away that is known.
            if receipt.usd is not None or before.status is not prediction.status or before.cost_usd is None:
                costs.append((receipt.usd, receipt.basis.value, codec.storable(receipt.doubt), prediction.id))
    session.executemany(_SEEN, [_seen_values(prediction, look) for _, prediction in news])
    session.executemany(_COST, costs)
    image_rows.want(session, [pair for pair in news if pair[1].status is PredictionStatus.SUCCEEDED], look)
    return [prediction.id for _, prediction in news]


def _believed(prediction: Prediction, look: Look) -> Prediction:
    """Some gateways say `succeeded` before outputs appear: no end before they do, or somebody has waited for them."""
    is_empty = not (prediction.output or prediction.is_data_removed or look.is_final)
    is_early = is_empty and prediction.status is PredictionStatus.SUCCEEDED
    return replace(prediction, status=PredictionStatus.PROCESSING) if is_early else prediction


def _seen_values(prediction: Prediction, look: Look) -> Sequence[Any]:
    ended_at = look.now if prediction.status.is_terminal else None
    total_s = prediction.metrics.total_s if prediction.status is PredictionStatus.SUCCEEDED else None
    return (prediction.status.value, codec.prediction_json(prediction), ended_at, total_s, prediction.id)


def _is_news(before: Prediction, seen: Prediction) -> bool:
    """An end stays an end, and outputs that were seen are not forgotten when the gateway removes them.

    What looks the same writes nothing, so that a look costs no commit.
    """
    if not before.status.is_terminal:
        return codec.prediction_json(before) != codec.prediction_json(seen)
    return seen.status.is_terminal and not seen.is_data_removed and (bool(seen.output) or not before.output)


def image_stored(session: Session, image: StoredImage) -> Intent | None:
    """The row of its prediction as it stands then."""
    image_rows.stored(session, image)
    return find(session, image.prediction_id)


def note_problem(session: Session, id_or_key: str, problem: str) -> bool:
    """Note a fault that was met while working on this row; "" takes it away. False where nothing changed."""
    statement = "UPDATE intents SET problem = ? WHERE (key = ? OR prediction_id = ?) AND problem <> ?"
    text = codec.storable(problem)
    return session.execute(statement, (text, id_or_key, id_or_key, text)).rowcount > 0


def read_intents(session: Session, rest: str, values: Sequence[Any]) -> tuple[Intent, ...]:
    """Intents by a WHERE or ORDER clause of ours, with their images, in two statements."""
    rows = session.execute(f"SELECT * FROM intents {rest}", values).fetchall()
    images = image_rows.of_predictions(session, [row["prediction_id"] for row in rows if row["prediction_id"]])
    return tuple(codec.intent_of(row, images.get(row["prediction_id"], ())) for row in rows)


def find(session: Session, id_or_key: str) -> Intent | None:
    name = codec.storable(id_or_key)
    found = read_intents(session, "WHERE prediction_id = ? OR key = ?", (name, name))
    return found[0] if found else None


def get(session: Session, id_or_key: str) -> Intent:
    """Raises: InternalFault where there is no such row."""
    if (intent := find(session, id_or_key)) is None:
        raise InternalFault(f"The journal has no intent or prediction '{id_or_key}'.")
    return intent


def by_keys(session: Session, keys: Sequence[str]) -> tuple[Intent, ...]:
    return read_intents(session, f"WHERE key IN ({', '.join('?' * len(keys))})", keys) if keys else ()


def by_request(session: Session, request_id: str) -> tuple[Intent, ...]:
    """All parts of one request, in order."""
    name = codec.storable(request_id)
    return read_intents(session, "WHERE request_id = ? AND request_id <> '' ORDER BY part", (name,))


def known_ids(session: Session, origin: str, since: float) -> frozenset[str]:
    """Prediction ids of all principals: the gateway's list shows them all."""
    with session.everyone():
        rows = session.execute(_KNOWN_IDS, (origin, since)).fetchall()
    return frozenset(id_at_gateway(row["prediction_id"]) for row in rows)
