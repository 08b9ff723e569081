"""Which remote prediction did an unresolved create make? Pure: no clock, no network, no database.

A create is matched by its input, because gateways have no idempotency keys: with the random seed that we send, the
input is unique. The model is not compared, since answers name others. What merely could be ours is never claimed, and
keeps the intent from being called absent.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

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
    search = _Search(skew_s=skew_s, margin_s=margin_s, settle_s=settle_s)
    free = {found.id: found for found in sorted(remote, key=_created) if found.id not in known_ids}
    verdicts: list[Verdict] = []
    for intent in sorted(open_intents, key=lambda intent: intent.sent_at or 0):
        mine = next(
            (found for found in free.values() if search.is_in_window(intent, found) and search.is_same(intent, found)),
            None,
        )
        if mine:
            del free[mine.id]
            verdicts.append(Verdict(key=intent.key, tries=intent.tries, state=IntentState.KNOWN, prediction=mine))
        else:
            verdicts.append(_undecided(intent, now=now, settle_s=settle_s))
    by_key = {intent.key: intent for intent in open_intents}
    return [_with_possible(verdict, by_key, free, search) for verdict in verdicts]


@dataclass(frozen=True, slots=True)
class _Search:
    skew_s: float
    margin_s: float
    settle_s: float
    fingerprints: dict[tuple[str, tuple[str, ...]], str] = field(default_factory=dict[tuple[str, tuple[str, ...]], str])

    def fingerprint(self, found: Prediction, file_fields: tuple[str, ...]) -> str:
        """Computed once, for hundreds of intents are compared with hundreds of predictions."""
        name = (found.id, file_fields)
        if name not in self.fingerprints:
            self.fingerprints[name] = fingerprint(found.input, file_fields)
        return self.fingerprints[name]

    def is_in_window(self, intent: Intent, found: Prediction) -> bool:
        """Created around the time the intent was sent, in the gateway's clock; True where the list gives no time."""
        if not found.created_at or intent.sent_at is None:
            return True
        late_s = found.created_at.timestamp() - self.skew_s - intent.sent_at
        return -self.margin_s <= late_s <= self.margin_s + self.settle_s

    def is_same(self, intent: Intent, found: Prediction) -> bool:
        """The input came back as it was sent; or with defaults added, where a seed of ours is in it."""
        if not found.input:
            return False
        if self.fingerprint(found, intent.file_fields) == intent.fingerprint:
            return True
        if intent.seed is None or intent.seed not in found.input.values():
            return False
        sent = {name: value for name, value in intent.input.items() if name not in intent.file_fields}
        return intent.seed in sent.values() and all(
            _canonical(found.input.get(name)) == _canonical(value) for name, value in sent.items()
        )

    def may_be(self, intent: Intent, found: Prediction) -> bool:
        """Near in time and of the same model but without its input; or the same input at an odd time (a clock was set)."""
        if found.input:
            return self.is_same(intent, found)
        return self.is_in_window(intent, found) and _is_same_model(intent, found)


def _undecided(intent: Intent, *, now: float, settle_s: float) -> Verdict:
    is_settled = now - (intent.sent_at or now) > settle_s
    state = IntentState.ABSENT if is_settled or intent.state is IntentState.ABSENT else IntentState.UNKNOWN
    return Verdict(key=intent.key, tries=intent.tries, state=state)


def _with_possible(
    verdict: Verdict, intents: Mapping[str, Intent], free: Mapping[str, Prediction], search: _Search
) -> Verdict:
    """Add what could be ours; then it is not absent, for that would allow to pay again."""
    if verdict.state is IntentState.KNOWN:
        return verdict
    intent = intents[verdict.key]
    possible = tuple(found for found in free.values() if search.may_be(intent, found))
    state = IntentState.UNKNOWN if possible and intent.state is not IntentState.ABSENT else verdict.state
    return Verdict(key=verdict.key, tries=verdict.tries, state=state, possible=possible)


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
    return found.created_at.timestamp() if found.created_at else 0.0
