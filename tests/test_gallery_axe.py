"""The gallery in the eyes of axe: in every state, on light and on dark, nothing to complain about."""

from pathlib import Path
from typing import Any

import pytest
from gallery_browser import Stage, picture, press, skip_outside_ci, wait_painted
from gallery_reports import RECENT, part, plain_pictures, report, result, running
from playwright.sync_api import expect

AXE = Path(__file__).with_name("node_modules") / "axe-core" / "axe.min.js"


STATES: dict[str, dict[str, Any]] = {
    "four": result(report(4), plain_pictures(4)),
    "running": result(running(40.0)),
    "failed": result(report(0, outcome="failed", status="failed", predictions=[part("failed", error="No.")])),
}


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing_to_complain_about(stage: Stage, state: str) -> None:
    stage.begin(answers={"get_prediction": ["wait"]})
    stage.show(STATES[state])
    assert violations(stage) == []


def test_axe_finds_nothing_to_complain_about_in_the_large_view(stage: Stage) -> None:
    data = report(2)
    for entry in data["images"]:
        entry["url"] = ""
    stage.begin()
    stage.show(result(data, plain_pictures(2)))
    stage.view.locator(".tile").first.click()
    expect(stage.view.get_by_role("dialog")).to_be_visible()
    assert violations(stage) == []


def test_axe_finds_nothing_to_complain_about_with_everything_open(stage: Stage) -> None:
    said = {"content": [{"type": "text", "text": f"The person added a picture: upload:{'a' * 24} (1 x 1, 1 kB)."}]}
    stage.begin(
        context={"theme": "light", "availableDisplayModes": ["inline", "fullscreen"]},
        capabilities={"serverTools": {}, "message": {}, "downloadFile": {}, "updateModelContext": {}},
        answers={"add_picture": [said], "get_prediction": [RECENT]},
    )
    data = report(3, notes=["A note."])
    data["images"][2] |= {"path": "", "url": "", "state": "expired", "problem": "Its link died too soon."}
    stage.show(result(data, plain_pictures(2)))
    wait_painted(stage, 2)
    stage.view.locator("#file").set_input_files([{"name": "a.png", "mimeType": "image/png", "buffer": picture(9, 9)}])
    press(stage, "History")
    stage.view.locator("#past button").wait_for()
    press(stage, "Upscale Image 2 of 3")
    expect(stage.view.locator("#notes")).to_contain_text("Asked: ")
    assert violations(stage) == []


def violations(stage: Stage) -> list[Any]:
    """What axe has to complain about in light, and then in dark."""
    if not AXE.is_file():
        skip_outside_ci("axe-core is not here: npm install --prefix tests")
    stage.view.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = []
    for theme in ("light", "dark"):
        stage.notify("host-context-changed", {"theme": theme})
        expect(stage.view.locator("html")).to_have_css("color-scheme", theme)
        found += stage.view.evaluate("() => axe.run(document).then(done => done.violations)")
    return [(entry["id"], [node["html"] for node in entry["nodes"]]) for entry in found]
