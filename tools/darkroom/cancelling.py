"""Asking the gateway to stop predictions, and saying truthfully what that can still change."""

from collections.abc import Sequence

import anyio

from darkroom.charges import Charge, Verdict
from darkroom.darkroom import Darkroom
from darkroom.errors import DarkroomError, GatewayBusy, KeyRefused, RequestRefused
from darkroom.journal import DOUBTFUL, Intent, IntentState
from darkroom.predictions import PredictionStatus
from darkroom.reports.amounts import seconds, usd
from darkroom.work.watch import GIVE_UP_AFTER_S


async def cancel(darkroom: Darkroom, found: Sequence[Intent]) -> tuple[str, ...]:
    """Ask for each that still runs, all at once; a note for each whose state does not say it all.

    A fault of one leaves the others. The rows in the journal say afterwards what became of them.
    """
    notes = dict.fromkeys((each.key for each in found), "")

    async def ask(intent: Intent) -> None:
        notes[intent.key] = await _cancel(darkroom, intent)

    async with anyio.create_task_group() as tasks:
        for intent in found:
            tasks.start_soon(ask, intent)
    return tuple(dict.fromkeys(filter(None, notes.values())))


async def others_running(darkroom: Darkroom, found: Sequence[Intent], conversation: str) -> tuple[str, ...]:
    """A note on what this conversation has started besides and what still runs; empty where that is nothing.

    Raises: JournalError.
    """
    since = darkroom.options.clock() - GIVE_UP_AFTER_S
    recent = await darkroom.journal.lists.running(since) if conversation else []
    keys = {each.key for each in found}
    running = [
        f"'{each.prediction_id}'" for each in recent if each.conversation == conversation and each.key not in keys
    ]
    if not running:
        return ()
    verb, more = ("runs", "") if len(running) == 1 else ("run", f" and {len(running) - 3} more" * (len(running) > 3))
    return (f"{', '.join(running[:3])}{more} of this conversation still {verb}.",)


async def _cancel(darkroom: Darkroom, intent: Intent) -> str:
    if intent.origin != darkroom.gateway.origin:
        return f"it was made through gateway '{intent.gateway}', not the one in use now, so it cannot be canceled here."
    if intent.has_ended:
        was_canceled = intent.status in (PredictionStatus.CANCELED, PredictionStatus.ABORTED)
        return "it was canceled before." if was_canceled else "it had ended already; nothing was canceled."
    if not intent.prediction_id:
        return await _cancel_unnamed(darkroom, intent)
    try:
        prediction = await darkroom.work.cancel(intent)
    except DarkroomError as error:
        is_refused = isinstance(error, RequestRefused | KeyRefused | GatewayBusy)  # else nobody knows what was done
        fate = "it is not canceled, and goes on" if is_refused else "it may not be canceled, and may go on"
        return f"{fate}: {error.message}"
    if prediction is None:
        return (
            f"it cannot be canceled here: gateway '{darkroom.gateway.name}' has no cancel. {_goes_on(darkroom, intent)}"
        )
    if not prediction.status.is_terminal:
        return "the gateway was asked to stop it and has not done so yet."
    return ""


async def _cancel_unnamed(darkroom: Darkroom, intent: Intent) -> str:
    """One without an id: it is on its way, in doubt, or was never created."""
    watched = darkroom.work.watched(intent)
    if watched and watched.is_being_sent:
        await darkroom.work.cancel_all([intent])
        return "it has no id yet: it is stopped before it is sent, or canceled as soon as the gateway gives its id."
    if intent.state in DOUBTFUL:
        return "its create was never answered, so there is no id to cancel by; it may run and be billed."
    return "it was never created, so there is nothing to cancel." if intent.state is not IntentState.KNOWN else ""


def _goes_on(darkroom: Darkroom, intent: Intent) -> str:
    """`It was started 92 s ago, is followed for 120 min at most, and may cost at most $0.003.`"""
    began = intent.sent_at if intent.sent_at is not None else intent.known_at
    ago = f"was started {seconds(max(darkroom.options.clock() - began, 0.0))} ago, " if began else ""
    return f"It {ago}is given up after {seconds(GIVE_UP_AFTER_S)}, and {_cost(intent.charge)}."


def _cost(charge: Charge) -> str:
    if charge.verdict is Verdict.NO:
        return "costs nothing"
    if charge.usd is None:
        return "what it will cost is unknown"
    return f"costs at most {usd(charge.usd)}" if charge.has_bound else f"usually costs less than {usd(charge.usd)}"
