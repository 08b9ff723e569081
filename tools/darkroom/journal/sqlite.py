"""The journal on SQLite: which rows change together in one commit, and with which clock."""

import secrets
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from darkroom.images import ImageState, StoredImage
from darkroom.journal import codec, image_rows, intent_rows, lease_rows, spending_rows
from darkroom.journal.reconcile import Verdict
from darkroom.journal.records import Intent, NewIntent, Spending, SpendingLimit, Totals
from darkroom.predictions import Prediction

if TYPE_CHECKING:
    from sqlite3 import Connection

    from darkroom.journal.database import Database

# A known prediction without a stated expiry is taken to expire an hour after it became known.
_UNFINISHED = """WHERE origin = ? AND state = 'known' AND (ended_at IS NULL
    OR EXISTS (SELECT 1 FROM images WHERE prediction_id = intents.prediction_id AND state = 'wanted'))
    ORDER BY coalesce((SELECT min(expires_at) FROM images WHERE prediction_id = intents.prediction_id
    AND state = 'wanted'), known_at + 3600), rowid"""
_UNRESOLVED = """WHERE origin = ? AND (state IN ('sent', 'unknown') OR (state = 'absent' AND sent_at >= ?))
    ORDER BY sent_at, rowid"""
_SECONDS = """SELECT total_s FROM intents WHERE gateway = ? AND model = ? AND total_s IS NOT NULL
    ORDER BY ended_at DESC, rowid DESC LIMIT ?"""


class SqliteJournal:
    """`Journal` in one SQLite file, which several processes may share. Open it with `SqliteJournal.open`."""

    def __init__(
        self, database: "Database", clock: Callable[[], float] = time.time, warnings: tuple[str, ...] = ()
    ) -> None:
        self._database = database
        self._clock = clock
        self._warnings = warnings
        # Names our own claims, so that a late answer cannot undo the claim of another process.
        self._claimed_by = secrets.token_hex(8)

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path, clock: Callable[[], float] = time.time) -> AsyncGenerator["SqliteJournal", None]:
        """Open or create the file. `clock` gives seconds since the epoch.

        Raises: JournalError where it cannot be written, or is of a newer darkroom.
        """
        import anyio.to_thread

        from darkroom.journal.database import Database, open_database

        connection, warnings = await anyio.to_thread.run_sync(open_database, path, clock)
        database = Database(connection)
        try:
            yield cls(database, clock, warnings)
        finally:
            await database.close()

    @property
    def warnings(self) -> tuple[str, ...]:
        return self._warnings

    async def intend(self, new: NewIntent, *, spending: SpendingLimit | None = None) -> Intent:
        return (await self.intend_all([new], spending=spending))[0]

    async def intend_all(
        self, wanted: Sequence[NewIntent], *, spending: SpendingLimit | None = None
    ) -> tuple[Intent, ...]:
        now = self._clock()
        return await self._database.write(
            lambda connection: tuple([_intend(connection, new, spending, now) for new in wanted])
        )

    async def claim(self, key: str, *, spending: SpendingLimit | None = None) -> bool:
        def work(connection: "Connection") -> bool:
            now = self._clock()
            if not intent_rows.claim(connection, key, self._claimed_by, now):
                return False
            estimate_usd = intent_rows.get(connection, key).estimate_usd
            spending_rows.refuse_beyond(connection, spending, estimate_usd, now, key)
            return True

        return await self._database.write(work)

    async def mark_known(self, key: str, prediction: Prediction, *, cost_usd: float | None = None) -> Intent:
        return await self._database.write(
            lambda connection: intent_rows.mark_known(connection, key, prediction, self._clock(), cost_usd)
        )

    async def mark_refused(self, key: str, reason: str) -> bool:
        return await self._database.write(
            lambda connection: intent_rows.mark_refused(connection, key, self._claimed_by, reason)
        )

    async def mark_unknown(self, key: str, reason: str) -> bool:
        return await self._database.write(lambda connection: intent_rows.mark_unknown(connection, key, reason))

    async def mark_absent(self, key: str, *, tries: int) -> bool:
        return await self._database.write(lambda connection: intent_rows.mark_absent(connection, key, tries))

    async def settle(self, verdicts: Sequence[Verdict]) -> tuple[Intent, ...]:
        return await self._database.write(lambda connection: intent_rows.settle(connection, verdicts, self._clock()))

    async def record(
        self, prediction: Prediction, *, gateway: str = "", origin: str = "", cost_usd: float | None = None
    ) -> Intent:
        return await self._database.write(
            lambda connection: intent_rows.record(connection, prediction, self._clock(), gateway, origin, cost_usd)
        )

    async def find(self, id_or_key: str) -> Intent | None:
        return await self._database.read(lambda connection: intent_rows.find(connection, id_or_key))

    async def by_request(self, request_id: str) -> tuple[Intent, ...]:
        return await self._database.read(lambda connection: _by_request(connection, request_id))

    async def latest(self) -> Intent | None:
        found = await self._select("WHERE is_adopted = 0 ORDER BY intended_at DESC, rowid DESC LIMIT 1", ())
        return found[0] if found else None

    async def history(self, limit: int = 20, before: str = "") -> tuple[Intent, ...]:
        newest_first = "ORDER BY intended_at DESC, rowid DESC LIMIT ?"
        if not before:
            return await self._select(newest_first, (limit,))
        older = "(intended_at, rowid) < (SELECT intended_at, rowid FROM intents WHERE key = ?)"
        return await self._select(f"WHERE {older} {newest_first}", (before, limit))

    async def unresolved(self, origin: str, *, absent_s: float = 0) -> tuple[Intent, ...]:
        since = self._clock() - absent_s if absent_s else float("inf")
        return await self._select(_UNRESOLVED, (origin, since))

    async def known_ids(self, origin: str) -> frozenset[str]:
        def work(connection: "Connection") -> frozenset[str]:
            rows = connection.execute(
                "SELECT prediction_id FROM intents WHERE origin IN (?, '') AND prediction_id IS NOT NULL AND is_adopted = 0",
                (origin,),
            )
            return frozenset(row[0] for row in rows)

        return await self._database.read(work)

    async def unfinished(self, origin: str) -> tuple[Intent, ...]:
        return await self._select(_UNFINISHED, (origin,))

    async def seconds(self, gateway: str, model: str, limit: int = 50) -> tuple[float, ...]:
        return await self._database.read(
            lambda connection: tuple(row[0] for row in connection.execute(_SECONDS, (gateway, model, limit)))
        )

    async def want_images(
        self, prediction_id: str, urls: Sequence[str], expires_at: datetime | None
    ) -> tuple[StoredImage, ...]:
        return await self._database.write(
            lambda connection: image_rows.want(connection, prediction_id, urls, expires_at)
        )

    async def image_stored(self, image: StoredImage) -> None:
        await self._database.write(lambda connection: image_rows.stored(connection, image))

    async def image_failed(self, prediction_id: str, index: int, problem: str) -> None:
        await self._image_problem(prediction_id, index, ImageState.WANTED, problem)

    async def image_expired(self, prediction_id: str, index: int, problem: str) -> None:
        await self._image_problem(prediction_id, index, ImageState.EXPIRED, problem)

    async def lease(self, id_or_key: str, owner: str, lease_s: float) -> int | None:
        return await self._database.write(
            lambda connection: lease_rows.take(connection, id_or_key, owner, self._clock(), lease_s)
        )

    async def renew(self, id_or_key: str, token: int, lease_s: float) -> bool:
        return await self._database.write(
            lambda connection: lease_rows.renew(connection, id_or_key, token, self._clock(), lease_s)
        )

    async def release(self, id_or_key: str, token: int) -> None:
        await self._database.write(lambda connection: lease_rows.release(connection, id_or_key, token))

    async def spent_usd(self, since: float) -> Spending:
        return await self._database.read(lambda connection: spending_rows.spent(connection, since, self._clock()))

    async def totals(self, since: float = 0) -> Totals:
        return await self._database.read(lambda connection: spending_rows.totals(connection, since, self._clock()))

    async def _select(self, rest: str, values: tuple[object, ...]) -> tuple[Intent, ...]:
        return await self._database.read(lambda connection: intent_rows.select(connection, rest, values))

    async def _image_problem(self, prediction_id: str, index: int, state: ImageState, problem: str) -> None:
        await self._database.write(
            lambda connection: image_rows.failed(connection, prediction_id, index, state, problem)
        )


def _intend(connection: "Connection", new: NewIntent, spending: SpendingLimit | None, now: float) -> Intent:
    if new.request_id and (there := _by_request(connection, new.request_id, new.part)):
        return there[0]
    spending_rows.refuse_beyond(connection, spending, new.estimate_usd, now)
    return intent_rows.insert(connection, new, now)


def _by_request(connection: "Connection", request_id: str, part: int | None = None) -> tuple[Intent, ...]:
    rest = "WHERE request_id = ? AND request_id <> '' AND coalesce(?, part) = part ORDER BY part"
    return intent_rows.select(connection, rest, (codec.storable(request_id), part))
