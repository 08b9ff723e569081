"""How much room the gallery takes: little in the conversation, all of it on the full screen."""

import pytest
from gallery_browser import Stage, picture, wait_painted
from gallery_reports import image, plain_pictures, report, result
from playwright.sync_api import expect


@pytest.mark.parametrize("width_px", [340, 760, 1200])
def test_pictures_of_any_shape_fill_rows_uncropped(stage: Stage, width_px: int) -> None:
    sizes = [(1344, 768), (768, 1344), (1024, 1024), (1216, 832), (832, 1216), (1536, 640), (1024, 1024)]
    data = report(7)
    data["images"] = [image(number, size) for number, size in enumerate(sizes, start=1)]
    stage.page.set_viewport_size({"width": width_px, "height": 900})
    stage.begin()
    stage.show(result(data, [picture(wide // 8, high // 8) for wide, high in sizes]))
    wait_painted(stage, 7)
    boxes: list[dict[str, float]] = stage.view.locator("#grid img").evaluate_all(
        "all => all.map(image => image.getBoundingClientRect().toJSON())"
    )
    for box, (wide, high) in zip(boxes, sizes, strict=True):
        assert box["width"] / box["height"] == pytest.approx(wide / high, rel=0.02)
    rows = {round(box["y"]): [other for other in boxes if abs(other["y"] - box["y"]) < 2] for box in boxes}
    for row in rows.values():
        assert max(box["height"] for box in row) - min(box["height"] for box in row) < 2
        assert max(box["right"] for box in row) <= width_px


def test_the_host_hears_the_height_whenever_it_changes(stage: Stage) -> None:
    stage.begin()
    stage.show(result(report(1, (512, 512)), plain_pictures(1)))
    wait_painted(stage, 1)
    stage.page.wait_for_function("() => host.of('ui/notifications/size-changed').at(-1).height > 280")
    stage.page.set_viewport_size({"width": 300, "height": 900})
    stage.page.wait_for_function("() => host.of('ui/notifications/size-changed').at(-1).height > 420")
    sizes = [size["height"] for size in stage.heard("ui/notifications/size-changed")]
    assert all(one != next_one for one, next_one in zip(sizes, sizes[1:], strict=False))


@pytest.mark.parametrize("count", [1, 4, 10])
@pytest.mark.parametrize("width_px", [340, 760])
def test_in_the_conversation_it_is_never_higher_than_500_px(stage: Stage, count: int, width_px: int) -> None:
    stage.page.set_viewport_size({"width": width_px, "height": 900})
    data = report(count, (768, 1344))
    for entry in data["images"]:
        entry["url"] = ""
    stage.begin()
    stage.show(result(data, plain_pictures(count, (96, 168))))
    wait_painted(stage, count)
    stage.view.locator(".tile").first.click()
    stage.page.wait_for_function("() => host.of('ui/notifications/size-changed').at(-1).height >= 420")
    assert max(size["height"] for size in stage.heard("ui/notifications/size-changed")) <= 500


def test_the_full_screen_is_asked_for_and_left_again(stage: Stage) -> None:
    stage.begin(context={"displayMode": "inline", "availableDisplayModes": ["inline", "fullscreen"]})
    stage.show(result(report(4), plain_pictures(4)))
    wait_painted(stage, 4)
    before = stage.view.locator("#grid img").first.bounding_box()
    stage.view.get_by_role("button", name="Full screen").click()
    stage.view.get_by_role("button", name="Smaller").wait_for()
    after = stage.view.locator("#grid img").first.bounding_box()
    assert before and after and after["height"] > before["height"] + 50
    stage.view.get_by_role("button", name="Smaller").click()
    stage.view.get_by_role("button", name="Full screen").wait_for()
    assert stage.heard("ui/request-display-mode") == [{"mode": "fullscreen"}, {"mode": "inline"}]


def test_a_host_without_a_full_screen_is_not_asked_for_one(stage: Stage) -> None:
    stage.begin()
    stage.show(result(report(1), plain_pictures(1)))
    expect(stage.view.get_by_role("button", name="Full screen")).to_have_count(0)
