"""What earlier processes left behind: ids that only a file holds, predictions that nobody watches."""

from darkroom.journal import Intent, Journal, Look, NewIntent
from darkroom.predictions import Prediction
from darkroom.work.accounts import Account
from darkroom.work.leases import Leases
from darkroom.work.paid_ids import PaidId, PaidIds


class Unfinished:
    """Finds it; the work watches it. `notices` gets sentences that a person should hear once."""

    def __init__(
        self, account: Account, journal: Journal, leases: Leases, paid_ids: PaidIds, notices: list[str]
    ) -> None:
        self._account = account
        self._journal = journal
        self._leases = leases
        self._paid_ids = paid_ids
        self._notices = notices

    async def restore_paid_ids(self, look: Look) -> None:
        """Write into the journal what earlier processes could not; a row that is lost is made anew."""
        for paid in await self._paid_ids.kept():
            prediction = Prediction(id=paid.prediction_id, model=paid.model)
            if await self._journal.find(paid.key):
                await self._journal.mark_known(paid.key, prediction, look)
            else:
                await self._journal.record(prediction, look, adopting=_place(paid))
            await self._paid_ids.drop(paid.key)

    async def unwatched(self, watched: frozenset[str]) -> list[Intent]:
        """Predictions of the gateway that nobody watches, soonest to expire first; `watched` are keys to pass over."""
        await self._account.is_here()
        away = await self._account.away()
        found: list[Intent] = []
        for intent in await self._journal.unfinished(self._account.origin):
            if intent.account in away:
                await self._tell_away(intent)
            elif intent.key not in watched and await self._leases.take(intent.key):
                found.append(intent)
        return found

    async def _tell_away(self, intent: Intent) -> None:
        words = (
            f"Prediction '{intent.prediction_id}' was made with another key of gateway '{intent.gateway}', which was "
            "not used for a day: what became of it is unknown. It is asked after again when that key is back."
        )
        if await self._journal.note_problem(intent.key, words):
            self._notices.append(words)


def _place(paid: PaidId) -> NewIntent:
    return NewIntent(
        gateway=paid.gateway,
        origin=paid.origin,
        account=paid.account,
        output_place=paid.output_place,
        model=paid.model,
        input={},
    )
