"""One-click links and the sections of the pages on installing, generated so that they cannot go stale.

Link formats as the clients document them, checked on 2026-11-20.
"""

import base64
import json
from collections.abc import Mapping
from urllib.parse import quote

from pydantic import JsonValue

from darkroom_server.install import entries
from darkroom_server.install.clients import CLIENTS, Client, Platform, client_named
from darkroom_server.install.entries import PACKAGE, Launch, Values
from darkroom_server.install.writing import shown_entry

NAME = "darkroom"
_LAUNCH = Launch(command="uvx", args=(PACKAGE,))
# platform -> its name, and the folder for settings of applications there
_SYSTEMS: Mapping[Platform, tuple[str, str]] = {
    "darwin": ("macOS", "~/Library/Application Support"),
    "win32": ("Windows", "%APPDATA%"),
    "linux": ("Linux", "~/.config"),
}


def one_click_links() -> dict[str, str]:
    """By client, the link that adds darkroom there from a web page; none holds a key or a path of one computer."""
    vscode = client_named("vscode")
    entry: Values = {"name": NAME, **_entry(vscode)}
    questions: JsonValue = [*entries.questions_for(vscode, entry)]
    packed = {name: f"name={NAME}&config={_packed(_entry(client_named(name)))}" for name in ("cursor", "lm-studio")}
    badge = f"name={NAME}&config={_quoted(entry)}&inputs={_quoted(questions)}"
    return {
        "cursor": f"https://cursor.com/en/install-mcp?{packed['cursor']}",
        "vscode": f"https://insiders.vscode.dev/redirect/mcp/install?{badge}",
        "lm-studio": f"https://lmstudio.ai/install-mcp?{packed['lm-studio']}",
    }


def one_click_section() -> str:
    """Markdown: one line with the links."""
    return " · ".join(f"[Add to {client_named(name).title}]({link})" for name, link in one_click_links().items())


def clients_section() -> str:
    """Markdown: for each client the command, and the entry to put in by hand."""
    return "\n\n".join(map(_details, CLIENTS)) + "\n"


def _details(client: Client) -> str:
    """What is folded away under one client's name."""
    parts = [f"<details>\n<summary>{client.title}</summary>"]
    parts.append(_fenced("sh", f"uv run {PACKAGE} install {client.name}"))
    place = f"in {_places(client)}" if client.file else f"for one project, in `{client.project_file}`"
    parts.append(f"or, once {PACKAGE} is published, by hand {place}:")
    entry = shown_entry(client, NAME, _entry(client)).rstrip()
    return "\n\n".join([*parts, _fenced(client.format, entry), "</details>"])


def _places(client: Client) -> str:
    """The file as people write it, once or for each system."""
    places = {system: client.place(each, "~", config) for each, (system, config) in _SYSTEMS.items()}
    if len(set(places.values())) == 1:
        return f"`{places['Linux']}`"
    places = {system: place.replace("/", "\\") if "%" in place else place for system, place in places.items()}
    return ", ".join(f"`{place}` ({system})" for system, place in places.items())


def _fenced(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```"


def _entry(client: Client) -> Values:
    return entries.fresh_entry(client, NAME, _LAUNCH, entries.environment_for(client, ()))


def _packed(entry: Values) -> str:
    return quote(base64.b64encode(json.dumps(entry).encode()).decode(), safe="")


def _quoted(value: JsonValue) -> str:
    return quote(json.dumps(value), safe="")
