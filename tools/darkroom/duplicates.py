"""An equal call that still runs while another one is begun: both are paid for, so the answer of the second says so."""

from darkroom.darkroom import Darkroom
from darkroom.journal import Call
from darkroom.work.watch import GIVE_UP_AFTER_S


async def running_twin(darkroom: Darkroom, call: Call) -> tuple[str, ...]:
    """A note that names the newest prediction of an equal call, whose answer was delivered, while that still runs.

    Raises: JournalError.
    """
    if not call.wish:
        return ()
    since = darkroom.options.clock() - GIVE_UP_AFTER_S
    for row in await darkroom.journal.lists.running(since):
        if row.wish == call.wish and row.origin == call.origin and row.account == call.account:
            stop = f"; to stop one: get_prediction(id='{row.prediction_id}', cancel=true)"
            can_stop = darkroom.gateway.has_cancel
            return (
                f"'{row.prediction_id}' with the same arguments still runs; this is a second one, paid for as well"
                f"{stop if can_stop else ''}.",
            )
    return ()
