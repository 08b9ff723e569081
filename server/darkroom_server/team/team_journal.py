"""The journal of a team: what is learned wakes the workers and tells the replicas, in the commit that keeps it."""

from collections.abc import Callable, Sequence
from functools import partial

from darkroom.gateways import Gateway
from darkroom.images import ImageState, StoredImage
from darkroom.journal import Intent, IntentState, Journal, Look, NewIntent, Verdict, image_rows, intent_rows
from darkroom.journal.database import Session
from darkroom.journal.postgres import Postgres
from darkroom.predictions import Prediction
from darkroom.registry import ModelRegistry
from darkroom.work.receipts import receipts
from darkroom_server.team import outbox
from darkroom_server.team.ends import ends
from darkroom_server.team.image_notes import ImageNotes
from darkroom_server.team.recent import Recent
from darkroom_server.team.tenants import GatewayAccount

_WANTING = """WHERE prediction_id IN ({}) AND EXISTS
    (SELECT 1 FROM images WHERE images.prediction_id = intents.prediction_id AND state = 'wanted')"""


class TeamJournal(Journal):
    """That of one principal of the account's tenant, or with EVERYONE of all.

    What it has learned of a model is kept for some seconds.
    """

    def __init__(
        self, postgres: Postgres, registry: ModelRegistry, gateway: Gateway, account: GatewayAccount, principal: str
    ) -> None:
        self._tenant, self._account = account.tenant, account.id
        database = postgres.database(account.tenant, principal)
        super().__init__(database, postgres.clock, receipts(registry, gateway))
        self._notes = ImageNotes(database)
        self._learned = Recent(lambda: 0)

    def _on_claim(self, session: Session, intent: Intent) -> None:
        self._follow(session, [intent], self._clock())

    def _follow(self, session: Session, intents: Sequence[Intent], now: float) -> None:
        """What the commit that changes some rows sets going, given them and its time.

        A create that is sent wakes the account; ends have their images brought home and are told to the replicas.
        """
        if any(intent.state is IntentState.SENT for intent in intents):
            outbox.wake(session, self._tenant, self._account, self._clock())
        ended = [intent for intent in intents if intent.ended_at is not None]
        wanting = [intent for intent in ended if any(each.state is ImageState.WANTED for each in intent.images)]
        is_new = all(intent.ended_at == now for intent in wanting)
        in_hand = set[str]() if is_new else outbox.in_hand(session, self._tenant)
        left = [intent.prediction_id for intent in wanting if intent.prediction_id not in in_hand]
        outbox.bring_home(session, self._tenant, self._account, left)
        outbox.tell(session, [intent.key for intent in ended])

    async def mark_known(self, key: str, prediction: Prediction, look: Look | None = None) -> Intent:
        return await self._change(lambda session, at: intent_rows.mark_known(session, key, prediction, at), look)

    async def mark_refused(self, key: str, reason: str) -> bool:
        if is_ours := await super().mark_refused(key, reason):
            ends().refused()
        return is_ours

    async def record(
        self, prediction: Prediction, look: Look | None = None, *, adopting: NewIntent | None = None
    ) -> Intent:
        return await self._change(lambda session, at: intent_rows.record(session, prediction, at, adopting), look)

    async def record_all(self, seen: Sequence[Prediction], look: Look) -> None:
        """Keep the last states of several in one commit; those that the journal does not know are left out."""
        await self._change_all(lambda session, at: intent_rows.see_all(session, seen, at), look)

    async def seconds(self, gateway: str, model: str, limit: int = 50) -> tuple[float, ...]:
        return await self._learned.get((gateway, model, limit), partial(super().seconds, gateway, model, limit))

    async def last_bill(self, origin: str, model: str) -> float | None:
        read = partial(super().last_bill, origin, model)

        async def ask() -> tuple[float | None]:
            return (await read(),)

        return (await self._learned.get((origin, model), ask))[0]

    async def wanting(self, prediction_ids: Sequence[str]) -> tuple[Intent, ...]:
        """Those of them that have an image which is wanted."""
        return await self._select(_WANTING.format(", ".join("?" * len(prediction_ids))), *prediction_ids)

    async def image_stored(self, image: StoredImage) -> None:
        await self._notes.write(image.prediction_id, lambda session: image_rows.stored(session, image))

    async def image_problem(self, prediction_id: str, index: int, state: ImageState, problem: str) -> None:
        await self._notes.write(
            prediction_id, lambda session: image_rows.failed(session, prediction_id, index, state, problem)
        )

    async def want_again(self, prediction_id: str) -> bool:
        def work(session: Session) -> bool:
            is_any = image_rows.want_again(session, prediction_id, self._clock())
            if is_any:
                intent = intent_rows.get(session, prediction_id)
                self._follow(session, [intent], self._clock())
                outbox.wake(session, self._tenant, intent.account, self._clock())  # it may be at rest
            return is_any

        return await self._write(work)

    async def settle(self, verdicts: Sequence[Verdict], look: Look | None = None) -> tuple[Intent, ...]:
        return await self._change_all(lambda session, at: intent_rows.settle(session, verdicts, at), look)

    async def _change(self, work: Callable[[Session, Look], Intent], look: Look | None) -> Intent:
        (intent,) = await self._change_all(lambda session, at: (work(session, at),), look)
        return intent

    async def _change_all(
        self, work: Callable[[Session, Look], tuple[Intent, ...]], look: Look | None
    ) -> tuple[Intent, ...]:
        """Do the work as of now, and say what has become of each intent that it gives."""

        def heard(session: Session) -> tuple[tuple[Intent, ...], float]:
            at = self._at(look)
            changed = work(session, at)
            self._follow(session, changed, at.now)
            return changed, at.now

        changed, now = await self._write(heard)
        for intent in changed:
            if intent.ended_at == now:  # the time of this very look: it has ended in this commit
                ends().ended(intent)
            elif intent.state is IntentState.ABSENT:
                ends().lost()
        return changed
