"""Sending creates, shielded from the calls that wanted them, and what follows a failure."""

import logging
from contextlib import suppress

import anyio

from darkroom.errors import CreateUnresolved, DarkroomError, JournalError
from darkroom.journal import Intent, IntentState, Journal
from darkroom.work.create import CreatePlan, Creator
from darkroom.work.reconcile import Reconciler
from darkroom.work.runtime import Runtime
from darkroom.work.watch import Watched

log = logging.getLogger(__name__)

_GRACE_S = 1.5
_ANSWERED_WITHIN_S = 15.0
_ASK_JOURNAL_EVERY_S = 0.3
_FIRST_LOOK_S = 1.0


class Sender:
    """Owned by the work; `close` gives creates in flight a moment to bring their ids."""

    def __init__(self, creator: Creator, reconciler: Reconciler, journal: Journal, runtime: Runtime) -> None:
        self._creator = creator
        self._reconciler = reconciler
        self._journal = journal
        self._runtime = runtime
        self._scopes: set[anyio.CancelScope] = set()
        self._is_closing = False

    async def send(self, watched: Watched, plan: CreatePlan) -> bool:
        """True once the intent has its prediction. Shielded: `close` sets the end, and then the row stands as it is."""
        with anyio.CancelScope(shield=True) as scope:
            self._scopes.add(scope)
            try:
                intent = await self._sent(watched, plan)
                if not watched.is_followed:
                    watched.publish(intent, settled=intent.state is not IntentState.KNOWN)
            except DarkroomError as error:
                await self._after_failure(watched, error)
            finally:
                self._scopes.discard(scope)
        return watched.intent.state is IntentState.KNOWN

    async def _sent(self, watched: Watched, plan: CreatePlan) -> Intent:
        """Its row once it was sent, here or elsewhere; what another process gave back meanwhile is sent from here."""
        while True:
            intent = await self._answered_elsewhere(await self._creator.create(watched, plan))
            if intent.state is not IntentState.INTENT or self._is_closing:
                return intent
            if not watched.is_wanted:
                await self._journal.answers.stopped(intent.key)
                return await self._journal.find(intent.key) or intent

    async def _answered_elsewhere(self, intent: Intent) -> Intent:
        """Another process has just claimed it: wait a moment for its answer, then assume that it died.

        That answer may be held, so it is looked for in the list meanwhile.
        """
        began_s, look_after_s = self._runtime.monotonic(), _FIRST_LOOK_S
        until_s = began_s + _ANSWERED_WITHIN_S
        while intent.state is IntentState.SENT and self._runtime.clock() - (intent.sent_at or 0) < _ANSWERED_WITHIN_S:
            if self._is_closing or self._runtime.monotonic() > until_s:  # the clock may have been set back
                break
            await anyio.sleep(_ASK_JOURNAL_EVERY_S)
            if self._runtime.monotonic() - began_s > look_after_s:
                look_after_s *= 2
                await self._reconciler.once([intent])
            intent = await self._journal.find(intent.key) or intent
        return intent

    async def _after_failure(self, watched: Watched, error: DarkroomError) -> None:
        """A create whose answer was lost is looked for at once; if it is found, continue normally."""
        row = None
        with suppress(JournalError):
            is_named = bool(watched.intent.prediction_id)  # found while its answer was held
            if isinstance(error, CreateUnresolved) and not (self._is_closing or is_named):
                await self._reconciler.once([watched.intent])
            row = await self._journal.find(watched.intent.key)
        if row and row.state is IntentState.KNOWN:
            watched.publish(row)
            return
        watched.publish(row, problem=error, settled=True)

    def close(self) -> None:
        """Send nothing more."""
        self._is_closing = True
        for scope in self._scopes:
            scope.deadline = anyio.current_time() + _GRACE_S
