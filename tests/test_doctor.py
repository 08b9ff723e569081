"""What doctor makes of a gateway that does not let us in: the key, the network and certificates are told apart."""

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
from anyio import to_thread
from company_network import Authority, SecureGateway
from forking_program import run_darkroom
from postgres_server import PostgresServer
from sandbox_server import sandbox_server

from darkroom.journal import open_journal
from darkroom_server.sandbox import SandboxOptions

pytestmark = pytest.mark.anyio

KEY = "sk-canary0canary0canary0"


async def doctor(home: Path, **variables: str) -> str:
    """What it prints; it must not be content."""
    environ = {"PATH": os.defpath, "SYSTEMROOT": os.environ.get("SYSTEMROOT", ""), "HOME": str(home)}
    environ |= {"PYTHONPATH": os.pathsep.join(sys.path), "DARKROOM_API_KEY": KEY, **variables}
    environ |= {name: text for name, text in os.environ.items() if name.startswith(("LANG", "LC_", "PYTHON"))}
    done = await to_thread.run_sync(lambda: run_darkroom(["doctor"], environ, home, timeout_s=120))
    said = done.stdout + done.stderr
    assert done.returncode == 1 and KEY not in said and "Traceback" not in said
    return said


async def test_a_wrong_key_is_told_as_that(tmp_path: Path) -> None:
    async with sandbox_server(SandboxOptions(key="the-right-one")) as origin:
        said = await doctor(tmp_path, DARKROOM_BASE_URL=origin)
    assert "!!  Answer: Gateway 'custom' refused the key from DARKROOM_API_KEY" in said
    assert "!!    The network is fine and the gateway answers: look at the key." in said


async def test_no_network_is_told_as_that(tmp_path: Path) -> None:
    said = await doctor(tmp_path, DARKROOM_BASE_URL="http://127.0.0.1:9", DARKROOM_OUTPUT_DIR=str(tmp_path / "made"))
    assert "(DARKROOM_OUTPUT_DIR). Default: darkroom in the pictures folder." in said
    assert "!!    Nobody answers, so the key was not tried: look at the network" in said


async def test_a_certificate_that_is_not_trusted_is_told_as_that(tmp_path: Path) -> None:
    async with SecureGateway(Authority(tmp_path).server_context("localhost")) as server:
        said = await doctor(tmp_path, DARKROOM_BASE_URL=f"https://localhost:{server.port}")
        assert server.requests == []
    assert "!!    The network is fine, but who answers is not trusted; the key was not sent." in said
    missing = await doctor(tmp_path, DARKROOM_BASE_URL="https://localhost:9", SSL_CERT_FILE=str(tmp_path / "none"))
    assert "SSL_CERT_FILE names no readable file" in missing


async def test_a_journal_that_cannot_be_written_is_told_as_that(tmp_path: Path) -> None:
    async with open_journal(tmp_path / "journal.sqlite3"):
        pass
    with closing(sqlite3.connect(tmp_path / "journal.sqlite3", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        said = await doctor(tmp_path, DARKROOM_BASE_URL="http://127.0.0.1:9", DARKROOM_DATA_DIR=str(tmp_path))
    assert "!!  Journal: The journal could not be used: another process keeps it locked." in said


async def test_a_role_that_must_not_serve_a_team_is_told_as_that(postgres: PostgresServer, tmp_path: Path) -> None:
    served = {"DARKROOM_BASE_URL": "http://127.0.0.1:9", "DARKROOM_DATABASE_URL": postgres.app}
    assert "ok  Team: the role darkroom_app can use its database" in await doctor(tmp_path, **served)
    said = await doctor(tmp_path, **served | {"DARKROOM_DATABASE_URL": postgres.owner})
    assert "!!  Team: Row-level security does not bind the role 'darkroom_owner'" in said
