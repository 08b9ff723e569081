"""What the gallery asks of its host: by itself news of a running prediction and previews, the rest when pressed."""

from collections.abc import Iterator
from typing import Any

import pytest
from gallery_browser import PICTURES_URL, PROGRAMS, Stage, open_stage, press, wait_called
from gallery_reports import PROMPT, RECENT, part, plain_pictures, report, result, running
from playwright.sync_api import Browser, expect


@pytest.fixture
def stage(browser: Browser) -> Iterator[Stage]:
    """The clock is the test's: it runs on only when moved. No request but for the two pages, and a silent console."""
    with open_stage(browser, is_timed=True) as opened:
        yield opened
        assert opened.problems == []
        assert set(opened.requests) <= PROGRAMS


def wait_outcome(stage: Stage, outcome: str) -> None:
    stage.view.locator(f"main[data-outcome={outcome}]").wait_for()


def fresh(data: dict[str, Any], id: str = "p2") -> dict[str, Any]:
    """The answer to a further call: another prediction."""
    return result({**data, "id": id, "request_id": f"gallery-{id}"}, plain_pictures(len(data["images"])))


def test_an_earlier_result_stays_within_reach(stage: Stage) -> None:
    stage.begin()
    stage.show(result(report(1), plain_pictures(1)))
    stage.notify("tool-result", fresh(report(1, prompt="Another")))
    expect(stage.view.locator("#prompt")).to_have_text("Another")
    press(stage, "Earlier result")
    expect(stage.view.locator("#prompt")).to_have_text(PROMPT)


def test_the_history_is_the_servers_and_each_entry_can_be_shown(stage: Stage) -> None:
    stage.begin(answers={"get_prediction": [RECENT, fresh(report(1, prompt="A vase of tulips"), "p7")]})
    stage.show(result(report(1), plain_pictures(1)))
    press(stage, "History")
    entry = stage.view.locator("#past button")
    expect(entry).to_have_count(1)
    assert entry.inner_text().endswith(" · succeeded · flux-schnell · about $0.003 · A vase of tulips")
    entry.click()
    expect(stage.view.locator("#prompt")).to_have_text("A vase of tulips")
    assert [call["id"] for call in stage.calls("get_prediction")] == ["recent", "auto-7"]
    press(stage, "History")
    expect(stage.view.locator("#past")).to_be_hidden()


def test_a_list_that_the_assistant_asked_for_is_shown_as_one(stage: Stage) -> None:
    stage.begin()
    stage.notify("tool-input", {"arguments": {"id": "recent"}})
    stage.show(RECENT)
    expect(stage.view.locator("#past button")).to_have_count(1)
    expect(stage.view.locator("#state")).to_be_hidden()
    expect(stage.view.locator("#grid")).to_be_hidden()


def test_without_a_list_the_history_is_what_was_shown(stage: Stage) -> None:
    stage.begin(answers={"get_prediction": []})
    stage.show(result(report(1), plain_pictures(1)))
    press(stage, "History")
    expect(stage.view.locator("#past button")).to_have_text([f"succeeded · flux-schnell · about $0.003 · {PROMPT}"])


def test_a_host_without_tool_calls_shows_no_button_that_needs_them(stage: Stage) -> None:
    stage.begin(capabilities={})
    stage.show(result(report(1), plain_pictures(1)))
    expect(stage.view.locator("#actions")).to_be_hidden()
    stage.show(result(running(None, id="p2")))
    expect(stage.view.locator("#reasons")).to_have_text("It goes on by itself. Ask the assistant to look again.")
    stage.page.clock.run_for(120_000)
    assert stage.heard("tools/call") == []


def test_a_running_prediction_is_followed_to_its_images(stage: Stage) -> None:
    end = result(report(1), plain_pictures(1), text="Done.")
    stage.begin(answers={"get_prediction": [result(running(40.0)), end]})
    stage.show(result(running(None, status="starting")))
    expect(stage.view.locator("#title")).to_contain_text("Starting")
    assert stage.calls("get_prediction") == []
    stage.page.clock.run_for(1_600)
    expect(stage.view.locator("#elapsed")).to_contain_text("40 %")
    expect(stage.view.get_by_role("progressbar")).to_have_attribute("value", "40")
    stage.page.clock.run_for(4_000)
    wait_outcome(stage, "succeeded")
    expect(stage.view.locator("#grid img")).to_have_count(1)
    stage.page.clock.run_for(120_000)
    assert stage.calls("get_prediction") == [{"id": "auto-0123456789ab", "wait_seconds": 3}] * 2
    told = stage.heard("ui/update-model-context")
    assert [entry["content"][0]["text"] for entry in told] == ["Done."]


def test_following_stops_when_the_host_takes_the_view_away(stage: Stage) -> None:
    stage.begin()
    stage.show(result(running()))
    stage.page.evaluate("() => host.send({id: 77, method: 'ui/resource-teardown', params: {reason: 'closed'}})")
    stage.page.wait_for_function("() => host.heard.some(message => message.id === 77 && message.result)")
    stage.page.clock.run_for(120_000)
    assert stage.calls("get_prediction") == []


def test_following_gives_up_after_five_failures_and_says_so(stage: Stage) -> None:
    stage.begin(answers={"get_prediction": []})
    stage.show(result(running()))
    for times in range(1, 6):
        stage.page.clock.run_for(61_000)
        wait_called(stage, "get_prediction", times)
    expect(stage.view.locator("#reasons")).to_contain_text("How it goes cannot be seen just now: no such tool here")
    stage.page.clock.run_for(600_000)
    assert len(stage.calls("get_prediction")) == 5
    press(stage, "Look again")
    wait_called(stage, "get_prediction", 6)


def test_a_prediction_of_several_parts_shows_their_common_progress(stage: Stage) -> None:
    stage.begin(answers={"get_prediction": ["wait"]})
    parts = [part(), part("processing", percent=50.0), part("starting")]
    stage.show(result(running(predictions=parts)))
    expect(stage.view.get_by_role("progressbar")).to_have_attribute("value", "50")


def test_cancel_appears_only_where_the_report_allows_it(stage: Stage) -> None:
    canceled = result(report(0, outcome="failed", status="canceled", predictions=[part("canceled")]))
    stage.begin(answers={"get_prediction": [canceled]})
    stage.show(result(running()))
    expect(stage.view.get_by_role("button", name="Cancel")).to_have_count(0)
    stage.show(result(running(can_cancel=True)))
    press(stage, "Cancel")
    expect(stage.view.locator("#title")).to_have_text("Canceled")
    assert stage.calls("get_prediction") == [{"id": report()["request_id"], "cancel": True}]


def test_a_cancel_that_is_refused_is_told_and_following_goes_on(stage: Stage) -> None:
    words = {"content": [{"type": "text", "text": "Refused: too late."}]}
    refusal = {**words, "_meta": {"darkroom/report": {"outcome": "refused", "status": "refused"}}}
    stage.begin(answers={"get_prediction": [refusal, "wait"]})
    stage.show(result(running(can_cancel=True)))
    press(stage, "Cancel")
    expect(stage.view.locator("#reasons")).to_have_text("Not canceled: Refused: too late.")
    stage.page.clock.run_for(2_000)
    wait_called(stage, "get_prediction", 2)


def test_originals_open_through_the_host(stage: Stage) -> None:
    stage.begin()
    stage.show(result(report(1), plain_pictures(1)))
    stage.view.get_by_role("link", name="Open the original of Image 1 of 1").click()
    stage.page.wait_for_function("() => host.of('ui/open-link').length")
    assert stage.heard("ui/open-link") == [{"url": f"{PICTURES_URL}1.png"}]


def test_the_path_and_the_prompt_can_be_copied_also_in_the_large_view(stage: Stage) -> None:
    stage.begin()
    data = report(1)
    data["images"][0]["url"] = ""
    stage.show(result(data, plain_pictures(1)))
    stage.view.evaluate(
        "() => addEventListener('copy', () => { globalThis.copied = String(getSelection() || '') "
        "|| document.activeElement.value; })"
    )
    press(stage, "Copy prompt")
    stage.view.wait_for_function("text => globalThis.copied === text", arg=PROMPT)
    expect(stage.view.locator("#voice")).to_have_text("Copied")
    stage.view.locator(".tile").click()
    press(stage, "Copy the file path of this image")
    stage.view.wait_for_function("text => globalThis.copied === text", arg=data["images"][0]["path"])


def test_ping_and_unknown_requests_of_the_host_are_answered(stage: Stage) -> None:
    stage.begin()
    stage.page.evaluate("() => { host.send({id: 1, method: 'ping'}); host.send({id: 2, method: 'toString'}); }")
    stage.page.wait_for_function("() => host.heard.filter(message => !message.method).length === 2")
    pong, unknown = stage.page.evaluate("() => host.heard.filter(message => !message.method)")
    assert pong == {"jsonrpc": "2.0", "id": 1, "result": {}}
    assert unknown["error"]["code"] == -32601


def test_messages_from_any_window_but_the_host_are_ignored(stage: Stage) -> None:
    stage.begin()
    forged = {"jsonrpc": "2.0", "method": "ui/notifications/tool-result", "params": result(report(1))}
    stage.view.evaluate("message => window.postMessage(message, '*')", forged)
    stage.view.evaluate("() => new Promise(done => { addEventListener('message', done); postMessage('last', '*'); })")
    assert stage.view.locator("main").get_attribute("data-outcome") == ""
