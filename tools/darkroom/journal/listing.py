"""Lists of the journal: a stretch of time, what fits a filter, and what all that has cost. Everything here only reads.

A create stands at the time at which it was sent, as in the sums of the spending limit; one that was never sent, or was
looked up by its id, at the time of its row.
"""

import json
import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

from darkroom.journal import intent_rows
from darkroom.journal.database import AT, Database, Session
from darkroom.journal.records import Intent
from darkroom.journal.states import IntentState

_NEWEST_FIRST = f"ORDER BY {AT} DESC, key DESC LIMIT ?"
_BETWEEN = f"{AT} >= ? AND {AT} < ?"
# Of a prompt of megabytes only the beginning is searched.
_SAID = "substr(CASE WHEN is_adopted = 1 THEN input_shown ELSE request END, 1, 65536)"
_OPEN = "cost_usd IS NULL AND estimate_usd > 0 AND state IN ('sent', 'unknown', 'known') AND status_word <> 'aborted'"
_MONEY = f"""SELECT gateway, account, count(*) AS creates,
    coalesce(sum(cost_usd), 0) AS known_usd,
    coalesce(sum(CASE WHEN {_OPEN} AND has_bound = 1 THEN estimate_usd END), 0) AS at_most_usd,
    coalesce(sum(CASE WHEN {_OPEN} AND has_bound = 0 THEN estimate_usd END), 0) AS usually_usd,
    count(CASE WHEN {_OPEN} THEN 1 END) AS open_count,
    count(CASE WHEN cost_usd IS NULL AND estimate_usd IS NULL AND status_word <> 'aborted' THEN 1 END) AS unknown_count
    FROM (SELECT gateway, account, cost_usd, estimate_usd, state, has_bound, coalesce(status, '') AS status_word
        FROM intents WHERE {{where}} AND is_adopted = 0 AND state IN ('sent', 'unknown', 'known')) AS creates
    GROUP BY gateway, account ORDER BY gateway, account"""
# Sums over what was ordered here and may have cost something, to be grouped.
SUMS_OF_SPENT = f"""count(*) AS creates, coalesce(sum(cost_usd), 0) AS known_usd,
    coalesce(sum(CASE WHEN {_OPEN} THEN estimate_usd END), 0) AS open_usd
    FROM (SELECT *, coalesce(status, '') AS status_word FROM intents
        WHERE is_adopted = 0 AND state IN ('sent', 'unknown', 'known')) AS creates"""
# Quarters of an hour, of which every time zone's days are made; cut as SQLite and PostgreSQL both round.
_SPENT = f"""SELECT round({AT} / 900 - 0.499999) * 900 AS at, model, {SUMS_OF_SPENT}
    GROUP BY 1, model ORDER BY 1, model"""
_STATUS = "coalesce(nullif(status, ''), state)"
_WITH_FILE = f"""WHERE prediction_id IN (
    SELECT prediction_id FROM images WHERE location = ? OR raster_location = ? OR (sha256 = ? AND sha256 <> ''))
    ORDER BY {AT} DESC, key DESC LIMIT 10"""
_AT_ONCE = 1_000
_IN_ONE_STATEMENT = 500
_LOCATIONS = "SELECT location FROM images WHERE state = 'stored'"
_PROMPT = re.compile(r'"prompt":"((?:[^"\\]|\\u[0-9a-fA-F]{4}|\\[^u])*)')
_EVER = 1e18
_NEWEST = 100
_SUMS = ("creates", "known_usd", "at_most_usd", "usually_usd", "open_count", "unknown_count")


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """What the creates of one account took in a stretch of time, in US dollars.

    `known_usd` was charged as far as can be told; `at_most_usd` bounds those of `open_count` whose cost is not known
    yet, `usually_usd` is for those of them that have no bound; `unknown_count` have no price at all.
    """

    gateway: str
    account: str
    creates: int
    known_usd: float
    at_most_usd: float
    usually_usd: float
    open_count: int
    unknown_count: int

    def plus(self, other: "Money") -> "Money":
        """Both together, under the name of this one."""
        sums = {name: getattr(self, name) + getattr(other, name) for name in _SUMS}
        return replace(self, **sums)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """Rows, newest first, and how many there are with those that are not among them.

    `money` is what all those have cost by account, where that was looked for. `is_whole` False: the oldest rows of a
    very long journal were not searched.
    """

    rows: tuple[Intent, ...]
    found: int
    money: tuple[Money, ...] = ()
    is_whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What the creates of one model took in the quarter of an hour that began at `at` (seconds since the epoch).

    In US dollars: `known_usd` was charged as far as can be told, `open_usd` may be charged for what is not known yet.
    """

    at: float
    model: str
    creates: int
    known_usd: float
    open_usd: float


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


class Lists:
    """Every method raises JournalError where the database cannot be read."""

    def __init__(self, database: Database) -> None:
        self._read = database.read

    async def between(self, since: float, until: float, limit: int) -> Listed:
        """Rows of that time (seconds since the epoch, `until` left out), at most `limit` of them."""
        return await self._read(lambda session: _found(session, _BETWEEN, (since, until), limit))

    async def running(self, since: float) -> list[Intent]:
        """Predictions that have not ended, newest first, among the newest hundred rows since then."""
        rows = (await self.between(since, _EVER, _NEWEST)).rows
        return [row for row in rows if row.state is IntentState.KNOWN and row.ended_at is None]

    async def matching(self, wanted: Filter, limit: int, most_searched: float = math.inf) -> Listed:
        """What fits all of it, newest first, at most `limit` rows, with what they cost.

        Every word stands in the prompt, in any order and case, whole or as a part of one. Of prompts no more than about
        `most_searched`, the newest, are read.
        """
        where, values = _where(wanted)
        if not wanted.words:
            return await self._read(lambda session: _priced(session, where, values, limit))
        keys: list[str] = []
        place: tuple[float, str] | None = (_EVER, "")
        words = tuple(map(_folded, wanted.words))
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

    async def money(self, since: float, until: float) -> tuple[Money, ...]:
        """What was spent in that time, by account. What was only looked up here does not count."""
        return await self._read(lambda session: _money_of(session, _BETWEEN, (since, until)))

    async def spent(self) -> tuple[Spent, ...]:
        """What was spent at all times, oldest first. What was only looked up here does not count."""
        rows = await self._read(lambda session: session.execute(_SPENT).fetchall())
        return tuple(Spent(**{each.name: row[each.name] for each in fields(Spent)}) for row in rows)

    async def locations(self) -> frozenset[str]:
        """Where the saved images lie."""
        rows = await self._read(lambda session: session.execute(_LOCATIONS).fetchall())
        return frozenset(row["location"] for row in rows)


def _money_of(session: Session, where: str, values: Sequence[Any]) -> tuple[Money, ...]:
    """What the creates of a condition of ours took, by account."""
    rows = session.execute(_MONEY.format(where=where), values).fetchall()
    return tuple(Money(**{name: row[name] for name in ("gateway", "account", *_SUMS)}) for row in rows)


def _folded(text: str) -> str:
    """The form in which words are compared: without case, and composed in one way."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _holds(said: str, wanted: Sequence[str]) -> bool:
    """`said` is the beginning of a JSON object of ours, perhaps cut."""
    found = _PROMPT.search(said)
    prompt = _folded(json.loads(f'"{found[1]}"')) if found else ""
    return bool(found) and all(word in prompt for word in wanted)


def _where(wanted: Filter) -> tuple[str, list[Any]]:
    conditions = [_BETWEEN]
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
    rows = intent_rows.read_intents(session, f"WHERE {where} {_NEWEST_FIRST}", (*values, limit))
    count = session.execute(f"SELECT count(*) AS found FROM intents WHERE {where}", values).fetchone()["found"]
    return Listed(rows=rows, found=count)


def _priced(session: Session, where: str, values: Sequence[Any], limit: int) -> Listed:
    return replace(_found(session, where, values, limit), money=_money_of(session, where, values))


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
        SELECT key, {AT} AS at, {_SAID} AS said FROM intents
        WHERE {AT} <= ? AND ({AT}, key) < (?, ?) AND {where} {_NEWEST_FIRST}) AS told"""
    told = session.execute(statement, (*map(_part, plain), at, at, key, *values, _AT_ONCE)).fetchall()
    keys = [row["key"] for row in told if row["said"] and _holds(row["said"], words)]
    return keys, (told[-1]["at"], told[-1]["key"]) if len(told) == _AT_ONCE else None


def _of_keys(session: Session, keys: Sequence[str], limit: int) -> Listed:
    shares: dict[tuple[str, str], Money] = {}
    for start in range(0, len(keys), _IN_ONE_STATEMENT):
        some = keys[start : start + _IN_ONE_STATEMENT]
        for share in _money_of(session, f"key IN ({', '.join('?' * len(some))})", some):
            name = (share.gateway, share.account)
            shares[name] = shares[name].plus(share) if name in shares else share
    shown = keys[:limit]
    where = f"WHERE key IN ({', '.join('?' * len(shown))}) {_NEWEST_FIRST}"
    rows = intent_rows.read_intents(session, where, (*shown, limit)) if shown else ()
    return Listed(rows=rows, found=len(keys), money=tuple(shares.values()))
