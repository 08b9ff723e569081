"""Which remote prediction did an unresolved create make? Pure: no clock, no network, no database.

A create is matched by its input, because gateways have no idempotency keys. It is given a prediction only where the
input tells it apart: by the random seed that we drew, or by a whole input without files at the time of the create. What
merely may be it is not given; it keeps the create from being called absent, and its id is told.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from darkroom.journal.input_form import NormalForm, contradicts, has_files, holds, normal_form
from darkroom.journal.records import Intent
from darkroom.journal.states import IntentState
from darkroom.predictions import Prediction

# A drawn seed from here on is one of so many that no other create has it, at whatever time it was made.
_UNIQUE_SEED = 2**16

Defaults = Callable[[str], Mapping[str, JsonValue]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the gateway's list says of attempt number `tries` of an intent.

    KNOWN comes with its prediction. UNKNOWN: too early to say, or one of `possible` may be it. ABSENT: not carried out.
    """

    key: str
    tries: int
    state: IntentState
    prediction: Prediction | None = None
    possible: tuple[Prediction, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How to compare. `skew_s` is the gateway's clock less ours; a create shows in the list within `settle_s`,
    give or take `margin_s`. `defaults` gives a model's own defaults by its name."""

    skew_s: float = 0.0
    settle_s: float = 120.0
    margin_s: float = 120.0
    defaults: Defaults = lambda model: {}
    _found: dict[tuple[str, str], NormalForm] = field(default_factory=dict[tuple[str, str], NormalForm])

    def is_it(self, intent: Intent, found: Prediction) -> bool:
        """Certain enough to give the prediction to this create."""
        sent, echoed = self._sent(intent), self._echoed(intent, found)
        if _has_drawn_seed(intent) and holds(sent, echoed):
            return (intent.seed or 0) >= _UNIQUE_SEED or self._is_in_window(intent, found)
        is_told_apart = bool(sent) and not has_files(intent.input, intent.file_fields)
        is_near = self._is_in_window(intent, found) and _is_same_model(intent, found)
        return is_told_apart and is_near and sent == echoed and not _is_deployment(intent)

    def may_be_it(self, intent: Intent, found: Prediction) -> bool:
        """Not certain, but too alike to pay again: our drawn seed stands in it, or nothing in it speaks against it."""
        sent, echoed = self._sent(intent), self._echoed(intent, found)
        if _has_drawn_seed(intent) and _holds_seed(echoed, intent.seed):
            return True
        if sent and sent == echoed and _is_same_model(intent, found):
            return True
        is_near = self._is_in_window(intent, found) and _is_same_model(intent, found)
        return is_near and (not sent or not echoed or not contradicts(sent, echoed))

    def _is_in_window(self, intent: Intent, found: Prediction) -> bool:
        """Created around the time the intent was sent, in the gateway's clock; True where the list gives no time."""
        if not found.created_at or intent.sent_at is None:
            return True
        late_s = found.created_at.timestamp() - self.skew_s - intent.sent_at
        return -self.margin_s <= late_s <= self.margin_s + self.settle_s

    def _sent(self, intent: Intent) -> NormalForm:
        return self._form(intent.key, intent, intent.input)

    def _echoed(self, intent: Intent, found: Prediction) -> NormalForm:
        return self._form(found.id, intent, found.input)

    def _form(self, name: str, intent: Intent, input: Mapping[str, JsonValue]) -> NormalForm:
        """Computed once, for hundreds of intents are compared with hundreds of predictions."""
        kind = (name, f"{intent.model} {intent.file_fields}")
        if kind not in self._found:
            self._found[kind] = normal_form(input, intent.file_fields, self.defaults(intent.model))
        return self._found[kind]


def match(
    open_intents: Sequence[Intent],
    remote: Sequence[Prediction],
    known_ids: Collection[str],
    *,
    search: Search,
    may_be_absent: Collection[str] = (),
) -> list[Verdict]:
    """One verdict for each open intent, oldest first.

    `remote` is what the list shows, in any order. `may_be_absent` holds the keys of those for whom the list was read
    far enough and for long enough that missing in it means something.
    """
    free = {found.id: found for found in sorted(remote, key=_created) if found.id not in known_ids}
    known: dict[str, Prediction] = {}
    by_age = sorted(open_intents, key=lambda intent: intent.sent_at or 0)
    for intent in by_age:
        if mine := next((found for found in free.values() if search.is_it(intent, found)), None):
            known[intent.key] = free.pop(mine.id)
    return [
        Verdict(key=intent.key, tries=intent.tries, state=IntentState.KNOWN, prediction=known[intent.key])
        if intent.key in known
        else _open(intent, [found for found in free.values() if search.may_be_it(intent, found)], may_be_absent)
        for intent in by_age
    ]


def _open(intent: Intent, possible: list[Prediction], may_be_absent: Collection[str]) -> Verdict:
    is_absent = intent.state is IntentState.ABSENT or intent.key in may_be_absent
    state = IntentState.ABSENT if is_absent and not possible else IntentState.UNKNOWN
    return Verdict(key=intent.key, tries=intent.tries, state=state, possible=tuple(possible))


def _has_drawn_seed(intent: Intent) -> bool:
    """True where the seed was drawn by us, which no other create has; a seed of the caller may come twice."""
    options = intent.request.get("options")
    is_given = intent.request.get("seed", -1) != -1 or (isinstance(options, dict) and _holds_seed(options, intent.seed))
    return _holds_seed(intent.input, intent.seed) and not is_given


def _holds_seed(input: Mapping[str, JsonValue], seed: int | None) -> bool:
    return seed is not None and any(type(value) is int and value == seed for value in input.values())


def _is_same_model(intent: Intent, found: Prediction) -> bool:
    """False only where both name one and the names differ; a list names the model that a deployment runs."""
    if _is_deployment(intent):
        return True
    if intent.version and found.version and intent.version == found.version:
        return True
    return not found.model or not intent.model or found.model.partition(":")[0].lower() == intent.model.lower()


def _is_deployment(intent: Intent) -> bool:
    """A list does not name deployments, so that an equal input alone may be another model's."""
    return intent.model.count("/") == 2


def _created(found: Prediction) -> float:
    return found.created_at.timestamp() if found.created_at else 0.0
