"""What a replica keeps of who calls: for a few seconds, until it hears of a change, and not while it hears nothing."""

import pytest
from journal_fixtures import HandClock

from darkroom_server.team.recent import Recent

pytestmark = pytest.mark.anyio


class Table:
    """A table that is asked; `version` is that of the news about it."""

    def __init__(self) -> None:
        self.says: str | None = "ada"
        self.asked = 0
        self.version: int | None = 1
        self.clock = HandClock()
        self.recent = Recent(lambda: self.version, self.clock.monotonic)

    async def ask(self) -> str | None:
        self.asked += 1
        return self.says

    async def get(self) -> str | None:
        return await self.recent.get("name", self.ask)


async def test_what_was_asked_a_moment_ago_is_not_asked_again() -> None:
    table = Table()
    assert [await table.get() for _ in range(3)] == ["ada"] * 3
    assert table.asked == 1


async def test_a_change_holds_from_the_next_question_on() -> None:
    table = Table()
    assert await table.get() == "ada"
    table.says, table.version = "bob", 2
    assert await table.get() == "bob"


async def test_a_change_whose_news_was_lost_holds_after_five_seconds() -> None:
    table = Table()
    assert await table.get() == "ada"
    table.says = "bob"
    table.clock.advance(5.1)
    assert await table.get() == "bob"


async def test_nothing_is_kept_while_nobody_would_hear_of_a_change() -> None:
    table = Table()
    table.version = None
    assert [await table.get() for _ in range(3)] == ["ada"] * 3
    assert table.asked == 3
    table.version = 1
    await table.get()
    table.version, table.says = None, "bob"
    assert await table.get() == "bob"


async def test_an_answer_that_a_change_has_overtaken_is_not_kept() -> None:
    table = Table()

    async def ask() -> str:
        table.version = 2  # while the old answer is on its way
        return "ada"

    assert await table.recent.get("name", ask) == "ada"
    table.says = "bob"
    assert await table.get() == "bob"


async def test_that_there_is_nothing_is_asked_anew() -> None:
    table = Table()
    table.says = None
    assert await table.get() is None
    table.says = "ada"
    assert await table.get() == "ada"
