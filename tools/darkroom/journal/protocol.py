"""The journal as the rest of darkroom sees it, narrow enough for another database to stand behind it later.

A call that has begun is finished even when its caller is cancelled. Every method raises JournalError where the journal
cannot be read or written; after that nothing may be sent.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from darkroom.images import StoredImage
from darkroom.journal.reconcile import Verdict
from darkroom.journal.records import Intent, NewIntent, Spending, SpendingLimit, Totals
from darkroom.predictions import Prediction


class Journal(Protocol):
    """The durable record of intents, predictions and images."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the person should hear about how the journal was opened; empty when all is well."""
        ...

    # Creates

    async def intend(self, new: NewIntent, *, spending: SpendingLimit | None = None) -> Intent:
        """Write a create down, in one commit with its reservation of money.

        The same (request_id, part) gives the intent that is there already, unchanged: its input and seed win.

        Raises: SpendingRefused where the limit would be passed; nothing is written then.
        """
        ...

    async def intend_all(
        self, wanted: Sequence[NewIntent], *, spending: SpendingLimit | None = None
    ) -> tuple[Intent, ...]:
        """The same for all parts of one request: all are written in one commit, or none."""
        ...

    async def claim(self, key: str, *, spending: SpendingLimit | None = None) -> bool:
        """Take the right to send: True for exactly one caller, with `sent` on the disk before this returns.

        False: another process has it, or it is unresolved, or it is known. The limit is checked again, because a
        refused or old intent holds no reservation.

        Raises: SpendingRefused.
        """
        ...

    async def mark_known(self, key: str, prediction: Prediction, *, cost_usd: float | None = None) -> Intent:
        """The create has this prediction. Allowed from every state, since a paid prediction is never dropped.

        Gives the intent that holds the prediction: a new one where `key` has another prediction already, an equal one
        where reconciliation has given it this prediction before.
        """
        ...

    async def mark_refused(self, key: str, reason: str) -> bool:
        """The attempt that this journal object claimed was certainly not executed. False: it is not ours any more."""
        ...

    async def mark_unknown(self, key: str, reason: str) -> bool:
        """The attempt that is `sent` may have been executed; only reconciliation settles it."""
        ...

    async def mark_absent(self, key: str, *, tries: int) -> bool:
        """The gateway did not execute attempt number `tries`. False: another attempt runs, or it is settled."""
        ...

    async def settle(self, verdicts: Sequence[Verdict]) -> tuple[Intent, ...]:
        """Apply what `reconcile.match` found, in one commit; gives the intents that changed."""
        ...

    # Predictions

    async def record(
        self, prediction: Prediction, *, gateway: str = "", origin: str = "", cost_usd: float | None = None
    ) -> Intent:
        """Keep the last state seen; an end is never overwritten by an earlier state or by removed data.

        At `succeeded` its outputs become wanted images in the same commit. An id that is not in the journal is adopted
        with `gateway` and `origin`.
        """
        ...

    async def find(self, id_or_key: str) -> Intent | None: ...

    async def by_request(self, request_id: str) -> tuple[Intent, ...]:
        """All parts of one request, in order."""
        ...

    async def latest(self) -> Intent | None:
        """The newest intent of ours, whatever became of it."""
        ...

    async def history(self, limit: int = 20, before: str = "") -> tuple[Intent, ...]:
        """Newest first; `before` is the key of the last one seen."""
        ...

    async def unresolved(self, origin: str, *, absent_s: float = 0) -> tuple[Intent, ...]:
        """Sent and unknown intents of a gateway, oldest first.

        With `absent_s` also those sent within the last so many seconds that were settled absent, for lists that lag
        longer than the settle time.
        """
        ...

    async def known_ids(self, origin: str) -> frozenset[str]:
        """Every prediction id of that gateway that an intent of ours has already, for `reconcile.match`."""
        ...

    async def unfinished(self, origin: str) -> tuple[Intent, ...]:
        """Known predictions that have not ended or have wanted images, soonest to expire first."""
        ...

    async def seconds(self, gateway: str, model: str, limit: int = 50) -> tuple[float, ...]:
        """Seconds from create to done of the newest succeeded predictions, newest first."""
        ...

    # Images

    async def want_images(
        self, prediction_id: str, urls: Sequence[str], expires_at: datetime | None
    ) -> tuple[StoredImage, ...]:
        """Write the outputs down, or renew their links; what is stored stays stored. Gives all of them, in order."""
        ...

    async def image_stored(self, image: StoredImage) -> None:
        """The file is safe; a data URI in `url` is shortened from now on."""
        ...

    async def image_failed(self, prediction_id: str, index: int, problem: str) -> None:
        """Not home yet; it stays wanted."""
        ...

    async def image_expired(self, prediction_id: str, index: int, problem: str) -> None:
        """It never will be."""
        ...

    # Leases: who follows a prediction

    async def lease(self, id_or_key: str, owner: str, lease_s: float) -> int | None:
        """A fencing token if nobody else holds the lease, else None. The same owner gets it again, with a new token."""
        ...

    async def renew(self, id_or_key: str, token: int, lease_s: float) -> bool:
        """False: somebody else took over while we slept; stop following."""
        ...

    async def release(self, id_or_key: str, token: int) -> None:
        """Give the lease back; nothing happens with an old token."""
        ...

    # Money

    async def spent_usd(self, since: float) -> Spending: ...

    async def totals(self, since: float = 0) -> Totals: ...
