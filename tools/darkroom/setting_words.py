"""How settings are spoken of to people: by their variables, with what they mean and allow."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class About:
    """What a person reads about one setting: its meaning, the allowed values, the default in words."""

    meaning: str
    allowed: str
    default: str = ""
