"""Check a dict of inputs against a model's schema as a gateway does it, whatever request it was made from."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from darkroom.registry.model import Model
from darkroom.registry.model_input import InputType, ModelInput

_JSON_TYPES: Mapping[type, str] = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array"}


@dataclass(frozen=True, slots=True)
class FieldFault:
    """One input that the model would refuse.

    `kind` is the wire's word: required, enum, number_gte, number_lte, invalid_type, array_max_items or
    additional_property_not_allowed (seen in recorded answers and in the JSON schema library behind them, 2026-11-20).
    """

    field: str
    kind: str
    description: str


def check_input(model: Model, input: Mapping[str, JsonValue]) -> list[FieldFault]:
    """Every fault of this input, in the order of the model's inputs; empty when the model would take it."""
    faults: list[FieldFault] = []
    for item in model.inputs:
        if item.name in input:
            faults += check_value(item, input[item.name])
        elif item.required:
            faults.append(FieldFault(item.name, "required", f"{item.name} is required"))
    unknown = [name for name in input if name not in model.inputs_by_name] if model.inputs else []
    words = "Additional property {} is not allowed"
    return faults + [FieldFault(name, "additional_property_not_allowed", words.format(name)) for name in unknown]


def check_value(item: ModelInput, value: JsonValue) -> list[FieldFault]:
    """The faults of one value."""
    if item.type == "any" or (value is None and item.nullable):
        return []
    if not _is_of_type(value, item.type):
        return [_wrong_type(item.name, item.type, value)]
    if isinstance(value, list):
        return _check_list(item, value)
    if item.enum and item.enum_complete and value not in item.enum:
        allowed = ", ".join(f'"{allowed}"' if isinstance(allowed, str) else str(allowed) for allowed in item.enum)
        return [FieldFault(item.name, "enum", f"{item.name} must be one of the following: {allowed}")]
    if isinstance(value, int | float):
        return _check_range(item, value)
    return []


def _is_of_type(value: JsonValue, wanted: InputType) -> bool:
    """Whether a JSON value is of a schema type: 4.0 is an integer, 4 is a number; true and NaN are neither."""
    if isinstance(value, float):
        return math.isfinite(value) and (wanted == "number" or (wanted == "integer" and value.is_integer()))
    return _type_name(value) in ((wanted, "integer") if wanted == "number" else (wanted,))


def _type_name(value: JsonValue) -> str:
    """The JSON schema's name for the type of a value."""
    return "null" if value is None else _JSON_TYPES.get(type(value), "object")


def _check_list(item: ModelInput, values: list[JsonValue]) -> list[FieldFault]:
    if item.max_items is not None and len(values) > item.max_items:
        return [FieldFault(item.name, "array_max_items", f"Array must have at most {item.max_items} items")]
    if item.items is None or item.items.type == "any":
        return []
    return [
        _wrong_type(f"{item.name}.{index}", item.items.type, value)
        for index, value in enumerate(values)
        if not _is_of_type(value, item.items.type)
    ]


def _wrong_type(name: str, wanted: InputType, value: JsonValue) -> FieldFault:
    return FieldFault(name, "invalid_type", f"Invalid type. Expected: {wanted}, given: {_type_name(value)}")


def _check_range(item: ModelInput, value: float) -> list[FieldFault]:
    if item.min is not None and value < item.min:
        return [FieldFault(item.name, "number_gte", f"Must be greater than or equal to {item.min}")]
    if item.max is not None and value > item.max:
        return [FieldFault(item.name, "number_lte", f"Must be less than or equal to {item.max}")]
    return []
