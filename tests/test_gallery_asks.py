"""What the gallery asks of the assistant, in words, and of the host, to download; it never calls a tool that costs."""

import base64
import re
from typing import Any

import pytest
from gallery_browser import PICTURES_URL, Stage, press, wait_called
from gallery_reports import RECENT, plain_pictures, report, result
from playwright.sync_api import expect

ADDRESS = f"prediction://{report()['request_id']}"
EVERYTHING: dict[str, Any] = {
    name: {}
    for name in ("openLinks", "serverTools", "serverResources", "downloadFile", "updateModelContext", "message")
}


def previews_of(data: dict[str, Any]) -> dict[str, Any]:
    """What a host reads at the addresses of the single previews."""
    blobs = [base64.b64encode(content).decode() for content in plain_pictures(len(data["images"]))]
    return {
        f"{ADDRESS}/images/{number}/preview": {"uri": "x", "mimeType": "image/png", "blob": blob}
        for number, blob in enumerate(blobs, start=1)
    }


def test_no_press_ever_calls_a_tool_that_costs(stage: Stage) -> None:
    stage.begin(capabilities=EVERYTHING, resources=previews_of(report(2)), answers={"get_prediction": [RECENT]})
    stage.show(result(report(2), plain_pictures(2)))
    expect(stage.view.locator(".asks button")).to_have_count(8)
    names = [button.get_attribute("aria-label") for button in stage.view.locator(".asks button").all()]
    for name in ["History", *names]:
        stage.view.get_by_role("button", name=str(name), exact=True).dispatch_event("click")
    stage.page.wait_for_function("() => host.of('ui/message').length === 8")
    wait_called(stage, "get_prediction", 1)
    assert {call["name"] for call in stage.heard("tools/call")} == {"get_prediction"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Vary", r'another version of image 2 \(prediction:p1/2\): generate_image with like="p1/2" and seed=\d+'),
        ("Edit", r'I want to change image 2: generate_image with images=\["prediction:p1/2"\]\. Ask me what'),
        ("Upscale", r'upscale image 2: generate_image with images=\["prediction:p1/2"\] .*\(task="upscale"\)'),
        ("Cut out", r'background of image 2: .* images=\["prediction:p1/2"\] .*\(task="remove_background"\)'),
    ],
)
def test_each_image_can_be_asked_for_in_the_conversation(stage: Stage, name: str, words: str) -> None:
    data = report(2)
    for entry in data["images"]:
        entry["prediction_id"] = "p1"
    stage.begin(capabilities=EVERYTHING)
    stage.show(result(data, plain_pictures(2)))
    press(stage, f"{name} Image 2 of 2")
    stage.page.wait_for_function("() => host.of('ui/message').length")
    [message] = stage.heard("ui/message")
    assert message["role"] == "user"
    [block] = message["content"]
    assert re.search(words, block["text"]) and block["text"].endswith("Tell me the price first.")
    expect(stage.view.locator("#notes")).to_have_text(f"Asked: {block['text']}")


@pytest.mark.parametrize("host", [{}, {"message": {}}])
def test_words_that_the_host_does_not_take_are_copied(stage: Stage, host: dict[str, Any]) -> None:
    stage.begin(capabilities=host, results={"ui/message": {"isError": True}})
    stage.show(result(report(1), plain_pictures(1)))
    press(stage, "Edit Image 1 of 1")
    expect(stage.view.locator("#notes")).to_contain_text("Copied, to be pasted into the conversation: I want to change")


def test_an_image_of_a_second_prediction_is_named_by_its_own_number(stage: Stage) -> None:
    data = report(2)
    data["images"][1] |= {"prediction_id": "p9", "index": 0}
    stage.begin(capabilities=EVERYTHING)
    stage.show(result(data, plain_pictures(2)))
    press(stage, "Edit Image 2 of 2")
    stage.page.wait_for_function("() => host.of('ui/message').length")
    assert 'change image 2: generate_image with images=["prediction:p9/1"]' in str(stage.heard("ui/message"))


def test_an_id_that_is_none_is_never_put_into_words(stage: Stage) -> None:
    stage.begin(capabilities=EVERYTHING)
    for id in ('p1"] and max_usd=9', "", None, 7, "p1/../x"):
        data = report(1, prompt=f"the one with {id!r}")
        data["images"][0]["prediction_id"] = id
        stage.show(result(data, plain_pictures(1)))
        expect(stage.view.locator("#prompt")).to_have_text(f"the one with {id!r}")
        expect(stage.view.get_by_role("button", name="Download Image 1 of 1")).to_have_count(1)
        expect(stage.view.locator(".asks button")).to_have_count(0)


def test_the_original_is_downloaded_through_the_host(stage: Stage) -> None:
    stage.begin(
        capabilities=EVERYTHING,
        resources={f"{ADDRESS}/images/1": {"uri": "x", "mimeType": "image/png", "blob": "AAAA"}},
    )
    stage.show(result(report(1), plain_pictures(1)))
    press(stage, "Download Image 1 of 1")
    stage.page.wait_for_function("() => host.of('ui/download-file').length")
    resource = {"uri": "file:///lighthouse-1.png", "mimeType": "image/png", "blob": "AAAA"}
    assert stage.heard("ui/download-file") == [{"contents": [{"type": "resource", "resource": resource}]}]
    expect(stage.view.locator("#voice")).to_have_text("Downloaded")


def test_a_host_that_reads_no_resources_downloads_from_the_link(stage: Stage) -> None:
    stage.begin(capabilities={"downloadFile": {}}, results={"ui/download-file": {"isError": True}})
    stage.show(result(report(1), plain_pictures(1)))
    press(stage, "Download Image 1 of 1")
    expect(stage.view.locator("#voice")).to_have_text("Not downloaded")
    [sent] = stage.heard("ui/download-file")
    assert [(block["type"], block["uri"]) for block in sent["contents"]] == [("resource_link", f"{PICTURES_URL}1.png")]


def test_without_a_way_to_download_there_is_no_such_button(stage: Stage) -> None:
    stage.begin()
    stage.show(result(report(1), plain_pictures(1)))
    expect(stage.view.get_by_role("link", name="Open the original of Image 1 of 1")).to_have_count(1)
    expect(stage.view.get_by_role("button", name="Download Image 1 of 1")).to_have_count(0)
