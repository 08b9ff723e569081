"""The id of a create whose answer the gateway holds back: found in its list when somebody wants it before the answer.

A hold is never broken off: the gateway may take that for a cancel. It costs nobody anything to leave it open, and what
it brings in the end is written down like any other answer.
"""

from collections.abc import Callable

from darkroom.work.reconcile import Reconciler
from darkroom.work.runtime import Runtime
from darkroom.work.watch import Hold, Watched

# The gateway's answer may be on its way for so long when the time is up.
_LATE_S = 0.8
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 5.0


class Holds:
    """`on_named` hears once of each hold that has an id and no answer yet, though it was wanted or is overdue."""

    def __init__(self, reconciler: Reconciler, runtime: Runtime, on_named: Callable[[Watched], None]) -> None:
        self._reconciler = reconciler
        self._runtime = runtime
        self._on_named = on_named

    async def mind(self, watched: Watched, hold: Hold) -> None:
        """Until it is over: leave it alone for its time, unless somebody hurries, and then look in the list."""
        await hold.wakened(hold.quiet_s + _LATE_S)
        pause_s = _FIRST_PAUSE_S
        while not hold.is_over and not watched.intent.prediction_id:
            await self._reconciler.once([watched.intent])
            if hold.is_over or watched.intent.prediction_id:
                break
            await self._runtime.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        if not hold.is_over:
            self._on_named(watched)
