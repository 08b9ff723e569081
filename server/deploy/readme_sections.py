"""Write the generated sections of README.md and server/docs anew from the code: python server/deploy/readme_sections.py

Sections stand between `<!-- NAME:begin -->` and `<!-- NAME:end -->`; a test holds each page equal to what this would
write.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import cast

import anyio
from mcp import Client
from mcp.types import Tool

from darkroom.gateways import Gateway, load_gateways
from darkroom.settings import Settings, described, variable_of
from darkroom.settings_sources import About
from darkroom.team_settings import described_for_teams
from darkroom_server.app import create_server
from darkroom_server.install.links import clients_section, one_click_section
from darkroom_server.install.remote import remote_section
from darkroom_server.sandbox import WEATHER

ROOT = Path(__file__).resolve().parents[2]


def rendered(page: str, text: str) -> str:
    """`text` with every generated section of that page filled in; a page without one stays as it is.

    Raises: ValueError where a section's markers are missing.
    """
    for name, make in SECTIONS.get(page, {}).items():
        head, begin, rest = text.partition(f"<!-- {name}:begin -->")
        _, end, tail = rest.partition(f"<!-- {name}:end -->")
        if not end:
            raise ValueError(f"{page} has no section {name!r}")
        text = f"{head}{begin}\n{make()}\n{end}{tail}"
    return text


def tools_section() -> str:
    """The tools with their arguments, as tools/list gives them."""
    return "\n\n".join(map(_tool, anyio.run(_listed)))


def gateways_section() -> str:
    """One row a gateway: address, key variables, what it is known to mirror."""
    rows = map(_gateway, load_gateways().values())
    return _table("`DARKROOM_GATEWAY` | address | key variable | known to have", rows)


def weather_section() -> str:
    """One row a kind of bad weather."""
    rows = (f"`sandbox:{name}` | {meaning}" for name, meaning in WEATHER.items())
    return _table("prompt begins with | what happens", rows)


SECTIONS: dict[str, dict[str, Callable[[], str]]] = {
    "README.md": {"links": one_click_section},
    "server/docs/clients.md": {"install": clients_section},
    "server/docs/gateways.md": {"gateways": gateways_section},
    "server/docs/tools.md": {"tools": tools_section},
    "server/docs/settings.md": {"settings": lambda: _settings(described())},
    "server/docs/sandbox.md": {"weather": weather_section},
    "server/docs/teams.md": {"hosts": remote_section, "team-settings": lambda: _settings(described_for_teams())},
}


def _table(head: str, rows: Iterable[str]) -> str:
    line = "|".join("---" for _ in head.split("|"))
    return "\n".join([f"| {head} |", f"|{line}|", *(f"| {row} |" for row in rows)])


def _settings(described: dict[str, About]) -> str:
    rows = (
        f"`{variable_of(name)}` | {about.default} | {about.meaning} Allowed: {about.allowed}."
        for name, about in described.items()
    )
    return _table("variable | default | meaning", rows)


async def _listed() -> list[Tool]:
    async with Client(create_server(Settings.read({}))) as client:
        return (await client.list_tools()).tools


def _tool(tool: Tool) -> str:
    required = tool.input_schema.get("required", [])
    rows = (
        f"`{name}` | {_default(argument, name in required)} | {_meaning(argument)}"
        for name, argument in tool.input_schema["properties"].items()
    )
    description = " ".join((tool.description or "").split())
    return f"**`{tool.name}`** {description}\n\n{_table('argument | default | meaning', rows)}"


def _default(argument: dict[str, object], is_required: bool) -> str:
    default = argument.get("default")
    return "required" if is_required else "" if default in ("", [], {}, None) else f"`{default}`"


def _meaning(argument: dict[str, object]) -> str:
    choices = cast("list[str]", argument.get("enum", []))
    listed = f"One of {', '.join(choices)}." if choices else ""
    return " ".join(part for part in (str(argument.get("description", "")), listed) if part)


def _gateway(gateway: Gateway) -> str:
    has = {
        "cancel": gateway.has_cancel,
        "list": gateway.has_list,
        "files": gateway.has_files,
        "account": gateway.has_account,
        "Prefer: wait": gateway.honours_prefer,
        "Cancel-After": gateway.honours_cancel_after,
    }
    address = "inside darkroom" if gateway.is_embedded else gateway.base_url or "set `DARKROOM_BASE_URL`"
    usual = "none" if gateway.is_sandbox else "`DARKROOM_API_KEY`"
    key = f"`{gateway.key_variables[0]}`" if gateway.key_variables else usual
    abilities = ", ".join(name for name, given in has.items() if given) or "create and get only"
    return f"`{gateway.name}` | {address} | {key} | {abilities}"


if __name__ == "__main__":
    for page in SECTIONS:
        path = ROOT / page
        path.write_text(rendered(page, path.read_text(encoding="utf-8")), encoding="utf-8")
