"""Prompt, negative prompt, count, seed and file format in a model's own words."""

import pytest
from mapped import DRAWN_SEED, PHOTO, REGISTRY, mapped, refused

from darkroom.registry import ImageRequest, map_request


def test_a_prompt_goes_under_the_models_name_for_it() -> None:
    assert mapped("flux-schnell").input["prompt"] == "a lighthouse"
    assert mapped("bria/generate-background", images=(PHOTO,)).input["bg_prompt"] == "a lighthouse"


@pytest.mark.parametrize("name", ["flux-schnell", "stability-ai/sdxl", "recraft-v4-svg"])
def test_an_empty_prompt_is_refused_where_the_model_would_draw_something_else(name: str) -> None:
    error = refused(name, prompt="  ")
    assert error.field == "prompt"
    assert "prompt is empty" in error.message


def test_an_empty_prompt_is_fine_for_an_upscaler_and_a_cut_out() -> None:
    assert mapped("clarity-upscaler", prompt="", images=(PHOTO,)).input == {"image": PHOTO, "seed": DRAWN_SEED}
    assert mapped("bria/remove-background", prompt="", images=(PHOTO,)).input == {"image": PHOTO}


def test_a_prompt_in_options_is_enough() -> None:
    assert mapped("flux-schnell", prompt="", options={"prompt": "a boat"}).input["prompt"] == "a boat"


def test_a_prompt_for_a_model_without_one_is_left_out_with_a_note() -> None:
    sent = mapped("cjwbw/rembg", images=(PHOTO,))
    assert sent.input == {"image": PHOTO}
    assert sent.notes == ("'cjwbw/rembg' takes no prompt, so it was not sent.",)


def test_a_negative_prompt_is_sent_where_there_is_one() -> None:
    assert mapped("stability-ai/sdxl", negative_prompt="fog").input["negative_prompt"] == "fog"


def test_a_negative_prompt_is_never_glued_to_the_prompt() -> None:
    sent = mapped("flux-schnell", negative_prompt="fog")
    assert sent.input == {"prompt": "a lighthouse", "seed": DRAWN_SEED}
    assert "no negative prompt" in sent.notes[0]


def test_one_image_needs_no_count() -> None:
    sent = mapped("flux-schnell")
    assert "num_outputs" not in sent.input
    assert sent.image_count == 1


@pytest.mark.parametrize(
    ("name", "field"), [("flux-schnell", "num_outputs"), ("gpt-image-1.5", "number_of_images"), ("sdxl", "num_outputs")]
)
def test_several_images_go_under_the_models_name_for_it(name: str, field: str) -> None:
    sent = mapped(name, count=3)
    assert sent.input[field] == 3
    assert sent.image_count == 3


def test_more_images_than_one_prediction_gives_are_refused_naming_models_that_make_several() -> None:
    error = refused("flux-schnell", count=5)
    assert error.field == "count"
    assert "at most 4 images" in error.message and "minimax/image-01 (9)" in error.message
    assert "makes one image" in refused("flux-1.1-pro", count=2).message


def test_a_count_below_one_is_refused() -> None:
    assert "count 0" in refused("flux-schnell", count=0).message


def test_several_images_of_seedream_switch_its_sequence_on_and_may_be_fewer() -> None:
    sent = mapped("seedream-4.5", count=3)
    assert sent.input["max_images"] == 3
    assert sent.input["sequential_image_generation"] == "auto"
    assert "maybe fewer" in sent.notes[0]


def test_a_count_in_options_is_counted() -> None:
    assert mapped("flux-schnell", options={"num_outputs": 3}).image_count == 3


def test_a_count_in_options_that_its_switch_makes_void_is_one_image() -> None:
    assert mapped("seedream-4", options={"max_images": 3}).image_count == 1


def test_a_seed_is_always_concrete_where_the_model_has_one() -> None:
    sent = mapped("flux-schnell")
    assert sent.input["seed"] == sent.seed == DRAWN_SEED
    assert sent.notes == ()


def test_the_callers_seed_is_sent_even_when_it_is_zero() -> None:
    assert mapped("flux-1.1-pro", seed=0).seed == 0


def test_a_drawn_seed_stays_inside_the_models_range() -> None:
    model = REGISTRY.get("ideogram-v3-turbo")
    sent = map_request(model, ImageRequest(prompt="x"), draw_seed=lambda: 2**31 - 1)
    assert sent.seed == 2**31 - 1


def test_a_seed_beyond_the_models_range_is_refused_not_clamped() -> None:
    assert "at most 2147483647" in refused("ideogram-v3-turbo", seed=2**31).message


def test_a_negative_seed_is_refused() -> None:
    assert refused("flux-schnell", seed=-5).field == "seed"


def test_a_seed_for_a_model_without_one_is_noted_as_not_repeatable() -> None:
    sent = mapped("nano-banana", seed=7)
    assert sent.seed is None
    assert sent.notes == ("'google/nano-banana' has no seed: this result cannot be repeated.",)


def test_a_model_without_a_seed_says_nothing_when_none_was_asked_for() -> None:
    assert mapped("nano-banana").notes == ()


def test_a_given_seed_under_go_fast_is_noted_as_not_quite_repeatable() -> None:
    assert "go_fast=false" in mapped("flux-schnell", seed=7).notes[0]
    assert mapped("flux-schnell", seed=7, options={"go_fast": False}).notes == ()


def test_a_seed_in_options_is_the_seed_that_is_reported() -> None:
    assert mapped("flux-schnell", options={"seed": 9}).seed == 9


def test_a_seed_that_an_option_leaves_to_the_model_is_not_reported() -> None:
    sent = mapped("prunaai/flux-fast", options={"seed": -1})
    assert sent.input["seed"] == -1
    assert sent.seed is None


@pytest.mark.parametrize(
    ("name", "spelt"), [("flux-schnell", "jpg"), ("gpt-image-1.5", "jpeg"), ("seedream-5-lite", "jpeg")]
)
def test_jpg_is_spelt_as_the_model_spells_it(name: str, spelt: str) -> None:
    assert mapped(name, output_format="jpg").input["output_format"] == spelt
    assert mapped(name, output_format="jpeg").input["output_format"] == spelt


def test_auto_leaves_the_format_to_the_model() -> None:
    assert "output_format" not in mapped("flux-schnell", output_format="auto").input


def test_a_format_the_model_does_not_give_is_noted_and_its_own_is_kept() -> None:
    sent = mapped("imagen-4", output_format="webp")
    assert "output_format" not in sent.input
    assert "does not give webp" in sent.notes[0]


def test_a_format_for_a_model_that_gives_another_one_only_is_noted() -> None:
    assert "takes no output_format; it gives webp" in mapped("recraft-v4.1", output_format="png").notes[0]


def test_a_format_that_a_model_without_a_choice_gives_anyway_or_may_give_is_no_news() -> None:
    assert mapped("krea-2-large", output_format="png").notes == ()
    assert mapped("recraft-v3", output_format="png").notes == ()


def test_svg_is_refused_by_a_model_that_draws_pixels_naming_the_vector_models() -> None:
    error = refused("flux-schnell", output_format="svg")
    assert error.field == "output_format"
    assert "recraft-ai/recraft-v4-svg" in error.message


def test_svg_is_what_a_vector_model_gives_anyway() -> None:
    assert mapped("recraft-v4-svg", output_format="svg").notes == ()
    assert "it gives svg, not png" in mapped("recraft-v4-svg", output_format="png").notes[0]


def test_an_unknown_format_is_refused_naming_the_known_ones() -> None:
    assert "auto, png, jpg, webp, svg" in refused("flux-schnell", output_format="gif").message
