"""Settings as texts: what a person reads about them, what counts as set, and which folder a text means."""

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
GATEWAY_SETTINGS = {
    "gateway": About(
        "Which gateway makes the images.",
        "the name of a gateway",  # `described` lists them
        "the one whose key variable is set, else the sandbox",
    ),
    "base_url": About(
        "Address of the gateway, with or without `/v1`; alone it means the gateway `custom`.",
        "https://host, or http://127.0.0.1:port",
        "the gateway's own",
    ),
    "api_key": About(
        "Key of the gateway.", "the key as text", "the gateway's own variable, such as REPLICATE_API_TOKEN"
    ),
    "output_hosts": About(
        "The only hosts to fetch finished images from; `127.0.0.1:port` adds a store beside a gateway on this machine.",
        "host names with commas between them, `*.example.com` for all below one",
        "any public host",
    ),
}


def given_texts(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that carry a value. A host that has none to put in leaves an empty text or its own placeholder."""
    stripped = {name: text.strip() for name, text in environ.items()}
    return {name: text for name, text in stripped.items() if text and not _is_placeholder(text)}


def folder(text: str, environ: Mapping[str, str]) -> Path:
    """The absolute folder; a leading `~`, or one of the four names that desktop hosts leave unexpanded, is resolved."""
    word = next((word for word in _FOLDERS if text.startswith(word)), "")
    if word:
        text = _place(word, environ) + text.removeprefix(word)
    elif text == "~" or text.startswith("~/"):
        text = _place("${HOME}", environ) + text[1:]
    return Path(text).absolute()


def _is_placeholder(text: str) -> bool:
    return text.startswith("${") and not text.startswith(_FOLDERS)


def _place(word: str, environ: Mapping[str, str]) -> str:
    if word == "${HOME}":
        return environ.get("HOME") or environ.get("USERPROFILE") or str(Path.home())
    import platformdirs

    find = {
        "${DESKTOP}": platformdirs.user_desktop_dir,
        "${DOCUMENTS}": platformdirs.user_documents_dir,
        "${DOWNLOADS}": platformdirs.user_downloads_dir,
    }
    return find[word]()
