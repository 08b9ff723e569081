"""A team for tests: its administrator on the command line, its directory, and journals of its people."""

import re
import secrets
import subprocess
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from command_line import CommandLine
from postgres_server import PostgresServer

from darkroom.journal import Journal
from darkroom.journal.postgres import Postgres, open_postgres
from darkroom_server.team.quotas import Quotas, TeamLimit
from darkroom_server.team.tenants import Directory, Principal
from darkroom_server.team.vault import Vault

ISSUER = "https://login.example.com"
MASTER = f"k1:{secrets.token_hex(32)}"
KEY, SECRET = "r8_Canary0canary1canary2", "whsec_Q2FuYXJ5M2NhbmFyeTRjYW5hcnk1"


class Administrator:
    """Runs `darkroom-mcp tenant …` as the owner of the database; keeps all that was said."""

    def __init__(self, server: PostgresServer, folder: Path | None = None) -> None:
        self.line = CommandLine(folder or Path(tempfile.mkdtemp(prefix="darkroom-team-")))
        self.settings = {"DARKROOM_MIGRATE_URL": server.owner, "DARKROOM_MASTER_KEYS": MASTER}
        self.said = ""

    def run(self, *words: str, stdin: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
        done = self.line.run("tenant", *words, environ=self.settings | settings, stdin=stdin.encode())
        self.said += done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def does(self, *words: str, stdin: str = "", **settings: str) -> str:
        """What it says of a command that works, each run of space as one."""
        done = self.run(*words, stdin=stdin, **settings)
        assert done.returncode == 0, done.stderr
        return re.sub(r"\s+", " ", done.stdout + done.stderr).strip()

    def refused(self, *words: str, stdin: str = "", **settings: str) -> str:
        done = self.run(*words, stdin=stdin, **settings)
        assert done.returncode == 2 and not done.stdout, done.stdout + done.stderr
        return re.sub(r"\s+", " ", done.stderr).strip()


@asynccontextmanager
async def open_directory(
    server: PostgresServer, *, claim: str = "", master: str = MASTER
) -> AsyncGenerator[tuple[Directory, Postgres]]:
    """As a replica has it."""
    async with open_postgres(server.app) as postgres:
        yield Directory(postgres, Vault.read(master), claim), postgres


def journal_of(postgres: Postgres, principal: Principal) -> Journal:
    return Journal(postgres.database(principal.tenant, principal.hash), postgres.clock)


def limit_of(principal: Principal, quotas: Quotas | None = None) -> TeamLimit:
    return TeamLimit(principal, quotas or Quotas())
