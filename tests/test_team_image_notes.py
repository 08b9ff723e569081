"""What came of images is written down together, each for itself where that fails, and told in the same commit."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import anyio
import psycopg
import pytest
from postgres_server import PostgresServer
from team_rooms import open_directory

from darkroom.errors import JournalError
from darkroom.journal.database import EVERYONE, Session
from darkroom_server.team.administration import administering
from darkroom_server.team.image_notes import ImageNotes
from darkroom_server.team.outbox import CHANNEL

pytestmark = pytest.mark.anyio
MANY = 9
INTENT = """INSERT INTO intents (tenant, principal, key, request_id, part, gateway, origin, model, version,
    input_shown, file_fields, request, image_count, state, prediction_id, intended_at) VALUES ('acme', 'ada', 'key{0}',
    '', 0, 'replicate', 'https://g', 'o/m', '', '{{}}', '[]', '{{}}', 1, 'known', 'made{0}', 0)"""
IMAGE = """INSERT INTO images (tenant, principal, prediction_id, idx, url, state, problem)
    VALUES ('acme', 'ada', 'made{0}', {1}, 'https://g/{1}', 'wanted', '')"""


@asynccontextmanager
async def notes(server: PostgresServer) -> AsyncGenerator[ImageNotes]:
    with administering(server.owner) as administration:
        administration.add("acme", "UTC")
    for number in range(MANY):
        server.execute(INTENT.format(number))
        server.execute(IMAGE.format(number, 0))
    async with open_directory(server) as (_, postgres):
        yield ImageNotes(postgres.database("acme", EVERYONE))


def expired(number: int, index: int = 0) -> Callable[[Session], None]:
    def work(session: Session) -> None:
        statement = "UPDATE images SET state = 'expired' WHERE prediction_id = ? AND idx = ?"
        session.execute(statement, (f"made{number}", index))

    return work


def misspelt(session: Session) -> None:
    session.execute("UPDATE images SET nothing = 1")


async def write(notes: ImageNotes, work: Callable[[int], Callable[[Session], None]]) -> dict[int, JournalError]:
    """All at once; what went wrong, by number."""
    errors: dict[int, JournalError] = {}

    async def one(number: int) -> None:
        try:
            await notes.write(f"made{number}", work(number))
        except JournalError as error:
            errors[number] = error

    async with anyio.create_task_group() as tasks:
        for number in range(MANY):
            tasks.start_soon(one, number)
    return errors


def commits(server: PostgresServer) -> int:
    """How many transactions have written an image's row that stands."""
    return int(server.execute("SELECT count(DISTINCT xmin::text) FROM images WHERE state = 'expired'")[0][0])


def heard(connection: psycopg.Connection, number: int) -> set[str]:
    """The first so many keys of which news has come."""
    keys = set[str]()
    for note in connection.notifies(timeout=30):
        keys.update(note.payload.split())
        if len(keys) >= number:
            break
    return keys


async def test_what_comes_at_the_same_time_is_written_in_few_commits(postgres: PostgresServer) -> None:
    async with notes(postgres) as written:
        assert await write(written, expired) == {}
    assert postgres.execute("SELECT count(*) FROM images WHERE state = 'expired'") == [(MANY,)]
    assert commits(postgres) <= 2, "the first, and all that came meanwhile"


async def test_one_that_cannot_be_written_costs_none_of_the_others(postgres: PostgresServer) -> None:
    async with notes(postgres) as written:
        errors = await write(written, lambda number: misspelt if number == 2 else expired(number))
    assert list(errors) == [2]
    left = postgres.execute("SELECT prediction_id FROM images WHERE state = 'wanted'")
    assert left == [("made2",)]


async def test_who_waits_hears_of_a_prediction_once_each_of_its_images_was_tried(postgres: PostgresServer) -> None:
    async with notes(postgres) as written:
        postgres.execute(IMAGE.format(3, 1))
        with psycopg.connect(postgres.app, autocommit=True) as connection:
            connection.execute(f"LISTEN {CHANNEL}")
            assert await write(written, expired) == {}
            told = {f"key{number}" for number in range(MANY) if number != 3}
            assert heard(connection, len(told)) == told
            await written.write("made3", expired(3, 1))
            assert heard(connection, 1) == {"key3"}
