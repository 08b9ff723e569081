"""Looking for rows by time, model, status and words of the prompt at once, and what all that were found have cost.

For who looks back: without an index for each wish it reads all rows of that stretch of time.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from darkroom.journal import intent_rows
from darkroom.journal.database import AT, Session
from darkroom.journal.listing import NEWEST_FIRST, SAID, Listed, Lists, Money, folded, holds, money_of
from darkroom.journal.records import Intent

_EVER = 1e18
_STATUS = "coalesce(nullif(status, ''), state)"
_WITH_FILE = f"""WHERE prediction_id IN (
    SELECT prediction_id FROM images WHERE location = ? OR raster_location = ? OR (sha256 = ? AND sha256 <> ''))
    ORDER BY {AT} DESC, key DESC LIMIT 10"""
_AT_ONCE = 1_000
_IN_ONE_STATEMENT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What is looked for: seconds since the epoch (`until` left out), a part of the model's name, statuses, words.

    A status is that of the prediction, or the state of a create that has none.
    """

    since: float = -_EVER
    until: float = _EVER
    model: str = ""
    statuses: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def is_everything(self) -> bool:
        return self == Filter()


class Searching(Lists):
    """Lists, and what takes longer. Every method raises JournalError where the database cannot be read."""

    async def matching(self, wanted: Filter, limit: int, most_searched: float = math.inf) -> Listed:
        """What fits all of it, newest first, at most `limit` rows, with what they cost.

        Every word stands in the prompt, in any order and case, whole or as a part of one. Of prompts no more than about
        `most_searched`, the newest, are read.
        """
        where, values = _where(wanted)
        if not wanted.words:
            return await self._read(lambda session: _found(session, where, values, limit))
        keys: list[str] = []
        place: tuple[float, str] | None = (_EVER, "")
        words = tuple(map(folded, wanted.words))
        searched = 0
        while place and searched < most_searched:
            # In pieces, so that whoever writes need not wait for the end of a long search.
            page, place = await self._read(partial(_page, where, values, words, place))
            keys += page
            searched += _AT_ONCE
        found = await self._read(lambda session: _of_keys(session, keys, limit))
        return replace(found, is_whole=place is None)

    async def with_file(self, location: str, sha256: str) -> tuple[Intent, ...]:
        """Rows with an image that lies there, or has this content, newest first."""
        return await self._read(
            lambda session: intent_rows.read_intents(session, _WITH_FILE, (location, location, sha256))
        )


def _where(wanted: Filter) -> tuple[str, list[Any]]:
    conditions = [f"{AT} >= ?", f"{AT} < ?"]
    values: list[Any] = [wanted.since, wanted.until]
    if wanted.model:
        conditions.append("lower(model) LIKE ? ESCAPE '!'")
        values.append(_part(wanted.model))
    if wanted.statuses:
        conditions.append(f"{_STATUS} IN ({', '.join('?' * len(wanted.statuses))})")
        values += wanted.statuses
    return " AND ".join(conditions), values


def _part(text: str) -> str:
    """A LIKE pattern for what holds this text."""
    for special in "!%_":
        text = text.replace(special, f"!{special}")
    return f"%{text.lower()}%"


def _found(session: Session, where: str, values: Sequence[Any], limit: int) -> Listed:
    rows = intent_rows.read_intents(session, f"WHERE {where} {NEWEST_FIRST}", (*values, limit))
    count = session.execute(f"SELECT count(*) AS found FROM intents WHERE {where}", values).fetchone()["found"]
    return Listed(rows=rows, found=count, money=money_of(session, where, values))


def _page(
    where: str, values: Sequence[Any], words: Sequence[str], place: tuple[float, str], session: Session
) -> tuple[list[str], tuple[float, str] | None]:
    """Keys of the next rows whose prompt holds every word, and where to go on.

    Plain words are looked for by the database first; a prompt with escaped letters is always read.
    """
    plain = [word for word in words if word.isascii() and word.isalnum()]
    hints = "".join(" AND (lower(said) LIKE ? ESCAPE '!' OR said LIKE '%\\u%' ESCAPE '!')" for _ in plain)
    at, key = place
    statement = f"""SELECT key, at, CASE WHEN 1 = 1{hints} THEN said ELSE '' END AS said FROM (
        SELECT key, {AT} AS at, {SAID} AS said FROM intents
        WHERE {AT} <= ? AND ({AT}, key) < (?, ?) AND {where} {NEWEST_FIRST}) AS told"""
    told = session.execute(statement, (*map(_part, plain), at, at, key, *values, _AT_ONCE)).fetchall()
    keys = [row["key"] for row in told if row["said"] and holds(row["said"], words)]
    return keys, (told[-1]["at"], told[-1]["key"]) if len(told) == _AT_ONCE else None


def _of_keys(session: Session, keys: Sequence[str], limit: int) -> Listed:
    shares: dict[tuple[str, str], Money] = {}
    for start in range(0, len(keys), _IN_ONE_STATEMENT):
        some = keys[start : start + _IN_ONE_STATEMENT]
        for share in money_of(session, f"key IN ({', '.join('?' * len(some))})", some):
            name = (share.gateway, share.account)
            shares[name] = shares[name].plus(share) if name in shares else share
    shown = keys[:limit]
    where = f"WHERE key IN ({', '.join('?' * len(shown))}) {NEWEST_FIRST}"
    rows = intent_rows.read_intents(session, where, (*shown, limit)) if shown else ()
    return Listed(rows=rows, found=len(keys), money=tuple(shares.values()))
