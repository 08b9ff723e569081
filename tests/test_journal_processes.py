"""Several real processes on one journal, one of them killed in the middle of its work."""

import os
import subprocess
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import systems
from forked_process import ForkedProcess
from journal_fixtures import ORIGIN, HandClock, Place, intended, new_intent, opened

from darkroom.journal import IntentState

pytestmark = pytest.mark.anyio
PROGRAM = str(Path(__file__).with_name("journal_process.py"))


@contextmanager
def process(verb: str, place: Place, *keys: str) -> Generator["subprocess.Popen[str]", None, None]:
    address = str(place / "journal.sqlite3") if isinstance(place, Path) else place.app
    pipe, words = subprocess.PIPE, [PROGRAM, verb, address, *keys]
    with ForkedProcess(words, stdin=pipe, stdout=pipe, text=True, env=dict(os.environ)) as running:
        try:
            yield running
        finally:
            running.kill()


def lines(running: "subprocess.Popen[str]") -> Generator[list[str], None, None]:
    assert running.stdout is not None
    for line in running.stdout:
        yield line.rstrip().split(" ", 1)


def told_at_once(*processes: "subprocess.Popen[str]", meanwhile: Callable[[], None] = lambda: None) -> list[list[str]]:
    """All that they say after they were let go together; `meanwhile` is called while they work."""
    said = [lines(running) for running in processes]
    assert [next(each) for each in said] == [["ready"]] * len(processes)
    for running in processes:
        assert running.stdin is not None
        running.stdin.write("go\n")
        running.stdin.flush()
    meanwhile()
    return [fact for each in said for fact in each]


async def test_four_processes_never_spend_more_than_the_limit(place: Place) -> None:
    with ExitStack() as stack:
        told = told_at_once(*[stack.enter_context(process("spend", place)) for _ in range(4)])
    assert [fact[0] for fact in told].count("sent") == 30
    assert len(told) == 160
    async with opened(place, HandClock()) as journal:
        assert (await journal.spent_usd(0)).total_usd == pytest.approx(0.30)


async def test_each_claim_is_won_by_exactly_one_of_three_processes(place: Place) -> None:
    async with opened(place, HandClock()) as journal:
        keys = [(await intended(journal, new_intent(seed))).key for seed in range(60)]
    with (
        process("claim", place, *keys) as one,
        process("claim", place, *keys) as two,
        process("claim", place, *keys[::-1]) as three,
    ):
        won = [key for _, key in told_at_once(one, two, three)]
    assert sorted(won) == sorted(keys)


async def test_what_a_killed_process_had_confirmed_is_on_the_disk(place: Place) -> None:
    confirmed: list[str] = []
    for kill_after in (3, 10, 17, 40):
        with process("write", place) as writer:
            said = lines(writer)
            for _ in range(kill_after):
                word, key = next(said)
                confirmed += [key] if word == "sent" else []
            writer.kill()
            confirmed += [key for word, key in (fact for fact in said if len(fact) == 2) if word == "sent"]
    async with opened(place, HandClock()) as journal:
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
