"""The log-in of the page for people, step by step: what comes back is right, or a page says what is wrong."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx
import pytest
from issuer_server import Issuer, open_issuer
from postgres_server import PostgresServer
from starlette.responses import Response
from team_server import MASTER, Team, open_team

from darkroom.team_settings import TeamSettings
from darkroom_server.team.administration import Person, administering
from darkroom_server.team.forgetting import Forgetting
from darkroom_server.team.people.log_in import own_path
from darkroom_server.team.people.visitor import Seals, Sessions
from darkroom_server.team.tenants import Principal
from darkroom_server.team.vault import Vault

HTML = {"Accept": "text/html,*/*"}
ALWAYS = {"cache-control": "no-store", "referrer-policy": "no-referrer", "x-frame-options": "DENY"}


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with open_issuer() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def team(running_postgres: PostgresServer, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    folder = tmp_path_factory.mktemp("team")
    with open_team(running_postgres, issuer, folder, has_worker=False, DARKROOM_OAUTH_CLIENT_ID="page") as team:
        yield team


@pytest.fixture
def browser(team: Team, issuer: Issuer) -> Iterator[httpx.Client]:
    """One that follows no redirect; nobody is logged in."""
    issuer.is_down = issuer.is_garbled = False
    with httpx.Client(base_url=team.origin, headers=HTML, timeout=30) as browser:
        yield browser


def asked(browser: httpx.Client, path: str = "/login") -> dict[str, str]:
    """What the issuer is asked for."""
    answer = browser.get(path)
    assert answer.status_code == 303, answer.text
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    return {name: values[0] for name, values in query.items()}


def come_back(team: Team, browser: httpx.Client, state: str, code: str = "c", **changes: Any) -> httpx.Response:
    """The browser at /callback with a code that the issuer gives this person's token for."""
    grant = {"access_token": team.token(**{"subject": "ada"} | changes), "token_type": "Bearer"}
    team.issuer.grants[code] = grant
    return browser.get("/callback", params={"code": code, "state": state, "iss": team.issuer.url})


def log_in(team: Team, browser: httpx.Client, subject: str = "ada", return_to: str = "/connect") -> httpx.Response:
    state = asked(browser, f"/login?return_to={return_to}")["state"]
    return come_back(team, browser, state, subject=subject)


def failed(answer: httpx.Response, status: int, *words: str) -> None:
    """It is a page in words, with no session and no way that leads on by itself."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("text/html") and "location" not in answer.headers
    assert "darkroom=" not in answer.headers.get("set-cookie", "").replace("darkroom-log-in=", "")
    assert ALWAYS.items() <= dict(answer.headers).items()
    assert all(word in answer.text for word in words), answer.text
    assert 'href="/login"' in answer.text


def test_the_issuer_is_asked_for_a_code_for_this_server_with_pkce(team: Team, browser: httpx.Client) -> None:
    began = asked(browser)
    assert began["response_type"] == "code" and began["client_id"] == "page" and began["scope"] == "images"
    assert began["redirect_uri"] == f"{team.origin}/callback" and began["resource"] == f"{team.origin}/mcp"
    assert come_back(team, browser, began["state"]).status_code == 303
    form = team.issuer.exchanged[-1]
    challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
    assert (began["code_challenge_method"], began["code_challenge"]) == ("S256", challenge)
    assert form["resource"] == began["resource"] and form["redirect_uri"] == began["redirect_uri"]
    assert asked(browser)["code_challenge"] != challenge


def test_a_session_is_a_small_cookie_without_a_token(team: Team, browser: httpx.Client) -> None:
    answer = log_in(team, browser)
    assert (answer.status_code, answer.headers["location"]) == (303, "/connect")
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; ")) and "Secure" not in cookie
    assert len(cookie) < 1500 and "ada" not in cookie
    page = browser.get("/connect")
    assert page.status_code == 200 and "ada" in page.text and f"{team.origin}/mcp" in page.text
    assert ALWAYS.items() <= dict(page.headers).items()
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


def test_over_https_the_cookie_is_of_this_host_alone() -> None:
    values = {"public_url": "https://d.example", "oauth_issuer": "https://login.example"}
    sessions = Sessions(TeamSettings.model_validate(values), Vault.read(MASTER), lambda: pytest.fail("not asked"))
    subject = "\N{GRINNING FACE}" * 255
    who = Principal(tenant="t" * 63, issuer="https://login.example", subject=subject, hash="h")
    sessions.begin(answer := Response(), who)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-darkroom=") and "; Secure" in cookie and "Domain" not in cookie
    assert len(cookie) < 4096


def test_a_page_leads_to_the_log_in_and_back(team: Team, browser: httpx.Client) -> None:
    for path in ("/", "/connect", "/images/p1/1?as=png"):
        location = browser.get(path).headers["location"]
        assert parse_qs(urlsplit(location).query)["return_to"] == [path]
    assert log_in(team, browser, return_to="/images/p1/1").headers["location"] == "/images/p1/1"
    assert browser.get("/images/p1/1").status_code == 404
    assert httpx.get(f"{team.origin}/images/p1/1", headers={"Accept": "*/*"}).status_code == 401


@pytest.mark.parametrize(
    "path",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "evil", "/a\nb", "/login", "/callback?code=1", "/ä"],
)
def test_the_way_back_is_a_path_of_this_server(path: str) -> None:
    assert own_path(path) == "/"


def test_two_tabs_can_log_in_at_once(team: Team, browser: httpx.Client) -> None:
    first, second = (asked(browser)["state"] for _ in range(2))
    assert come_back(team, browser, second, "2").status_code == 303
    assert come_back(team, browser, first, "1").status_code == 303


def test_a_spoilt_cookie_keeps_nobody_out(team: Team, browser: httpx.Client) -> None:
    spoilt = {"Cookie": f"darkroom-log-in={'x' * 3000}; darkroom={'y' * 3000}"}
    answer = browser.get("/login", headers=spoilt)
    state = parse_qs(urlsplit(answer.headers["location"]).query)["state"][0]
    assert come_back(team, browser, state).status_code == 303


def test_what_was_begun_elsewhere_or_changed_is_not_finished(team: Team, browser: httpx.Client) -> None:
    state = asked(browser)["state"]
    before = len(team.issuer.exchanged)
    with httpx.Client(base_url=team.origin, headers=HTML) as other:
        failed(come_back(team, other, state), 400, "another browser")
        asked(other)
        failed(come_back(team, other, state), 400, "another browser")
    for wrong in ("", "x", state[:-4] + "AAAA", "<script>", state * 9):
        failed(come_back(team, browser, wrong), 400, "cannot be finished")
    assert len(team.issuer.exchanged) == before


def test_a_code_works_once(team: Team, browser: httpx.Client) -> None:
    state = asked(browser)["state"]
    assert come_back(team, browser, state).status_code == 303
    replayed = browser.get("/callback", params={"code": "c", "state": state, "iss": team.issuer.url})
    failed(replayed, 400, "used already")


@pytest.mark.parametrize("named", ["https://other.example", ""])
def test_an_answer_of_another_issuer_is_not_taken(team: Team, browser: httpx.Client, named: str) -> None:
    state = asked(browser)["state"]
    failed(browser.get("/callback", params={"code": "c", "state": state, "iss": named}), 400, "Another server")
    failed(browser.get("/callback", params={"code": "c", "state": state}), 400, "Another server")


@pytest.mark.parametrize(
    ("error", "status"), [("access_denied", 403), ("server_error", 503), ("<script>alert(1)</script>", 502)]
)
def test_a_refusal_of_the_issuer_is_said_in_words(team: Team, browser: httpx.Client, error: str, status: int) -> None:
    came = {"error": error, "error_description": "<b>canary</b>", "state": asked(browser)["state"]}
    answer = browser.get("/callback", params=came | {"iss": team.issuer.url})
    failed(answer, status)
    assert "canary" not in answer.text and "<script>alert" not in answer.text


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"aud": "https://other.example/mcp"}, "not for this server"),
        ({"scope": "openid"}, "without the scope"),
        ({"exp": 1}, "not for this server"),
    ],
)
def test_a_token_that_no_host_could_use_opens_no_page(
    team: Team, browser: httpx.Client, claims: dict[str, Any], words: str
) -> None:
    state = asked(browser)["state"]
    good: dict[str, Any] = {"aud": f"{team.origin}/mcp"}
    team.issuer.grants["c"] = {"access_token": team.issuer.token(**(good | claims))}
    failed(browser.get("/callback", params={"code": "c", "state": state, "iss": team.issuer.url}), 403, words)


def test_who_belongs_to_no_tenant_is_told_so_and_may_be_somebody_else(team: Team, browser: httpx.Client) -> None:
    with administering(team.server.owner) as administration:
        administration.add("other", "UTC")
    try:
        failed(log_in(team, browser), 403, "belong to no tenant", 'href="/login?as=other"')
        assert asked(browser, "/login?as=other")["prompt"] == "login"
    finally:
        team.server.execute("DELETE FROM audit; DELETE FROM tenants WHERE name = 'other'")


@pytest.mark.parametrize("grant", [{}, {"access_token": None}, {"access_token": "drk_x"}, {"access_token": [1]}])
def test_a_grant_without_a_token_opens_no_page(team: Team, browser: httpx.Client, grant: dict[str, Any]) -> None:
    state = asked(browser)["state"]
    team.issuer.grants["c"] = grant
    failed(browser.get("/callback", params={"code": "c", "state": state, "iss": team.issuer.url}), 403, "not for")


@pytest.mark.parametrize("trouble", ["is_down", "is_garbled"])
def test_an_issuer_that_is_away_is_said_and_not_asked_in_a_circle(
    team: Team, browser: httpx.Client, trouble: str
) -> None:
    state = asked(browser)["state"]
    setattr(team.issuer, trouble, True)
    failed(come_back(team, browser, state), 503, "does not answer")


def test_codes_that_are_looked_at_slowly_keep_nobody_else_waiting(
    team: Team, browser: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    came, may_answer = threading.Semaphore(0), threading.Event()

    def slowly(form: dict[str, str]) -> dict[str, Any]:
        came.release()
        may_answer.wait(30)
        return {"error": "invalid_grant"}

    monkeypatch.setattr(team.issuer, "exchange", slowly)
    state = asked(browser)["state"]
    browsers = [httpx.Client(base_url=team.origin, cookies=browser.cookies, timeout=30) for _ in range(10)]
    with ThreadPoolExecutor(len(browsers)) as threads:
        try:
            waiting = [threads.submit(come_back, team, each, state) for each in browsers]
            assert all(came.acquire(timeout=30) for _ in range(8))
            assert asked(browser)["state"]
            assert not any(each.done() for each in waiting)
        finally:
            may_answer.set()
    for each in browsers:
        each.close()


def test_a_session_that_is_over_or_forged_is_none(team: Team, browser: httpx.Client) -> None:
    assert log_in(team, browser).status_code == 303
    seals = Seals(Vault.read(MASTER), is_secure=False)
    held = json.loads(seal_of(browser.cookies["darkroom"]))
    assert held["until"] - time.time() <= 4 * 3600
    old = seals.seal("session", held, -1)
    as_other_purpose = seals.seal("state of a log-in", held, 60)
    assert browser.get("/connect", headers={"Cookie": f"darkroom={seals.seal('session', held, 60)}"}).status_code == 200
    for wrong in (old, as_other_purpose, "x", "", "é" * 3, old * 40):
        headers = [(b"cookie", f"darkroom={wrong}".encode("latin-1")), (b"accept", b"text/html")]
        with httpx.Client(base_url=team.origin) as bare:
            assert bare.get("/connect", headers=headers).status_code == 303
            assert bare.post("/uploads", headers=headers[:1], content=b"x").status_code == 401


def seal_of(cookie: str) -> str:
    sealed = base64.urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4))
    return Vault.read(MASTER).apart("darkroom page").open(sealed, "session")


def test_who_is_forgotten_loses_the_page_at_once(team: Team, browser: httpx.Client) -> None:
    assert log_in(team, browser, "eve").status_code == 303
    assert browser.get("/connect").status_code == 200
    person = Person(team.issuer.url, "eve")
    with administering(team.server.owner) as administration:
        forgetting = Forgetting(administration, Vault.read(MASTER), [str(team.folder / "images")], person)
        anyio.run(forgetting.forget)
    assert browser.get("/connect").status_code == 303


def test_only_a_form_of_the_session_logs_out(team: Team, browser: httpx.Client) -> None:
    log_in(team, browser)
    token = json.loads(seal_of(browser.cookies["darkroom"]))["form_token"]
    assert browser.get("/logout").status_code == 405
    for form, headers in (
        ({}, {}),
        ({"form_token": "x"}, {}),
        ({"form_token": token}, {"Origin": "https://evil.example"}),
        ({"form_token": token}, {"Sec-Fetch-Site": "cross-site"}),
        ({"form_token": token, "more": "x" * 5000}, {}),
    ):
        assert browser.post("/logout", data=form, headers=headers).status_code == 403
    assert browser.get("/connect").status_code == 200
    done = browser.post("/logout", data={"form_token": token}, headers={"Origin": "null"})
    assert done.status_code == 200 and "logged out" in done.text
    assert done.headers["refresh"] == f"0; url={team.issuer.url}/end?client_id=page"
    assert browser.get("/connect").status_code == 303
    assert browser.post("/logout", data={}).status_code == 200
    assert browser.post("/logout", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
