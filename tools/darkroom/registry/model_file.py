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
_HEADER = re.compile(r"\s*(\[\[|\[)\s*([A-Za-z0-9_-]+)[^\]]*\]")


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
    return model


def _line_of(text: str, place: TomlPath) -> int:
    """The line (from 1) where a field stands, or the table that lacks it; 1 for a missing top-level field."""
    lines = text.splitlines()
    start, end = _table_span(lines, place)
    keys = [step for step in place if isinstance(step, str)]
    key = keys[0] if start == 0 else keys[1] if len(keys) > 1 else ""
    pattern = re.compile(rf'\s*"?{re.escape(key)}"?\s*=')
    numbers = (number for number, line in enumerate(lines[start:end], start + 1) if key and pattern.match(line))
    return next(numbers, max(start, 1))


def _table_span(lines: list[str], place: TomlPath) -> tuple[int, int]:
    """First line after, and the end of, the table that a place lies in; the top of the file where it has no header."""
    headers = [(number, match[2]) for number, line in enumerate(lines, 1) if (match := _HEADER.match(line))]
    own = [number for number, name in headers if place and name == place[0]]
    nth = place[1] if len(place) > 1 and isinstance(place[1], int) else 0
    start = own[nth] if nth < len(own) else 0
    end = next((number - 1 for number, _ in headers if number > start), len(lines))
    return start, end


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
