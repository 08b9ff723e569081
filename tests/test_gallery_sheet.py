"""An answer shows its model several images as one sheet; the gallery shows each of them by itself."""

import base64
from typing import Any

from gallery_browser import PICTURES_URL, Stage, picture, wait_painted
from gallery_reports import plain_pictures, report, result
from playwright.sync_api import expect


def test_a_preview_goes_to_the_image_that_it_names(stage: Stage) -> None:
    stage.pictures[f"{PICTURES_URL}1.png"] = picture(600, 300)
    answer = result(report(2, (600, 300)), [picture(300, 600)])
    answer["content"][1]["_meta"] = {"darkroom/n": 2}
    stage.begin()
    stage.show(answer)
    wait_painted(stage, 2)
    assert stage.view.locator("#grid img").evaluate_all("all => all.map(image => image.naturalWidth)") == [600, 300]


def sheet_of(count: int, **changes: Any) -> dict[str, Any]:
    """An answer whose only picture shows all images."""
    answer = result(report(count, **changes), [picture(900, 600)])
    answer["content"][1]["_meta"] = {"darkroom/cells": []}
    return answer


def test_of_a_contact_sheet_each_image_is_read_by_itself(stage: Stage) -> None:
    address = f"prediction://{report()['request_id']}/images"
    blobs = [base64.b64encode(content).decode() for content in plain_pictures(3)]
    resources = {
        f"{address}/{number}/preview": {"uri": "x", "mimeType": "image/png", "blob": blob}
        for number, blob in enumerate(blobs, start=1)
    }
    stage.begin(capabilities={"serverResources": {}}, resources=resources)
    stage.show(sheet_of(3))
    wait_painted(stage, 3)
    expect(stage.view.locator(".number")).to_have_text(["1", "2", "3"])
    shown = stage.view.locator("#grid img").evaluate_all("images => images.map(image => image.src.slice(22))")
    assert shown == blobs


def test_the_sheet_is_shown_where_no_image_can_be_had_by_itself(stage: Stage) -> None:
    answer = sheet_of(3)
    for entry in answer["_meta"]["darkroom/report"]["images"]:
        entry["url"] = ""
    stage.begin(capabilities={"serverResources": {}})
    stage.show(answer)
    wait_painted(stage, 1)
    stage.view.locator(".tile").click()
    expect(stage.view.locator("#caption")).to_have_text("All images, numbered")
    expect(stage.view.locator(".lost")).to_have_count(0)


def test_a_preview_that_is_no_picture_falls_back_to_the_link(stage: Stage) -> None:
    stage.pictures |= {f"{PICTURES_URL}{number}.png": picture(64, 64) for number in (1, 2)}
    address = f"prediction://{report()['request_id']}/images"
    odd = {"uri": "x", "mimeType": "image/svg+xml", "blob": "PHN2Zy8+"}
    stage.begin(
        capabilities={"serverResources": {}}, resources={f"{address}/{number}/preview": odd for number in (1, 2)}
    )
    stage.show(sheet_of(2))
    wait_painted(stage, 2)
    expect(stage.view.get_by_role("button", name="All images, numbered")).to_have_count(0)
