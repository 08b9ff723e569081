"""cancel_prediction: asks the gateway to stop what still runs, and says truthfully what became of it."""

from darkroom.darkroom import Darkroom
from darkroom.errors import DarkroomError
from darkroom.get_prediction import find, report_on
from darkroom.journal import Intent
from darkroom.reports import PredictionReport, refusal_report, wanted_end


async def cancel_prediction(room: Darkroom, id: str) -> PredictionReport:
    """Cancel by id, intent key, request_id or "latest"; what has ended already stays as it is.

    A DarkroomError becomes a report.
    """
    started_s = room.options.monotonic()
    try:
        found = await find(room, id)
        notes = [note for intent in found if (note := await _cancel(room, intent))]
    except DarkroomError as error:
        return refusal_report(error)
    return wanted_end(await report_on(room, found, [], started_s, notes))


async def _cancel(room: Darkroom, intent: Intent) -> str:
    """What to say about one prediction; empty where its new status says it all."""
    if not intent.prediction_id:
        return "it has no prediction id yet, so there is nothing to cancel."
    if intent.status is not None and intent.status.is_terminal:
        return "it had ended already; nothing was canceled."
    if await room.work.cancel(intent) is None:
        return f"gateway '{room.gateway.name}' cannot cancel; the prediction goes on and may be billed."
    return ""
