"""Words and addresses from outside that want to be more than words: they are shown, and do nothing."""

from collections.abc import Iterator
from typing import Any

import pytest
from gallery_browser import PROGRAMS, Stage, image_block, open_stage
from gallery_reports import part, plain_pictures, report, result
from playwright.sync_api import Browser, expect

WORDS = (
    "<img src=https://evil.test/x.png onerror=\"parent.postMessage('pwned','*')\">",
    "</script><script>parent.postMessage('pwned','*')</script>",
    "</textarea></title><svg onload=parent.postMessage('pwned','*')>",
    "\" onmouseover=\"parent.postMessage('pwned','*')\" x=\"",
    "javascript:parent.postMessage('pwned','*')",
    "${parent.postMessage('pwned','*')}{{constructor.constructor('alert(1)')()}}",
)
ADDRESSES = (
    "javascript:parent.postMessage('pwned','*')",
    "data:text/html,<script>parent.postMessage('pwned','*')</script>",
    "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIG9ubG9hZD0iYWxlcnQoMSkiLz4=",
    "http://evil.test/x.png",
    "//evil.test/x.png",
    "file:///etc/passwd",
    "blob:https://evil.test/1",
    " https://evil.test/x.png",
)


@pytest.fixture
def stage(browser: Browser) -> Iterator[Stage]:
    """Whatever the test shows: no request beyond the two pages, no script of a stranger, a silent console."""
    with open_stage(browser) as opened:
        opened.begin()
        yield opened
        assert "pwned" not in opened.page.evaluate("() => host.heard")
        assert opened.problems == []
        assert set(opened.requests) <= PROGRAMS


def everywhere(words: str) -> dict[str, Any]:
    """A report with these words in each field that is shown."""
    data = report(2, prompt=words, model=words, notes=[words], predictions=[part("failed", error=words), part()])
    data["request"]["prompt"] = words
    for entry in data["images"]:
        entry.update(path=f"/tmp/{words}", mime_type=words, url="")
    data["images"][1].update(problem=words, path="", state="wanted")
    return data


def test_hostile_words_are_shown_as_they_are(stage: Stage) -> None:
    elements = "() => document.querySelectorAll('body *').length"
    dialog = stage.view.get_by_role("dialog")
    for words in WORDS:
        stage.show(result(everywhere("plain"), plain_pictures(1)))
        expect(stage.view.locator("#prompt")).to_have_text("plain")
        plain = stage.view.evaluate(elements)
        stage.show(result(everywhere(words), plain_pictures(1)))
        expect(stage.view.locator("#prompt")).to_have_text(words)
        expect(stage.view.locator("dd").first).to_have_text(words)
        assert stage.view.evaluate(elements) == plain, words
        stage.view.locator(".tile").click()
        expect(dialog).to_be_visible()
        stage.page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()


def test_hostile_failures_are_shown_as_they_are(stage: Stage) -> None:
    for words in WORDS:
        error = {"kind": "gateway", "message": words, "billed": "maybe", "retry_after_s": None}
        failed = report(0, outcome="failed", status=words, predictions=[part("failed", error=words)], error=error)
        stage.show(result(failed))
        expect(stage.view.locator("#reasons p").first).to_have_text(words)


def test_hostile_words_in_the_history_are_shown_as_they_are(stage: Stage) -> None:
    for words in WORDS:
        entry = dict.fromkeys(("id", "request_id", "status", "model", "prompt", "created_at"), words)
        listed = {"outcome": "listed", "predictions": [{**entry, "charged": {"verdict": words, "usd": 1}}, None, 3]}
        stage.show({"content": [], "_meta": {"darkroom/report": listed}})
        expect(stage.view.locator("#past button")).to_contain_text(words[:20])


def test_hostile_words_without_a_report_are_shown_as_they_are(stage: Stage) -> None:
    for words in WORDS:
        stage.show({"content": [{"type": "text", "text": words}], "isError": True})
        expect(stage.view.locator("#reasons")).to_have_text(words)


def test_addresses_that_are_not_https_never_reach_the_page(stage: Stage) -> None:
    for address in ADDRESSES:
        data = report(1, prompt=f"the one at {address}")
        data["images"][0]["url"] = address
        stage.show(result(data))
        expect(stage.view.locator("#prompt")).to_have_text(f"the one at {address}")
        expect(stage.view.locator(".lost")).to_have_count(1)
        assert stage.view.locator("a, #grid img").count() == 0, address
    for address in ADDRESSES:
        words = {"type": "text", "text": f"only a link to {address}"}
        stage.show({"content": [{"type": "resource_link", "uri": address}, words]})
        expect(stage.view.get_by_text(f"only a link to {address}")).to_be_visible()
        expect(stage.view.locator(".lost")).to_have_count(1)
        assert stage.view.locator("a, #grid img").count() == 0, address


def test_a_preview_of_another_type_is_not_shown(stage: Stage) -> None:
    for mime_type in ("image/svg+xml", "text/html", "image/png;x=,<b>"):
        answer = result(report(1, images=[{"n": 1, "path": "/tmp/1.svg"}], prompt=f"one of {mime_type}"))
        block = image_block(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", mime_type)
        stage.show(answer | {"content": [*answer["content"], block]})
        expect(stage.view.locator("#prompt")).to_have_text(f"one of {mime_type}")
        expect(stage.view.locator(".lost")).to_have_text("Image 1 of 1 cannot be shown. Its file is saved.")


def test_broken_reports_are_survived(stage: Stage) -> None:
    for broken in ({}, {"outcome": "succeeded", "images": "no", "predictions": 7, "notes": [None, 3]}, {"outcome": 5}):
        stage.show({"content": [{"type": "text", "text": "Words."}], "_meta": {"darkroom/report": broken}})
    stage.show({"content": None})
    expect(stage.view.locator("main")).to_have_attribute("data-outcome", "succeeded")
