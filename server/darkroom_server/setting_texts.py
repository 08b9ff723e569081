"""Settings as texts: what a person reads about them, what counts as set, and which folder a text means."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_FOLDERS = ("${HOME}", "${DESKTOP}", "${DOCUMENTS}", "${DOWNLOADS}")


@dataclass(frozen=True, slots=True)
class About:
    """What a person reads about one setting: its meaning, the allowed values, the default in words."""

    meaning: str
    allowed: str
    default: str = ""


# Read by `choose_gateway`, which knows the gateways; here they are only described.
GATEWAY_SETTINGS = ("gateway", "base_url", "api_key", "output_hosts")


def read_about() -> dict[str, About]:
    """What settings.toml says about each setting, by its name."""
    rows = tomllib.loads(Path(__file__).with_name("settings.toml").read_text(encoding="utf-8"))
    return {name: About(**row) for name, row in rows.items()}


def given_texts(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that carry a value. A host that has none to put in leaves an empty text or its own placeholder."""
    stripped = {name: text.strip() for name, text in environ.items()}
    return {
        name: text
        for name, text in stripped.items()
        if text and (text.startswith(_FOLDERS) or not text.startswith("${"))
    }


def folder(text: str, environ: Mapping[str, str]) -> Path:
    """The absolute folder; a leading `~`, or one of the four names that desktop hosts leave unexpanded, is resolved."""
    word = next((word for word in _FOLDERS if text.startswith(word)), "")
    if word:
        text = _place(word, environ) + text.removeprefix(word)
    elif text == "~" or text.startswith("~/"):
        text = _place("${HOME}", environ) + text[1:]
    return Path(text).absolute()


def _place(word: str, environ: Mapping[str, str]) -> str:
    if word == "${HOME}":
        return environ.get("HOME") or environ.get("USERPROFILE") or str(Path.home())
    import platformdirs

    # Such as `user_desktop_dir` for ${DESKTOP}.
    return getattr(platformdirs, f"user_{word[2:-1].lower()}_dir")()
