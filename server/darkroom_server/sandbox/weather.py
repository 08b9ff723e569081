"""Bad weather on demand: a prompt that starts with `sandbox:` and names from weather.toml, then the prompt itself.

    sandbox:nsfw a lighthouse at dawn
    sandbox:cold=20,slow=75 a lighthouse at dawn
    sandbox: partial truncated a lighthouse at dawn

Names are joined by commas or spaces; numbers are real seconds, whatever the sandbox's speed. The prefix is not painted.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from pydantic import JsonValue

from darkroom.registry import Model

_PREFIX = re.compile(r"\s*sandbox:", re.IGNORECASE)
_TOKEN = re.compile(r"[\s,]*(?:sandbox:)?([a-z0-9]+)(?:=(\d+(?:\.\d+)?))?(?=[\s,]|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One table of weather.toml, which explains the fields."""

    meaning: str
    seconds: float = 0.0
    end: str = ""
    error: str = ""
    title: str = ""
    detail: str = ""


_TEXT = files("darkroom_server.sandbox").joinpath("weather.toml").read_text(encoding="utf-8")
CONDITIONS = {name: Condition(**row) for name, row in tomllib.loads(_TEXT).items()}
WEATHER: Mapping[str, str] = {name: condition.meaning for name, condition in CONDITIONS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """What a prompt asked for: `caption` is the prompt without its prefix, `unknown` a name that is not in WEATHER."""

    caption: str
    conditions: Mapping[str, float]
    unknown: str = ""

    def __contains__(self, name: str) -> bool:
        return name in self.conditions

    def seconds(self, name: str, otherwise: float) -> float:
        """The seconds of a condition that is on, else `otherwise`."""
        return self.conditions.get(name, otherwise)


def weather_of(model: Model, input: Mapping[str, JsonValue]) -> Weather:
    """The weather that the prompt asks for; none for models without a prompt."""
    return read_weather(str(input.get(model.concepts.prompt) or ""))


def read_weather(prompt: str) -> Weather:
    """Split a prompt into its conditions and its caption."""
    prefix = _PREFIX.match(prompt)
    if not prefix:
        return Weather(caption=prompt, conditions={})
    conditions: dict[str, float] = {}
    end = prefix.end()
    while (token := _TOKEN.match(prompt, end)) and (condition := CONDITIONS.get(token[1].lower())):
        conditions[token[1].lower()] = float(token[2] or condition.seconds)
        end = token.end()
    # A word right behind the colon is meant as a name; with a space between, `sandbox:` is taken for plain words.
    unknown = "" if conditions else re.split(r"[\s,]", prompt[prefix.end() :], maxsplit=1)[0]
    return Weather(caption=prompt[end:].strip(" ,\t\n"), conditions=conditions, unknown=unknown)
