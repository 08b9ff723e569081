"""A picture that the person adds in the gallery: dropped, pasted or chosen, then told to the conversation."""

import base64
from typing import Any

import pytest
from gallery_browser import TIMED, Stage, picture
from gallery_reports import plain_pictures, report, result
from playwright.sync_api import FilePayload, expect

REF = "upload:0123456789abcdef01234567"
SAID = f"The person added a picture: {REF} (50 x 50, 1 kB)."
ADDED = {"content": [{"type": "text", "text": SAID}]}
FILE = FilePayload(name="<b>cat</b>.png", mimeType="image/png", buffer=picture(50, 50))
CAPABILITIES: dict[str, Any] = {"serverTools": {}, "updateModelContext": {}, "message": {}}


def wait_told(stage: Stage, method: str, words: str) -> None:
    stage.page.wait_for_function(
        "([method, words]) => host.of(method).some(params => params.content[0].text.includes(words))",
        arg=[method, words],
    )


def test_a_chosen_picture_is_added_and_told_without_a_question(stage: Stage) -> None:
    stage.begin(capabilities=CAPABILITIES, answers={"add_picture": [ADDED]})
    stage.view.locator("#file").set_input_files([FILE])
    expect(stage.view.locator("#added li")).to_have_text(f"<b>cat</b>.png is {REF}")
    wait_told(stage, "ui/update-model-context", SAID)
    assert stage.heard("ui/message") == []
    data = base64.b64encode(FILE["buffer"]).decode()
    assert stage.calls("add_picture") == [{"picture": f"data:image/png;base64,{data}"}]
    assert stage.view.locator("#added img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 50


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_picture_is_dropped_or_pasted(stage: Stage, way: str) -> None:
    stage.begin(capabilities=CAPABILITIES, answers={"add_picture": [ADDED]})
    stage.view.evaluate(
        """([way, name]) => {
            const files = new DataTransfer();
            files.items.add(new File([new Uint8Array([1, 2, 3])], name, {type: 'image/png'}));
            const about = {bubbles: true, cancelable: true};
            dispatchEvent(way === 'drop' ? new DragEvent('drop', {dataTransfer: files, ...about})
                : new ClipboardEvent('paste', {clipboardData: files, ...about}));
        }""",
        [way, "cat.png"],
    )
    expect(stage.view.locator("#added li")).to_have_text(f"cat.png is {REF}")
    assert stage.calls("add_picture") == [{"picture": "data:image/png;base64,AQID"}]


@TIMED
def test_what_was_added_stays_told_when_there_is_other_news(stage: Stage) -> None:
    done = result(report(1), plain_pictures(1), text="Done.")
    running = result(report(0, outcome="running", status="processing"))
    stage.begin(capabilities=CAPABILITIES, answers={"add_picture": [ADDED], "get_prediction": [done]})
    stage.show(running)
    stage.view.locator("#file").set_input_files([FILE])
    wait_told(stage, "ui/update-model-context", SAID)
    stage.page.clock.run_for(1_600)
    wait_told(stage, "ui/update-model-context", "Done.")
    [last] = stage.heard("ui/update-model-context")[-1]["content"]
    assert last["text"] == f"{SAID}\n\nDone."


def test_a_host_without_a_context_hears_of_it_in_a_message(stage: Stage) -> None:
    stage.begin(capabilities={"serverTools": {}, "message": {}}, answers={"add_picture": [ADDED]})
    stage.view.locator("#file").set_input_files([FILE])
    wait_told(stage, "ui/message", SAID)


def test_an_added_picture_can_be_asked_for(stage: Stage) -> None:
    stage.begin(capabilities=CAPABILITIES, answers={"add_picture": [ADDED]})
    stage.view.locator("#file").set_input_files([FILE])
    stage.view.get_by_role("button", name="Cut out <b>cat</b>.png").click()
    wait_told(stage, "ui/message", f'background of the picture that I added: generate_image with images=["{REF}"]')
    expect(stage.view.get_by_role("button", name="Vary <b>cat</b>.png")).to_have_count(0)


def test_a_refused_picture_says_why_and_the_next_is_tried(stage: Stage) -> None:
    words = "Refused: picture is not an image that can be sent: it is text."
    refused = {"content": [{"type": "text", "text": words}], "isError": True}
    stage.begin(capabilities=CAPABILITIES, answers={"add_picture": [refused, ADDED]})
    stage.view.locator("#file").set_input_files([{**FILE, "name": "notes.txt"}, FILE])
    expect(stage.view.locator("#added li")).to_have_count(1)
    expect(stage.view.locator("#reasons")).to_have_text(f"notes.txt was not added: {words}")


def test_a_host_that_calls_no_tools_takes_no_picture(stage: Stage) -> None:
    stage.begin(capabilities={})
    stage.view.locator("#file").set_input_files([FILE])
    stage.show(result(report(1), plain_pictures(1)))
    expect(stage.view.get_by_role("button", name="Add a picture")).to_have_count(0)
    assert stage.heard("tools/call") == []
