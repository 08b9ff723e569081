"""A PostgreSQL of the tests' own, with the three roles of a team; only a socket in a temporary folder leads to it."""

import glob
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from darkroom.journal.postgres import Postgres, open_postgres
from darkroom.journal.postgres_schema import migrate

_EMPTY = """DO $$ DECLARE name TEXT; BEGIN
    PERFORM set_config('session_replication_role', 'replica', true);  -- no trigger and no foreign key is asked
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'steps' LOOP
        EXECUTE format('DELETE FROM %I', name);
    END LOOP;
END $$"""
_PORT = 5432  # only names the socket; PGPORT of whoever runs the tests leads elsewhere
_OPTIONS = ("-c", "listen_addresses=", "-p", str(_PORT), "-c", "max_connections=200", "-c", "log_min_messages=fatal")


def programs() -> Path | None:
    """The folder of initdb and pg_ctl, of the newest version on this machine."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    folders = glob.glob("/usr/lib/postgresql/*/bin")
    return Path(max(folders, key=lambda folder: int(folder.split("/")[4]))) if folders else None


@dataclass(frozen=True)
class PostgresServer:
    """A running server; `url` gives the address of its database for a role. One that is not durable is quicker.

    `kept` are the connections of `execute` by their address: a new one costs more than most statements. So does a pool
    of the app: `free_pools` are those that stay open while nobody uses them.
    """

    folder: Path
    user: str | None
    database: str = "darkroom"
    is_durable: bool = False
    kept: dict[str, psycopg.Connection] = field(default_factory=dict[str, psycopg.Connection], compare=False)
    free_pools: list[Postgres] = field(default_factory=list[Postgres], compare=False)

    def url(self, role: str, database: str = "") -> str:
        return f"postgresql://{role}@/{database or self.database}?host={self.folder}&port={_PORT}"

    @property
    def owner(self) -> str:
        return self.url("darkroom_owner")

    @property
    def app(self) -> str:
        return self.url("darkroom_app")

    @property
    def worker(self) -> str:
        return self.url("darkroom_worker")

    @property
    def superuser(self) -> str:
        return self.url("postgres")

    def start(self) -> None:
        options = " ".join([*_OPTIONS, "-k", str(self.folder), *([] if self.is_durable else ["-F"])])
        self._run("pg_ctl", "start", "-w", "-s", "-D", str(self.data), "-l", str(self.folder / "log"), "-o", options)

    def stop(self, mode: str = "immediate") -> None:
        """`immediate` is a crash, `fast` closes all connections."""
        self.close()
        self._run("pg_ctl", "stop", "-w", "-s", "-D", str(self.data), "-m", mode)

    def restart(self, mode: str = "immediate") -> None:
        self.stop(mode)
        self.start()

    def execute(self, statement: str, role: str = "postgres", database: str = "") -> list[tuple[Any, ...]]:
        """Past row-level security unless another role is named."""
        url = self.url(role, database)
        try:
            return self._executed(url, statement)
        except psycopg.OperationalError:
            if url not in self.kept or not self.kept[url].closed:
                raise
        return self._executed(url, statement)  # somebody had ended the connection since the last statement

    def _executed(self, url: str, statement: str) -> list[tuple[Any, ...]]:
        if url not in self.kept or self.kept[url].closed:
            self.kept[url] = psycopg.connect(url, autocommit=True, prepare_threshold=None)
        cursor = self.kept[url].execute(statement.encode())
        return cursor.fetchall() if cursor.description else []

    @asynccontextmanager
    async def kept_pool(self) -> AsyncGenerator[None]:
        """Inside the block one stays open for `pool`."""
        async with open_postgres(self.app) as pool:
            self.free_pools.append(pool)
            yield
            self.free_pools.remove(pool)

    @asynccontextmanager
    async def pool(self) -> AsyncGenerator[Postgres]:
        """A pool of the app that nobody else uses meanwhile, as of one replica."""
        if not self.free_pools:
            async with open_postgres(self.app) as pool:
                yield pool
            return
        pool = self.free_pools.pop()
        try:
            yield pool
        finally:
            self.free_pools.append(pool)

    def close(self) -> None:
        """End the connections that are kept."""
        while self.kept:
            self.kept.popitem()[1].close()

    def empty(self) -> None:
        """All rows of all tables go, but for the record of the migrations; faster than TRUNCATE while they are few."""
        self.execute(_EMPTY)

    @contextmanager
    def dying_commits(self, table: str = "meta") -> Generator[None]:
        """Inside the block a connection that has added a row to `table` dies in a trigger that runs at the COMMIT."""
        self.execute(
            "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$"
        )
        self.execute(
            f"CREATE CONSTRAINT TRIGGER dies AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION die()"
        )
        try:
            yield
        finally:
            self.execute("DROP FUNCTION die() CASCADE")

    def dump(self) -> str:
        """All rows of all tables."""
        names = self.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return "".join(str(self.execute(f"SELECT * FROM {name}")) for (name,) in names)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def make(self) -> None:
        self._run("initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N")
        self.start()
        self.execute("CREATE ROLE darkroom_owner LOGIN CREATEROLE", database="postgres")
        self.execute(f"CREATE DATABASE {self.database} OWNER darkroom_owner", database="postgres")
        migrate(self.owner)

    def _run(self, program: str, *arguments: str) -> None:
        folder = programs()
        assert folder
        environ = {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}
        group = None
        if self.user:
            import pwd  # which Windows has not

            group = pwd.getpwnam(self.user).pw_gid
        done = subprocess.run(
            [str(folder / program), *arguments],
            cwd="/",
            env=environ,
            capture_output=True,
            text=True,
            user=self.user,
            group=group,
            extra_groups=[] if self.user else None,
        )
        if done.returncode:
            log = self.folder / "log"
            raise AssertionError(done.stdout + done.stderr + (log.read_text() if log.exists() else ""))


@contextmanager
def postgres_server(*, is_durable: bool = False) -> Generator[PostgresServer]:
    """Running as a plain user, since PostgreSQL refuses to run as root; at the end it is gone."""
    folder = Path(tempfile.mkdtemp(prefix="darkroom-pg-"))
    user = "postgres" if os.name == "posix" and os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    server = PostgresServer(folder, user, is_durable=is_durable)
    try:
        server.make()
        yield server
    finally:
        server.close()
        if (server.data / "postmaster.pid").exists():
            server.stop()
        shutil.rmtree(folder)
