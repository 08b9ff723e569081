"""A team for tests: its administrator on the command line, its directory, and journals of its people."""

import io
import os
import re
import secrets
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from postgres_server import PostgresServer

from darkroom.journal import Journal
from darkroom.journal.postgres import Postgres
from darkroom_server.cli.commands import run
from darkroom_server.team.quotas import Quotas, TeamLimit
from darkroom_server.team.tenants import Directory, Principal
from darkroom_server.team.vault import Vault

ISSUER = "https://login.example.com"
MASTER = f"k1:{secrets.token_hex(32)}"
KEY, SECRET = "r8_Canary0canary1canary2", "whsec_Q2FuYXJ5M2NhbmFyeTRjYW5hcnk1"


@dataclass(frozen=True)
class Done:
    """What a command has printed, and its exit code."""

    code: int
    out: str
    err: str


class Administrator:
    """Runs `darkroom-mcp tenant …` as the owner of the database; keeps all that was said."""

    def __init__(self, server: PostgresServer, home: Path) -> None:
        self._home = home
        self.settings = {
            "HOME": str(home),
            "DARKROOM_OUTPUT_DIR": str(home / "images"),
            "DARKROOM_MIGRATE_URL": server.owner,
            "DARKROOM_MASTER_KEYS": MASTER,
        }
        self.said = ""

    def run(self, *words: str, stdin: str = "", **settings: str) -> Done:
        """In this process, since a process for each command would take long; `stdin` is a file."""
        out, err, given = io.StringIO(), io.StringIO(), self._home / "stdin"
        given.write_text(stdin)
        with (
            patch.dict(os.environ, self.settings | settings),
            given.open() as lines,
            patch.object(sys, "stdin", lines),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            code = run(["tenant", *words])
        self.said += out.getvalue() + err.getvalue()
        return Done(code, *(re.sub(r"\s+", " ", each.getvalue()).strip() for each in (out, err)))

    def does(self, *words: str, stdin: str = "", **settings: str) -> str:
        """What it says of a command that works, each run of space as one."""
        done = self.run(*words, stdin=stdin, **settings)
        assert done.code == 0, done.err
        return f"{done.out} {done.err}".strip()

    def refused(self, *words: str, stdin: str = "", **settings: str) -> str:
        done = self.run(*words, stdin=stdin, **settings)
        assert done.code == 2 and not done.out and len(done.err) < 400, done.out + done.err
        return done.err


@asynccontextmanager
async def open_directory(
    server: PostgresServer, *, claim: str = "", master: str = MASTER
) -> AsyncGenerator[tuple[Directory, Postgres]]:
    """As a replica has it."""
    async with server.pool() as postgres:
        yield Directory(postgres, Vault.read(master), claim), postgres


def journal_of(postgres: Postgres, principal: Principal) -> Journal:
    return Journal(postgres.database(principal.tenant, principal.hash), postgres.clock)


def limit_of(principal: Principal, quotas: Quotas | None = None) -> TeamLimit:
    return TeamLimit(principal, quotas or Quotas())


def dump(server: PostgresServer) -> str:
    """All rows of all tables as text."""
    tables = server.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    return "\n".join(str(server.execute(f"SELECT t::text FROM {name} AS t")) for (name,) in tables)
