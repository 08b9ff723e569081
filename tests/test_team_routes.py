"""Every route of a replica, as strangers and forgers find it."""

import re
from collections.abc import Iterator

import httpx
import pytest
from mcp.server.transport_security import TransportSecuritySettings
from postgres_server import PostgresServer
from starlette.routing import Route
from team_server import MASTER, Team, open_issued_team

from darkroom.settings import Settings
from darkroom_server.team.people.visitor import Seals
from darkroom_server.team.serving import team_app
from darkroom_server.team.vault import Vault

# What each route answers to whoever has neither a token nor a session.
TO_STRANGERS = {
    "GET /": 303,
    "GET /connect": 303,
    "GET /login": 303,
    "GET /callback": 400,
    "POST /logout": 200,
    "POST /uploads": 401,
    "GET /page/pictures": 401,
    "GET /page/version": 401,
    "GET /page/thumbnail/{id}": 401,
    "GET /page/image/{id}": 401,
    "GET /page/spending": 401,
    "GET /page/me": 401,
    "GET /page/tenant/{tenant}": 401,
    "GET /images/{id}/{n}": 401,
    "POST /hooks/{account}/{key}": 401,
    "GET /health": 200,
    "GET /ready": 200,
    "GET /.well-known/oauth-protected-resource": 200,
    "GET /.well-known/oauth-protected-resource/mcp": 200,
    "POST /mcp": 401,
}


@pytest.fixture(scope="module")
def team(running_postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    settings = {"DARKROOM_OAUTH_CLIENT_ID": "page", "DARKROOM_WEBHOOKS": "on"}
    with open_issued_team(running_postgres, tmp_path_factory.mktemp("team"), has_worker=False, **settings) as team:
        yield team


def asked(team: Team, route: str, **headers: str) -> httpx.Response:
    """The answer to a request of this route, with some id in each place of one."""
    method, _, path = route.partition(" ")
    return httpx.request(method, f"{team.origin}{re.sub('{.*?}', 'a1', path)}", headers=headers, timeout=30)


def session(team: Team, **changes: str) -> str:
    """The cookie of ada, who has been here; `changes` forge it with the right key."""
    bearer = {"Authorization": f"Bearer {team.token('ada')}"}
    httpx.get(f"{team.origin}/images/p/1", headers=bearer, timeout=30)
    held: dict[str, object] = {"tenant": "acme", "issuer": team.issuer.url, "subject": "ada", "form_token": "t"}
    return f"darkroom={Seals(Vault.read(MASTER), is_secure=False).seal('session', held | changes, 60)}"


def test_every_route_is_among_those_that_are_tried_here(team: Team) -> None:
    settings = Settings.read(
        {
            "DARKROOM_OAUTH_CLIENT_ID": "page",
            "DARKROOM_WEBHOOKS": "on",
            "DARKROOM_DATABASE_URL": team.server.app,
            "DARKROOM_MASTER_KEYS": MASTER,
            "DARKROOM_PUBLIC_URL": team.origin,
            "DARKROOM_OAUTH_ISSUER": team.issuer.url,
        }
    )
    assert settings.team
    app = team_app(settings, settings.team, TransportSecuritySettings(), lambda: False, most_bytes=1000)
    routes = [route for route in app.routes if isinstance(route, Route)]
    named = {f"{min((route.methods or {'POST'}) - {'HEAD', 'OPTIONS'})} {route.path}" for route in routes}
    assert named == set(TO_STRANGERS) and len(routes) == len(app.routes)


@pytest.mark.parametrize("route", TO_STRANGERS)
def test_a_stranger_is_told_nothing(team: Team, route: str) -> None:
    answer = asked(team, route)
    assert answer.status_code == TO_STRANGERS[route]
    place = answer.headers.get("location", "/")
    assert place.startswith(("/", f"{team.issuer.url}/auth?")) and not place.startswith("//")


@pytest.mark.parametrize("changes", [{"tenant": "umbra"}, {"issuer": "https://evil.example"}, {"subject": "eve"}])
def test_a_session_for_another_tenant_issuer_or_person_is_none(team: Team, changes: dict[str, str]) -> None:
    assert asked(team, "GET /page/me", Cookie=session(team)).json()["subject"] == "ada"
    for route in ("GET /page/me", "GET /images/{id}/{n}", "POST /uploads"):
        assert asked(team, route, Cookie=session(team, **changes)).status_code == 401


@pytest.mark.parametrize("route", ["POST /uploads", "POST /logout"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Form-Token": "another"},
        {"X-Form-Token": "t", "Origin": "https://evil.example"},
        {"X-Form-Token": "t", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_form_of_another_page_does_nothing(team: Team, route: str, headers: dict[str, str]) -> None:
    assert asked(team, route, Cookie=session(team), **headers).status_code == 403


@pytest.mark.parametrize("path", ["/mcp/", "/connect/", "//evil.example/", "/\\evil.example/", "/page/me/"])
@pytest.mark.parametrize("host", ["", "evil.example"])
def test_no_answer_leads_to_a_host_that_the_request_names(team: Team, path: str, host: str) -> None:
    answer = asked(team, f"POST {path}", **({"Host": host} if host else {}))
    assert (answer.status_code, answer.headers.get("location", "")) in [(404, ""), (308, "/mcp")]
