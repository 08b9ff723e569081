"""What list_models finds: the right model for a wish, in the order asked for, and a card to call it."""

from typing import Any, cast

import pytest
from mapped import REGISTRY
from wishes import recall, wishes

from darkroom.list_models import list_models
from darkroom.reports import ModelReport


def names(answer: ModelReport) -> list[str]:
    lines = answer.text.splitlines()
    return [line.partition(" |")[0] for line in lines if line.count(" | ") == 3][1:]


def test_nine_of_ten_wishes_find_a_right_model_among_the_first_three() -> None:
    asked = wishes()
    assert len(asked) >= 60
    known = set(REGISTRY.names())
    assert all(wish.right and wish.right <= known for wish in asked)
    assert recall(asked, 3) >= 0.9


def test_cheap_sorts_by_price_what_can_do_the_rest() -> None:
    found = list_models(REGISTRY, query="cheap vector logo", limit=3)
    assert "cheapest first" in found.text
    models = [REGISTRY.get(name) for name in names(found)]
    assert all("text_to_svg" in model.tasks for model in models)


@pytest.mark.parametrize(("sort", "first"), [("price", "black-forest-labs/flux-2-klein-4b"), ("speed", "flux-schnell")])
def test_an_order_can_be_asked_for(sort: str, first: str) -> None:
    found = list_models(REGISTRY, task="text_to_image", sort="price" if sort == "price" else "speed")
    assert names(found)[0].endswith(first)


def test_an_order_that_does_not_exist_is_named() -> None:
    refused = list_models(REGISTRY, sort=cast("Any", "cheapest"))
    assert refused.is_error and "Unknown sort 'cheapest'. Allowed: best, price, speed." in refused.text


def test_dear_models_come_last_and_are_marked_but_stay() -> None:
    found = list_models(REGISTRY, task="text_to_svg", max_usd=0.05, limit=100)
    assert len(names(found)) == len(names(list_models(REGISTRY, task="text_to_svg", limit=100)))
    marked = [line for line in found.text.splitlines() if "(may cost more than $0.05)" in line]
    assert [line.partition(" |")[0] for line in marked] == names(found)[-len(marked) :]
    assert len(marked) < len(names(found))


def test_the_answer_says_how_many_more_can_do_it() -> None:
    found = list_models(REGISTRY, query="remove the background", limit=2)
    assert len(names(found)) == 2 and "… and 3 more can do it" in found.text
    assert "more can do it" not in list_models(REGISTRY, query="remove the background", limit=8).text


def test_equals_are_not_all_of_one_maker() -> None:
    found = names(list_models(REGISTRY, query="edit a photo", limit=5))
    assert len({name.partition("/")[0] for name in found}) >= 3


def test_a_wish_without_a_known_word_is_told_so() -> None:
    found = list_models(REGISTRY, query="xyzzy", limit=3)
    assert found.text.startswith('No word of "xyzzy" tells models apart; these can draw it.')
    assert len(names(found)) == 3


@pytest.mark.parametrize("name", REGISTRY.names())
def test_a_card_says_nothing_of_where_its_facts_were_read(name: str) -> None:
    card = list_models(REGISTRY, model=name)
    noise = ("Not verified", "Named by", "Docs:", "Licence:", "newer reading", "says how it was read", "repository")
    assert not [each for each in noise if each in card.text]
    assert "Example: generate_image(" in card.text


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (
            "openai/gpt-image-1.5",
            'Transparent background: background="transparent" in `model_options`, as PNG or WebP.',
        ),
        ("bria/expand-image", "Transparency of the image given is kept with preserve_alpha in `model_options`."),
        ("xai/grok-imagine-image-2", "Never transparent: it gives JPEG only."),
    ],
)
def test_a_card_says_what_the_schema_says_of_transparency(name: str, line: str) -> None:
    assert line in list_models(REGISTRY, model=name).text.splitlines()


def test_a_doubt_that_changes_what_is_paid_stays_on_the_card() -> None:
    card = list_models(REGISTRY, model="black-forest-labs/flux-redux-schnell")
    assert card.sources
    doubted = [list_models(REGISTRY, model=name) for name in REGISTRY.names()]
    assert any("Price doubt: " in each.text and "input image" in each.text for each in doubted)


def test_a_switch_that_takes_the_safety_check_away_comes_with_a_caution() -> None:
    assert "Leave it alone unless the user asks for it" in list_models(REGISTRY, model="flux-schnell").text


@pytest.mark.parametrize("name", ["bria/remove-background", "bria/expand-image"])
def test_a_note_on_images_speaks_of_our_argument(name: str) -> None:
    assert "Give images, or a URL as the option image_url" in list_models(REGISTRY, model=name).text
