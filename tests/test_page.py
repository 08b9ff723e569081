"""What a person sees and does on the page of `darkroom-mcp gallery`, in a real browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from page_browser import Seen, clipboard, looking
from page_rooms import Made, PageProcess, fill, stray
from pictures import picture
from playwright.sync_api import Browser, expect

FOX, LAKE = "a red fox in fresh snow", "a mountain lake, 35 mm"
SLOW = "luma/photon"
LOOKS_EVERY_MS = 5000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageProcess]:
    folder = tmp_path_factory.mktemp("page")
    colours = ["#a33", "#3a3", "#33a", "#aa3", "#3aa", "#a3a"]
    shapes = [picture("PNG", size=(120, 80), color=colour) for colour in colours]
    made = [Made(content=shape, days_ago=day * 2) for day, shape in enumerate(shapes)]
    fill(folder, [*made, Made(prompt=FOX, model=SLOW, seed=None, cost_usd=None), Made(prompt=LAKE, cost_usd=0.25)])
    stray(folder, "found")
    with PageProcess(folder) as served:
        yield served


@pytest.fixture
def seen(browser: Browser, server: PageProcess) -> Iterator[Seen]:
    """Every test ends with a silent console, and nobody else was asked for anything."""
    with looking(browser, server.url) as page:
        expect(page.page.locator("#count")).to_have_text("9 pictures")
        yield page
        assert page.problems == []
        assert {url for url in page.requests if not url.startswith((server.url, "data:"))} == set()


def open_one(seen: Seen, prompt: str) -> None:
    seen.page.get_by_role("button", name=prompt).first.click()
    expect(seen.page.get_by_role("dialog")).to_be_visible()


def test_every_picture_is_painted_under_its_day(seen: Seen) -> None:
    expect(seen.page.locator(".tile img.is-here")).to_have_count(9)
    assert sum(int(text.split()[-2]) for text in seen.texts("h2.day")) == 9


def test_words_find_pictures(seen: Seen) -> None:
    found = {"fox": 1, "lighthouse": 6, "SNOW red": 1, "zebra": 0, "picture-3": 1, "nothing": 0, "photon": 1}
    for words, count in found.items():
        seen.page.locator("#words").fill(words)
        expect(seen.page.locator("#count")).to_have_text(f"{count} of 9 pictures")
        expect(seen.page.locator(".tile")).to_have_count(count)
        expect(seen.page.get_by_text("No picture fits")).to_be_visible(visible=count == 0)


def test_model_and_day_narrow_the_search_and_clear_ends_it(seen: Seen) -> None:
    seen.page.locator("#model").select_option(SLOW)
    expect(seen.page.locator("#count")).to_have_text("1 of 9 pictures")
    seen.page.get_by_role("button", name="Clear").click()
    expect(seen.page.locator("#count")).to_have_text("9 pictures")
    seen.page.locator("#day").fill("2026-09-01")
    expect(seen.page.locator(".tile")).to_have_count(1)
    expect(seen.page.locator(".tile")).to_have_attribute("aria-label", "the stray found")


def test_the_large_view_tells_how_it_was_made(seen: Seen) -> None:
    open_one(seen, LAKE)
    expect(seen.page.locator("#prompt")).to_have_text(LAKE)
    facts = dict(zip(seen.texts("dt"), seen.texts("dd"), strict=True))
    assert facts["Model"] == "black-forest-labs/flux-schnell"
    assert facts["Seed"] == "7"
    assert facts["Cost"] == "$0.25 (by the gateway's own log)"
    assert facts["Size"].startswith("120 × 80 · PNG")
    seen.page.wait_for_function("() => document.querySelector('#stage img').src.includes('/image/')")
    assert seen.page.locator("#stage img").evaluate("image => image.naturalWidth") == 120


def test_prompt_command_and_path_are_copied(seen: Seen, server: PageProcess) -> None:
    open_one(seen, LAKE)
    path = str(server.folder / "images" / "picture-7.png")
    command = "darkroom-mcp generate --like picture00007"
    for name, text in (("Copy prompt", LAKE), ("Copy command", command), ("Copy path", path)):
        seen.page.get_by_role("button", name=name).click()
        expect(seen.page.locator("#voice")).to_have_text("Copied")
        assert clipboard(seen) == text


def test_where_there_is_no_file_manager_that_is_said(browser: Browser, tmp_path: Path) -> None:
    fill(tmp_path, [Made()])
    with PageProcess(tmp_path, PATH="/nonexistent") as server, looking(browser, server.url) as seen:
        open_one(seen, "lighthouse")
        seen.page.get_by_role("button", name="Show in folder").click()
        expect(seen.page.get_by_role("alert")).to_have_text(
            "There is no xdg-open on this computer. Copy the path instead."
        )


def test_all_of_it_works_from_the_keyboard(seen: Seen) -> None:
    keyboard, tiles = seen.page.keyboard, seen.page.locator(".tile")
    expect(tiles).to_have_count(9)
    keyboard.press("/")
    expect(seen.page.locator("#words")).to_be_focused()
    tiles.first.focus()
    keyboard.press("ArrowRight")
    expect(tiles.nth(1)).to_be_focused()
    keyboard.press("End")
    expect(tiles.last).to_be_focused()
    keyboard.press("Home")
    keyboard.press("Enter")
    expect(seen.page.get_by_role("dialog")).to_be_visible()
    expect(seen.page.get_by_role("button", name="Close")).to_be_focused()
    keyboard.press("ArrowRight")
    expect(seen.page.locator("#about .top")).to_contain_text("2 of 9")
    keyboard.press("ArrowLeft")
    keyboard.press("ArrowLeft")
    expect(seen.page.locator("#about .top")).to_contain_text("9 of 9")
    keyboard.press("Escape")
    expect(seen.page.get_by_role("dialog")).to_be_hidden()
    expect(tiles.last).to_be_focused()
    expect(seen.page.locator(".tile[tabindex='0']")).to_have_count(1)


def test_spending_is_plotted_and_told_in_tables(seen: Seen) -> None:
    seen.page.get_by_role("button", name="Spending").click()
    seen.page.get_by_role("button", name="All time").click()
    expect(seen.page.locator("#sums")).to_have_text(
        "$0.27 for 8 predictions, and at most $0.003 more for what is not settled yet (pale)."
    )
    assert seen.page.locator("#plot rect").count() == 2
    rows = [row.split("\t") for row in seen.texts("#models tbody tr")]
    assert rows == [["flux-schnell", "7", "$0.27", "–"], ["photon", "1", "–", "$0.003"]]
    expect(seen.page.get_by_role("button", name="All time")).to_be_focused()


def test_a_new_picture_appears_and_the_place_is_kept(browser: Browser, tmp_path: Path) -> None:
    fill(tmp_path, [Made(days_ago=1)])
    with PageProcess(tmp_path) as server, looking(browser, server.url, is_timed=True) as seen:
        expect(seen.page.locator(".tile")).to_have_count(1)
        seen.page.locator(".tile").focus()
        fill(tmp_path, [Made(prompt="the newest")], first=1)
        seen.page.clock.run_for(LOOKS_EVERY_MS)
        expect(seen.page.locator(".tile")).to_have_count(2)
        expect(seen.page.locator(".tile").first).to_have_attribute("aria-label", "the newest")
        expect(seen.page.locator(".tile").nth(1)).to_be_focused()
        assert seen.problems == []


def test_of_many_pictures_only_those_near_the_window_are_in_the_document(browser: Browser, tmp_path: Path) -> None:
    fill(tmp_path, [Made(prompt=f"number {number}", days_ago=number / 50) for number in range(300)])
    with PageProcess(tmp_path) as server, looking(browser, server.url) as seen:
        expect(seen.page.locator("#count")).to_have_text("300 pictures")
        assert 20 < seen.page.locator(".tile").count() < 130
        seen.page.locator(".tile").first.focus()
        seen.page.keyboard.press("End")
        last = seen.page.locator("[data-index='299']")
        expect(last).to_be_focused()
        expect(last).to_be_in_viewport()
        expect(last.locator("img.is-here")).to_have_count(1)
        assert seen.page.locator(".tile").count() < 150
        assert seen.problems == []


def test_when_the_server_has_ended_the_page_says_what_to_do(browser: Browser, tmp_path: Path) -> None:
    fill(tmp_path, [Made()])
    with PageProcess(tmp_path) as server, looking(browser, server.url, is_timed=True) as seen:
        expect(seen.page.locator(".tile")).to_have_count(1)
        server.interrupt()
        seen.page.clock.run_for(LOOKS_EVERY_MS)
        expect(seen.page.locator("#trouble")).to_contain_text("Start it again in a terminal")


def test_without_pictures_it_says_how_to_make_one(browser: Browser, tmp_path: Path) -> None:
    with PageProcess(tmp_path) as server, looking(browser, server.url) as seen:
        expect(seen.page.get_by_text("No pictures yet")).to_be_visible()
        seen.page.get_by_role("button", name="Spending").click()
        expect(seen.page.get_by_text("Nothing was charged in this time.")).to_be_visible()
        assert seen.problems == []


def test_axe_finds_nothing_to_complain_about(seen: Seen) -> None:
    expect(seen.page.locator(".tile img.is-here").first).to_be_visible()
    assert violations(seen) == []
    seen.page.locator("#words").fill("zebra")
    expect(seen.page.get_by_text("No picture fits")).to_be_visible()
    assert violations(seen) == []
    seen.page.get_by_role("button", name="Clear").click()
    open_one(seen, "lighthouse")
    assert violations(seen) == []
    seen.page.keyboard.press("Escape")
    seen.page.get_by_role("button", name="Spending").click()
    assert violations(seen) == []


def violations(seen: Seen) -> list[Any]:
    """What axe has to complain about on a wide and on a narrow window, in which nothing stands out at the side."""
    found: list[Any] = []
    for width_px in (1100, 390):
        seen.page.set_viewport_size({"width": width_px, "height": 800})
        found += seen.violations()
        wide = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert seen.page.evaluate(wide) <= 0
    return found
