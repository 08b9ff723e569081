"""cancel_prediction: asks the gateway to stop what still runs, and says truthfully what became of it."""

from darkroom.darkroom import CALL_GRACE_S, Darkroom
from darkroom.errors import DarkroomError
from darkroom.get_prediction import find, report_on
from darkroom.journal import Intent
from darkroom.reports import PredictionReport, refusal_report, wanted_end


async def cancel_prediction(darkroom: Darkroom, id: str) -> PredictionReport:
    """Cancel by id, intent key, request_id or "latest"; what has ended already stays as it is.

    A DarkroomError becomes a report.
    """
    started_s = darkroom.options.monotonic()
    try:
        found = await find(darkroom, id, within_s=CALL_GRACE_S)
        notes = [note for intent in found if (note := await _cancel(darkroom, intent))]
    except DarkroomError as error:
        return refusal_report(error)
    return wanted_end(await report_on(darkroom, found, [], started_s, notes))


async def _cancel(darkroom: Darkroom, intent: Intent) -> str:
    """What to say about one prediction; empty where its new status says it all."""
    if not intent.prediction_id:
        return "it has no prediction id yet, so there is nothing to cancel."
    if intent.status is not None and intent.status.is_terminal:
        return "it had ended already; nothing was canceled."
    if await darkroom.work.cancel(intent) is None:
        return f"gateway '{darkroom.gateway.name}' cannot cancel; the prediction goes on and may be billed."
    return ""
