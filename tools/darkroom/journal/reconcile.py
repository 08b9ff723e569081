"""Which remote prediction did an unresolved create make? Pure: no clock, no network, no database.

A create is matched by its input, because gateways have no idempotency keys: with the random seed that we send, the
input is unique. The model is not compared, since answers name others. What merely could be ours is never claimed, and
keeps the intent from being called absent.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from darkroom.journal.records import Intent, IntentState
from darkroom.predictions import Prediction


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the gateway's list says of attempt number `tries` of an intent.

    KNOWN comes with its prediction. UNKNOWN: too early to say, or one of `possible` may be it. ABSENT: not executed.
    """

    key: str
    tries: int
    state: IntentState
    prediction: Prediction | None = None
    possible: tuple[Prediction, ...] = ()


def fingerprint(input: Mapping[str, JsonValue], file_fields: Collection[str] = ()) -> str:
    """SHA-256 in hex of the canonical JSON of an input, its seed included, without the fields that hold files."""
    kept = {name: _canonical(value) for name, value in input.items() if name not in file_fields}
    text = json.dumps(kept, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def match(
    open_intents: Sequence[Intent],
    remote: Sequence[Prediction],
    known_ids: Collection[str],
    *,
    now: float,
    skew_s: float,
    settle_s: float = 120,
    margin_s: float = 120,
) -> list[Verdict]:
    """One verdict for each open intent, oldest first.

    `remote` must reach back to the oldest intent's `sent_at` less `margin_s`, in any order; `skew_s` is the gateway's
    clock less ours; `now` is ours. A create is visible in the list at the latest `settle_s` after it was sent.
    """
    window = _Window(skew_s=skew_s, margin_s=margin_s, settle_s=settle_s)
    free = {found.id: found for found in sorted(remote, key=_created) if found.id not in known_ids}
    verdicts: list[Verdict] = []
    for intent in sorted(open_intents, key=lambda intent: intent.sent_at or 0):
        mine = next((found for found in free.values() if window.holds(intent, found) and _is_same(intent, found)), None)
        if mine:
            del free[mine.id]
            verdicts.append(Verdict(key=intent.key, tries=intent.tries, state=IntentState.KNOWN, prediction=mine))
        else:
            verdicts.append(_undecided(intent, now=now, settle_s=settle_s))
    return [_with_possible(verdict, open_intents, free, window) for verdict in verdicts]


@dataclass(frozen=True, slots=True)
class _Window:
    skew_s: float
    margin_s: float
    settle_s: float

    def holds(self, intent: Intent, found: Prediction) -> bool:
        """Created around the time the intent was sent, in the gateway's clock; True where the list gives no time."""
        if not found.created_at or intent.sent_at is None:
            return True
        late_s = found.created_at.timestamp() - self.skew_s - intent.sent_at
        return -self.margin_s <= late_s <= self.margin_s + self.settle_s


def _undecided(intent: Intent, *, now: float, settle_s: float) -> Verdict:
    is_settled = now - (intent.sent_at or now) > settle_s
    state = IntentState.ABSENT if is_settled or intent.state is IntentState.ABSENT else IntentState.UNKNOWN
    return Verdict(key=intent.key, tries=intent.tries, state=state)


def _with_possible(
    verdict: Verdict, intents: Sequence[Intent], free: Mapping[str, Prediction], window: _Window
) -> Verdict:
    """Add what could be ours; then it is not absent, for that would allow to pay again."""
    if verdict.state is IntentState.KNOWN:
        return verdict
    intent = next(intent for intent in intents if intent.key == verdict.key)
    possible = tuple(found for found in free.values() if _may_be(intent, found, window))
    state = IntentState.UNKNOWN if possible and intent.state is not IntentState.ABSENT else verdict.state
    return Verdict(key=verdict.key, tries=verdict.tries, state=state, possible=possible)


def _is_same(intent: Intent, found: Prediction) -> bool:
    """The input came back as it was sent; or with defaults added, where a seed of ours is in it."""
    if not found.input:
        return False
    if fingerprint(found.input, intent.file_fields) == intent.fingerprint:
        return True
    sent = {name: value for name, value in intent.input.items() if name not in intent.file_fields}
    has_seed = intent.seed is not None and intent.seed in sent.values()
    return has_seed and all(_canonical(found.input.get(name)) == _canonical(value) for name, value in sent.items())


def _may_be(intent: Intent, found: Prediction, window: _Window) -> bool:
    """Near in time and of the same model but without its input; or the same input at an odd time (a clock was set)."""
    if found.input:
        return _is_same(intent, found)
    return window.holds(intent, found) and _is_same_model(intent, found)


def _is_same_model(intent: Intent, found: Prediction) -> bool:
    """False only where both name one and the names differ."""
    if intent.version and found.version and intent.version == found.version:
        return True
    return not found.model or not intent.model or found.model.partition(":")[0].lower() == intent.model.lower()


def _canonical(value: JsonValue) -> JsonValue:
    """3.0 and 3 are one number in JSON, and gateways turn one into the other."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    if isinstance(value, dict):
        return {name: _canonical(item) for name, item in value.items()}
    return value


def _created(found: Prediction) -> float:
    return found.created_at.timestamp() if isinstance(found.created_at, datetime) else 0.0
