"""Aspect ratio, width and height, and the shape of the image given."""

import pytest
from mapped import PHOTO, mapped, refused

from darkroom.registry.mapping.ratios import read_ratio, read_size


def test_an_offered_aspect_ratio_is_sent_as_it_is() -> None:
    sent = mapped("flux-schnell", aspect_ratio="16:9")
    assert sent.input["aspect_ratio"] == "16:9"
    assert sent.notes == ()


def test_an_aspect_ratio_that_is_nearly_offered_becomes_the_nearest_with_a_note() -> None:
    sent = mapped("imagen-4", aspect_ratio="1.35:1")
    assert sent.input["aspect_ratio"] == "4:3"
    assert sent.notes == ("aspect_ratio 1.35:1 is not offered by 'google/imagen-4'; the nearest, 4:3, was used.",)


@pytest.mark.parametrize("text", ["2:1", "16:10", "5:7", "1:40"])
def test_an_aspect_ratio_that_would_come_out_as_another_is_refused_with_those_offered(text: str) -> None:
    error = refused("imagen-4", aspect_ratio=text)
    assert error.field == "aspect_ratio"
    assert (
        f"'{text}' is not offered by 'google/imagen-4'. Allowed: 1:1, 9:16, 16:9, 3:4, 4:3 (nearest: " in error.message
    )


def test_a_size_whose_shape_alone_could_be_sent_is_refused_where_that_shape_is_not_offered() -> None:
    error = refused("flux-schnell", width=2000, height=1000)
    assert "the shape of 2000x1000 is not offered by 'black-forest-labs/flux-schnell'. Allowed: 1:1" in error.message


def test_a_shape_that_only_an_exact_size_can_have_is_refused_saying_so() -> None:
    assert "or give width and height" in refused("flux-1.1-pro", aspect_ratio="2:1").message


def test_a_ratio_that_no_named_size_has_is_refused_naming_the_shapes_there_are() -> None:
    error = refused("recraft-v3", aspect_ratio="5:1")
    assert "Allowed: 1:1, " in error.message


def test_a_ratio_too_narrow_for_the_models_sides_is_refused() -> None:
    assert (
        "is too narrow for 'stability-ai/stable-diffusion'"
        in refused("stability-ai/stable-diffusion", aspect_ratio="100:1").message
    )


@pytest.mark.parametrize("written", ["16/9", "16x9", "32:18", " 16 : 9 "])
def test_another_spelling_of_an_offered_ratio_needs_no_note(written: str) -> None:
    sent = mapped("flux-schnell", aspect_ratio=written)
    assert sent.input["aspect_ratio"] == "16:9"
    assert sent.notes == ()


def test_the_same_ratio_in_the_models_own_numbers_needs_no_note() -> None:
    sent = mapped("recraft-v4", aspect_ratio="7:5")
    assert sent.input["aspect_ratio"] == "14:10"
    assert sent.notes == ()


@pytest.mark.parametrize("text", ["wide", "16-9", "0:1", "16:0", "16:9:1"])
def test_what_is_no_ratio_is_refused_with_an_example(text: str) -> None:
    error = refused("flux-schnell", aspect_ratio=text)
    assert error.field == "aspect_ratio"
    assert "such as 16:9" in error.message


def test_a_ratio_for_a_model_whose_list_is_not_known_is_sent_unchecked_with_a_note() -> None:
    sent = mapped("hunyuan-image-3", aspect_ratio="16:9")
    assert sent.input["aspect_ratio"] == "16:9"
    assert "not checked" in sent.notes[0]


def test_a_ratio_for_a_model_that_knows_only_pixels_becomes_width_and_height() -> None:
    sent = mapped("stability-ai/sdxl", aspect_ratio="16:9")
    assert (sent.input["width"], sent.input["height"]) == (1368, 768)
    assert sent.notes == ("aspect_ratio 16:9 was sent as width 1368 and height 768.",)


def test_pixels_for_a_ratio_stay_inside_the_models_limits_and_steps() -> None:
    sent = mapped("stability-ai/stable-diffusion", aspect_ratio="21:9")
    assert (sent.input["width"], sent.input["height"]) == (1024, 448)
    sent = mapped("sdxl-lightning-4step", aspect_ratio="21:9")
    assert sent.input["width"] == 1280


def test_a_ratio_for_a_model_with_named_sizes_becomes_the_nearest_size() -> None:
    sent = mapped("wan-2.7-image-pro", aspect_ratio="16:9")
    assert sent.input["size"] == "2048*1152"
    assert sent.notes == ("aspect_ratio 16:9 was sent as size 2048*1152.",)


def test_a_ratio_for_a_model_that_follows_its_image_is_left_out_with_a_note() -> None:
    sent = mapped("qwen-image-edit", aspect_ratio="16:9", images=(PHOTO,))
    assert "aspect_ratio" not in sent.input
    assert "its result has the shape of the image" in sent.notes[0]


def test_an_edit_keeps_the_shape_of_its_image_where_that_is_offered() -> None:
    assert mapped("flux-2-pro", images=(PHOTO,)).input["aspect_ratio"] == "match_input_image"


def test_a_model_that_keeps_the_shape_by_itself_is_told_nothing() -> None:
    assert "aspect_ratio" not in mapped("nano-banana", images=(PHOTO,)).input


def test_without_an_image_no_shape_is_matched() -> None:
    assert "aspect_ratio" not in mapped("flux-2-pro").input


def test_a_stated_ratio_wins_over_the_shape_of_the_image() -> None:
    assert mapped("flux-2-pro", images=(PHOTO,), aspect_ratio="1:1").input["aspect_ratio"] == "1:1"


def test_a_ratio_in_options_wins_over_the_shape_of_the_image() -> None:
    sent = mapped("flux-2-pro", images=(PHOTO,), options={"aspect_ratio": "4:5"})
    assert sent.input["aspect_ratio"] == "4:5"


def test_the_caller_may_ask_for_the_shape_of_the_image() -> None:
    sent = mapped("nano-banana", images=(PHOTO,), aspect_ratio="match_input_image")
    assert sent.input["aspect_ratio"] == "match_input_image"


def test_a_model_with_a_switch_for_the_shape_of_the_image_has_it_set() -> None:
    assert mapped("qwen-image-2", images=(PHOTO,)).input["match_input_image"] is True
    sent = mapped("qwen-image-2", images=(PHOTO,), aspect_ratio="match_input_image")
    assert sent.input["match_input_image"] is True
    assert "match_input_image" not in mapped("qwen-image-2", images=(PHOTO,), aspect_ratio="1:1").input


def test_matching_without_an_image_is_left_out_with_a_note() -> None:
    sent = mapped("flux-2-pro", aspect_ratio="match_input_image")
    assert "aspect_ratio" not in sent.input
    assert "no image was given to match" in sent.notes[0]


def test_matching_by_a_model_that_cannot_is_noted() -> None:
    sent = mapped("flux-dev", images=(PHOTO,), aspect_ratio="match_input_image")
    assert sent.notes == ("'black-forest-labs/flux-dev' cannot match the image's shape; it uses aspect_ratio 1:1.",)


def test_an_exact_size_is_sent_with_the_pair_it_requires() -> None:
    sent = mapped("flux-1.1-pro", width=1024, height=768)
    assert {name: sent.input[name] for name in ("width", "height", "aspect_ratio")} == {
        "width": 1024,
        "height": 768,
        "aspect_ratio": "custom",
    }
    sent = mapped("seedream-4", width=2048, height=1024)
    assert sent.input["size"] == "custom"


def test_an_exact_size_needs_no_pair_where_the_model_is_free() -> None:
    assert mapped("z-image-turbo", width=1000, height=700).input["width"] == 1000
    assert "aspect_ratio" not in mapped("z-image-turbo", width=1000, height=700).input


def test_a_size_is_rounded_to_the_models_step_with_a_note() -> None:
    sent = mapped("flux-1.1-pro", width=1000, height=701)
    assert (sent.input["width"], sent.input["height"]) == (992, 704)
    assert "1000x701 was rounded to 992x704" in sent.notes[0]


def test_rounding_never_leaves_the_range() -> None:
    sent = mapped("flux-2-pro", width=2047, height=257)
    assert (sent.input["width"], sent.input["height"]) == (2048, 256)


def test_a_size_out_of_range_is_refused_not_clamped() -> None:
    error = refused("flux-1.1-pro", width=1024, height=2000)
    assert error.field == "height"
    assert "height 2000 is outside what 'black-forest-labs/flux-1.1-pro' takes: 256 to 1440." in error.message


def test_a_side_beyond_a_models_list_is_refused_naming_the_list() -> None:
    assert "Allowed: 64, 128" in refused("stability-ai/stable-diffusion", width=2048, height=512).message


@pytest.mark.parametrize(("given", "missing"), [("width", "height"), ("height", "width")])
def test_one_side_alone_is_refused_naming_the_other(given: str, missing: str) -> None:
    error = refused("flux-1.1-pro", **{given: 512})
    assert error.field == missing
    assert f"{given} 512 is given without {missing}" in error.message


def test_a_negative_size_is_refused() -> None:
    assert refused("flux-1.1-pro", width=-1, height=512).field == "width"


@pytest.mark.parametrize(("width", "height", "field"), [(16, 9, "height"), (100_000, 512, "width")])
def test_a_size_that_no_model_draws_is_refused_also_where_the_models_own_limits_are_unknown(
    width: int, height: int, field: str
) -> None:
    error = refused("sdxl", width=width, height=height)
    assert error.field == field
    assert "not a size in pixels. Allowed: 16 to 16384, or an aspect_ratio" in error.message


def test_an_exact_size_that_has_a_name_is_sent_under_it() -> None:
    assert mapped("recraft-v3", width=1024, height=1536).input["size"] == "1024x1536"
    assert mapped("ideogram-v3-turbo", width=512, height=1536).input["resolution"] == "512x1536"
    assert mapped("wan-2.7-image-pro", width=1280, height=720).input["size"] == "1280*720"


def test_an_exact_size_that_is_not_possible_becomes_the_nearest_ratio_with_a_note() -> None:
    sent = mapped("flux-schnell", width=1920, height=1080)
    assert sent.input["aspect_ratio"] == "16:9"
    assert sent.notes == (
        "'black-forest-labs/flux-schnell' takes no exact size, so 1920x1080 was sent as a shape only.",
    )


def test_a_size_that_becomes_a_shape_is_written_in_small_numbers() -> None:
    assert mapped("flux-fast", width=1920, height=1080).input["aspect_ratio"] == "16:9"


def test_width_and_height_decide_over_an_aspect_ratio() -> None:
    sent = mapped("flux-1.1-pro", width=1024, height=768, aspect_ratio="1:1")
    assert sent.input["aspect_ratio"] == "custom"
    assert "aspect_ratio was not sent" in sent.notes[0]


def test_custom_without_a_size_is_refused() -> None:
    assert "needs width and height" in refused("flux-1.1-pro", aspect_ratio="custom").message


def test_ratios_and_sizes_are_read_strictly() -> None:
    assert read_ratio("19.5:9") == pytest.approx(19.5 / 9)
    assert read_ratio("1:1 please") is None
    assert read_size("1024*768") == (1024, 768)
    assert read_size("2K") is None
    assert read_size(1024) is None
