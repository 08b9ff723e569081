"""Read one TOML file into a Model, or say in which line what is wrong."""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from darkroom.errors import SettingsError
from darkroom.registry.coherence import TomlPath, find_incoherences
from darkroom.registry.model import Model

_SYNTAX_PLACE = re.compile(r"^(?P<words>.*?) \(at (?:line (?P<line>\d+), column \d+|end of document)\)$", re.DOTALL)
_HEADER = re.compile(r"\s*\[{1,2}\s*([A-Za-z0-9_.-]+)\s*\]")


def read_model_file(path: Path) -> Model:
    """The model of a file, checked through and through.

    Raises: SettingsError where the file cannot be read or is wrong; the message names file, line and field.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"Model file '{path}' cannot be read: {error}") from error
    try:
        model = Model.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"Model file '{path}'{_syntax_problem(text, str(error))}.") from error
    except ValidationError as error:
        faults = [(fault["loc"], fault["msg"]) for fault in error.errors(include_url=False)]
        raise SettingsError(_problem(path, text, faults)) from error
    if faults := list(find_incoherences(model)):
        raise SettingsError(_problem(path, text, faults))
    if "concepts" in model.model_fields_set:
        return model
    from darkroom.registry.live_schema import with_usual_concepts

    return with_usual_concepts(model)


def _line_of(text: str, place: TomlPath) -> int:
    """The line (from 1) where a field stands, or the table that lacks it; 1 for a missing top-level field."""
    lines = text.splitlines()
    headers = [(number, match[1]) for number, line in enumerate(lines, 1) if (match := _HEADER.match(line))]
    table, nth, key = _table_and_key(place, {name for _, name in headers})
    own = [number for number, name in headers if name == table]
    start = own[nth] if nth < len(own) else 0
    end = next((number - 1 for number, _ in headers if number > start), len(lines))
    pattern = re.compile(rf'\s*"?{re.escape(key)}"?\s*=')
    numbers = (number for number, line in enumerate(lines[start:end], start + 1) if key and pattern.match(line))
    return next(numbers, max(start, 1))


def _table_and_key(place: TomlPath, tables: set[str]) -> tuple[str, int, str]:
    """The innermost table of a place that has a header, which one of that name, and the key in it, if any.

    The table is empty for the top of the file.
    """
    table, nth, rest, name = "", 0, place, ""
    for index, step in enumerate(place):
        if isinstance(step, str):
            name = f"{name}.{step}" if name else step
        if name == table and isinstance(step, int):
            nth, rest = step, place[index + 1 :]
        elif name in tables and name != table:
            table, nth, rest = name, 0, place[index + 1 :]
    return table, nth, next((step for step in rest if isinstance(step, str)), "")


def _syntax_problem(text: str, words: str) -> str:
    match = _SYNTAX_PLACE.match(words)
    if match is None:
        return f": {words}"
    line = int(match["line"]) if match["line"] else max(len(text.splitlines()), 1)
    field = text.splitlines()[line - 1].partition("=")[0].strip() if text else ""
    return f", line {line}, field '{field[:40]}': {match['words']}"


def _problem(path: Path, text: str, faults: Iterable[tuple[TomlPath, str]]) -> str:
    (place, words), *more = faults
    field = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).lstrip(".")
    rest = f" ({len(more)} more after it)" if more else ""
    return f"Model file '{path}', line {_line_of(text, place)}, field '{field}': {words}{rest}."
