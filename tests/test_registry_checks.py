"""check_input: the wire's own faults."""

import pytest
from mapped import PHOTO, REGISTRY
from pydantic import JsonValue

from darkroom.registry import FieldFault, ModelRef, check_input, unlisted_model

SCHNELL = REGISTRY.get("flux-schnell")


def kinds(name: str, input: dict[str, JsonValue]) -> list[tuple[str, str]]:
    return [(fault.field, fault.kind) for fault in check_input(REGISTRY.get(name), input)]


def test_a_complete_input_has_no_faults() -> None:
    assert check_input(SCHNELL, {"prompt": "x", "num_outputs": 4, "megapixels": "0.25", "go_fast": False}) == []


def test_a_missing_required_input_is_a_fault() -> None:
    assert check_input(SCHNELL, {}) == [FieldFault("prompt", "required", "prompt is required")]


def test_numbers_outside_of_the_range_are_faults() -> None:
    assert check_input(SCHNELL, {"prompt": "x", "num_inference_steps": 5, "num_outputs": 0}) == [
        FieldFault("num_outputs", "number_gte", "Must be greater than or equal to 1"),
        FieldFault("num_inference_steps", "number_lte", "Must be less than or equal to 4"),
    ]


def test_a_value_outside_of_a_complete_enum_is_a_fault_that_lists_the_enum() -> None:
    (fault,) = check_input(SCHNELL, {"prompt": "x", "megapixels": "3"})
    assert (fault.kind, fault.description) == ("enum", 'megapixels must be one of the following: "1", "0.25"')


def test_a_value_outside_of_an_incomplete_enum_is_no_fault() -> None:
    assert kinds("wan-video/wan-2.7-image", {"prompt": "x", "size": "4K"}) == []


def test_an_unknown_input_is_a_fault() -> None:
    assert kinds("flux-schnell", {"prompt": "x", "stepz": 1}) == [("stepz", "additional_property_not_allowed")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("prompt", 3),
        ("seed", "1"),
        ("seed", 1.5),
        ("seed", True),
        ("go_fast", "true"),
        ("prompt", None),
        ("seed", None),
    ],
)
def test_a_value_of_another_type_is_a_fault(name: str, value: JsonValue) -> None:
    assert (name, "invalid_type") in kinds("flux-schnell", {"prompt": "x", name: value})


def test_null_is_fine_where_the_model_says_so() -> None:
    assert kinds("qwen/qwen-image", {"prompt": "x", "seed": None}) == []


def test_a_whole_float_is_an_integer_and_an_integer_is_a_number() -> None:
    assert kinds("flux-dev", {"prompt": "x", "seed": 4.0, "guidance": 3}) == []


def test_a_list_is_checked_for_its_length_and_its_items() -> None:
    five: list[JsonValue] = [PHOTO] * 5
    assert kinds("flux-2-dev", {"prompt": "x", "input_images": five}) == [("input_images", "array_max_items")]
    assert kinds("flux-2-dev", {"prompt": "x", "input_images": [PHOTO, 3]}) == [("input_images.1", "invalid_type")]
    assert kinds("flux-2-dev", {"prompt": "x", "input_images": PHOTO}) == [("input_images", "invalid_type")]


def test_a_model_nobody_described_has_no_faults() -> None:
    assert check_input(unlisted_model(ModelRef.parse("someone/something")), {"anything": [1]}) == []


def test_a_count_is_split_into_full_predictions_and_a_rest() -> None:
    assert SCHNELL.split_count(10) == (4, 4, 2)
    assert SCHNELL.split_count(4) == (4,)
    assert REGISTRY.get("flux-1.1-pro").split_count(3) == (1, 1, 1)
