"""A gateway's own schema of a model, read: inputs, concepts, masks, output, and what stays unsaid."""

from typing import Any

import pytest
from live_bodies import URI, URI_LIST, VERSION, live_body, picture, text, whole

from darkroom.registry import ImageRequest, map_request
from darkroom.registry.live_schema import BadSchema, Description, describe


def described(inputs: dict[str, Any], **more: Any) -> Description:
    return describe(live_body(inputs, **more))


def concepts_of(inputs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return described(inputs, **more).model.concepts.input_names()


def test_choices_are_read_from_their_own_component():
    ratio = {"allOf": [{"$ref": "#/components/schemas/aspect_ratio"}], "default": "1:1", "x-order": 1}
    enum = {"aspect_ratio": {"type": "string", "enum": ["1:1", "16:9"]}}
    model = described({"aspect_ratio": ratio, "prompt": text(**{"x-order": 0})}, schemas=enum).model
    assert [item.name for item in model.inputs] == ["prompt", "aspect_ratio"]
    assert model.inputs_by_name["aspect_ratio"].enum == ("1:1", "16:9")
    assert model.concepts.aspect_ratio == "aspect_ratio"


@pytest.mark.parametrize(
    "schema",
    [
        {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 9}, {"type": "null"}]},
        {"type": ["integer", "null"], "minimum": 1, "maximum": 9},
        {"type": "integer", "nullable": True, "ge": 1, "le": 9},
        {"type": "integer", "nullable": True, "exclusiveMinimum": 0, "exclusiveMaximum": 10},
    ],
)
def test_every_way_to_write_an_optional_number_reads_the_same(schema: dict[str, Any]):
    item = described({"steps": schema}).model.inputs_by_name["steps"]
    assert (item.type, item.nullable, item.min, item.max) == ("integer", True, 1, 9)


def test_a_union_of_two_types_is_passed_on_unchecked():
    model = described({"prompt": text(), "extra": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}).model
    mapped = map_request(model, ImageRequest(prompt="a", options={"extra": [1, {"b": 2}]}), draw_seed=lambda: 1)
    assert mapped.input["extra"] == [1, {"b": 2}]


@pytest.mark.parametrize("name", ["api_key", "HF_TOKEN", "openai_api_key", "replicate_token"])
def test_a_key_in_plain_text_is_known_by_its_name(name: str):
    assert described({name: text(), "prompt": text()}).model.inputs_by_name[name].secret


@pytest.mark.parametrize("name", ["max_tokens", "prompt", "keyframe", "monkey"])
def test_a_name_that_only_resembles_a_key_is_no_secret(name: str):
    assert not described({name: text()}).model.inputs_by_name[name].secret


@pytest.mark.parametrize(
    ("words", "polarity"),
    [
        ("White areas will be inpainted, black areas preserved.", "white_is_edited"),
        ("Black and white image. Black pixels are inpainted, white pixels are preserved.", "black_is_edited"),
        ("Black areas will be preserved; the rest is up to you", "white_is_edited"),
        ("White pixels (255) are kept and black ones (0) are regenerated", "black_is_edited"),
        ("The white part is not inpainted.", "black_is_edited"),
        ("Black areas remain unchanged", "white_is_edited"),
        ("White areas won't be changed", "black_is_edited"),
        ("mask (white = edit, black = keep)", "white_is_edited"),
        ("Marks the parts to be kept as they are: areas to be preserved", "marks_area_to_preserve"),
    ],
)
def test_the_polarity_of_a_mask_is_what_its_text_says(words: str, polarity: str):
    found = described({"prompt": text(), "image": picture(), "mask": picture(words)})
    assert (found.model.concepts.mask, found.model.concepts.mask_polarity) == ("mask", polarity)


@pytest.mark.parametrize(
    "words",
    [
        "",
        "Black and white image to use as mask for inpainting.",
        "A mask. White.",
        "Areas outside the white region are preserved.",
        "All non-black pixels are inpainted.",
        "Parts of the image outside the mask are preserved.",
        "White areas are edited. White areas are kept.",
        "White is replaced by the original image.",
    ],
)
def test_a_mask_whose_text_does_not_say_it_is_left_out_with_the_reason(words: str):
    found = described({"prompt": text(), "image": picture(), "mask": picture(words)})
    assert found.model.concepts.mask == ""
    assert found.model.unmapped["mask"] == "mask does not say which colour is edited"


def test_two_required_pictures_are_not_guessed_at():
    found = described(
        {"swap_image": picture("The face"), "input_image": picture("The photo")},
        required=("swap_image", "input_image"),
    )
    assert found.model.concepts.image == ""
    assert found.model.unmapped["image"] == "takes several images with different meanings: swap_image, input_image"


@pytest.mark.parametrize(
    ("inputs", "output", "count"),
    [
        ({"num_outputs": whole("Number of images to output.", minimum=1, maximum=4)}, URI_LIST, "num_outputs"),
        ({"num_outputs": whole("Number of images to output.")}, URI, ""),
        ({"num_outputs": text("Number of images", enum=["1", "4"])}, URI_LIST, ""),
        ({"batch_size": whole("Larger needs more memory", default=8)}, URI_LIST, ""),
        ({"max_images": whole("Most images to make")}, URI_LIST, ""),
        ({"num_outputs": whole("Number of images to output.", minimum=2, maximum=4)}, URI_LIST, ""),
    ],
)
def test_a_count_is_a_whole_number_of_images_in_a_list(inputs: dict[str, Any], output: object, count: str):
    assert concepts_of({"prompt": text(), **inputs}, output=output).get("count", "") == count


def test_what_may_bill_several_images_unasked_is_said():
    notes = described({"prompt": text(), "batch_size": whole("How large", default=4)}, output=URI_LIST).notes
    assert notes == ("batch_size is 4 by default: one call may make and bill several images",)


def test_one_image_is_asked_for_where_the_model_would_make_more():
    count = whole("Number of images to output.", minimum=1, maximum=4, default=4)
    model = described({"prompt": text(), "num_outputs": count}, output=URI_LIST).model
    assert map_request(model, ImageRequest(prompt="a"), draw_seed=lambda: 1).input["num_outputs"] == 1


def test_an_exact_size_names_what_it_requires():
    inputs = {
        "prompt": text(),
        "aspect_ratio": text(enum=["1:1", "16:9", "custom"]),
        "width": whole("Only used when aspect_ratio=custom", minimum=256, maximum=1440),
        "height": whole("Only used when aspect_ratio=custom. Multiples of 16.", minimum=256, maximum=1440),
    }
    model = described(inputs).model
    assert model.concepts.custom_size_requires == {"aspect_ratio": "custom"}
    asked = ImageRequest(prompt="a", width=512, height=768)
    mapped = map_request(model, asked, draw_seed=lambda: 1).input
    assert mapped == {"prompt": "a", "aspect_ratio": "custom", "width": 512, "height": 768}


@pytest.mark.parametrize(
    ("example", "makes"),
    [
        ("https://example.com/a.png?x=1.mp4", "image"),
        (["https://example.com/a.webp", "https://example.com/b.jpg"], "image"),
        ({"image": "https://example.com/a.jpeg"}, "image"),
        ("data:image/png;base64,AAAA", "image"),
        ("https://example.com/a.svg", "svg"),
        ("https://example.com/a.mp4", "other"),
        ("a red fox", "other"),
        (7, "other"),
        (["https://example.com/a.png", "https://example.com/b.json"], "unknown"),
        ("https://example.com/output", "unknown"),
        ("https://example.com/a.gif", "unknown"),
        (None, "unknown"),
    ],
)
def test_the_files_of_its_example_say_what_a_model_makes(example: object, makes: str):
    assert described({"prompt": text()}, example=example).makes == makes


def test_a_deprecated_input_carries_no_concept_and_can_still_be_given():
    inputs = {"image": picture("Deprecated. Use input_image."), "input_image": picture("The photo"), "prompt": text()}
    model = described(inputs).model
    assert model.concepts.image == "input_image"
    assert "image" in model.inputs_by_name


def test_an_image_is_needed_only_where_the_schema_requires_it():
    model = described({"image": picture("Photo"), "scale": whole("Upscaling factor")}).model
    assert map_request(model, ImageRequest(options={"scale": 2}), draw_seed=lambda: 1).input == {"scale": 2}


def test_the_facts_beside_the_schema_are_kept():
    found = described({"prompt": text()}, is_official=True, run_count=12)
    assert (found.version, found.is_official, found.model.provenance.run_count) == (VERSION, True, 12)
    assert (found.model.name, found.model.provenance.confidence) == ("ada/painter", "live")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"latest_version": None},
        {"latest_version": {"openapi_schema": None}},
        {"latest_version": {"openapi_schema": {"components": {"schemas": {"Input": {"properties": []}}}}}},
        live_body({f"input_{number}": text() for number in range(121)}),
    ],
)
def test_what_is_no_model_is_refused(body: dict[str, Any]):
    with pytest.raises(BadSchema):
        describe(body)
