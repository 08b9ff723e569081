"""What the verbs ask of whoever owns the work: `LocalWork` does all of it in this process, other kinds leave a part of
it to workers."""

from collections.abc import Sequence
from typing import Protocol

from darkroom.journal import Call, Intent, NewIntent
from darkroom.predictions import Prediction
from darkroom.work.create import Budget
from darkroom.work.watch import Watched


class Work(Protocol):
    """Owned by the Darkroom. `notices` are sentences for the next answer, each said once.

    `is_open_to_foreign_ids`: a prediction that was not ordered here may be looked up by its id and is adopted then.
    """

    notices: list[str]
    is_open_to_foreign_ids: bool

    async def order(self, wanted: Sequence[NewIntent], call: Call) -> tuple[Intent, ...]:
        """Write all parts of one request down, and claim in the same commit what may be sent at once: `start` does so
        without a further one. Where they are there already, or `call` joins an earlier one, its parts.

        Raises: SpendingRefused, JournalError.
        """
        ...

    def start(self, intent: Intent, budget: Budget) -> Watched:
        """Send an intent, unless that was done already, and watch it."""
        ...

    def watch(self, intent: Intent) -> Watched:
        """Watch a prediction that exists already, beginning with a look at the gateway."""
        ...

    def watched(self, intent: Intent) -> Watched | None:
        """Who watches it in this process, if anybody."""
        ...

    async def cancel(self, intent: Intent) -> Prediction | None:
        """Ask the gateway to cancel; None where it has no cancel. What became of it is in the journal then.

        Raises: GatewayError, UnknownPrediction, JournalError.
        """
        ...

    async def cancel_all(self, intents: Sequence[Intent]) -> None:
        """Ask the gateway to cancel those that still run, all at once; that goes on where the caller waits no longer.

        A create in flight is canceled when its id comes, which is looked for where the gateway holds its answer. Faults
        are logged: whoever asked has gone.
        """
        ...

    async def adopt(self, prediction: Prediction, place: NewIntent) -> Intent:
        """Take a prediction that was looked up by its id into the journal."""
        ...

    async def settle_doubts(self, intents: Sequence[Intent]) -> tuple[Intent, ...]:
        """The rows after one look for lost answers, if one of these was lost and cannot come soon."""
        ...

    async def look_for_bills(self, within_s: float) -> None:
        """One look at the gateway's own log, if its turn has come, for programs that end right after.

        Raises: JournalError.
        """
        ...

    async def take_up_unfinished(self) -> None:
        """Runs for ever: takes up what earlier processes left."""
        ...

    def close(self) -> None:
        """Stop watching at once; a create in flight gets a moment to bring its id."""
        ...
