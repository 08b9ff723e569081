"""What the model is told once, before any call: how to use the tools, and how this server is set.

Made from the settings alone, without the journal: what is left of a limit stands in the answers. Hosts keep 2,048
characters.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from darkroom.model_tasks import USUAL_MODELS
from darkroom.settings import Settings, variable_of
from darkroom.uris import is_url

if TYPE_CHECKING:
    from darkroom.team_settings import TeamSettings

MOST_BYTES = 2_000
_TEMPLATE = Path(__file__).with_suffix(".txt")
_LONGEST_PLACE_BYTES = 200
_LONGEST_MODEL, _LONGEST_ADDRESS, _LONGEST_PROBLEM = 60, 80, 300
_SAVED = "Images are saved in {}; links die after an hour, the files stay. Tell the user the path."
_INPUTS = "a path, an https URL, or prediction:ID of an earlier result."
_TEAM_SAVED = (
    "Images are kept for this user alone; the links to them may die after {} min, and get_prediction gives new ones. "
    "Tell the user the link."
)
_TEAM_INPUTS = (
    "an https URL, a data URI, upload:ID of a picture that the user has added, or prediction:ID of an earlier result. "
    "No file of any computer is read."
)
_SHOWN = "Every answer ends with what was charged; dry_run=true shows the price before."


def instructions(settings: Settings) -> str:
    """At most 2,000 bytes of plain text. Where the settings cannot be used, it begins with the reason."""
    parts = {
        "gateway": _gateway_words(settings),
        "money": _money_words(settings),
        "models": _model_words(settings),
        "saved": _SAVED.format(_place_words(settings.output_location)),
        "inputs": _INPUTS,
        "cancels": "" if not settings.problem and not settings.choice.gateway.has_cancel else ", and cancels",
    }
    room_bytes = MOST_BYTES - len(_filled(parts).encode()) - 1
    folders = _folder_words([str(path) for path in settings.input_paths], room_bytes)
    return _filled(parts | {"inputs": f"{_INPUTS} {folders}".rstrip()})


def team_instructions(settings: Settings, team: "TeamSettings") -> str:
    """The same for everybody in a team, who see none of the server's folders."""
    minutes = max(1, round(team.link_seconds / 60))
    limits = "The user and the team may have limits for a day; a refusal says whose."
    return _filled(
        {
            "gateway": "Darkroom makes and edits images for the user's team.",
            "money": f"Each generate_image call costs the team money. {_SHOWN} {limits}",
            "models": _model_words(settings),
            "saved": _TEAM_SAVED.format(minutes),
            "inputs": _TEAM_INPUTS,
            "cancels": ", and cancels",
        }
    )


def _filled(parts: dict[str, str]) -> str:
    return _TEMPLATE.read_text(encoding="utf-8").strip().format(**parts)


def _gateway_words(settings: Settings) -> str:
    if settings.problem:
        return (
            f"Darkroom makes and edits images, but cannot yet: {_printable(settings.problem.message, _LONGEST_PROBLEM)}"
        )
    gateway = settings.choice.gateway
    address = _printable(gateway.origin, _LONGEST_ADDRESS)
    if gateway.is_sandbox:
        where = "" if gateway.is_embedded else f" at {address}"
        return (
            f"Darkroom makes and edits images; here it runs its sandbox{where}: no model runs, the pictures are "
            "simulated. For real ones the user sets a gateway's key, such as REPLICATE_API_TOKEN."
        )
    local = " on this computer (an answer says so if it is a sandbox)" if gateway.is_loopback else ""
    return f"Darkroom makes and edits images through the gateway {gateway.name!r} at {address}{local}."


def _money_words(settings: Settings) -> str:
    if not settings.problem and settings.choice.gateway.is_sandbox:
        return f"Nothing is charged in the sandbox; with a real gateway each generate_image call costs money. {_SHOWN}"
    spans = ((settings.max_usd_per_call, "a call"), (settings.max_usd_per_day, "a day"))
    limits = [f"{_usd(limit)} {span}" for limit, span in spans if limit is not None]
    said = [f"Each generate_image call costs the user money. {_SHOWN}"]
    if limits:
        said.append(f"The user's limit is {' and '.join(limits)}; answers say what is left.")
    if settings.confirm_usd is not None:
        said.append(f"The user is asked before a call that may cost more than {_usd(settings.confirm_usd)}.")
    return " ".join(said)


def _usd(value: float) -> str:
    """`$0.60`, `$0.005`."""
    return f"${value:.2f}" if round(value, 2) == value else f"${value:g}"


def _model_words(settings: Settings) -> str:
    """`flux-schnell draws ($0.003), ...`; the registry is read only for a model or files of the person's own."""
    prices = {each.name: each.price for each in USUAL_MODELS}
    own = settings.default_model
    if own or settings.models_dir:
        prices |= _prices_of((*prices, *filter(None, [own])), settings.models_dir)
    words = ", ".join(f"{each.name.partition('/')[2]} {each.does} ({prices[each.name]})" for each in USUAL_MODELS)
    if not own:
        return words
    price = prices.get(own, "price unknown")
    return f"the user's choice {_printable(own, _LONGEST_MODEL)} ({price}) is taken where it can, else {words}"


def _prices_of(names: Iterable[str], models_dir: Path | None) -> dict[str, str]:
    """The price of one image as list_models words it; nothing for names that the registry does not have."""
    from darkroom.registry import ModelRegistry
    from darkroom.reports.price_words import price_cell

    registry = ModelRegistry.load(models_dir)
    found = {name: registry.find(name) for name in names}
    return {name: price_cell(model) for name, model in found.items() if model}


def _place_words(location: str) -> str:
    """The folder or bucket; a path that would take too much room is left to the answers, which name each file."""
    shown = _printable(_without_secrets(location) if is_url(location) else location)
    return shown if len(shown.encode()) <= _LONGEST_PLACE_BYTES else f"the folder of {variable_of('output_dir')}"


def _without_secrets(url: str) -> str:
    """Without a user, a password and a query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _folder_words(folders: list[str], room_bytes: int) -> str:
    """`Local images may be read from /a, /b and 3 more folders.`, in at most `room_bytes`."""
    if not folders:
        return "No image file of the server's computer is read."
    for shown in range(len(folders), -1, -1):
        names = [_printable(each) for each in folders[:shown]]
        left = len(folders) - shown
        if left:
            names.append(f"{left} {'more ' if shown else ''}folder{'s' if left > 1 else ''}")
        words = f"Local images may be read from {', '.join(names)}."
        if len(words.encode()) <= room_bytes:
            return words
    return ""


def _printable(text: str, longest: int | None = None) -> str:
    shown = text if longest is None or len(text) <= longest else f"{text[: longest - 1]}…"
    return "".join(each if each.isprintable() else "?" for each in shown)
