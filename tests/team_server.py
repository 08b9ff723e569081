"""A team as it is run: a sandbox as its gateway, PostgreSQL, one replica and one worker, each a process of its own."""

import secrets
import subprocess
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2
import quick_sandbox
from forked_process import ForkedProcess
from forking_program import DARKROOM
from free_ports import free_port
from http_process import HttpProcess, bare_environ
from issuer_server import Issuer, open_issuer
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from postgres_server import PostgresServer

from darkroom_server.team.administration import administering
from darkroom_server.team.new_key import NewKey
from darkroom_server.team.vault import Vault

MASTER = f"k1:{secrets.token_hex(32)}"
GATEWAY_KEY = "r8_Canary0gateway1canary2key"


@dataclass(frozen=True)
class Team:
    """`replica` serves at `origin`; `sandbox` is the gateway's address, `folder` where images are kept."""

    server: PostgresServer
    issuer: Issuer
    replica: HttpProcess
    folder: Path
    sandbox: str

    @property
    def origin(self) -> str:
        return self.replica.origin

    def token(self, subject: str, **claims: Any) -> str:
        return self.issuer.token(sub=subject, aud=f"{self.origin}/mcp", **claims)

    @asynccontextmanager
    async def client(
        self, subject: str = "", mode: str = "auto", *, token: str = "", **options: Any
    ) -> AsyncGenerator[Client]:
        """A host of this person, logged in, or of whoever has the token."""
        headers = {"Authorization": f"Bearer {token or self.token(subject)}"}
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(_bounded())
            http = await stack.enter_async_context(httpx2.AsyncClient(headers=headers, timeout=60))
            transport = streamable_http_client(f"{self.origin}/mcp", http_client=http)
            yield await stack.enter_async_context(Client(transport, mode=mode, **options))


@asynccontextmanager
async def _bounded() -> AsyncGenerator[None]:
    with anyio.fail_after(90):
        yield


@contextmanager
def program(folder: Path, *words: str, **variables: str) -> Generator[tuple[str, "subprocess.Popen[str]"]]:
    """Python with words that says something once it is ready: its first line, and the process."""
    environ = bare_environ(folder, **variables)
    process = ForkedProcess(words, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout
        yield process.stdout.readline().strip(), process
    finally:
        process.kill()
        process.communicate(timeout=20)


@contextmanager
def open_team(
    server: PostgresServer,
    issuer: Issuer,
    folder: Path,
    *,
    port: int = 0,
    replica: type[HttpProcess] = HttpProcess,
    has_worker: bool = True,
    worker_settings: Mapping[str, str] | None = None,
    **settings: str,
) -> Generator[Team]:
    """A team with the tenant `acme` and its key. `settings` are further variables of the replica."""
    server.empty()
    shared = {"DARKROOM_MASTER_KEYS": MASTER, "DARKROOM_OUTPUT_DIR": str(folder / "images")}
    with program(folder, quick_sandbox.__file__, GATEWAY_KEY) as (sandbox, _):
        with administering(server.owner) as administration:
            administration.add("acme", "UTC")
            key = NewKey(gateway="replicate", base_url=sandbox, key=GATEWAY_KEY, secret="")
            administration.set_key("acme", key, Vault.read(MASTER), None)
        port = port or free_port()
        variables = shared | {
            "DARKROOM_DATABASE_URL": server.app,
            "DARKROOM_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "DARKROOM_OAUTH_ISSUER": issuer.url,
        }
        with replica(folder, "--port", str(port), **(variables | settings)) as serving:
            team = Team(server, issuer, serving, folder, sandbox)
            if not has_worker:
                yield team
                return
            worker = shared | {"DARKROOM_DATABASE_URL": server.worker} | dict(worker_settings or {})
            with program(folder / "worker", *DARKROOM, "worker", **worker):
                yield team


@contextmanager
def open_issued_team(server: PostgresServer, folder: Path, **options: Any) -> Generator[Team]:
    """A team with an authorization server of its own; `options` are those of `open_team`."""
    with open_issuer() as issuer, open_team(server, issuer, folder, **options) as team:
        yield team
