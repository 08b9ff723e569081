"""The tables on PostgreSQL, as ordered steps in files: `migrate` takes them as the owner, everybody else checks them.

A step that was released is never changed: add one at the end. Its first line names the oldest step whose programs can
still use the tables (`-- min_reader: 1`), so that the replicas of the version before run on while the new ones come.
`:"app"` and `:"worker"` stand for the roles; `-- include: package/path.sql` takes in a file of an installed package.
"""

import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import psycopg
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict

from darkroom.errors import JournalError
from darkroom.journal.migrations import own_version
from darkroom.journal.postgres_words import is_away

_MIGRATING = 0x6461726B  # "dark"
_OLDEST_SERVER = 140000
_HEADER = re.compile(r"-- min_reader: (\d+)\n")
_INCLUDE = re.compile(r"^-- include: ([\w.]+)/(\S+)$", re.MULTILINE)
_ROLE = re.compile(r':"(app|worker)"')
_GRANT = re.compile(r'^GRANT [^;]*:"(?:app|worker)"[^;]*;', re.MULTILINE)
_STEPS_TABLE = """CREATE TABLE IF NOT EXISTS steps (number INTEGER PRIMARY KEY, min_reader INTEGER NOT NULL,
    version TEXT NOT NULL, taken_at TIMESTAMPTZ NOT NULL DEFAULT now())"""
_BYPASSES = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = {}"
_MAY_READ = "SELECT has_table_privilege({}, 'intents', 'SELECT')"
_ACTING = """SELECT rolname, rolsuper OR rolbypassrls OR coalesce(pg_has_role(oid,
    (SELECT relowner FROM pg_class WHERE oid = to_regclass('steps')), 'USAGE'), false)
    FROM pg_roles WHERE rolname = current_user"""


@dataclass(frozen=True, slots=True)
class Step:
    """One file: its number, the oldest step whose programs can use the tables after it, and its statements."""

    number: int
    min_reader: int
    text: str


@dataclass(frozen=True, slots=True)
class Roles:
    """Whom the server and the workers log in as; neither is a superuser."""

    app: str = "darkroom_app"
    worker: str = "darkroom_worker"


@dataclass(frozen=True, slots=True)
class Migrated:
    """The step at which the tables stood, the steps that were taken since (or with `check` are missing), and roles
    that were made."""

    before: int
    taken: tuple[int, ...]
    made_roles: tuple[str, ...] = ()


def released_steps() -> tuple[Step, ...]:
    """The files of `postgres_migrations`, in order."""
    folder = files("darkroom.journal").joinpath("postgres_migrations")
    texts = {int(each.name[:-4]): each.read_text("utf-8") for each in folder.iterdir() if each.name.endswith(".sql")}
    return tuple(_step(number, texts[number]) for number in sorted(texts))


def _step(number: int, text: str) -> Step:
    header = _HEADER.match(text)
    assert header, f"postgres_migrations/{number}.sql begins without its min_reader"
    whole = _INCLUDE.sub(lambda found: files(found[1]).joinpath(found[2]).read_text("utf-8"), text)
    return Step(number, int(header[1]), whole)


def migrate(
    url: str, roles: Roles | None = None, *, check: bool = False, steps: tuple[Step, ...] | None = None
) -> Migrated:
    """Bring the tables up to the newest step as their owner, all in one transaction; harmless when several do it.

    With `check` nothing is changed. Raises: JournalError.
    """
    wanted = released_steps() if steps is None else steps
    with connected(url) as connection, _in_words("The tables were not changed: {}."):
        _refuse_old_server(connection)
        if check:
            done = _done(connection)
            _refuse_newer(connection, done, wanted)
            return Migrated(done, tuple(step.number for step in wanted if step.number > done))
        with connection.transaction():
            connection.execute("SET LOCAL lock_timeout = '60s'")
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MIGRATING,))
            connection.execute("SET LOCAL lock_timeout = '5s'")  # a long statement elsewhere must not stop everybody
            try:
                return _migrate(connection, roles or Roles(), wanted)
            except errors.InsufficientPrivilege as error:
                raise _no_owner(connection.info, error) from error


def _migrate(connection: psycopg.Connection[Any], roles: Roles, steps: tuple[Step, ...]) -> Migrated:
    connection.execute(_STEPS_TABLE)
    done = _done(connection)
    _refuse_newer(connection, done, steps)
    made = tuple(role for role in dict.fromkeys((roles.app, roles.worker)) if _made(connection, role))
    missing = [step for step in steps if step.number > done]
    for step in missing:
        connection.execute(_with_roles(connection, step.text, roles))
        connection.execute(
            "INSERT INTO steps (number, min_reader, version) VALUES (%s, %s, %s)",
            (step.number, step.min_reader, own_version()),
        )
    connection.execute(_with_roles(connection, 'GRANT SELECT ON steps TO :"app", :"worker"', roles))
    if not all(_may_read(connection, role) for role in (roles.app, roles.worker)):  # they have other names than before
        for grant in (found[0] for step in steps for found in _GRANT.finditer(step.text)):
            connection.execute(_with_roles(connection, grant, roles))
    return Migrated(done, tuple(step.number for step in missing), made)


def _made(connection: psycopg.Connection[Any], role: str) -> bool:
    """Whether the role had to be made. Raises: JournalError for one that row-level security does not bind."""
    row = connection.execute(sql.SQL(_BYPASSES).format(sql.Literal(role))).fetchone()
    if row is not None:
        if row[0]:
            raise JournalError(_bypassing(role))
        return False
    try:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
    except errors.InsufficientPrivilege as error:
        raise JournalError(
            f"There is no role '{role}', and this owner may not make one. Nothing was changed. The administrator "
            f"should run: CREATE ROLE {role} LOGIN PASSWORD '…'."
        ) from error
    return True


def _may_read(connection: psycopg.Connection[Any], role: str) -> bool:
    row = connection.execute(sql.SQL(_MAY_READ).format(sql.Literal(role))).fetchone()
    return row is not None and row[0]


def _with_roles(connection: psycopg.Connection[Any], text: str, roles: Roles) -> bytes:
    names = {"app": roles.app, "worker": roles.worker}
    return _ROLE.sub(lambda found: sql.Identifier(names[found[1]]).as_string(connection), text).encode()


def checked(connection: psycopg.Connection[Any]) -> None:
    """Raise JournalError unless this role is bound by row-level security and the tables are at a step that fits."""
    with _in_words("The tables of the journal cannot be read: {}. Nothing was sent."):
        _refuse_old_server(connection)
        role, is_free = _one(connection, _ACTING)
        if is_free:
            raise JournalError(_bypassing(role))
        steps = released_steps()
        done = _done(connection)
        if done < steps[-1].number:
            raise JournalError(
                f"The tables of the journal stand at step {done}, and this darkroom needs {steps[-1].number}. Nothing "
                "was sent. The administrator should run `darkroom-mcp migrate`."
            )
        _refuse_newer(connection, done, steps)


def _bypassing(role: str) -> str:
    return (
        f"Row-level security does not bind the role '{role}' (a superuser, the owner of the tables, or BYPASSRLS), so "
        "it would see the rows of every tenant. Nothing was sent. The administrator should name a role that owns "
        f"nothing, or take these rights from it: ALTER ROLE {role} NOSUPERUSER NOBYPASSRLS."
    )


def _no_owner(info: psycopg.ConnectionInfo, error: psycopg.Error) -> JournalError:
    return JournalError(
        f"The role '{info.user}' may not make the tables: {error.diag.message_primary}. Nothing was changed. "
        "DARKROOM_MIGRATE_URL must name the owner of the database; a superuser makes it the owner with: "
        f"ALTER DATABASE {info.dbname} OWNER TO {info.user}."
    )


def _done(connection: psycopg.Connection[Any]) -> int:
    if _one(connection, "SELECT to_regclass('steps')")[0] is None:
        return 0
    return _one(connection, "SELECT coalesce(max(number), 0) FROM steps")[0]


def _refuse_newer(connection: psycopg.Connection[Any], done: int, steps: tuple[Step, ...]) -> None:
    if done <= steps[-1].number:
        return
    needed, version = _one(connection, "SELECT min_reader, version FROM steps ORDER BY min_reader DESC, number DESC")
    if needed > steps[-1].number:
        raise JournalError(
            f"The tables of the journal were made by darkroom {version or '(newer)'} (step {done}); this one, darkroom "
            f"{own_version() or '(unknown)'}, can use them up to step {steps[-1].number}. Nothing was sent. The "
            "administrator should update darkroom-mcp."
        )


def _refuse_old_server(connection: psycopg.Connection[Any]) -> None:
    if (found := connection.info.server_version) < _OLDEST_SERVER:
        raise JournalError(f"PostgreSQL {found // 10000} is too old: darkroom needs 14 or newer. Nothing was sent.")


def _one(connection: psycopg.Connection[Any], statement: str) -> tuple[Any, ...]:
    row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return row


@contextmanager
def connected(url: str) -> Generator[psycopg.Connection[Any]]:
    """One connection of its own, for a check or a migration. Raises: JournalError that says why there is none."""
    try:
        conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        # Its message would repeat parts of the address, which may be the password. It is not chained either.
        raise JournalError(
            "The address of the database cannot be read. Expected: postgresql://USER:PASSWORD@HOST:5432/DATABASE, with "
            "special characters of the password percent-encoded. Nothing was sent."
        ) from None
    try:
        connection = psycopg.connect(url, connect_timeout=5, autocommit=True, application_name="darkroom")
    except psycopg.Error as error:
        said = str(error).splitlines()[0].removeprefix("connection failed: ")[:160]
        if is_away(error):
            what, check = "cannot be reached", "its address and that it runs"
        else:
            what, check = "refuses the log-in", "role, password and name in its address"
        raise JournalError(
            f"The database of the journal {what}: {said}. Nothing was sent. The administrator should check {check}."
        ) from error
    with connection:
        yield connection


@contextmanager
def _in_words(sentence: str) -> Generator[None]:
    """These statements hold no value of anybody, so what the server says of them can be shown."""
    try:
        yield
    except psycopg.Error as error:
        raise JournalError(sentence.format(error.diag.message_primary or "the connection was lost")) from error
