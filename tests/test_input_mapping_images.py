"""Images and masks in a model's own words."""

import pytest
from mapped import DRAWN_SEED, MASK, OTHER_PHOTO, PHOTO, mapped, refused


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("flux-kontext-dev", "input_image"),
        ("flux-1.1-pro", "image_prompt"),
        ("prunaai/flux-kontext-fast", "img_cond_path"),
        ("tencentarc/gfpgan", "img"),
        ("luma/photon", "image_reference_url"),
    ],
)
def test_one_image_goes_under_the_models_name_for_it(name: str, field: str) -> None:
    sent = mapped(name, images=(PHOTO,))
    assert sent.input[field] == PHOTO
    assert sent.file_fields == (field,)


@pytest.mark.parametrize(
    ("name", "field"),
    [("flux-2-pro", "input_images"), ("seedream-4", "image_input"), ("qwen-image-edit-2511", "image")],
)
def test_several_images_go_as_a_list_where_the_model_takes_one(name: str, field: str) -> None:
    sent = mapped(name, images=(PHOTO, OTHER_PHOTO))
    assert sent.input[field] == [PHOTO, OTHER_PHOTO]
    assert sent.file_fields == (field,)


def test_one_image_is_still_a_list_for_a_model_that_takes_a_list() -> None:
    assert mapped("flux-2-pro", images=(PHOTO,)).input["input_images"] == [PHOTO]


def test_two_images_for_a_model_that_takes_one_are_refused_naming_models_that_take_several() -> None:
    error = refused("flux-kontext-dev", images=(PHOTO, OTHER_PHOTO))
    assert error.field == "images"
    assert "takes one image, and 2 were given" in error.message and "google/nano-banana" in error.message


def test_more_images_than_the_model_takes_are_refused() -> None:
    assert "at most 4 images, and 5 were given" in refused("flux-2-dev", images=(PHOTO,) * 5).message


def test_an_image_for_a_model_without_one_is_refused_naming_models_that_edit() -> None:
    error = refused("flux-schnell", images=(PHOTO,))
    assert error.field == "images"
    assert "black-forest-labs/flux-kontext-pro" in error.message


def test_an_empty_image_is_refused_by_its_place() -> None:
    assert "images[1] is empty" in refused("flux-2-pro", images=(PHOTO, "")).message


@pytest.mark.parametrize("name", ["flux-kontext-dev", "bria/remove-background", "bria/expand-image", "real-esrgan"])
def test_a_model_that_needs_an_image_refuses_to_go_without(name: str) -> None:
    error = refused(name)
    assert error.field == "images"
    assert "needs an image" in error.message


def test_an_image_in_options_is_an_image() -> None:
    sent = mapped("bria/remove-background", options={"image_url": PHOTO})
    assert sent.input == {"image_url": PHOTO}
    assert sent.file_fields == ("image_url",)


def test_file_fields_name_every_input_that_carries_an_image() -> None:
    sent = mapped("luma/photon", images=(PHOTO,), options={"style_reference_url": OTHER_PHOTO})
    assert sent.file_fields == ("image_reference_url", "style_reference_url")
    sent = mapped("ideogram-v3-turbo", options={"style_reference_images": [PHOTO]})
    assert sent.file_fields == ("style_reference_images",)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("flux-canny-dev", "guides the structure"),
        ("flux-1.1-pro", "style and composition"),
        ("flux-redux-dev", "varied as a whole"),
        ("minimax/image-01", "the face"),
        ("ideogram-character", "the character"),
        ("runwayml/gen4-image", "is a reference"),
    ],
)
def test_an_image_that_is_not_edited_is_noted_with_its_role(name: str, words: str) -> None:
    assert any(words in note for note in mapped(name, images=(PHOTO,)).notes)


def test_an_image_that_is_edited_needs_no_note() -> None:
    assert mapped("flux-kontext-dev", images=(PHOTO,)).notes == ()


def test_a_white_mask_is_sent_as_it_is_where_white_is_edited() -> None:
    sent = mapped("flux-fill-pro", images=(PHOTO,), mask=MASK)
    assert sent.input == {"prompt": "a lighthouse", "image": PHOTO, "mask": MASK, "seed": DRAWN_SEED}
    assert (sent.mask_field, sent.invert_mask) == ("mask", False)
    assert sent.file_fields == ("image", "mask")


@pytest.mark.parametrize("name", ["ideogram-v2", "ideogram-v2-turbo", "ideogram-v3-turbo", "ideogram-v3-quality"])
def test_a_mask_is_turned_where_black_is_edited(name: str) -> None:
    sent = mapped(f"ideogram-ai/{name}", images=(PHOTO,), mask=MASK)
    assert (sent.mask_field, sent.invert_mask) == ("mask", True)


def test_without_a_mask_nothing_is_turned() -> None:
    sent = mapped("ideogram-v3-turbo")
    assert (sent.mask_field, sent.invert_mask) == ("", False)


def test_a_mask_under_the_models_own_name_is_not_turned() -> None:
    sent = mapped("ideogram-v3-turbo", images=(PHOTO,), options={"mask": MASK})
    assert sent.input["mask"] == MASK
    assert sent.invert_mask is False


def test_a_mask_that_would_mark_what_is_kept_is_refused_in_words() -> None:
    error = refused("clarity-upscaler", images=(PHOTO,), mask=MASK)
    assert error.field == "mask"
    assert "marks what is kept, not what is edited" in error.message
    assert mapped("clarity-upscaler", images=(PHOTO,), options={"mask": MASK}).input["mask"] == MASK


def test_a_mask_without_an_image_is_refused() -> None:
    assert "A mask needs the image" in refused("sdxl", mask=MASK).message
    assert mapped("sdxl", mask=MASK, options={"image": PHOTO}).input["mask"] == MASK


def test_a_mask_for_a_model_without_one_is_refused_naming_models_that_take_one() -> None:
    assert "flux-fill-pro" in refused("flux-kontext-dev", images=(PHOTO,), mask=MASK).message


def test_a_model_that_only_repaints_masked_parts_wants_a_mask_beside_the_image() -> None:
    error = refused("ideogram-v3-turbo", images=(PHOTO,))
    assert error.field == "mask"
    assert "needs a mask" in error.message


def test_a_required_mask_that_is_missing_is_named() -> None:
    error = refused("stable-diffusion-inpainting", images=(PHOTO,))
    assert "needs the argument mask" in error.message
