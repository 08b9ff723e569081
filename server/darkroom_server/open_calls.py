"""The calls that wait at this moment, so that cancelling one takes nothing away from another."""

import logging
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio

from darkroom.errors import DarkroomError

if TYPE_CHECKING:
    from darkroom.darkroom import Darkroom
    from darkroom.journal import Intent

log = logging.getLogger(__name__)

_CANCEL_S = 1.0


class OpenCall:
    """One call that waits for `id`; `kept` are the keys of what others have started, which it must not cancel."""

    def __init__(self, id: str) -> None:
        self.id = id.strip().removeprefix("prediction:")
        self.kept: set[str] = set()

    async def keep_earlier(self, darkroom: "Darkroom") -> None:
        """Note what was sent under this request_id before; what was not sent belongs to whoever sends it now."""
        self.kept |= {row.key for row in await darkroom.journal.by_request(self.id) if not row.may_be_sent}


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
        awaited = {each.id for each in self._calls if each is not call}

        def is_ours_alone(row: "Intent") -> bool:
            return row.key not in call.kept and awaited.isdisjoint({call.id, row.key, row.prediction_id, "latest"})

        with anyio.move_on_after(_CANCEL_S, shield=True):
            try:
                rows = await darkroom.journal.by_request(call.id)
                await darkroom.work.cancel_all([row for row in rows if is_ours_alone(row)])
            except DarkroomError as error:
                log.warning("could not cancel %s: %s", call.id, error)
