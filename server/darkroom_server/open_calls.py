"""The calls that wait at this moment, so that cancelling one takes nothing away from another."""

import logging
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from darkroom.errors import DarkroomError

if TYPE_CHECKING:
    from darkroom.darkroom import Darkroom
    from darkroom.journal import Intent

log = logging.getLogger(__name__)

_CANCEL_S = 1.0


@dataclass(eq=False, slots=True)
class OpenCall:
    """`id` is what it was called with; `earlier` are the keys of the journal's rows that were there when it began."""

    id: str
    earlier: set[str] = field(default_factory=set[str])


class OpenCalls:
    """Every call of generate_image and get_prediction is among these while it waits."""

    def __init__(self) -> None:
        self._calls: list[OpenCall] = []

    @contextmanager
    def waiting(self, id: str) -> Generator[OpenCall]:
        """One more for as long as the block runs."""
        call = OpenCall(id)
        self._calls.append(call)
        try:
            yield call
        finally:
            self._calls.remove(call)

    async def cancel_started(self, darkroom: "Darkroom", call: OpenCall) -> None:
        """Cancel at the gateway what this call has started and no other call waits for; faults are logged."""
        others = [each for each in self._calls if each is not call]
        if any(each.id == call.id for each in others):
            return
        kept = call.earlier.union(*(each.earlier for each in others))
        with anyio.move_on_after(_CANCEL_S, shield=True):
            try:
                rows = await darkroom.journal.by_request(call.id)
                await darkroom.work.cancel_all([row for row in rows if row.key not in kept])
            except DarkroomError as error:
                log.warning("could not cancel %s: %s", call.id, error)


async def keys_of(darkroom: "Darkroom", id: str) -> set[str]:
    """The keys of what the journal has for an id as get_prediction takes it."""
    name = id.strip().removeprefix("prediction:")
    row = await (darkroom.journal.latest() if name == "latest" else darkroom.journal.find(name))
    return {each.key for each in ((row,) if row else await darkroom.journal.by_request(name))}


def keys_of_sent(rows: "Iterable[Intent]") -> set[str]:
    """The keys of those that were sent before; the others belong to whoever sends them now."""
    from darkroom.journal import IntentState

    unsent = (IntentState.INTENT, IntentState.REFUSED, IntentState.ABSENT)
    return {row.key for row in rows if row.state not in unsent}
