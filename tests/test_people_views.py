"""What a person of a team sees and does on their page, in a real browser."""

import time
from collections.abc import Iterator

import pytest
from page_browser import Seen, clipboard, looking
from page_rooms import Made
from people_rooms import People, open_people, person
from pictures import picture
from playwright.sync_api import Browser, expect
from postgres_server import PostgresServer
from team_rooms import ISSUER

from darkroom_server.team.administration import Person, administering

ADA, BOB, MANY = person("ada"), person("bob"), 2_100


@pytest.fixture(scope="module")
def people(running_postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    running_postgres.empty()
    with administering(running_postgres.owner) as administration:
        for tenant in ("acme", "umbra"):
            administration.add(tenant, "UTC")
            administration.set_administrator(tenant, Person(ISSUER, "ada"), is_one=True)
        administration.set_limit("acme", 5.0, Person(ISSUER, "ada"))
        for subject in ("bob", "cyd"):
            administration.set_limit("acme", None, Person(ISSUER, subject))
    with open_people(running_postgres, tmp_path_factory.mktemp("people")) as people:
        shapes = [picture("PNG", size=(120, 80), color=colour) for colour in ("#a33", "#3a3", "#33a")]
        people.fill(ADA, [Made(prompt=f"lake {n}", content=each) for n, each in enumerate(shapes)], now=time.time())
        people.fill(BOB, [Made(prompt="bob's secret harbour")], now=time.time())
        people.fill_many(person("cyd"), MANY)
        yield people


@pytest.fixture
def ada(browser: Browser, people: People) -> Iterator[Seen]:
    with looking(browser, people.url, cookie="as=acme/ada") as seen:
        expect(seen.page.locator("#count")).to_have_text("3 pictures")
        yield seen
        assert seen.problems == []
        assert {url for url in seen.requests if not url.startswith((people.url, "data:"))} == set()


def look_again(seen: Seen) -> None:
    """As if the person had come back to the page."""
    seen.page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")


def test_pictures_are_painted_and_told_without_any_place_of_the_server(ada: Seen) -> None:
    expect(ada.page.locator(".tile img.is-here")).to_have_count(3)
    ada.page.get_by_role("button", name="lake 1").click()
    expect(ada.page.locator("#prompt")).to_have_text("lake 1")
    ada.page.wait_for_function("() => document.querySelector('#stage img').src.includes('/page/image/')")
    ada.page.wait_for_function("() => document.querySelector('#stage img').naturalWidth === 120")
    assert [words.strip() for words in ada.texts("#about .actions > *")] == ["Copy prompt", "Copy name", "Open alone"]
    ada.page.get_by_role("button", name="Copy name").click()
    expect(ada.page.locator("#voice")).to_have_text("Copied")
    assert clipboard(ada) == "prediction:acmeada00001/1"


def test_spending_says_what_the_limit_leaves_and_whose_midnight_counts(ada: Seen) -> None:
    ada.page.get_by_role("button", name="Spending").click()
    expect(ada.page.locator("#limits li")).to_have_count(4)
    today, month, left, day = ada.texts("#limits li")
    assert today.startswith("$0.009") and month.startswith("$0.009")
    assert left == "$4.99 left\nof $5.00, your own limit for a day in tenant 'acme'"
    assert day == "A day begins at midnight in UTC"
    expect(ada.page.locator("#models tbody tr")).to_have_count(1)


def test_an_administrator_looks_at_each_of_their_tenants(ada: Seen) -> None:
    ada.page.get_by_role("button", name="Team").click()
    expect(ada.page.locator("#people tbody tr")).to_have_count(3)
    assert [row.split("\t")[0] for row in ada.texts("#people tbody tr")][0] == "cyd"
    assert "harbour" not in ada.page.locator("main").inner_text()
    ada.page.locator("#tenants").select_option("umbra")
    expect(ada.page.get_by_role("heading", name="umbra")).to_be_visible()
    expect(ada.page.locator("#open")).to_have_text("Nothing is open.")
    expect(ada.page.locator("#acts tbody tr")).to_have_count(2)


def test_somebody_else_has_no_view_of_a_team_and_none_of_the_firsts_pictures(browser: Browser, people: People) -> None:
    with looking(browser, people.url, cookie="as=acme/bob") as seen:
        expect(seen.page.locator(".tile")).to_have_count(1)
        expect(seen.page.locator(".tile")).to_have_attribute("aria-label", "bob's secret harbour")
        expect(seen.page.get_by_role("button", name="Team")).to_be_hidden()
        assert seen.problems == []


def test_a_new_picture_comes_by_itself(browser: Browser, people: People) -> None:
    with looking(browser, people.url, cookie="as=acme/dan") as seen:
        expect(seen.page.locator("#none")).to_contain_text("Ask your assistant for one")
        people.fill(person("dan"), [Made(prompt="just made")], now=time.time())
        look_again(seen)
        expect(seen.page.locator(".tile")).to_have_attribute("aria-label", "just made")


def test_a_log_in_that_has_ended_is_said(browser: Browser, people: People) -> None:
    with looking(browser, people.url, cookie="as=acme/bob") as seen:
        expect(seen.page.locator(".tile")).to_have_count(1)
        seen.page.context.clear_cookies()
        look_again(seen)
        expect(seen.page.locator("#trouble")).to_have_text("Your log-in has ended. Reload the page to log in again.")


def test_of_very_many_the_oldest_are_asked_for_when_they_are_looked_for(browser: Browser, people: People) -> None:
    with looking(browser, people.url, cookie="as=acme/cyd") as seen:
        expect(seen.page.locator("#count")).to_have_text("2,100 pictures")
        seen.page.wait_for_function("() => !isLoading")
        begun = seen.page.evaluate("() => all.length")
        assert 1_500 <= begun < MANY
        seen.page.locator("#words").fill("number 2100")
        expect(seen.page.locator("#count")).to_have_text("1 of 2,100 pictures")
        expect(seen.page.locator(".tile")).to_have_attribute("aria-label", "lighthouse number 2100")


def test_the_end_of_the_sheet_brings_older_ones(browser: Browser, people: People) -> None:
    with looking(browser, people.url, cookie="as=acme/cyd") as seen:
        seen.page.wait_for_function("() => !isLoading && rest")
        seen.page.evaluate("() => scrollTo(0, document.body.scrollHeight)")
        seen.page.wait_for_function("() => all.length > 1600")
        for _ in range(3):
            seen.page.wait_for_function("() => !isLoading")
            seen.page.evaluate("() => scrollTo(0, document.body.scrollHeight)")
        seen.page.wait_for_function("count => all.length === count", arg=MANY)


def test_axe_finds_nothing_in_the_views_of_a_team(browser: Browser, people: People) -> None:
    with looking(browser, people.url, cookie="as=acme/ada") as seen:
        for view, painted in (("Spending", "#limits li"), ("Team", "#people tbody tr")):
            seen.page.get_by_role("button", name=view).click()
            expect(seen.page.locator(painted).first).to_be_visible()
            assert seen.violations() == []
