"""What may be wrong in a model file whose fields have the right types: names that point nowhere, impossible limits."""

from collections.abc import Iterator

from pydantic import JsonValue

from darkroom.registry.checks import check_value
from darkroom.registry.model import Model
from darkroom.registry.model_input import ModelInput
from darkroom.registry.price import PriceTable

TomlPath = tuple[str | int, ...]


def find_incoherences(model: Model) -> Iterator[tuple[TomlPath, str]]:
    """Where in the file, and what is wrong there."""
    yield from _input_incoherences(model)
    named = [*model.concepts.input_names().items()]
    named += [("custom_size_requires", name) for name in model.concepts.custom_size_requires]
    named += [("count_requires", name) for name in model.concepts.count_requires]
    for concept, name in named:
        if name not in model.inputs_by_name:
            yield ("concepts", concept), f"{name!r} is not one of the inputs"
    if model.run_by == "version" and not model.version:
        yield ("run_by",), "a model run by version needs its version"
    if model.price is not None:
        yield from _price_incoherences(model, model.price)


def _input_incoherences(model: Model) -> Iterator[tuple[TomlPath, str]]:
    seen: set[str] = set()
    for index, item in enumerate(model.inputs):
        if item.name in seen:
            yield ("inputs", index, "name"), f"input {item.name!r} is there twice"
        seen.add(item.name)
        for field, words in _faults_within(item):
            yield ("inputs", index, field), words
        for other in item.applies_when:
            if other not in model.inputs_by_name:
                yield ("inputs", index, "applies_when"), f"{other!r} is not one of the inputs"


def _faults_within(item: ModelInput) -> Iterator[tuple[str, str]]:
    if item.min is not None and item.max is not None and item.min > item.max:
        yield "min", f"min {item.min} is above max {item.max}"
    if item.required and item.default is not None:
        yield "default", "a required input has no default"
    if item.default is not None and (words := _misfit(item, item.default)):
        yield "default", words
    unlimited = item.model_copy(update={"enum": ()})
    for value in item.enum:
        if words := _misfit(unlimited, value):
            yield "enum", words


def _price_incoherences(model: Model, price: PriceTable) -> Iterator[tuple[TomlPath, str]]:
    for field, name in (("count_input", price.count_input), ("output_mp_input", price.output_mp_input)):
        if name and name not in model.inputs_by_name:
            yield ("price", field), f"{name!r} is not one of the inputs"
    conditions: list[tuple[TomlPath, dict[str, JsonValue]]] = [(("price", "count_when"), price.count_when)]
    conditions += [(("price", "tiers", index, "when"), tier.when) for index, tier in enumerate(price.tiers)]
    for place, condition in conditions:
        for name, value in condition.items():
            if words := _condition_fault(model, name, value):
                yield place, words


def _condition_fault(model: Model, name: str, value: JsonValue) -> str:
    """What is wrong with a condition on one input: "any" or [] for an image, else a value that the input can have."""
    item = model.inputs_by_name.get(name)
    if item is None:
        return f"{name!r} is not one of the inputs"
    if model.holds_image(item):
        return "" if value in ("any", []) else f"{name} is an image: {value!r} is neither 'any' nor []"
    return _misfit(item, value)


def _misfit(item: ModelInput, value: JsonValue) -> str:
    faults = check_value(item, value)
    return f"{value!r} does not fit: {faults[0].description}" if faults else ""
