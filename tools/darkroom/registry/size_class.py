"""Prices by classes such as "2 MP", for an image whose exact size is asked for instead."""

from collections.abc import Iterable, Mapping

from pydantic import JsonValue


def with_size_class(
    conditions: Iterable[Mapping[str, JsonValue]], input: Mapping[str, JsonValue]
) -> Mapping[str, JsonValue]:
    """The input with the smallest class of megapixels that holds its width and height, whatever class it names.

    Beyond the largest class it has none, so that the highest price counts.
    """
    width, height = input.get("width"), input.get("height")
    if not (isinstance(width, int) and isinstance(height, int)):
        return input
    classes = {
        (float(value.removesuffix(" MP")), name, value)
        for condition in conditions
        for name, value in condition.items()
        if isinstance(value, str) and value.endswith(" MP")
    }
    fitting = sorted(each for each in classes if each[0] * 2**20 >= width * height)
    return {**input, **{name: "" for _, name, _ in classes}, **{name: value for _, name, value in fitting[:1]}}
