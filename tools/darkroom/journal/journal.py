"""The journal as the rest of darkroom uses it: which rows change together in one transaction, and by which clock."""

import secrets
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from pydantic import JsonValue

from darkroom.images import ImageState, StoredImage
from darkroom.journal import account_rows, answers, image_rows, intent_rows, selections, spending_rows, turns
from darkroom.journal.database import Database, Session
from darkroom.journal.listing import Lists
from darkroom.journal.rates import Queued, Rates, Turn
from darkroom.journal.reconcile import Verdict
from darkroom.journal.records import Call, Intent, Left, Limit, Look, NewIntent, ReceiptOf, Spending, Totals, Written
from darkroom.journal.states import SENDABLE, IntentState
from darkroom.predictions import Prediction


class Journal:
    """The durable record of intents, predictions and images; several processes may share its database.

    `clock` gives seconds since the epoch; `receipt_of` is asked in the commit that writes an end down. `warnings` is
    what the person should hear about how it was opened. `lists` reads many rows, `answers` marks which calls got their
    answer, `rates` bounds requests. Every method raises JournalError as the database does.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], float],
        receipt_of: ReceiptOf | None = None,
        warnings: tuple[str, ...] = (),
    ) -> None:
        self._write, self._read = database.write, database.read
        self.lists = Lists(database)
        self.rates = Rates(database, clock)
        self._clock = clock
        self._look = Look(now=0.0, receipt_of=receipt_of) if receipt_of else Look(now=0.0)
        self.warnings = warnings
        self.answers = answers.Answers(database, clock)
        self._claimed_by = secrets.token_hex(8)  # so that a late answer cannot undo the claim of another process

    async def intend(
        self,
        wanted: Sequence[NewIntent],
        *,
        spending: Limit | None = None,
        call: Call | None = None,
        turn: Turn | None = None,
    ) -> Written:
        """Write all parts of one request down, in one commit with their reservation of money, or none.

        In the same commit those are claimed whose `turn` has come. Where the request_id was used before, or `call`
        joins an earlier one, its parts, and none is claimed. Raises: SpendingRefused.
        """

        def work(session: Session) -> Written:
            if there := intent_rows.by_request(session, wanted[0].request_id):
                return Written(there)
            if call and (earlier := answers.join(session, call, self._clock())):
                return Written(earlier)
            now, written, claimed = self._clock(), list[Intent](), set[str]()
            for number, new in enumerate(wanted):
                spending_rows.refuse_beyond(session, spending, new.estimate_usd, now)
                written.append(intent_rows.insert(session, new, now + number * 1e-6))  # so that they keep their order
            answers.note_left(session, wanted[0].request_id, call)
            for number, row in enumerate(written):
                if turn and turn.taken(session, now) == 0 and self._claimed(session, row, row.account, row.intended_at):
                    written[number] = replace(row, state=IntentState.SENT, sent_at=row.intended_at, tries=1)
                    claimed.add(row.key)
            return Written(tuple(written), frozenset(claimed))

        return await self._write(work)

    async def claim(
        self, key: str, *, account: str = "", spending: Limit | None = None, turn: Turn | None = None
    ) -> bool | Queued:
        """Take the right to send with this account: True for exactly one caller, once `sent` is on the disk.

        False: another process has it, or it is unresolved or known. A `turn` is taken in the same commit, and has to
        come first. The limit is checked again: a refused or old intent holds no reservation. Raises: SpendingRefused.
        """

        def work(session: Session) -> bool | Queued:
            now, intent = self._clock(), intent_rows.find(session, key)
            if turn and (pause_s := turn.taken(session, now)) != 0:
                return Queued(pause_s)
            if intent is None or intent.state not in SENDABLE:
                return False
            spending_rows.refuse_beyond(session, spending, intent.estimate_usd, now, intent)
            return self._claimed(session, intent, account, now)

        return await self._write(work)

    def _claimed(self, session: Session, intent: Intent, account: str, now: float) -> bool:
        if is_ours := intent_rows.claim(session, intent.key, self._claimed_by, account, now):
            self._on_claim(session, replace(intent, state=IntentState.SENT))
        return is_ours

    def _on_claim(self, session: Session, intent: Intent) -> None: ...

    async def mark_known(self, key: str, prediction: Prediction, look: Look | None = None) -> Intent:
        """The create has this prediction. Allowed from every state, since a paid prediction is never dropped.

        Gives the intent that holds the prediction: a new one where `key` has another prediction already, an equal one
        where reconciliation has given it this prediction before.
        """
        return await self._write(lambda session: intent_rows.mark_known(session, key, prediction, self._at(look)))

    async def mark_refused(self, key: str, reason: str) -> bool:
        """The attempt that this journal object claimed was not carried out. False: it is not ours any more."""
        return await self._write(lambda session: intent_rows.mark_refused(session, key, self._claimed_by, reason))

    async def release(self, key: str, reason: str) -> bool:
        """The same, while the attempt is soon repeated: until then it stands as one that is about to be sent."""
        return await self._write(lambda session: intent_rows.release(session, key, self._claimed_by, reason))

    async def amend(self, key: str, version: str, input: Mapping[str, JsonValue], seed: int | None) -> bool:
        """Give what the gateway has refused another version and input, for another try. False: it is not refused."""
        return await self._write(lambda session: intent_rows.amend(session, key, version, input, seed))

    async def mark_unknown(self, key: str, reason: str, request_id: str = "") -> bool:
        """The attempt, which the gateway may have named, may have been carried out; only reconciliation settles it."""
        return await self._write(lambda session: intent_rows.mark_unknown(session, key, reason, request_id))

    async def settle(self, verdicts: Sequence[Verdict], look: Look | None = None) -> tuple[Intent, ...]:
        """Apply what `reconcile.match` found, in one commit; gives the intents that changed."""
        return await self._write(lambda session: intent_rows.settle(session, verdicts, self._at(look)))

    async def record(
        self, prediction: Prediction, look: Look | None = None, *, adopting: NewIntent | None = None
    ) -> Intent:
        """Keep the last state seen; an end is never overwritten by an earlier state or by removed data.

        At `succeeded` its outputs become wanted images in the same commit. An id that is not in the journal is adopted:
        `adopting` names its gateway, origin, account and output place.
        """
        return await self._write(lambda session: intent_rows.record(session, prediction, self._at(look), adopting))

    async def note_problem(self, id_or_key: str, problem: str) -> bool:
        """Note a fault met while working on this row ("" takes it away). False where it was noted already."""
        return await self._write(lambda session: intent_rows.note_problem(session, id_or_key, problem))

    async def find(self, id_or_key: str) -> Intent | None:
        return await self._read(lambda session: intent_rows.find(session, id_or_key))

    async def standing(self, keys: Sequence[str], limit: Limit | None) -> tuple[dict[str, Intent], Left | None]:
        """The rows of these, by key, and what the limit leaves of its day, both of one moment."""

        def work(session: Session) -> tuple[dict[str, Intent], Left | None]:
            rows = intent_rows.by_keys(session, keys)
            return {row.key: row for row in rows}, limit.left(session, self._clock()) if limit else None

        return await self._read(work)

    async def by_request(self, request_id: str) -> tuple[Intent, ...]:
        """All parts of one request, in order."""
        return await self._read(lambda session: intent_rows.by_request(session, request_id))

    async def latest(self, conversation: str = "") -> Intent | None:
        """The newest intent of ours, of this conversation where it has one, whatever became of it."""
        if conversation and (mine := await self._select(selections.OF_CONVERSATION, conversation, 1)):
            return mine[0]
        return next(iter(await self._select(f"WHERE is_adopted = 0 {selections.NEWEST_FIRST}", 1)), None)

    async def history(self, limit: int = 20, before: str = "") -> tuple[Intent, ...]:
        """Newest first; `before` is the key of the last one seen."""
        older = (f"{selections.OLDER} {selections.NEWEST_FIRST}", before) if before else (selections.NEWEST_FIRST,)
        return await self._select(*older, limit)

    async def unresolved(self, origin: str) -> tuple[Intent, ...]:
        """Sent and unknown intents of a gateway, oldest first."""
        return await self._select(selections.UNRESOLVED, origin)

    async def absent(self, origin: str, within_s: float) -> tuple[Intent, ...]:
        """Intents sent that many seconds ago or less and settled absent: a list may lag beyond the settle time."""
        return await self._select(selections.ABSENT, origin, self._clock() - within_s)

    async def known_ids(self, origin: str, since: float) -> frozenset[str]:
        """The prediction ids of that gateway that intents of ours have got since then, for `reconcile.match`."""
        return await self._read(lambda session: intent_rows.known_ids(session, origin, since))

    async def unfinished(self, origin: str) -> tuple[Intent, ...]:
        """Known predictions that have not ended or have wanted images, soonest to expire first."""
        return await self._select(selections.UNFINISHED, origin, origin)

    async def seconds(self, gateway: str, model: str, limit: int = 50) -> tuple[float, ...]:
        """Seconds from create to done of the newest succeeded predictions, newest first."""
        rows = await self._read(lambda session: session.execute(selections.SECONDS, (gateway, model, limit)).fetchall())
        return tuple(row["total_s"] for row in rows)

    async def image_stored(self, image: StoredImage) -> Intent | None:
        """The file is safe; a data URI in `url` is shortened from now on. Gives the row with it, where that is read."""
        return await self._write(lambda session: intent_rows.image_stored(session, image))

    async def image_problem(self, prediction_id: str, index: int, state: ImageState, problem: str) -> None:
        """Why it is not stored: not yet (WANTED), its link died first (EXPIRED), or for good (REFUSED)."""
        await self._write(lambda session: image_rows.failed(session, prediction_id, index, state, problem))

    async def want_again(self, prediction_id: str) -> bool:
        """Want what was refused and whose link may still live. True where there was any."""
        return await self._write(lambda session: image_rows.want_again(session, prediction_id, self._clock()))

    async def want_all_again(self, origin: str) -> None:
        """The same for all predictions of a gateway: a setting may have changed since."""
        if await self._read(lambda session: image_rows.has_refused(session, origin, self._clock())):
            await self._write(lambda session: image_rows.want_all_again(session, origin, self._clock()))

    async def lease(self, key: str, owner: str, lease_s: float) -> bool:
        """Keep others from following it for so long (0 gives it back); False where another owner holds a lease."""
        return await self._write(lambda session: turns.lease(session, key, owner, lease_s, self._clock()))

    async def take_turn(self, name: str, every_s: float) -> bool:
        """Take the right to do something now; False where a process of this journal has done so within `every_s`."""
        return await self._write(lambda session: turns.take(session, name, every_s, self._clock()))

    async def account(self, origin: str, key: str) -> str:
        """The account of this key at this gateway, noted as being here now: a keyed hash, "" without a key."""
        return await self._write(lambda session: account_rows.here(session, origin, key, self._clock()))

    async def known_account(self, origin: str, key: str, within_s: float) -> str | None:
        """The same where it was noted within so many seconds. It waits for nobody who writes."""
        return await self._read(lambda session: account_rows.known(session, origin, key, self._clock() - within_s))

    async def account_name(self, account: str) -> str:
        """The gateway's own name of the account, "" while it was never asked."""
        return await self._read(lambda session: account_rows.name_of(session, account))

    async def name_account(self, account: str, name: str) -> None:
        await self._write(lambda session: account_rows.name(session, account, name))

    async def same_accounts(self, account: str) -> frozenset[str]:
        """This account under all the keys that it has had here, and "" for old rows."""
        return await self._read(lambda session: account_rows.same_as(session, account))

    async def accounts_away(self, origin: str, for_s: float) -> frozenset[str]:
        """Accounts of the gateway whose keys were not here for so long."""
        return await self._read(lambda session: account_rows.away(session, origin, self._clock() - for_s))

    async def bill(self, key: str, usd: float, note: str = "") -> None:
        """The gateway's own log says what it took for this create."""
        await self._write(lambda session: spending_rows.bill(session, key, usd, note))

    async def note_cost(self, key: str, note: str, *, is_absent: bool = False) -> None:
        """Say what is in doubt about its cost, while no bill is known; `is_absent`: it reserves nothing any more."""
        noted = spending_rows.call_unbilled if is_absent else spending_rows.note
        await self._write(lambda session: noted(session, key, note))

    async def last_bill(self, origin: str, model: str) -> float | None:
        """What the gateway took last for one image of this model, in US dollars."""
        return await self._read(lambda session: spending_rows.last_bill(session, origin, model))

    async def sent_since(self, origin: str, account: str, since: float) -> tuple[Intent, ...]:
        """Creates of this account that may be in the gateway's log, billed ones only beside others, oldest first."""
        return await self._select(spending_rows.SENT_SINCE, *(origin, since) * 3, account)

    async def remember_token_log(self, account: str, has_one: bool) -> None:
        """Whether the gateway keeps a log for this account's key."""
        await self._write(lambda session: account_rows.remember_token_log(session, account, has_one))

    async def has_token_log(self, account: str) -> bool | None:
        """None where it was never asked."""
        return await self._read(lambda session: account_rows.has_token_log(session, account))

    async def spent_usd(self, since: float) -> Spending:
        return await self._read(lambda session: spending_rows.spent(session, since, self._clock()))

    async def totals(self) -> Totals:
        return await self._read(spending_rows.totals)

    def _at(self, look: Look | None) -> Look:
        return replace(look or self._look, now=self._clock(), receipt_of=self._look.receipt_of)

    async def _select(self, rest: str, *values: object) -> tuple[Intent, ...]:
        return await self._read(lambda session: intent_rows.read_intents(session, rest, values))


@asynccontextmanager
async def open_journal(
    path: Path, clock: Callable[[], float] = time.time, receipt_of: ReceiptOf | None = None
) -> AsyncGenerator[Journal]:
    """Open or create the journal in one SQLite file. `clock` gives seconds since the epoch.

    Raises: JournalError where it cannot be opened, or is of a newer darkroom. That it can be written shows later.
    """
    import anyio.to_thread

    from darkroom.journal.sqlite import SqliteDatabase, open_database

    connection, warnings = await anyio.to_thread.run_sync(open_database, path, clock)
    database = SqliteDatabase(connection)
    try:
        yield Journal(database, clock, receipt_of, warnings)
    finally:
        await database.close()
