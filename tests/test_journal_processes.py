"""Several real processes on one journal, one of them killed in the middle of its work."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
import systems
from journal_fixtures import ORIGIN, HandClock, intended, new_intent, opened

from darkroom.journal import IntentState

pytestmark = pytest.mark.anyio
TESTS = Path(__file__).parent
PYTHONPATH = os.pathsep.join([str(TESTS.parent / "tools"), str(TESTS)])


@contextmanager
def process(verb: str, folder: Path, *keys: str) -> Generator["subprocess.Popen[str]", None, None]:
    command = [sys.executable, str(TESTS / "journal_process.py"), verb, str(folder / "journal.sqlite3"), *keys]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def lines(running: "subprocess.Popen[str]") -> Generator[list[str], None, None]:
    assert running.stdout is not None
    for line in running.stdout:
        yield line.rstrip().split(" ", 1)


async def test_each_claim_is_won_by_exactly_one_of_three_processes(tmp_path: Path) -> None:
    async with opened(tmp_path, HandClock()) as journal:
        keys = [(await intended(journal, new_intent(seed))).key for seed in range(60)]
    with (
        process("claim", tmp_path, *keys) as one,
        process("claim", tmp_path, *keys) as two,
        process("claim", tmp_path, *keys[::-1]) as three,
    ):
        claimers = [(running, lines(running)) for running in (one, two, three)]
        assert [next(said) for _, said in claimers] == [["ready"]] * 3
        for running, _ in claimers:
            assert running.stdin is not None
            running.stdin.write("go\n")
            running.stdin.flush()
        won = [key for _, said in claimers for _, key in said]
    assert sorted(won) == sorted(keys)


async def test_what_a_killed_process_had_confirmed_is_on_the_disk(tmp_path: Path) -> None:
    confirmed: list[str] = []
    for kill_after in (3, 10, 17, 40):
        with process("write", tmp_path) as writer:
            said = lines(writer)
            for _ in range(kill_after):
                word, key = next(said)
                confirmed += [key] if word == "sent" else []
            writer.kill()
            confirmed += [key for word, key in (fact for fact in said if len(fact) == 2) if word == "sent"]
    async with opened(tmp_path, HandClock()) as journal:
        assert journal.warnings == ()
        unresolved = {intent.key: intent for intent in await journal.unresolved(ORIGIN)}
    assert set(confirmed) <= set(unresolved)
    assert {intent.state for intent in unresolved.values()} == {IntentState.SENT}
    assert {intent.tries for intent in unresolved.values()} == {1}
    assert len(unresolved) - len(confirmed) <= 4, "one commit at most for each kill whose line was not printed"


@systems.posix_files
async def test_a_disk_that_takes_no_more_stops_the_creates_and_keeps_the_rest(tmp_path: Path) -> None:
    with process("write_until_full", tmp_path) as writer:
        facts = list(lines(writer))
    assert facts[-1][0] == "error"
    assert "Nothing new is sent" in facts[-1][1]
    async with opened(tmp_path, HandClock()) as journal:
        assert journal.warnings == ()
        unresolved = {intent.key for intent in await journal.unresolved(ORIGIN)}
    assert {key for word, key in facts if word == "sent"} <= unresolved
