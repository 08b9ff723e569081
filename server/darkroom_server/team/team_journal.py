"""The journal of a team: what is learned wakes the workers and tells the replicas, in the commit that keeps it."""

from collections.abc import Callable, Sequence

from darkroom.gateways import Gateway
from darkroom.images import ImageState, StoredImage
from darkroom.journal import Intent, Journal, Limit, Look, NewIntent, ReceiptOf, Verdict, image_rows, intent_rows
from darkroom.journal.database import Database, Session
from darkroom.journal.postgres import Postgres
from darkroom.predictions import Prediction
from darkroom.registry import ModelRegistry
from darkroom.work.receipts import receipts
from darkroom_server.team import outbox
from darkroom_server.team.account_rows import what_follows
from darkroom_server.team.tenants import GatewayAccount

OnChange = Callable[[Session, Intent], None]
_TRIED = """SELECT key FROM intents WHERE prediction_id = ? AND NOT EXISTS
    (SELECT 1 FROM images WHERE prediction_id = ? AND state = 'wanted' AND problem = '')"""


class TeamJournal(Journal):
    """`on_change` hears of each create that is claimed and of each prediction that was looked at; `wake` has an account
    watched, the one with this id.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], float],
        receipt_of: ReceiptOf,
        on_change: OnChange,
        wake: Callable[[Session, str], None],
    ) -> None:
        super().__init__(database, clock, receipt_of)
        self._on_change = on_change
        self._wake = wake

    async def claim(self, key: str, *, account: str = "", spending: Limit | None = None) -> bool:
        def work(session: Session) -> bool:
            is_ours = self._claimed(session, key, account, spending)
            if is_ours:
                self._on_change(session, intent_rows.get(session, key))
            return is_ours

        return await self._write(work)

    async def mark_known(self, key: str, prediction: Prediction, look: Look | None = None) -> Intent:
        return await self._change(lambda session: intent_rows.mark_known(session, key, prediction, self._at(look)))

    async def record(
        self, prediction: Prediction, look: Look | None = None, *, adopting: NewIntent | None = None
    ) -> Intent:
        return await self._change(lambda session: intent_rows.record(session, prediction, self._at(look), adopting))

    async def record_all(self, seen: Sequence[Prediction], look: Look) -> None:
        """Keep the last states of several in one commit; those that the journal does not know are left out."""

        def work(session: Session) -> None:
            ids = [prediction.id for prediction in seen]
            there = intent_rows.read_intents(session, f"WHERE prediction_id IN ({', '.join('?' * len(ids))})", ids)
            known = {intent.prediction_id: intent for intent in there}
            for prediction in seen:
                if before := known.pop(prediction.id, None):
                    self._on_change(session, intent_rows.see(session, prediction, self._at(look), before))

        await self._write(work)

    async def image_stored(self, image: StoredImage) -> None:
        def work(session: Session) -> None:
            image_rows.stored(session, image)
            _tell_if_tried(session, image.prediction_id)

        await self._write(work)

    async def _image_problem(self, prediction_id: str, index: int, state: ImageState, problem: str) -> None:
        def work(session: Session) -> None:
            image_rows.failed(session, prediction_id, index, state, problem)
            _tell_if_tried(session, prediction_id)

        await self._write(work)

    async def want_again(self, prediction_id: str) -> bool:
        def work(session: Session) -> bool:
            is_any = image_rows.want_again(session, prediction_id, self._clock())
            if is_any:
                intent = intent_rows.get(session, prediction_id)
                self._on_change(session, intent)
                self._wake(session, intent.account)  # which may be at rest
            return is_any

        return await self._write(work)

    async def settle(self, verdicts: Sequence[Verdict], look: Look | None = None) -> tuple[Intent, ...]:
        def work(session: Session) -> tuple[Intent, ...]:
            changed = intent_rows.settle(session, verdicts, self._at(look))
            for intent in changed:
                self._on_change(session, intent)
            return changed

        return await self._write(work)

    async def _change(self, work: Callable[[Session], Intent]) -> Intent:
        def heard(session: Session) -> Intent:
            intent = work(session)
            self._on_change(session, intent)
            return intent

        return await self._write(heard)


def _tell_if_tried(session: Session, prediction_id: str) -> None:
    """Once each of its images was tried, whoever waits hears of it in the same commit."""
    if row := session.execute(_TRIED, (prediction_id, prediction_id)).fetchone():
        outbox.tell(session, [row["key"]])


def journal_of(
    postgres: Postgres, registry: ModelRegistry, gateway: Gateway, account: GatewayAccount, principal: str
) -> TeamJournal:
    """The journal of one principal of the account's tenant, or with EVERYONE of all."""
    database = postgres.database(account.tenant, principal)
    follow = what_follows(account.tenant, account.id, postgres.clock)

    def wake(session: Session, id: str) -> None:
        outbox.wake(session, account.tenant, id, postgres.clock())

    return TeamJournal(database, postgres.clock, receipts(registry, gateway), follow, wake)
