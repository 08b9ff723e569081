"""The tables on PostgreSQL are made once, by their owner, for roles that row-level security binds."""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from command_line import CommandLine
from free_ports import free_port
from journal_fixtures import intended, new_intent
from postgres_server import PostgresServer

from darkroom.errors import JournalError
from darkroom.images import ImageState
from darkroom.journal import IntentState, Journal
from darkroom.journal.postgres import open_postgres
from darkroom.journal.postgres_schema import Migrated, Roles, Step, migrate, released_steps
from darkroom.journal.states import SENDABLE

pytestmark = pytest.mark.anyio
STEPS = released_steps()
ALL = tuple(step.number for step in STEPS)
NEXT = Step(len(STEPS) + 1, len(STEPS), "ALTER TABLE intents ADD COLUMN mood TEXT")


@pytest.fixture
def empty(running_postgres: PostgresServer) -> Generator[PostgresServer]:
    """A database of the owner's without any table."""
    running_postgres.execute("CREATE DATABASE empty OWNER darkroom_owner")
    yield replace(running_postgres, database="empty")
    running_postgres.execute("DROP DATABASE empty WITH (FORCE)")


def test_the_tables_are_made_once(empty: PostgresServer) -> None:
    assert migrate(empty.owner, check=True) == Migrated(0, ALL)
    assert migrate(empty.owner) == Migrated(0, ALL)
    assert migrate(empty.owner, check=True) == migrate(empty.owner) == Migrated(len(ALL), ())


async def test_of_six_at_once_one_makes_them(empty: PostgresServer) -> None:
    results: list[Migrated] = []

    async def run() -> None:
        results.append(await anyio.to_thread.run_sync(migrate, empty.owner))

    async with anyio.create_task_group() as tasks:
        for _ in range(6):
            tasks.start_soon(run)
    assert sorted(len(result.taken) for result in results) == [0, 0, 0, 0, 0, len(ALL)]


def test_a_step_that_fails_leaves_nothing_behind(empty: PostgresServer) -> None:
    broken = Step(len(STEPS) + 1, 1, "CREATE TABLE half (a INTEGER); SELECT nothing FROM nowhere")
    with pytest.raises(JournalError, match='not changed: relation "nowhere" does not exist'):
        migrate(empty.owner, steps=(*STEPS, broken))
    assert migrate(empty.owner, check=True) == Migrated(0, ALL)


async def test_a_replica_of_the_version_before_runs_on_beside_the_new_tables(empty: PostgresServer) -> None:
    migrate(empty.owner)
    async with open_postgres(empty.app, 1) as running:
        journal = Journal(running.database("acme", "alice"), running.clock)
        for seed in range(8):  # often enough that its statements are prepared
            await intended(journal, new_intent(seed))
        assert migrate(empty.owner, steps=(*STEPS, NEXT)) == Migrated(len(ALL), (NEXT.number,))
        await intended(journal, new_intent(8))
        assert len(await journal.history(limit=20)) == 9
    async with open_postgres(empty.app, 1) as started_now:
        assert len(await Journal(started_now.database("acme", "alice"), started_now.clock).history()) == 9


async def test_rows_of_every_state_outlive_all_steps_and_go_on_as_they_stood(empty: PostgresServer) -> None:
    migrate(empty.owner, steps=STEPS[:1])
    for state in IntentState:
        is_known = state is IntentState.KNOWN
        for image in ImageState if is_known else [None]:
            key = f"{state}-{image}"
            made, ended = (f"'{key}'", "3") if is_known else ("NULL", "NULL")
            empty.execute(
                f"""INSERT INTO intents (tenant, principal, key, request_id, part, gateway, origin, model, version,
                input, input_shown, file_fields, request, image_count, state, prediction_id, intended_at, sent_at,
                ended_at, estimate_usd) VALUES ('acme', 'alice', '{key}', '{key}', 0, 'g', 'https://g', 'o/m', '',
                '{{}}', '{{}}', '[]', '{{}}', 1, '{state}', {made}, 1, 2, {ended}, 0.5)"""
            )
            if image:
                values = f"'acme', 'alice', '{key}', 0, 'https://g/0', '{image}'"
                empty.execute(
                    f"INSERT INTO images (tenant, principal, prediction_id, idx, url, state) VALUES ({values})"
                )
    kept = [empty.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3, 4") for table in ("intents", "images", "tallies")]
    assert migrate(empty.owner) == Migrated(1, ALL[1:])
    assert [
        empty.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3, 4") for table in ("intents", "images", "tallies")
    ] == kept
    async with open_postgres(empty.app, 1) as opened:
        journal = Journal(opened.database("acme", "alice"), opened.clock)
        rows = {row.key: row for row in await journal.history(limit=50)}
        assert len(rows) == len(IntentState) - 1 + len(ImageState)
        assert all(key.startswith(row.state) for key, row in rows.items())
        assert all(key.endswith(image.state) for key, row in rows.items() for image in row.images)
        may_be_sent = {key for key in rows if await journal.claim(key)}
        assert may_be_sent == {key for key, row in rows.items() if row.state in SENDABLE}
    audited = {which for (which,) in empty.execute("SELECT which FROM audit")}
    assert audited == may_be_sent, "what is sent from now on, and nothing of before"


async def test_tables_that_are_too_new_or_too_old_are_refused_in_words(empty: PostgresServer) -> None:
    with pytest.raises(JournalError, match=r"stand at step 0, and this darkroom needs \d+.*`darkroom-mcp migrate`"):
        async with open_postgres(empty.app):
            pass
    migrate(empty.owner, steps=(*STEPS, replace(NEXT, min_reader=NEXT.number)))
    with pytest.raises(JournalError, match=rf"can use them up to step {len(ALL)}.*update darkroom-mcp"):
        async with open_postgres(empty.app):
            pass
    with pytest.raises(JournalError, match="update darkroom-mcp"):
        migrate(empty.owner, check=True)


@pytest.mark.parametrize("role", ["postgres", "darkroom_owner", "carefree"])
async def test_a_role_that_row_level_security_does_not_bind_is_refused(postgres: PostgresServer, role: str) -> None:
    postgres.execute("DROP ROLE IF EXISTS carefree")
    postgres.execute("CREATE ROLE carefree LOGIN BYPASSRLS")
    with pytest.raises(JournalError, match=f"does not bind the role '{role}'"):
        async with open_postgres(postgres.url(role)):
            pass
    if role != "darkroom_owner":
        with pytest.raises(JournalError, match=f"does not bind the role '{role}'.*ALTER ROLE {role} NOSUPERUSER"):
            migrate(postgres.owner, Roles(app=role))


async def test_roles_of_other_names_are_made_and_given_what_they_need(empty: PostgresServer) -> None:
    migrate(empty.owner)
    assert migrate(empty.owner, Roles("my app", 'the "worker"')).made_roles == ("my app", 'the "worker"')
    async with open_postgres(empty.url("my%20app")) as opened:
        await intended(Journal(opened.database("acme", "alice"), opened.clock), new_intent())


def test_an_owner_who_may_not_make_roles_is_told_what_to_run(empty: PostgresServer) -> None:
    empty.execute("ALTER ROLE darkroom_owner NOCREATEROLE")
    try:
        with pytest.raises(JournalError, match="no role 'missing'.*CREATE ROLE missing LOGIN"):
            migrate(empty.owner, Roles(app="missing"))
    finally:
        empty.execute("ALTER ROLE darkroom_owner CREATEROLE")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://me:s3cret%zz@localhost/d", "cannot be read. Expected: postgresql://"),
        ("postgresql://me:s3cret@127.0.0.1:{port}/d", "cannot be reached: .*Connection refused"),
        ("postgresql://me:s3cret@localhost:port/d", "cannot be (read|reached)"),
    ],
)
def test_an_address_that_does_not_work_is_said_without_its_password(url: str, words: str) -> None:
    with pytest.raises(JournalError, match=words) as raised:
        migrate(url.replace("{port}", str(free_port())))
    assert "s3cret" not in repr(raised.value) + repr(raised.value.__cause__)


@pytest.mark.parametrize(
    ("role", "database", "words"),
    [
        ("nobody_here", "darkroom", 'role "nobody_here" does not exist.*check role, password and name'),
        ("darkroom_owner", "none", 'database "none" does not exist.*check role, password and name'),
        ("darkroom_owner", "others", "ALTER DATABASE others OWNER TO darkroom_owner"),
    ],
)
def test_a_database_that_refuses_is_not_called_away(
    postgres: PostgresServer, role: str, database: str, words: str
) -> None:
    postgres.execute("CREATE DATABASE others OWNER postgres")
    try:
        postgres.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC", database="others")
        with pytest.raises(JournalError, match=words) as raised:
            migrate(postgres.url(role, database))
    finally:
        postgres.execute("DROP DATABASE others WITH (FORCE)")
    assert "cannot be reached" not in str(raised.value)


def test_the_command_migrates_and_checks(empty: PostgresServer, tmp_path: Path) -> None:
    line = CommandLine(tmp_path)
    environ = {"DARKROOM_MIGRATE_URL": empty.owner}
    said = [line.run("migrate", *words, environ=environ) for words in (["--check"], [], ["--check"])]
    assert [done.returncode for done in said] == [1, 0, 0]
    assert said[0].stdout.startswith("Missing steps: 1") and said[1].stdout.startswith("The tables stood at step 0")
    assert "Next: darkroom-mcp tenant add NAME" in said[1].stderr and not said[2].stderr
    assert said[2].stdout == f"The tables are up to date (step {len(ALL)}).\n"
    assert "DARKROOM_MIGRATE_URL is not set" in line.run("migrate").stderr
