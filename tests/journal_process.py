"""A process of its own on a journal: `journal_process.py VERB FILE-OR-URL [KEY...]`. Prints one line per fact."""

import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio
from journal_fixtures import intended, new_intent
from systems import largest_file

from darkroom.errors import JournalError, SpendingRefused
from darkroom.journal import Journal, SpendingLimit, open_journal

T = TypeVar("T")


def say(*words: str) -> None:
    print(*words, flush=True)


@asynccontextmanager
async def opened(place: str) -> AsyncGenerator[Journal]:
    if not place.startswith("postgresql:"):
        async with open_journal(Path(place), time.time) as journal:
            yield journal
        return
    from darkroom.journal.postgres import open_postgres

    async with open_postgres(place, 4) as postgres:
        yield Journal(postgres.database("acme", "alice"), postgres.clock)


async def until_done(step: Callable[[], Awaitable[T]]) -> T:
    """On a busy machine others may keep the journal locked for longer than a step waits; nothing is done then."""
    while True:
        with suppress(JournalError):
            return await step()


async def spend_all(place: str) -> None:
    """Ask for 40 creates of a cent under a limit of 30 cents, eight at a time; print "sent KEY" for each."""
    limit = SpendingLimit(limit_usd=0.30, since=0)

    async def spend(seeds: range) -> None:
        for seed in seeds:
            try:
                new = new_intent(seed, estimate_usd=0.01)
                intent = await until_done(partial(intended, journal, new, spending=limit))
                if await until_done(partial(journal.claim, intent.key, spending=limit)):
                    say("sent", intent.key)
            except SpendingRefused:
                say("refused")

    async with opened(place) as journal:
        say("ready")
        sys.stdin.readline()
        async with anyio.create_task_group() as tasks:
            for number in range(8):
                tasks.start_soon(spend, range(number, 40, 8))


async def claim_all(place: str, keys: Sequence[str]) -> None:
    """Print "won KEY" for each claim that was ours, "lost KEY" where the database went away."""
    async with opened(place) as journal:
        say("ready")
        sys.stdin.readline()
        for key in keys:
            try:
                if await journal.claim(key):
                    say("won", key)
            except JournalError:
                say("lost", key)


async def write_on(place: str) -> None:
    """Print "sent KEY" after each claim, until killed or refused by the disk."""
    async with opened(place) as journal:
        for seed in range(1_000_000):
            intent = await intended(journal, new_intent(seed, prompt="x" * 300))
            say("intended", intent.key)
            if await journal.claim(intent.key):
                say("sent", intent.key)


async def write_until_full(place: str) -> None:
    try:
        with largest_file(300_000):
            await write_on(place)
    except JournalError as error:
        say("error", error.message)


async def main(verb: str, place: str, keys: Sequence[str]) -> None:
    if verb == "claim":
        await claim_all(place, keys)
    elif verb == "spend":
        await spend_all(place)
    elif verb == "write":
        await write_on(place)
    else:
        await write_until_full(place)


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2], sys.argv[3:])
