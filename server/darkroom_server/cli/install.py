"""`darkroom-mcp install`: put darkroom into a program that can start it."""

import shutil
import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from darkroom.errors import DarkroomError
from darkroom_server.cli.screen import note
from darkroom_server.install import entries
from darkroom_server.install.clients import Client, Machine, Platform, client_named
from darkroom_server.install.skill import skill_path, skill_text
from darkroom_server.install.writing import shown_entry, write_entry, write_page

_DONE = {"added": "Added to", "updated": "Updated in", "unchanged": "Already there in"}


def install(
    client: Annotated[
        str,
        typer.Argument(
            help="claude-desktop, claude-code, cursor, vscode, windsurf, zed, gemini-cli, codex, lm-studio or goose."
        ),
    ],
    print_only: Annotated[bool, typer.Option("--print", help="Only show the entry; write nothing.")] = False,
    name: Annotated[str, typer.Option(help="What the client calls this server.")] = "darkroom",
    command: Annotated[
        Literal["uvx", "path"], typer.Option(help="Start it by uvx, or by the path of the installed darkroom-mcp.")
    ] = "uvx",
    env: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[=VALUE]", help="A variable for the server; without a value the client looks it up."),
    ] = None,
    project: Annotated[bool, typer.Option("--project", help="Write the client's file in this folder.")] = False,
    file: Annotated[Path | None, typer.Option(help="Write this file instead of the client's usual one.")] = None,
    skill: Annotated[bool, typer.Option("--skill", help="Also write the skill (Claude Code).")] = False,
) -> None:
    """Add darkroom to Claude, Cursor, VS Code and others. The settings file is copied first, and keeps all else."""
    chosen = client_named(client)
    if skill and print_only:
        typer.echo(skill_text(), nl=False)
        return
    if skill:
        _write_skill(chosen, in_project=project)
    path = file or chosen.path(_this_machine(), in_project=project)
    name = entries.checked_name(name)
    uvx, script = shutil.which("uvx"), _installed_script()
    launch = entries.launch_for(chosen, command, uvx=uvx, script=script, in_project=project)
    environment = entries.environment_for(chosen, env or [])
    if path is None:
        note(f"{chosen.title} keeps this list itself. Run:")
        typer.echo(entries.command_line(name, launch, environment.given))
        return
    entry = entries.fresh_entry(chosen, name, launch, environment)
    if print_only:
        note(f"For {path}:")
        typer.echo(shown_entry(chosen, name, entry), nl=False)
        return
    try:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        done = write_entry(chosen, path, name, entry, given=environment.given, stamp=stamp)
    except DarkroomError:
        note("This entry was not written; it can be put in by hand:")
        typer.echo(shown_entry(chosen, name, entry), nl=False)
        raise
    note(f"{_DONE[done.action]} {done.path}")
    if done.backup:
        note(f"The file before: {done.backup}")
    if done.action != "unchanged":
        note(chosen.next_step)
    if done.action == "added" and not environment.given and not chosen.has_inputs:
        note("Without a gateway and a key it uses the sandbox. `darkroom-mcp doctor` says how to use a real gateway.")


def _write_skill(client: Client, *, in_project: bool) -> None:
    path = skill_path(client, _this_machine(), in_project=in_project)
    done = write_page(path, skill_text(), stamp=time.strftime("%Y%m%d-%H%M%S"))
    note(f"{'Already there:' if done.action == 'unchanged' else 'Wrote the skill:'} {done.path}")
    if done.backup:
        note(f"There was another text, perhaps changed by you: {done.backup}")


def _this_machine() -> Machine:
    import platformdirs

    systems: dict[str, Platform] = {"darwin": "darwin", "win32": "win32"}
    return Machine(
        platform=systems.get(sys.platform, "linux"),
        home=Path.home(),
        config=platformdirs.user_config_path(roaming=True),
        project=Path.cwd(),
    )


def _installed_script() -> str | None:
    """The absolute path of darkroom-mcp; None where uvx runs it from a cache that may be emptied."""
    script = shutil.which("darkroom-mcp")
    if script is None or "archive-v0" in Path(script).resolve().parts:
        return None
    return str(Path(script).absolute())
