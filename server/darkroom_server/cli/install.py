"""`darkroom-mcp install`: put darkroom into a program that can start it, once it has been seen to start."""

import shutil
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import typer

from darkroom.errors import DarkroomError, InvalidRequest
from darkroom_server.cli.clients_here import show_clients, this_machine
from darkroom_server.cli.hidden import read_hidden
from darkroom_server.cli.screen import note
from darkroom_server.install import entries, launching
from darkroom_server.install.clients import CLIENTS, Client, client_named
from darkroom_server.install.entries import Environment, Launch
from darkroom_server.install.skill import skill_path, skill_text
from darkroom_server.install.starting import StartFailed, seen_at_start
from darkroom_server.install.variables import check_name, check_values, is_secret, settled_gateway
from darkroom_server.install.writing import Done, shown_entry, write_entry, write_page

_DONE = {"added": "Added to", "updated": "Updated in", "unchanged": "Already there in"}
_LOOK_AT_STDIN_S = 5.0
_CLIENTS = ", ".join(client.name for client in CLIENTS)


def install(
    client: Annotated[str, typer.Argument(help=f"{_CLIENTS}.", metavar="CLIENT", show_default=False)] = "",
    print_only: Annotated[bool, typer.Option("--print", help="Only show the entry; write and start nothing.")] = False,
    name: Annotated[str, typer.Option(help="What the client calls this server.")] = "darkroom",
    command: Annotated[
        Literal["this", "uvx", "path"],
        typer.Option(help="Start it as this program was started, by uvx, or by the path of the installed command."),
    ] = "this",
    env: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=VALUE]",
            help="A variable for the server; without a value it is read hidden or from stdin, else the client looks "
            "it up.",
        ),
    ] = None,
    project: Annotated[bool, typer.Option("--project", help="Write the client's file in this folder.")] = False,
    file: Annotated[Path | None, typer.Option(help="Write this file instead of the client's usual one.")] = None,
    skill: Annotated[bool, typer.Option("--skill", help="Also write the skill (Claude Code).")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Install darkroom as a uv tool first, if need be.")] = False,
    show_list: Annotated[bool, typer.Option("--list", help="Which clients are here, and which have darkroom.")] = False,
    check: Annotated[
        bool | None, typer.Option("--check/--no-check", help="With --list: start each; else: write it unseen.")
    ] = None,
) -> None:
    """Add darkroom to Claude, Cursor, VS Code and others. The settings file is copied first, and keeps all else."""
    if show_list:
        raise typer.Exit(show_clients(name, is_checked=bool(check)))
    if not client:
        raise InvalidRequest(f"Which client? Known: {_CLIENTS}. `install --list` shows which are here.")
    chosen = client_named(client)
    if skill and print_only:
        typer.echo(skill_text(), nl=False)
        return
    if skill:
        _write_skill(chosen, in_project=project)
    path = file or chosen.path(this_machine(), in_project=project)
    name = entries.checked_name(name)
    environment = _environment(chosen, env or [], is_asked=not print_only)
    launch = _launch(chosen, command, in_project=project, is_written=not print_only, is_agreed=yes)
    entry = entries.fresh_entry(chosen, name, launch, environment)
    if print_only and path:
        note(f"For {path}:")
        typer.echo(shown_entry(chosen, name, entry), nl=False)
        return
    if not print_only and check is not False:
        typer.echo(_started(chosen, launch, environment), err=True)  # tools by their own names
    if path is None:
        note(f"{chosen.title} keeps this list itself. Run:")
        typer.echo(entries.command_line(name, launch, environment.given))
        return
    try:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        done = write_entry(chosen, path, name, entry, given=environment.given, stamp=stamp)
    except DarkroomError:
        note("This entry was not written; it can be put in by hand:")
        typer.echo(shown_entry(chosen, name, entry), nl=False)
        raise
    _say_done(chosen, entry, environment, done)
    if project and Path(launch.command).is_absolute():
        note("It names a path of this computer. For a file that others share: --command uvx.")


def _say_done(client: Client, entry: entries.Values, environment: Environment, done: Done) -> None:
    """What was written, and what the person does next."""
    note(f"{_DONE[done.action]} {done.path}")
    if done.backup:
        note(f"The file before: {done.backup}")
    if done.action != "unchanged":
        is_asking = bool(entries.questions_for(client, entry))
        note(f"{client.next_step}{' It asks once for what is missing.' if is_asking else ''}")
    if done.action == "added" and (gateway := settled_gateway(str(Path.home()))) and not environment.given:
        note(f"It uses {gateway}, whose key is stored.")
    elif done.action == "added" and not environment.given:
        extra = "" if find_spec("keyring") else ", with the extra darkroom-mcp[keyring] in the system's key store"
        note(f"Without a gateway and a key it uses the sandbox. `darkroom-mcp key set replicate` keeps a key{extra}.")


def _write_skill(client: Client, *, in_project: bool) -> None:
    path = skill_path(client, this_machine(), in_project=in_project)
    done = write_page(path, skill_text(), stamp=time.strftime("%Y%m%d-%H%M%S"))
    note(f"{'Already there:' if done.action == 'unchanged' else 'Wrote the skill:'} {done.path}")
    if done.backup:
        note(f"There was another text, perhaps changed by you: {done.backup}")


def _environment(client: Client, wanted: list[str], *, is_asked: bool) -> Environment:
    """The variables of `--env`, checked; one without a value is asked for. Raises: InvalidRequest, SettingsError."""
    texts: list[str] = []
    for text in wanted:
        name, equals, value = text.partition("=")
        check_name(name)
        if equals and value and is_secret(name):
            note(
                f"Typed like this a key stays in your shell's history: `--env {name}` alone asks for it, and "
                "`darkroom-mcp key set` keeps it out of the client's file as well."
            )
        if not equals and is_asked:
            asked = f"{name} (not shown{f'; empty: {client.title} looks it up' if client.can_refer else ''}): "
            value = read_hidden(asked, _LOOK_AT_STDIN_S if client.can_refer else None)
            if not value and client.can_refer:
                note(f"No value came for {name}: {client.title} looks it up in its own environment.")
        texts.append(f"{name}={value}" if equals or value else name)
    home = str(Path.home())
    environment = entries.environment_for(client, texts, is_settled=bool(settled_gateway(home)))
    if (problem := check_values(environment.given, home)) and not environment.referred:
        note(f"It will start, but answer each call with: {problem}")
    return environment


def _launch(client: Client, command: str, *, in_project: bool, is_written: bool, is_agreed: bool) -> Launch:
    """The command for the entry. Raises: InvalidRequest, SettingsError where there is none that lasts."""
    is_passing = launching.is_throw_away(Path(sys.prefix))
    if command == "uvx" or (is_passing and not is_written):
        return entries.uvx_launch(client, shutil.which("uvx"), in_project=in_project)
    if not is_passing:
        return launching.own_launch(sys.argv[0])
    if command == "path":
        if not (script := shutil.which(entries.PACKAGE)) or launching.is_throw_away(Path(script)):
            raise InvalidRequest("darkroom-mcp is not installed here; run 'uv tool install darkroom-mcp' first.")
        return Launch(command=script)
    source, uv = launching.own_source(), shutil.which("uv")
    words = f"'uv tool install {source}'"
    if not uv:
        raise InvalidRequest(f"This runs from a passing environment, and uv was not found: run {words} first.")
    if not is_agreed and not (sys.stdin.isatty() and typer.confirm(f"Run {words}, so that it stays?", err=True)):
        raise InvalidRequest(f"This runs from an environment that will be cleared away. Run {words}, or add --yes.")
    return launching.installed_as_tool(uv, source)


def _started(client: Client, launch: Launch, environment: Environment) -> str:
    """What was seen when it was started as a host would. Raises: InvalidRequest where it does not start."""
    try:
        seen = seen_at_start(launch, environment.given, Path.home())
    except StartFailed as failed:
        for line in failed.said:
            note(f"  {line}")
        raise InvalidRequest(
            f"{failed} Nothing was written to {client.title}. --no-check writes the entry all the same."
        ) from failed
    return (
        f"Started it as {client.title} will: {seen.name} {seen.version} with {len(seen.tools)} tools "
        f"({', '.join(seen.tools)}), ready after {seen.seconds:.1f} s."
    )
