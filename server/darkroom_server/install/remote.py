"""How people connect a host to a darkroom that is reached by an address, such as a team's."""

import base64
import json
import tomllib
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from urllib.parse import quote

NAME = "darkroom"
_EXAMPLE = "https://darkroom.example.com/mcp"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteHost:
    """What a person does in one host: `steps` in words, with code between backquotes, and the text to paste.

    `about` says which of its programs, `link` adds darkroom by one click; both may be "".
    """

    title: str
    steps: str
    copy: str
    about: str = ""
    link: str = ""


def remote_hosts(address: str) -> list[RemoteHost]:
    """For each host, how to connect it to the MCP server at this address; none holds a key."""
    vscode = json.dumps({"name": NAME, "type": "http", "url": address})
    packed = base64.b64encode(json.dumps({"url": address}).encode()).decode()
    texts = {
        "{address}": address,
        "{cursor}": json.dumps({"mcpServers": {NAME: {"url": address}}}),
        "{cursor packed}": quote(packed, safe=""),
        "{vscode}": vscode,
        "{vscode quoted}": quote(vscode, safe=""),
    }

    def filled(text: str) -> str:
        return reduce(lambda filled, name: filled.replace(name, texts[name]), texts, text)

    rows = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))["host"]
    return [RemoteHost(**{name: filled(text) for name, text in row.items()}) for row in rows]


def remote_section() -> str:
    """Markdown: a table of the hosts, with an address of the documentation."""
    rows = [
        f"| {host.title}{f' ({host.about})' if host.about else ''} | {host.steps} | {_code(host.copy)} |"
        for host in remote_hosts(_EXAMPLE)
    ]
    return "\n".join(["| host | how | what to paste |", "|---|---|---|", *rows])


def _code(text: str) -> str:
    return "<br>".join(f"`{line}`" for line in text.splitlines())
