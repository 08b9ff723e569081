"""Which predictions there were: "recent", "today", "yesterday", a date, or words of a prompt.

Only the journal is asked, for all gateways and accounts in it. A day is the person's calendar day, as the daily limit
counts it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo

from darkroom.darkroom import Darkroom
from darkroom.errors import InvalidInput
from darkroom.gateways import clean_words
from darkroom.journal import Filter, Listed, Money
from darkroom.reports import AnswerFacts, ListFacts, PredictionReport, list_report
from darkroom.reports.amounts import local

MOST_LISTED = 100
_EVER = 1e18
_MOST_WORDS = 20
_MOST_SEARCHED = 100_000
_MOST_TRIED = 5
_QUOTES = "\"'`\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb"
_FIND = re.compile(r"find\s*[:\uff1a]", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One stretch of time (seconds since the epoch), or `words` of a prompt; `title` and `empty` are sentences."""

    title: str
    empty: str
    since: float = -_EVER
    until: float = _EVER
    words: tuple[str, ...] = ()


async def list_predictions(darkroom: Darkroom, asked: str, limit: int = 10) -> PredictionReport:
    """A line for each prediction, newest first, `limit` (1 to 100) at most, and what the days have cost.

    Raises: InvalidInput for what names no list; JournalError.
    """
    if not 1 <= limit <= MOST_LISTED:
        raise InvalidInput(f"limit {limit} is not possible. Allowed: 1 to {MOST_LISTED}.", field="limit")
    zone = darkroom.options.zone
    today = local(darkroom.options.clock(), zone).date()
    wanted = _asked(asked.strip(), today, zone)
    lists = darkroom.journal.lists
    if wanted.words:
        listed = await lists.matching(Filter(words=wanted.words), limit, _MOST_SEARCHED)
    else:
        listed = await lists.between(wanted.since, wanted.until, limit)
    answer = AnswerFacts(
        gateway=darkroom.gateway,
        now_s=darkroom.options.clock(),
        idle=frozenset(row.key for row in listed.rows if darkroom.work.watched(row) is None),
        day=await darkroom.day(),
        zone=zone,
    )
    listed = replace(listed, rows=await darkroom.with_links(listed.rows))
    hint = await _hint(darkroom, wanted.words) if not listed.rows else ""
    money = await _money(darkroom, _days(listed, wanted, today, zone))
    facts = ListFacts(
        title=wanted.title,
        empty=f"{wanted.empty} {hint}".rstrip(),
        # Last, since what is taken and not told is lost.
        answer=replace(answer, notes=darkroom.take_notices()),
        today=today,
        money=money,
        is_search=bool(wanted.words),
    )
    return list_report(listed, facts)


async def _hint(darkroom: Darkroom, words: Sequence[str]) -> str:
    """What to search for instead of words that no prompt has together."""
    if not words:
        return ""
    if len(words) == 1:
        return "A part of a word is enough: try a shorter one."
    lists, found = darkroom.journal.lists, dict[str, int]()
    for word in words[:_MOST_TRIED]:
        found[word] = (await lists.matching(Filter(words=(word,)), 1, _MOST_SEARCHED)).found
    told = [f"'{word[:30]}' finds {count}" for word, count in found.items() if count]
    return f"Every word must occur; {', '.join(told)}." if told else "Every word must occur, and none of them does."


def _asked(text: str, today: date, zone: tzinfo | None) -> _Asked:
    """Raises: InvalidInput for a day that no calendar has, or a search without words."""
    word = text.lower()
    if found := _FIND.match(text):
        words = tuple(filter(None, (each.strip(_QUOTES) for each in text[found.end() :].split())))
        if not 0 < len(words) <= _MOST_WORDS:
            few = f"find: needs 1 to {_MOST_WORDS} words of the prompt, such as 'find: red fox'."
            raise InvalidInput(few, field="id")
        said = clean_words(" ".join(words), 60) or "…"
        return _Asked(title=f"Predictions whose prompt has '{said}'", empty=f"No prompt has '{said}'.", words=words)
    if word == "recent":
        return _Asked(title="Recent predictions", empty="There is no prediction yet.")
    named = {"today": today, "yesterday": today - timedelta(days=1)}
    try:
        day = named.get(word) or date(*map(int, word.split("-")))
    except ValueError as error:
        raise InvalidInput(
            f"'{text[:20]}' is no day of the calendar. Give a date as YYYY-MM-DD.", field="id"
        ) from error
    name = f"{word} ({day})" if word in named else f"{day}"
    since, until = _bounds(day, zone)
    empty = f"No prediction was made {'' if word in named else 'on '}{name}."
    return _Asked(title=f"Predictions of {name}", empty=empty, since=since, until=until)


def _bounds(day: date, zone: tzinfo | None) -> tuple[float, float]:
    """Midnight at which it began and ended, seconds since the epoch; an empty stretch for a day out of all reach."""
    try:
        first, last = (
            datetime(each.year, each.month, each.day, tzinfo=zone) for each in (day, day + timedelta(days=1))
        )
        return first.timestamp(), last.timestamp()
    except (OverflowError, OSError, ValueError):
        return _EVER, _EVER


def _days(listed: Listed, wanted: _Asked, today: date, zone: tzinfo | None) -> Sequence[date]:
    """The days whose money is told: each of a list by time, and today."""
    if wanted.words:
        return (today,)
    if wanted.until < _EVER:
        return (local(wanted.since, zone).date(),)
    return tuple(dict.fromkeys((*(local(row.at, zone).date() for row in listed.rows), today)))


async def _money(darkroom: Darkroom, days: Sequence[date]) -> Mapping[date, Sequence[Money]]:
    found = {day: await darkroom.journal.lists.money(*_bounds(day, darkroom.options.zone)) for day in days}
    accounts = {(share.gateway, share.account) for shares in found.values() for share in shares}
    names: dict[tuple[str, str], str] = {}
    for gateway, account in sorted(accounts):
        is_alone = sum(other == gateway for other, _ in accounts) == 1
        name = "" if is_alone else await darkroom.journal.account_name(account) or f"key {len(names) + 1}"
        names[gateway, account] = f"{gateway} ({name})" if name else gateway
    return {
        day: _by_account([replace(share, account=names[share.gateway, share.account]) for share in shares])
        for day, shares in found.items()
    }


def _by_account(shares: Sequence[Money]) -> list[Money]:
    """One for each account, also where it had several keys."""
    found: dict[str, Money] = {}
    for share in shares:
        before = found.get(share.account)
        found[share.account] = before.plus(share) if before else share
    return list(found.values())
