"""options: a model's own names, checked by name, type, range and list before anything is sent."""

import pytest
from mapped import DRAWN_SEED, MASK, PHOTO, REGISTRY, mapped, refused
from pydantic import JsonValue

from darkroom.errors import InvalidInput
from darkroom.registry import ImageRequest, MappedInput, ModelRef, example_call, map_request, unlisted_model


def test_an_option_is_sent_under_its_name() -> None:
    sent = mapped("flux-schnell", options={"megapixels": "0.25", "go_fast": False})
    assert sent.input == {"prompt": "a lighthouse", "seed": DRAWN_SEED, "go_fast": False, "megapixels": "0.25"}


def test_an_unknown_option_is_refused_naming_the_close_ones_and_where_all_are() -> None:
    error = refused("flux-dev", options={"guidence": 3})
    assert error.field == "guidence"
    assert "has no option 'guidence'. Closest: guidance" in error.message
    assert 'list_models(model="black-forest-labs/flux-dev") shows all' in error.message


@pytest.mark.parametrize(
    ("model", "name", "words"),
    [
        ("flux-schnell", "steps", "It calls this num_inference_steps."),
        ("flux-dev", "cfg_scale", "It calls this guidance."),
        ("flux-dev", "denoise", "It calls this prompt_strength."),
        ("flux-schnell", "num_images", "Use the argument count, beside model_options."),
        ("flux-2-pro", "image", "Use the argument images, beside model_options."),
    ],
)
def test_an_option_under_the_name_that_others_use_is_refused_with_the_models_own(
    model: str, name: str, words: str
) -> None:
    assert words in refused(model, options={name: 1}).message


def test_an_argument_of_ours_among_the_options_is_pointed_out() -> None:
    assert "count' is an argument of generate_image" in refused("flux-dev", options={"count": 3}).message


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_inference_steps": "many"}, "must be an integer, not 'many'"),
        ({"num_inference_steps": 2.5}, "must be an integer, not 2.5"),
        ({"guidance": True}, "must be a number, not True"),
        ({"go_fast": "yes"}, "must be true or false, not 'yes'"),
        ({"megapixels": None}, "must be a string, not None"),
    ],
)
def test_a_value_of_another_type_is_refused(options: dict[str, JsonValue], words: str) -> None:
    assert words in refused("flux-dev", options=options).message


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({"num_inference_steps": "20"}, 20),
        ({"num_inference_steps": 20.0}, 20),
        ({"guidance": "3.5"}, 3.5),
        ({"guidance": "3"}, 3),
        ({"megapixels": 1}, "1"),
        ({"megapixels": 0.25}, "0.25"),
    ],
)
def test_a_value_that_loses_nothing_is_converted(options: dict[str, JsonValue], sent: JsonValue) -> None:
    assert [mapped("flux-dev", options=options).input[name] for name in options] == [sent]


def test_capitals_in_an_offered_value_do_not_matter() -> None:
    assert mapped("nano-banana-2", options={"resolution": "2k"}).input["resolution"] == "2K"


def test_a_value_out_of_range_is_refused_with_the_range() -> None:
    error = refused("flux-dev", options={"guidance": 11})
    assert "guidance 11 is outside what 'black-forest-labs/flux-dev' takes: 0 to 10." in error.message


def test_a_value_that_is_not_offered_is_refused_with_the_list() -> None:
    assert "Allowed: 1, 0.25." in refused("flux-dev", options={"megapixels": "2"}).message


def test_a_value_of_another_type_is_told_what_is_offered() -> None:
    message = refused("topazlabs/image-upscale", images=(PHOTO,), options={"upscale_factor": 4}).message
    assert "must be a string, not 4. Allowed: None, 2x, 4x, 6x." in message


def test_a_long_list_is_shortened_with_its_length() -> None:
    message = refused("ideogram-v3-turbo", options={"style_preset": "Baroque"}).message
    assert ", … (" in message and " in all)" in message


def test_a_value_beyond_an_incomplete_list_is_sent_with_a_note() -> None:
    sent = mapped("wan-2.7-image", options={"size": "4K"})
    assert sent.input["size"] == "4K"
    assert "was not checked" in sent.notes[0]


def test_null_is_sent_only_where_the_model_declares_it() -> None:
    assert mapped("qwen-image", options={"lora_weights": None}).input["lora_weights"] is None


def test_a_list_that_is_too_long_is_refused() -> None:
    too_many: list[JsonValue] = [PHOTO] * 5
    assert "takes at most 4 items" in refused("flux-2-dev", options={"input_images": too_many}).message


def test_a_list_with_a_wrong_item_is_refused() -> None:
    assert "must be a list of strings" in refused("flux-2-dev", options={"input_images": [1]}).message


@pytest.mark.parametrize(
    ("name", "secret"),
    [("p-image", "hf_api_token"), ("gpt-image-1.5", "openai_api_key"), ("flux-dev-lora", "civitai_api_token")],
)
def test_a_secret_is_never_taken_and_never_repeated(name: str, secret: str) -> None:
    error = refused(name, options={secret: "sk-very-private"})
    assert "takes no key from tool arguments" in error.message
    assert "sk-very-private" not in error.message


def test_a_model_that_requires_a_secret_is_refused_naming_another() -> None:
    error = refused("openai/gpt-image-1")
    assert "openai_api_key" in error.message and "openai/gpt-image-1.5" in error.message


@pytest.mark.parametrize(
    ("asked", "options"),
    [
        ({"prompt": "a lighthouse"}, {"prompt": "a boat"}),
        ({"seed": 1}, {"seed": 2}),
        ({"count": 2}, {"num_outputs": 3}),
        ({"aspect_ratio": "1:1"}, {"aspect_ratio": "16:9"}),
        ({"output_format": "png"}, {"output_format": "webp"}),
    ],
)
def test_an_option_that_contradicts_an_argument_is_refused(
    asked: dict[str, JsonValue], options: dict[str, JsonValue]
) -> None:
    error = refused("flux-schnell", **asked, options=options)
    assert error.field == next(iter(asked))
    assert "contradict each other" in error.message


def test_the_same_value_in_both_places_is_no_contradiction() -> None:
    assert mapped("flux-schnell", seed=5, options={"seed": 5}).seed == 5


def test_images_in_both_places_are_refused() -> None:
    assert refused("flux-kontext-dev", images=(PHOTO,), options={"input_image": MASK}).field == "images"


def test_an_option_that_only_counts_with_another_is_refused_without_it() -> None:
    error = refused("flux-1.1-pro", options={"width": 512, "height": 512})
    assert error.field == "width"
    assert "only counts while aspect_ratio is 'custom'" in error.message
    sent = mapped("flux-1.1-pro", options={"width": 512, "height": 512, "aspect_ratio": "custom"})
    assert sent.input["width"] == 512


def test_a_deprecated_option_is_noted() -> None:
    assert "deprecated" in mapped("flux-pro", options={"steps": 20}).notes[0]


def test_an_input_is_written_in_the_models_own_order() -> None:
    sent = mapped("flux-kontext-dev", images=(PHOTO,), options={"guidance": 3})
    assert list(sent.input) == ["prompt", "input_image", "guidance", "seed"]


def unlisted(**request: JsonValue) -> MappedInput:
    model = unlisted_model(ModelRef.parse("someone/something"))
    asked = ImageRequest(**request)  # pyright: ignore[reportArgumentType] -- one field per test
    return map_request(model, asked, draw_seed=lambda: DRAWN_SEED)


def test_an_unlisted_model_gets_its_options_as_given_and_a_note() -> None:
    sent = unlisted(prompt="x", options={"anything": [1, {"a": None}]})
    assert sent.input == {"prompt": "x", "anything": [1, {"a": None}]}
    assert sent.seed is None
    assert "nothing was checked" in sent.notes[0]


def test_an_unlisted_model_resolves_only_what_is_plainly_a_file() -> None:
    options: dict[str, JsonValue] = {
        "image": "prediction:abc12345",
        "images": ["data:image/png;base64,AA==", "file:///tmp/a.png"],
        "site": "https://example.com",
        "words": ["data:", 1],
    }
    assert unlisted(options=options).file_fields == ("image", "images")


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("images", (PHOTO,)),
        ("mask", MASK),
        ("aspect_ratio", "1:1"),
        ("width", 5),
        ("count", 2),
        ("seed", 3),
        ("output_format", "png"),
    ],
)
def test_an_unlisted_model_refuses_arguments_nobody_can_map(argument: str, value: JsonValue) -> None:
    with pytest.raises(InvalidInput, match="not in the registry") as caught:
        unlisted(**{argument: value})
    assert caught.value.field == argument


def test_an_unlisted_model_of_a_version_is_run_by_it() -> None:
    model = unlisted_model(ModelRef.parse("someone/something:abc"))
    assert (model.name, model.run_by, model.version) == ("someone/something", "version", "abc")
    assert model.price is None
    assert example_call(model)["model"] == "someone/something"


def test_a_request_is_written_down_without_the_bytes_of_its_images() -> None:
    request = ImageRequest(
        prompt="x", images=("data:image/png;base64," + "A" * 9000, PHOTO), options={"a": ["data:,b"]}
    )
    written = request.to_json()
    assert written["images"] == ["data:image/png;… (6750 bytes)", PHOTO]
    assert written["options"] == {"a": ["data:;… (1 bytes)"]}
    assert written["prompt"] == "x" and written["seed"] == -1


def test_mapping_does_not_touch_the_request() -> None:
    options: dict[str, JsonValue] = {"guidance": "3"}
    request = ImageRequest(prompt="x", options=options)
    map_request(REGISTRY.get("flux-dev"), request, draw_seed=lambda: DRAWN_SEED)
    assert options == {"guidance": "3"}


@pytest.mark.parametrize("value", ["nan", "inf", "-Infinity", "1e999", float("nan"), float("inf")])
def test_what_is_not_finite_is_not_a_number(value: JsonValue) -> None:
    request = ImageRequest(prompt="x", options={"guidance": value})
    with pytest.raises(InvalidInput, match="must be a number, not"):
        map_request(REGISTRY.get("flux-dev"), request, draw_seed=lambda: 1)
