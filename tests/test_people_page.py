"""The page for people in a real Chromium, behind the log-in of oidc-provider."""

import json
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx
import pytest
from call_results import report, text
from free_ports import free_port
from gallery_browser import empty_page, listening, picture
from login_provider import open_provider, token_of
from page_browser import Seen, clipboard
from playwright.sync_api import Browser, FilePayload, Page, expect
from postgres_server import PostgresServer
from team_server import MASTER, Team, open_team

from darkroom_server.team.people.visitor import Seals
from darkroom_server.team.vault import Vault

WIDTHS_PX = (1100, 390)
GIVEN = """([name, bytes]) => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(bytes)], 'small.png', {type: 'image/png'}));
    const event = name === 'paste' ? new ClipboardEvent(name, {clipboardData: data, bubbles: true})
        : new DragEvent(name, {dataTransfer: data, bubbles: true});
    document.getElementById('drop').dispatchEvent(event);
}"""


@pytest.fixture(scope="module")
def team(running_postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    port, folder = free_port(), tmp_path_factory.mktemp("team")
    with (
        open_provider(f"http://127.0.0.1:{port}/mcp") as issuer,
        open_team(running_postgres, issuer, folder, port=port, DARKROOM_OAUTH_CLIENT_ID="page") as team,
    ):
        yield team


@contextmanager
def visiting(browser: Browser, team: Team) -> Generator[Seen]:
    """One person at the browser, without cookies; it ends with a silent console, only these two servers were asked."""
    with empty_page(browser, width_px=WIDTHS_PX[0], height_px=800) as page:
        page.emulate_media(color_scheme="light")
        # The pages of oidc-provider ask for a font.
        own = (team.origin, team.issuer.url, "about:", "data:", "blob:")
        page.route(lambda url: not url.startswith(own), lambda route: route.fulfill(body=""))
        seen, referers = Seen(page), list[str]()
        with listening(page, seen.problems, seen.requests, referers):
            yield seen
    assert [problem for problem in seen.problems if team.issuer.url not in problem] == []
    assert not any("token" in query for query in map(query_of, seen.requests))
    assert not [each for each in referers if each.startswith(team.origin)]


def query_of(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)


def log_in(seen: Seen, team: Team, person: str, path: str = "/") -> Page:
    """Open the page, log in at the issuer, and come back."""
    page = seen.page
    page.goto(f"{team.origin}{path}")
    page.locator("input[name=login]").fill(person)
    page.locator("input[name=password]").fill("x")
    page.get_by_role("button").click()
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(f"{team.origin}{path}")
    return page


def named(name: str, content: bytes) -> FilePayload:
    return {"name": name, "mimeType": "image/png", "buffer": content}


def called(team: Team, person: str, **arguments: Any) -> Any:
    """What generate_image answers to this person's host."""

    async def call() -> Any:
        async with team.client(token=await token_of(team, person)) as client:
            return await client.call_tool("generate_image", {"prompt": "a lighthouse", **arguments})

    with ThreadPoolExecutor(1) as thread:  # the browser has the loop of this one
        return thread.submit(anyio.run, call).result()


def test_a_person_logs_in_connects_a_host_and_logs_out(browser: Browser, team: Team) -> None:
    with visiting(browser, team) as seen:
        page = log_in(seen, team, "ada")
        expect(page.get_by_text("No pictures yet")).to_be_visible()
        page.get_by_role("link", name="Connect").click()
        page.locator("summary", has_text="Claude Code").click()
        page.locator("details[open] button.copy").click()
        expect(page.locator("#voice")).to_have_text("Copied.")
        assert clipboard(seen) == f"claude mcp add --transport http darkroom {team.origin}/mcp"
        expect(page.get_by_text("Logged in as")).to_contain_text("ada")
        assert not seen.violations()
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url(f"{team.issuer.url}/**")
        page.get_by_role("button", name="Yes").click()
        page.goto(f"{team.origin}/connect")
        expect(page.locator("input[name=login]")).to_be_visible()


def test_a_picture_of_the_persons_own_computer_goes_into_a_prediction(browser: Browser, team: Team) -> None:
    with visiting(browser, team) as seen:
        page = log_in(seen, team, "bea", "/connect")
        page.locator("#file").set_input_files(named("notes.png", b"no picture"))
        expect(page.locator("#trouble")).to_contain_text("is not an image that can be sent")
        page.locator("#file").set_input_files(named("fox.png", picture(64, 48)))
        expect(page.locator("#added pre")).to_contain_text("(64 x 48")
        expect(page.locator("#trouble")).to_be_hidden()
        page.locator("#added button").click()
        expect(page.locator("#voice")).to_have_text("Copied.")
        reference = clipboard(seen).split()[3]
        for event in ("paste", "drop"):
            page.evaluate(GIVEN, [event, list(picture(9, 9))])
        expect(page.locator("#added pre", has_text="(9 x 9")).to_have_count(2)
        seen.problems.clear()  # Chromium tells of the answer 400
    assert reference.startswith("upload:")
    refused = called(team, "eve", images=[reference])
    assert "no such picture is kept" in text(refused)
    made = called(team, "bea", images=[reference])
    assert text(made).startswith("Succeeded"), text(made)
    link: str = report(made)["images"][0]["path"]
    assert link.startswith(team.origin)
    with visiting(browser, team) as seen:
        page = log_in(seen, team, "bea", link.removeprefix(team.origin))
        assert page.evaluate("() => document.images[0].naturalWidth") > 0
        page.goto(team.origin)
        expect(page.locator("#count")).to_have_text("1 picture")
    with visiting(browser, team) as seen:
        page = log_in(seen, team, "eve")
        expect(page.locator("#count")).to_have_text("0 pictures")
        answer = page.goto(link)
        assert answer and answer.status == 404
        seen.problems.clear()  # Chromium tells of the answer 404


def test_a_session_that_has_ended_leads_to_the_log_in_and_back(browser: Browser, team: Team) -> None:
    with visiting(browser, team) as seen:
        page = log_in(seen, team, "cyd", "/connect")
        (cookie,) = [each for each in page.context.cookies() if each.get("name") == "darkroom"]
        assert cookie.get("httpOnly") and cookie.get("sameSite") == "Lax"
        seals = Seals(Vault.read(MASTER), is_secure=False)
        held = seals.open("session", cookie.get("value", ""))
        over = seals.seal("session", {**held}, -1)
        page.context.add_cookies([{"name": "darkroom", "value": over, "url": team.origin}])
        with page.expect_navigation(url=f"{team.origin}/connect"):
            # 401, so it is loaded again: the issuer still knows them.
            page.locator("#file").set_input_files(named("fox.png", picture(8, 8)))
        expect(page.get_by_text("Logged in as")).to_contain_text("cyd")
        fresh = {each.get("name"): each.get("value") for each in page.context.cookies()}["darkroom"]
        assert fresh != over
        seen.problems.clear()  # Chromium tells of the answer 401


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])  # the same site on another port, and another site
def test_a_form_of_another_page_does_nothing(browser: Browser, team: Team, host: str) -> None:
    with visiting(browser, team) as seen:
        page = log_in(seen, team, "dan", "/connect")
        action = json.dumps(f"{team.origin}/logout")
        page.goto(f"{team.issuer.url}/jwks".replace("127.0.0.1", host))
        page.set_content(f"<form method=post action={action}><input name=form_token value=x></form>")
        with page.expect_navigation():
            page.evaluate("() => document.forms[0].submit()")
        expect(page.get_by_role("heading", name="You were not logged out")).to_be_visible()
        page.goto(f"{team.origin}/connect")
        expect(page.get_by_text("Logged in as")).to_contain_text("dan")
        seen.problems.clear()  # Chromium tells of the answer 403


def test_the_page_is_for_everybody(browser: Browser, team: Team) -> None:
    with visiting(browser, team) as seen:
        page = log_in(seen, team, "ada", "/connect")
        for host in page.locator("summary").all():
            host.click()
        for width_px in WIDTHS_PX:
            page.set_viewport_size({"width": width_px, "height": 800})
            assert not seen.violations()
            assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
        page.goto(f"{team.origin}/callback?state=x")
        expect(page.get_by_role("heading", name="This log-in cannot be finished")).to_be_visible()
        for width_px in WIDTHS_PX:
            page.set_viewport_size({"width": width_px, "height": 800})
            assert not seen.violations()
        seen.problems.clear()  # Chromium tells of the answer 400


def test_the_page_says_which_servers_it_may_ask(team: Team) -> None:
    policy = httpx.get(f"{team.origin}/callback", headers={"Accept": "text/html"}).headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src" not in policy and "unsafe" not in policy
