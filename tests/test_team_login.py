"""Log-in with a real authorization server: hosts of both eras and both SDKs, keys that change, tokens for others."""

import base64
import hashlib
import json
import subprocess
import urllib.parse
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import anyio
import httpx
import httpx2
import jwt
import pytest
from free_ports import free_port
from login_provider import log_in, open_provider, token_of
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from node_programs import NODE_MODULES, node_command, node_environ
from postgres_server import PostgresServer
from pydantic import AnyUrl
from team_server import Team, open_team
from team_workers import seen

pytestmark = pytest.mark.anyio

REDIRECT = "http://127.0.0.1:3030/callback"
DESCRIBED_CLIENT = "https://client.example/cimd.json"
TOOLS = ["generate_image", "get_prediction", "list_models"]


@pytest.fixture(scope="module")
def team(running_postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """The issuer is oidc-provider."""
    port, folder = free_port(), tmp_path_factory.mktemp("team")
    with (
        open_provider(f"http://127.0.0.1:{port}/mcp") as issuer,
        open_team(running_postgres, issuer, folder, port=port, has_worker=False) as team,
    ):
        yield team


class Kept:
    """What a host keeps of a log-in."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


class Host:
    """A host with the Python SDK; `asked` counts how often its person had to log in."""

    def __init__(self, team: Team, person: str, client_url: str | None = None) -> None:
        self.kept, self.asked = Kept(), 0
        self._team = team
        came: dict[str, str] = {}

        async def redirect(url: str) -> None:
            self.asked += 1
            came.update(await log_in(url, person, REDIRECT))

        async def callback() -> AuthorizationCodeResult:
            return AuthorizationCodeResult(code=came["code"], state=came.get("state"), iss=came.get("iss"))

        metadata = OAuthClientMetadata(
            client_name="a host of the tests",
            redirect_uris=[AnyUrl(REDIRECT)],
            token_endpoint_auth_method="none",
        )
        self._auth = OAuthClientProvider(
            f"{team.origin}/mcp", metadata, self.kept, redirect, callback, client_metadata_url=client_url
        )

    async def tools(self, mode: str) -> list[str]:
        async with AsyncExitStack() as stack:
            http = await stack.enter_async_context(httpx2.AsyncClient(auth=self._auth, timeout=60))
            transport = streamable_http_client(f"{self._team.origin}/mcp", http_client=http)
            client = await stack.enter_async_context(Client(transport, mode=mode))
            found = [tool.name for tool in (await client.list_tools()).tools]
            await client.call_tool("get_prediction", {"id": "today"})
            return found


def people(team: Team) -> set[str]:
    return {subject for (subject,) in team.server.execute("SELECT subject FROM principals")}


@pytest.mark.parametrize(("mode", "client_url"), [("auto", None), ("legacy", None), ("auto", DESCRIBED_CLIENT)])
async def test_a_host_with_the_python_sdk_logs_its_person_in(team: Team, mode: str, client_url: str | None) -> None:
    person = f"python-{mode}-{bool(client_url)}"
    host = Host(team, person, client_url)
    assert await host.tools(mode) == TOOLS
    assert host.asked == 1 and person in people(team)
    assert host.kept.client and (host.kept.client.client_id == client_url or not client_url)


@pytest.mark.parametrize("major", ["1", "2"])
def test_a_host_with_the_typescript_sdk_logs_in_and_renews_its_token(team: Team, major: str) -> None:
    words = (str(NODE_MODULES), major, f"{team.origin}/mcp", f"typescript-{major}")
    done = subprocess.run(
        node_command("./oauth_login.mjs", *words),
        env=node_environ({}),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    assert seen["tools"] == TOOLS and seen["again"] == len(TOOLS)
    assert "images" in seen["scope"] and seen["renewed"] and not seen["asked"]


async def test_a_token_of_a_new_key_is_taken_at_the_next_look(team: Team) -> None:
    before = Host(team, "before")
    assert await before.tools("auto") == TOOLS
    async with httpx.AsyncClient() as http:
        await http.get(f"{team.issuer.url}/test/rotate")
    headers = {"Authorization": f"Bearer {await token_of(team, 'after')}"}

    def is_let_in() -> bool:
        return httpx.post(f"{team.origin}/mcp", json={}, headers=headers, timeout=30).status_code != 401

    # Unknown keys are asked for once in a while only, so that nobody can make the server ask all the time.
    with anyio.fail_after(60):
        await seen(is_let_in, every_s=0.25)
    assert await Host(team, "after").tools("auto") == TOOLS
    assert await before.tools("auto") == TOOLS and before.asked == 1


async def test_a_token_for_another_server_is_refused(team: Team) -> None:
    host = Host(team, "elsewhere")
    assert await host.tools("auto") == TOOLS
    assert host.kept.tokens and host.kept.client
    common = {
        "client_id": host.kept.client.client_id or "",
        "redirect_uri": REDIRECT,
        "resource": "https://other.example/mcp",
    }
    challenge = base64.urlsafe_b64encode(hashlib.sha256(b"v" * 43).digest()).rstrip(b"=").decode()
    asked = common | {"response_type": "code", "scope": "images", "code_challenge": challenge}
    asked |= {"code_challenge_method": "S256", "state": "s"}
    came = await log_in(f"{team.issuer.url}/auth?{urllib.parse.urlencode(asked)}", "elsewhere", REDIRECT)
    async with httpx.AsyncClient() as http:
        exchanged = common | {"grant_type": "authorization_code", "code": came["code"], "code_verifier": "v" * 43}
        answer = await http.post(f"{team.issuer.url}/token", data=exchanged)
        foreign = answer.json()["access_token"]
        assert jwt.decode(foreign, options={"verify_signature": False})["aud"] == "https://other.example/mcp"
        refused = await http.post(f"{team.origin}/mcp", json={}, headers={"Authorization": f"Bearer {foreign}"})
        assert refused.status_code == 401
