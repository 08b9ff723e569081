"""`model_options`: inputs under the model's own names, checked one by one before anything is sent."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pydantic import JsonValue

from darkroom.errors import InvalidInput
from darkroom.registry.checks import FieldFault, check_value
from darkroom.registry.mapping.argument_inputs import ArgumentInputs, listed, quoted, refusal
from darkroom.registry.model import Model
from darkroom.registry.model_input import ModelInput
from darkroom.registry.request import ARGUMENTS
from darkroom.spelling import closest

_ARGUMENTS = frozenset(ARGUMENTS) - {"options"}
_ARTICLES = {"integer": "an integer", "array": "a list", "boolean": "true or false"}


def map_options(model: Model, options: Mapping[str, JsonValue]) -> ArgumentInputs:
    """The options with their values in the model's types.

    Raises: InvalidInput for an unknown name, a secret, or a value that does not fit.
    """
    asked: dict[str, JsonValue] = {}
    notes: list[str] = []
    for name, value in options.items():
        item = _known_input(model, name)
        asked[name] = _converted(item, value)
        if faults := check_value(item, asked[name]):
            raise fault_refusal(model, item, asked[name], faults[0])
        if item.deprecated:
            notes.append(f"Option {name} is deprecated by the model.")
        if item.enum and not item.enum_complete and asked[name] not in item.enum:
            notes.append(f"Option {name}: not all values of this model are known, so {quoted(value)} was not checked.")
    return ArgumentInputs(argument="model_options", asked=asked, notes=tuple(notes))


def _known_input(model: Model, name: str) -> ModelInput:
    item = model.inputs_by_name.get(name)
    if item is None:
        raise refusal(name, _unknown_words(model, name))
    if item.secret:
        words = f"{name} is a secret of yours; darkroom takes no key from tool arguments. Leave this option out."
        raise refusal(name, words)
    return item


def _unknown_words(model: Model, name: str) -> str:
    shown = quoted(name)
    if name in _ARGUMENTS:
        words = f"{shown} is an argument of generate_image, not an option of '{model.name}'."
        return f"{words} Give it outside of model_options."
    hint = _synonym_words(model, name)
    if not hint and (near := closest(name, model.inputs_by_name, cutoff=0.5)):
        hint = f" Closest: {', '.join(near)}."
    return f"'{model.name}' has no option {shown}.{hint} list_models(model=\"{model.name}\") shows all."


def _synonym_words(model: Model, name: str) -> str:
    """How this model, or generate_image, calls what others call by this name; empty where there is none."""
    for concept in _concepts_by_synonym().get(name.lower().replace("-", "_"), ()):
        own = getattr(model.concepts, concept)
        if own and (concept in _ARGUMENTS or concept == "image"):
            return f" Use the argument {'images' if concept == 'image' else concept}, beside model_options."
        if own:
            return f" It calls this {own}."
    return ""


@cache
def _concepts_by_synonym() -> dict[str, list[str]]:
    table: dict[str, list[str]] = tomllib.loads(Path(__file__).with_name("synonyms.toml").read_text(encoding="utf-8"))
    found: dict[str, list[str]] = {}
    for concept, names in table.items():
        for name in names:
            found.setdefault(name, []).append(concept)
    return found


def fault_refusal(model: Model, item: ModelInput, value: JsonValue, fault: FieldFault) -> InvalidInput:
    """The refusal of one value, with what would be allowed."""
    match fault.kind:
        case "enum":
            words = f"{item.name} {quoted(value)} is not offered by '{model.name}'. Allowed: {listed(item.enum)}."
        case "number_gte" | "number_lte":
            words = f"{item.name} {quoted(value)} is outside what '{model.name}' takes: {range_words(item)}."
        case "array_max_items":
            words = f"{item.name} of '{model.name}' takes at most {item.max_items} items."
        case _:
            kind = _ARTICLES.get(item.type, f"a {item.type}")
            inside = f" of {item.items.type}s" if item.items and isinstance(value, list) else ""
            allowed = f" Allowed: {listed(item.enum)}." if item.enum else ""
            words = f"{item.name} of '{model.name}' must be {kind}{inside}, not {quoted(value)}.{allowed}"
    return refusal(item.name, words)


def range_words(item: ModelInput) -> str:
    """The allowed range in words."""
    if item.min is None:
        return f"at most {item.max}"
    return f"at least {item.min}" if item.max is None else f"{item.min} to {item.max}"


def _converted(item: ModelInput, value: JsonValue) -> JsonValue:
    """The value in the model's type, where nothing is lost: "4" as an integer, 1 or "2k" as an enum's "1", "2K"."""
    if item.type in ("integer", "number") and isinstance(value, str | float):
        return _number(item, value)
    if item.type == "string" and item.enum and value not in item.enum and not isinstance(value, bool | list | dict):
        same = [allowed for allowed in item.enum if str(allowed).lower() == str(value).lower()]
        return same[0] if len(same) == 1 else value
    return value


def _number(item: ModelInput, value: str | float) -> JsonValue:
    try:
        number = float(value)
    except ValueError:
        return value
    is_whole = number.is_integer() and (item.type == "integer" or isinstance(value, str))
    return int(number) if is_whole else number
