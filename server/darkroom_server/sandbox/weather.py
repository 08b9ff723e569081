"""Bad weather on demand: a prompt that starts with `sandbox:` and names from this table, then the prompt itself.

    sandbox:nsfw a lighthouse at dawn
    sandbox:cold=20,slow=75 a lighthouse at dawn
    sandbox: partial truncated a lighthouse at dawn

Names are joined by commas or spaces; numbers are real seconds, whatever the sandbox's speed. The prefix is not painted.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from darkroom.registry import Model

# name -> what happens. This table is the documentation, too.
WEATHER: Mapping[str, str] = {
    "cold": "Stays `starting` for that many seconds, like a model that has to boot (cold=20).",
    "slow": "Runs for that many seconds (slow=75).",
    "stall": "Starts, gets to 60 %, and then nothing moves until the time limit of 30 minutes.",
    "unknown": "Shows a status that no document names for that many seconds (unknown=3), then goes on as usual.",
    "nsfw": "Fails: flagged as sensitive (E005). The same prompt fails again.",
    "interrupted": "Fails: the machine went away (code: PA). Worth a new try.",
    "director": "Fails: the scheduler lost the prediction (E9828). Worth a new try.",
    "oom": "Fails: the model ran out of memory. The same input fails again.",
    "cancel": "Is canceled half way by the gateway itself.",
    "abort": "Is aborted before it starts; nothing would be billed.",
    "empty": "Says `succeeded`, but holds no output.",
    "partial": "Gives one image fewer than asked for (at least one).",
    "truncated": "The output files break off half way.",
    "expired": "The outputs are gone that many seconds after the end (expired=0), not after an hour.",
    "402": "The create is refused: no credit. Nothing is created.",
    "429": "The first create is refused with that many seconds to wait (429=2);"
    " after them the same prompt is accepted.",
    "503": "Like 429, as an overloaded gateway with a Retry-After header (503=2).",
    "500": "The create is answered with a server error; nothing is created.",
    "504": "The prediction is created and runs, but the answer to the create is lost (HTTP 504).",
    "html": "The create is answered with a web page and HTTP 200; nothing is created.",
}
_DEFAULT_SECONDS = {"cold": 20.0, "slow": 75.0, "unknown": 3.0, "expired": 0.0, "429": 2.0, "503": 2.0}
_PREFIX = re.compile(r"\s*sandbox:", re.IGNORECASE)
_TOKEN = re.compile(r"[\s,]*(?:sandbox:)?([a-z0-9]+)(?:=(\d+(?:\.\d+)?))?(?=[\s,]|$)", re.IGNORECASE)
_BREAK = re.compile(r"[\s,]")


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
    while (token := _TOKEN.match(prompt, end)) and token[1].lower() in WEATHER:
        name = token[1].lower()
        conditions[name] = float(token[2]) if token[2] else _DEFAULT_SECONDS.get(name, 0.0)
        end = token.end()
    # A word right behind the colon is meant as a name; with a space between, `sandbox:` is taken for plain words.
    unknown = "" if conditions else _BREAK.split(prompt[prefix.end() :], maxsplit=1)[0]
    return Weather(caption=prompt[end:].strip(" ,\t\n"), conditions=conditions, unknown=unknown)
