"""Lists of the journal: a stretch of time, words of a prompt, and what a day has cost. Everything here only reads.

A create stands at the time at which it was sent, as in the sums of the spending limit; one that was never sent, or was
looked up by its id, at the time of its row.
"""

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

from darkroom.journal import intent_rows
from darkroom.journal.database import AT, Database, Session
from darkroom.journal.records import Intent

NEWEST_FIRST = f"ORDER BY {AT} DESC, key DESC LIMIT ?"
_BETWEEN = f"WHERE {AT} >= ? AND {AT} < ?"
_COUNT = f"SELECT count(*) AS found FROM intents {_BETWEEN}"
# Of a prompt of megabytes only the beginning is searched.
SAID = "substr(CASE WHEN is_adopted = 1 THEN input_shown ELSE request END, 1, 65536)"
_SAID = f"""SELECT key, {AT} AS at, {SAID} AS said
    FROM intents WHERE {AT} <= ? AND ({AT}, key) < (?, ?) {NEWEST_FIRST}"""
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
_LOCATIONS = "SELECT location FROM images WHERE state = 'stored'"
_PROMPT = re.compile(r'"prompt":"((?:[^"\\]|\\u[0-9a-fA-F]{4}|\\[^u])*)')
_SUMS = ("creates", "known_usd", "at_most_usd", "usually_usd", "open_count", "unknown_count")
_AFTER_ALL = 1e18
_AT_ONCE = 500
MOST_SEARCHED = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """Rows, newest first, and how many there are with those that are not among them.

    `is_whole` False: the oldest rows of a very long journal were not searched.
    """

    rows: tuple[Intent, ...]
    found: int
    is_whole: bool = True


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
class Spent:
    """What the creates of one model took in the quarter of an hour that began at `at` (seconds since the epoch).

    In US dollars: `known_usd` was charged as far as can be told, `open_usd` may be charged for what is not known yet.
    """

    at: float
    model: str
    creates: int
    known_usd: float
    open_usd: float


class Lists:
    """Every method raises JournalError where the database cannot be read."""

    def __init__(self, database: Database) -> None:
        self._read = database.read

    async def between(self, since: float, until: float, limit: int) -> Listed:
        """Rows of that time (seconds since the epoch, `until` left out), at most `limit` of them."""

        def work(session: Session) -> Listed:
            rows = intent_rows.read_intents(session, f"{_BETWEEN} {NEWEST_FIRST}", (since, until, limit))
            return Listed(rows=rows, found=session.execute(_COUNT, (since, until)).fetchone()["found"])

        return await self._read(work)

    async def with_words(self, words: Sequence[str], limit: int) -> Listed:
        """Rows whose prompt holds every word, in any order and case, as a whole word or a part of one."""
        wanted = tuple(map(folded, words))
        keys: list[str] = []
        place, searched = (_AFTER_ALL, ""), 0
        while searched < MOST_SEARCHED:
            # In pieces, so that whoever writes need not wait for the end of a long search.
            page = await self._read(partial(_page, place=place))
            keys += [row["key"] for row in page if holds(row["said"], wanted)]
            searched += len(page)
            if len(page) < _AT_ONCE:
                break
            place = (page[-1]["at"], page[-1]["key"])
        shown = tuple(keys[:limit])
        where = f"WHERE key IN ({', '.join('?' * len(shown))}) {NEWEST_FIRST}"
        values = (*shown, limit)
        rows = await self._read(lambda session: intent_rows.read_intents(session, where, values)) if shown else ()
        return Listed(rows=rows, found=len(keys), is_whole=searched < MOST_SEARCHED)

    async def money(self, since: float, until: float) -> tuple[Money, ...]:
        """What was spent in that time, by account. What was only looked up here does not count."""
        return await self._read(lambda session: money_of(session, f"{AT} >= ? AND {AT} < ?", (since, until)))

    async def spent(self) -> tuple[Spent, ...]:
        """What was spent at all times, oldest first. What was only looked up here does not count."""
        rows = await self._read(lambda session: session.execute(_SPENT).fetchall())
        return tuple(Spent(**{each.name: row[each.name] for each in fields(Spent)}) for row in rows)

    async def locations(self) -> frozenset[str]:
        """Where the saved images lie."""
        rows = await self._read(lambda session: session.execute(_LOCATIONS).fetchall())
        return frozenset(row["location"] for row in rows)


def money_of(session: Session, where: str, values: Sequence[Any]) -> tuple[Money, ...]:
    """What the creates of a condition of ours took, by account."""
    rows = session.execute(_MONEY.format(where=where), values).fetchall()
    return tuple(Money(**{name: row[name] for name in ("gateway", "account", *_SUMS)}) for row in rows)


def folded(text: str) -> str:
    """The form in which words are compared: without case, and composed in one way."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _page(session: Session, *, place: tuple[float, str]) -> list[Any]:
    at, key = place
    return session.execute(_SAID, (at, at, key, _AT_ONCE)).fetchall()


def holds(said: str, wanted: Sequence[str]) -> bool:
    """`said` is the beginning of a JSON object of ours, perhaps cut."""
    found = _PROMPT.search(said)
    prompt = folded(json.loads(f'"{found[1]}"')) if found else ""
    return bool(found) and all(word in prompt for word in wanted)
