"""What a person sees of the gallery, in a real browser under the policy that hosts enforce."""

from typing import Any

from gallery_browser import (
    PICTURES_URL,
    TIMED,
    Stage,
    picture,
    wait_painted,
)
from gallery_reports import PROMPT, image, in_minutes, part, plain_pictures, report, result, running
from playwright.sync_api import expect


def test_four_previews_are_painted_with_what_is_known_about_them(stage: Stage) -> None:
    stage.begin()
    stage.show(result(report(4), plain_pictures(4)))
    wait_painted(stage, 4)
    expect(stage.view.locator("#prompt")).to_have_text(PROMPT)
    facts = stage.view.locator("dl > div").all_inner_texts()
    assert [fact.split("\n") for fact in facts] == [
        ["Model", "black-forest-labs/flux-schnell"],
        ["Time", "1.8 s"],
        ["Cost", "about $0.012"],
        ["Seed", "1234567"],
        ["Saved", "4 files"],
        ["Links live", "42 min"],
    ]


def test_the_cost_is_told_as_surely_as_it_is_known(stage: Stage) -> None:
    stage.begin()
    for verdict, usd, basis, words in (
        ("yes", 0.003, "billed", "$0.003"),
        ("no", 0.0, "computed", "nothing"),
        ("at_most", 0.003, "estimated", "at most $0.003"),
        ("possibly", 0.003, "estimated", "possibly $0.003"),
        ("unknown", 0.003, "estimated", "usually less than $0.003"),
        ("unknown", None, "none", "unknown"),
    ):
        charged = {"verdict": verdict, "usd": usd, "basis": basis}
        stage.show(result(report(1, charged=charged, prompt=f"the one for {words}"), plain_pictures(1)))
        expect(stage.view.locator("#prompt")).to_have_text(f"the one for {words}")
        facts = [fact.split("\n") for fact in stage.view.locator("dl > div").all_inner_texts()]
        assert ["Cost", words] in facts


def test_an_image_without_a_preview_is_painted_from_its_link(stage: Stage) -> None:
    stage.pictures[f"{PICTURES_URL}1.png"] = picture(640, 480)
    stage.begin()
    stage.show(result(report(1, (640, 480))))
    wait_painted(stage, 1)


def test_the_report_is_read_from_structured_content_where_meta_is_dropped(stage: Stage) -> None:
    answer = result(report(2), plain_pictures(2))
    answer["structuredContent"] = answer.pop("_meta")["darkroom/report"]
    stage.begin()
    stage.show(answer)
    wait_painted(stage, 2)
    expect(stage.view.locator("#prompt")).to_have_text(PROMPT)


def test_words_previews_and_links_are_enough_where_nothing_else_arrives(stage: Stage) -> None:
    stage.pictures[f"{PICTURES_URL}2.png"] = picture(400, 400)
    answer = result(report(2), plain_pictures(1), text="Done: 2 images.")
    del answer["_meta"]
    answer["content"] += [
        {"type": "resource_link", "name": "1.png", "uri": "file:///home/ada/1.png"},
        {"type": "resource_link", "name": "2.png", "uri": f"{PICTURES_URL}2.png"},
    ]
    stage.begin()
    stage.show(answer)
    wait_painted(stage, 2)
    expect(stage.view.locator("#prompt")).to_have_text("Done: 2 images.")


def test_a_failure_is_told_in_words_with_what_to_do(stage: Stage) -> None:
    failed = part("failed", error="NSFW content detected")
    stage.begin()
    stage.show(result(report(0, outcome="failed", status="failed", predictions=[failed])))
    expect(stage.view.locator("#title")).to_have_text("It failed")
    expect(stage.view.locator("#reasons")).to_contain_text("“NSFW content detected”")
    expect(stage.view.locator("#reasons")).to_contain_text("Change the prompt or choose another model")


def test_a_refusal_without_any_prediction_shows_its_message(stage: Stage) -> None:
    message = "Gateway 'replicate' is busy (HTTP 429). Nothing was started. Try again in 12 s."
    error = {"kind": "gateway_busy", "message": message, "billed": "no", "retry_after_s": 12}
    refused: dict[str, Any] = {
        "outcome": "refused",
        "status": "refused",
        "id": "",
        "predictions": [],
        "images": [],
        "error": error,
    }
    stage.begin()
    stage.show(result(refused))
    expect(stage.view.locator("#state")).to_have_text(f"Refused {message}", use_inner_text=False)


def test_a_lost_create_warns_that_a_repeat_may_pay_twice(stage: Stage) -> None:
    stage.begin()
    stage.show(result(report(0, outcome="unresolved", status="unresolved", predictions=[part("unresolved")])))
    expect(stage.view.locator("#state")).to_contain_text("a repeat may pay twice")
    expect(stage.view.get_by_role("button", name="Look again")).to_be_visible()
    expect(stage.view.get_by_role("button", name="Again", exact=True)).to_have_count(0)


def test_a_partial_result_shows_what_came_and_says_what_did_not(stage: Stage) -> None:
    data = report(2, predictions=[part(), part("failed", error="CUDA out of memory")])
    data["images"][1] |= {"state": "expired", "url": "", "path": "", "problem": "Its link died too soon."}
    stage.begin()
    stage.show(result(data, plain_pictures(1)))
    wait_painted(stage, 1)
    expect(stage.view.locator(".lost")).to_have_text("Image 2 of 2 cannot be shown. Its link died too soon.")
    expect(stage.view.locator("#notes")).to_have_text("Prediction 2 of 2: it failed. CUDA out of memory")


def test_images_that_were_refused_or_damaged_are_told_with_their_reason(stage: Stage) -> None:
    data = report(2)
    data["images"][0] |= {"problem": "The file is damaged: its end is missing."}
    data["images"][1] |= {"state": "refused", "path": "", "url": "", "problem": "It is larger than 100 MB."}
    stage.begin()
    stage.show(result(data, plain_pictures(1)))
    wait_painted(stage, 1)
    expect(stage.view.locator("#notes li")).to_have_text(
        [
            "Image 1 is saved with a fault: The file is damaged: its end is missing.",
            "Image 2 was not fetched: It is larger than 100 MB.",
        ]
    )


def test_before_any_result_it_waits_with_the_prompt_and_a_place_for_each_image(stage: Stage) -> None:
    stage.begin()
    expect(stage.view.locator("#title")).to_have_text("Waiting for the result")
    stage.notify("tool-input", {"arguments": {"prompt": PROMPT, "count": 3}})
    expect(stage.view.locator("#title")).to_have_text("Developing")
    expect(stage.view.locator("#prompt")).to_have_text(PROMPT)
    expect(stage.view.locator(".blank")).to_have_count(3)


def test_a_call_canceled_in_the_host_is_told(stage: Stage) -> None:
    stage.begin()
    stage.notify("tool-cancelled", {"reason": "The user stopped it."})
    expect(stage.view.locator("#reasons")).to_contain_text("The call was canceled. The user stopped it.")
    expect(stage.view.get_by_role("progressbar")).to_have_count(0)


def test_a_result_that_is_sent_twice_is_shown_once(stage: Stage) -> None:
    stage.begin()
    stage.show(result(running()))
    stage.show(result(report(1), plain_pictures(1)))
    wait_painted(stage, 1)
    expect(stage.view.locator("#pages")).to_have_count(0)


def test_the_theme_of_the_host_wins_over_that_of_the_system(stage: Stage) -> None:
    stage.begin(context={"theme": "dark", "styles": {"variables": {"--color-text-primary": "rgb(1, 2, 3)"}}})
    stage.show(result(report(1), plain_pictures(1)))
    ground = "() => getComputedStyle(document.body).backgroundColor"
    assert stage.view.evaluate(ground) == "rgb(24, 22, 21)"
    assert stage.view.evaluate("() => getComputedStyle(document.body).color") == "rgb(1, 2, 3)"
    stage.notify("host-context-changed", {"theme": "light"})
    stage.view.wait_for_function("() => getComputedStyle(document.body).backgroundColor === 'rgb(253, 252, 251)'")


@TIMED
def test_the_minutes_until_the_links_die_count_down_and_then_the_link_is_gone(stage: Stage) -> None:
    stage.begin()
    stage.show(result(report(1), plain_pictures(1)))
    expect(stage.view.locator("#left")).to_have_text("42 min")
    expect(stage.view.get_by_role("link", name="Open the original of Image 1 of 1")).to_have_count(1)
    stage.page.clock.fast_forward("42:00")
    expect(stage.view.locator("#left")).to_have_text("less than 1 min")
    stage.page.clock.fast_forward("01:00")
    expect(stage.view.locator("#left")).to_have_text("no longer")
    expect(stage.view.get_by_role("link")).to_have_count(0)
    wait_painted(stage, 1)


def test_all_of_it_works_from_the_keyboard(stage: Stage) -> None:
    stage.pictures |= {f"{PICTURES_URL}{number}.png": picture(64, 64) for number in (1, 2, 3)}
    stage.begin()
    stage.show(result(report(3), plain_pictures(3)))
    wait_painted(stage, 3)
    tiles, caption, keyboard = stage.view.locator(".tile"), stage.view.locator("#caption"), stage.page.keyboard
    tiles.first.focus()
    keyboard.press("ArrowRight")
    expect(tiles.nth(1)).to_be_focused()
    keyboard.press("End")
    expect(tiles.nth(2)).to_be_focused()
    keyboard.press("Enter")
    expect(stage.view.get_by_role("dialog")).to_be_visible()
    expect(caption).to_have_text("Image 3 of 3 · 1024 × 1024 · PNG · 1.2 MB")
    expect(stage.view.get_by_role("button", name="Close")).to_be_focused()
    keyboard.press("ArrowRight")
    expect(caption).to_contain_text("Image 1 of 3")
    keyboard.press("ArrowLeft")
    keyboard.press("ArrowLeft")
    expect(caption).to_contain_text("Image 2 of 3")
    keyboard.press("Escape")
    expect(stage.view.get_by_role("dialog")).to_be_hidden()
    expect(tiles.nth(1)).to_be_focused()


def test_the_large_view_shows_the_original_while_its_link_lives(stage: Stage) -> None:
    stage.pictures[f"{PICTURES_URL}1.png"] = picture(128, 128)
    stage.begin()
    stage.show(result(report(1), plain_pictures(1)))
    stage.view.locator(".tile").click()
    stage.view.wait_for_function("() => document.querySelector('#stage img').naturalWidth === 128")


def test_the_large_view_keeps_to_the_preview_once_the_link_is_dead(stage: Stage) -> None:
    data = report(1)
    data["images"] = [image(1, expires_at=in_minutes(-1))]
    stage.begin()
    stage.show(result(data, plain_pictures(1)))
    stage.view.locator(".tile").click()
    expect(stage.view.get_by_role("dialog")).to_be_visible()
    assert stage.view.locator("#stage img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 64
