"""`darkroom-mcp tenant audit`: who did what in a tenant, and when."""

from typing import Annotated, Any

import typer

from darkroom_server.cli.columns import show_columns
from darkroom_server.cli.moments import moment
from darkroom_server.cli.screen import note, show_json
from darkroom_server.cli.team_extra import owner

_HEADS = ("time", "who", "act", "which")


def audit(
    name: Annotated[str, typer.Argument(help="The tenant.", metavar="NAME")],
    since: Annotated[str, typer.Option(help="today, yesterday, a date, or a time ago such as 12h, 7d, 2w.")] = "7d",
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many at most, newest first.", min=1)] = 1000,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """List acts of administrators and creates that were sent, newest first. No prompt and no key is among them."""
    since_s = moment(since)
    with owner() as administration:
        acts = administration.acts(name, since_s, limit + 1)
    shown = acts[:limit]
    if as_json:
        show_json({"acts": [_record(each) for each in shown]})
    elif shown:
        rows = [(f"{each['at'].astimezone():%Y-%m-%d %H:%M:%S}", *_words(each)) for each in shown]
        show_columns(_HEADS, rows, flexible=("who", "which"))
    else:
        note(f"Nothing was done in tenant '{name}' since then.")
    if len(acts) > limit:
        note(f"There are more: these are the newest {limit}. --limit shows more, --since fewer days.")


def _words(act: dict[str, Any]) -> tuple[str, str, str]:
    which = act["whom"] or act["which"]
    return act["subject"] or act["who"] or "a person who was forgotten", act["act"], which


def _record(act: dict[str, Any]) -> dict[str, Any]:
    is_person = bool(act["issuer"])
    return {
        "at": act["at"].isoformat(timespec="milliseconds"),
        "who": {"issuer": act["issuer"], "subject": act["subject"]} if is_person else act["who"] or None,
        "act": act["act"],
        "which": act["whom"] or act["which"] or None,
    }
