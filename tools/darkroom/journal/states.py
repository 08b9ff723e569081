"""The states of a create and the only ways from one to another, as a table that the statements are built from.

What a state does not tell: `sent` and `unknown` do not say whether the gateway carried the create out; `absent` says
that it did not, as far as its list can show; `refused` says that it did not, in the gateway's own words or because no
byte left.
"""

from collections.abc import Iterable
from enum import StrEnum


class IntentState(StrEnum):
    """Where a create stands."""

    INTENT = "intent"
    """Written down; nothing was carried out. Somebody sends it, perhaps once more, or its process died first."""
    SENT = "sent"
    """On its way, or its process died on the way. Never sent again from here."""
    UNKNOWN = "unknown"
    """The answer was lost or unclear. Never sent again from here."""
    KNOWN = "known"
    """It has a prediction."""
    REFUSED = "refused"
    """Certainly not carried out; may be sent again."""
    ABSENT = "absent"
    """Not in the gateway's list after the settle time; may be sent again when the caller asks."""


class Event(StrEnum):
    """What can happen to a create."""

    CLAIM = "one process takes the right to send it"
    REFUSE = "the gateway refused it, or no byte left"
    RELEASE = "the same, and it is sent again soon"
    DROP = "nobody wants it any more, and it was not sent"
    LOSE = "its answer was lost or unclear"
    MISS = "the gateway's list does not show it after the settle time"
    BILL = "the gateway's log shows that it was billed, so it was carried out"
    ANSWER = "its prediction is known"


_S, _E = IntentState, Event
TRANSITIONS: dict[tuple[IntentState, Event], IntentState] = {
    (_S.INTENT, _E.CLAIM): _S.SENT,
    (_S.REFUSED, _E.CLAIM): _S.SENT,
    (_S.ABSENT, _E.CLAIM): _S.SENT,
    (_S.SENT, _E.REFUSE): _S.REFUSED,
    (_S.SENT, _E.RELEASE): _S.INTENT,
    (_S.INTENT, _E.DROP): _S.REFUSED,
    (_S.SENT, _E.LOSE): _S.UNKNOWN,
    (_S.UNKNOWN, _E.LOSE): _S.UNKNOWN,
    (_S.SENT, _E.MISS): _S.ABSENT,
    (_S.UNKNOWN, _E.MISS): _S.ABSENT,
    (_S.UNKNOWN, _E.BILL): _S.UNKNOWN,
    (_S.ABSENT, _E.BILL): _S.UNKNOWN,
    # A paid prediction is never dropped, whatever was believed before.
    **{(state, _E.ANSWER): _S.KNOWN for state in _S},
}
SENDABLE = frozenset(state for state, event in TRANSITIONS if event is Event.CLAIM)
DOUBTFUL = frozenset(state for state, event in TRANSITIONS if event is Event.MISS)


def guarded(event: Event) -> str:
    """The part of an UPDATE that makes the transition: `state = '…' WHERE state IN (…)`; `AND` may follow."""
    sources = [state for state, each in TRANSITIONS if each is event]
    (target,) = {TRANSITIONS[state, event] for state in sources}
    return f"state = '{target}' WHERE state IN {in_list(sources)}"


def in_list(states: Iterable[IntentState]) -> str:
    """`('sent', 'unknown')`, for a condition."""
    quoted = ", ".join(f"'{state}'" for state in sorted(states))
    return f"({quoted})"
