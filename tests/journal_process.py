"""A process of its own on a journal: `journal_process.py claim|write PATH [KEY...]`. Prints one line per fact."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import anyio
from journal_fixtures import intended, new_intent
from systems import largest_file

from darkroom.errors import JournalError
from darkroom.journal import open_journal


def say(*words: str) -> None:
    print(*words, flush=True)


async def claim_all(path: Path, keys: Sequence[str]) -> None:
    """Print "won KEY" for each claim that was ours."""
    async with open_journal(path) as journal:
        say("ready")
        sys.stdin.readline()
        for key in keys:
            if await journal.claim(key):
                say("won", key)


async def write_on(path: Path) -> None:
    """Print "sent KEY" after each claim, until killed or refused by the disk."""
    async with open_journal(path, time.time) as journal:
        for seed in range(1_000_000):
            intent = await intended(journal, new_intent(seed, prompt="x" * 300))
            say("intended", intent.key)
            if await journal.claim(intent.key):
                say("sent", intent.key)


async def write_until_full(path: Path) -> None:
    try:
        with largest_file(300_000):
            await write_on(path)
    except JournalError as error:
        say("error", error.message)


async def main(verb: str, path: str, keys: Sequence[str]) -> None:
    if verb == "claim":
        await claim_all(Path(path), keys)
    elif verb == "write":
        await write_on(Path(path))
    else:
        await write_until_full(Path(path))


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2], sys.argv[3:])
