"""How settings are spoken of to people: by their variables, with what they mean and allow."""

from dataclasses import dataclass

from darkroom.settings_sources import variable_of


@dataclass(frozen=True, slots=True)
class About:
    """What a person reads about one setting: its meaning, the allowed values, the default in words."""

    meaning: str
    allowed: str
    default: str = ""


def table(described: dict[str, About]) -> str:
    """The settings as a Markdown table: variable, default, meaning."""
    rows = [
        f"| `{variable_of(name)}` | {about.default} | {about.meaning} Allowed: {about.allowed}. |"
        for name, about in described.items()
    ]
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows])
