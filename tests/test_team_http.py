"""A replica of a team from outside: who is let in, and what each person reaches."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from call_results import report, text
from free_ports import free_port
from issuer_server import Issuer, open_issuer
from postgres_server import PostgresServer
from team_server import Team, open_team
from team_workers import seen

pytestmark = pytest.mark.anyio

HELLO: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
ACCEPT = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
ORIGIN = "https://browser.example"
METRICS_PORT = free_port()


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with open_issuer() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def team(running_postgres: PostgresServer, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    folder: Path = tmp_path_factory.mktemp("team")
    metrics = str(METRICS_PORT)
    with open_team(
        *(running_postgres, issuer, folder),
        has_worker=False,
        DARKROOM_ALLOWED_ORIGINS=ORIGIN,
        DARKROOM_METRICS_PORT=metrics,
    ) as team:
        yield team


def post(team: Team, token: str = "", **headers: str) -> httpx.Response:
    bearer = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.post(f"{team.origin}/mcp", json=HELLO, headers=ACCEPT | bearer | headers, timeout=30)


def test_both_documents_name_the_authorization_server(team: Team) -> None:
    found = [httpx.get(f"{team.origin}/.well-known/oauth-protected-resource{path}").json() for path in ("", "/mcp")]
    assert found[0] == found[1]
    assert found[0]["resource"] == f"{team.origin}/mcp"
    assert found[0]["authorization_servers"] == [team.issuer.url]
    assert found[0]["scopes_supported"] == ["images"]


@pytest.mark.parametrize("token", ["", "nonsense", "drk_nobody"])
def test_without_a_right_token_a_host_is_told_where_to_log_in(team: Team, token: str) -> None:
    refused = post(team, token)
    assert refused.status_code == 401
    metadata = f'resource_metadata="{team.origin}/.well-known/oauth-protected-resource/mcp"'
    assert metadata in refused.headers["www-authenticate"]


@pytest.mark.parametrize("path", ["/", "/login", "/callback", "/logout", "/connect", "/uploads", "/page/me"])
def test_without_a_client_id_there_is_no_page_for_people(team: Team, path: str) -> None:
    for method in ("GET", "POST"):
        assert httpx.request(method, f"{team.origin}{path}", headers={"Accept": "text/html"}).status_code == 404
    assert httpx.get(f"{team.origin}/images/p1/1", headers={"Accept": "text/html"}).status_code == 401


def test_a_token_for_another_server_is_refused(team: Team) -> None:
    assert post(team, team.issuer.token(aud="https://other.example/mcp")).status_code == 401


def test_a_token_without_the_scope_is_refused_as_such(team: Team) -> None:
    refused = post(team, team.token("ada", scope="openid"))
    assert refused.status_code == 403
    assert "insufficient_scope" in refused.headers["www-authenticate"]


def test_a_right_token_is_served(team: Team) -> None:
    assert post(team, team.token("ada")).status_code == 200


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_there_is_no_stream_and_no_session(team: Team, method: str) -> None:
    for headers in ({}, {"Authorization": f"Bearer {team.token('ada')}"}):
        refused = httpx.request(method, f"{team.origin}/mcp", headers=headers)
        assert (refused.status_code, refused.headers["allow"]) == (405, "POST")


def test_a_page_that_is_allowed_may_ask_first_and_call(team: Team) -> None:
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    asked["Access-Control-Request-Headers"] = "authorization,content-type,mcp-protocol-version,mcp-method"
    allowed = httpx.options(f"{team.origin}/mcp", headers=asked)
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, ORIGIN)
    refused = post(team, Origin=ORIGIN)
    assert "www-authenticate" in refused.headers["access-control-expose-headers"].lower()
    assert post(team, team.token("ada"), Origin=ORIGIN).status_code == 200


def test_a_request_that_names_no_path_is_answered(team: Team) -> None:
    host, _, port = team.origin.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(f"OPTIONS * HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 404")


def test_a_page_of_another_origin_is_refused(team: Team) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    assert httpx.options(f"{team.origin}/mcp", headers=asked).status_code == 400
    assert post(team, team.token("ada"), Origin="https://evil.example").status_code == 403


@pytest.mark.parametrize("path", ["/mcp", "/images/a/1", "/health", "/ready", "/nothing"])
def test_no_cache_gives_one_persons_answer_to_another(team: Team, path: str) -> None:
    for token in ("", team.token("ada")):
        for method in ("GET", "POST"):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            told = httpx.request(method, f"{team.origin}{path}", headers=headers).headers
            assert {"Authorization", "Cookie"} <= {each.strip() for each in told["vary"].split(",")}
            assert told["cache-control"].startswith(("no-store", "no-cache", "private"))
    document = httpx.get(f"{team.origin}/.well-known/oauth-protected-resource").headers
    assert "Cookie" not in document["vary"] and document["cache-control"] == "public, max-age=3600"


async def test_the_state_is_told_to_everybody(team: Team) -> None:
    def told(path: str) -> tuple[int, Any]:
        answer = httpx.get(team.origin + path, timeout=30)
        return answer.status_code, answer.json()

    assert told("/health")[1]["ok"] is True
    await seen(lambda: "warnings" in told("/ready")[1])  # it has just begun to count workers
    # No worker runs here, which is no fault of the replica: it serves on.
    assert told("/ready") == (200, {"ready": True, "missing": [], "warnings": ["no worker"]})


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_host_of_either_era_gets_the_tools(team: Team, mode: str) -> None:
    async with team.client("ada", mode) as client:
        listed = await client.list_tools()
        assert [tool.name for tool in listed.tools][:3] == ["generate_image", "get_prediction", "list_models"]
        assert client.instructions and "link" in client.instructions and str(team.folder) not in client.instructions


def test_figures_are_told_on_a_port_of_their_own_and_name_nobody(team: Team) -> None:
    assert post(team, team.token("zebedee")).status_code == 200
    assert post(team, "nonsense").status_code == 401
    told = httpx.get(f"http://127.0.0.1:{METRICS_PORT}/metrics").text
    assert re.search(r'darkroom_requests_total\{.*route="mcp",status="200"\} [1-9]', told), told
    assert re.search(r'darkroom_requests_total\{.*route="mcp",status="401"\} [1-9]', told)
    assert re.search(r"^darkroom_workers\{.*\} 0\.0$", told, re.MULTILINE), told
    assert "darkroom_rooms" in told and "darkroom_requests_open" in told
    assert "zebedee" not in told and "acme" not in told
    assert httpx.get(f"{team.origin}/metrics").status_code == 404


async def test_an_answer_says_while_no_worker_runs_and_no_longer(team: Team) -> None:
    async with team.client("ada") as ada:
        first = await ada.call_tool("generate_image", {"prompt": "sandbox:slow=600 a mill", "wait_seconds": 0})
        made, name = text(first), report(first)["predictions"][0]["id"]
        found = text(await ada.call_tool("get_prediction", {"id": "latest", "wait_seconds": 0}))
        with anyio.fail_after(30):  # nobody fetches its image, so the call does not wait for that
            done = text(await ada.call_tool("generate_image", {"prompt": "a mill", "wait_seconds": 50}))
        with anyio.fail_after(30):  # nor would anybody tell it the end
            runs = text(await ada.call_tool("get_prediction", {"id": name, "wait_seconds": 50}))
    assert "no worker of this darkroom" in made and "no worker of this darkroom" in found
    assert "`darkroom-mcp worker` must run" in found
    assert done.startswith("Made, but not saved yet: 1 image") and "no worker of this darkroom" in done, done
    assert runs.startswith("Still") and "no worker of this darkroom" in runs, runs
    assert "Next: tell the user that a worker must run for the missing files" in done, done
    sign_of_life = "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now())"
    team.server.execute(sign_of_life)
    async with team.client("bob") as bob:
        made = text(await bob.call_tool("generate_image", {"prompt": "sandbox:slow=600 a mill", "wait_seconds": 0}))
    assert "no worker" not in made
