"""Which clients are on this computer and what their entries say: `install --list`, and the way out, `uninstall`."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from darkroom.errors import SettingsError
from darkroom_server.cli.screen import note
from darkroom_server.install import entries
from darkroom_server.install.clients import CLIENTS, Client, Machine, Platform, client_named
from darkroom_server.install.entries import Launch
from darkroom_server.install.removing import remove_entry
from darkroom_server.install.settings_files import read_text
from darkroom_server.install.starting import StartFailed, seen_at_start
from darkroom_server.install.writing import entry_in

_GONE = {
    "restored": "{} is as it was before darkroom.",
    "deleted": "{} is removed; it held nothing else.",
    "removed": "darkroom is taken out of {}; the rest stays as it is.",
    "absent": "{} has no entry of this name. Nothing was changed.",
}


def this_machine() -> Machine:
    import platformdirs

    systems: dict[str, Platform] = {"darwin": "darwin", "win32": "win32"}
    return Machine(
        platform=systems.get(sys.platform, "linux"),
        home=Path.home(),
        config=platformdirs.user_config_path(roaming=True),
        project=Path.cwd(),
    )


def uninstall(
    client: Annotated[str, typer.Argument(help="The client, as for install.", metavar="CLIENT")],
    name: Annotated[str, typer.Option(help="What the client calls this server.")] = "darkroom",
    project: Annotated[bool, typer.Option("--project", help="The client's file in this folder.")] = False,
    file: Annotated[Path | None, typer.Option(help="This file instead of the client's usual one.")] = None,
) -> None:
    """Take darkroom out of a client: its file becomes what it was before, or loses only this entry."""
    chosen = client_named(client)
    path = file or chosen.path(this_machine(), in_project=project)
    name = entries.checked_name(name)
    if path is None:
        note(f"{chosen.title} keeps this list itself. Run:")
        typer.echo(f"claude mcp remove {name} --scope user")
        return
    done = remove_entry(chosen, path, name, stamp=time.strftime("%Y%m%d-%H%M%S"))
    note(_GONE[done.action].format(done.path))
    if done.backup:
        note(f"The file before: {done.backup}")
    raise typer.Exit(2 if done.action == "absent" else 0)


def show_clients(name: str, *, is_checked: bool) -> int:
    """One line a client on stdout; the exit code is 1 where an entry was checked and does not start."""
    machine = this_machine()
    is_fine = True
    width = max(len(client.title) for client in CLIENTS)
    for client in CLIENTS:
        words, starts = _about(client, machine, name, is_checked)
        is_fine &= starts
        typer.echo(f"{client.title:{width}}  {words}")
    return 0 if is_fine else 1


def _about(client: Client, machine: Machine, name: str, is_checked: bool) -> tuple[str, bool]:
    """What is said of one client, and False where its entry does not start."""
    path = client.path(machine) or Path(client.own_list.format(home=machine.home))
    if not (path.exists() or path.parent != machine.home and path.parent.exists()):
        return "not here", True
    try:
        text = read_text(path)
        entry = entry_in(client, text, name) if text else None
    except (SettingsError, ValueError) as error:
        return f"here, but {str(path)!r} cannot be understood ({str(error)[:80]})", not is_checked
    if entry is None:
        return "here, without darkroom", True
    args, env = entry.get("args"), entry.get(client.env_key)
    command = [str(entry.get(client.command_key, "")), *map(str, args if isinstance(args, list) else ())]
    has = f"has {name}: {' '.join(command)}" if command[0] else f"has {name}, by an address"
    if not is_checked or not command[0]:
        return has, True
    # Those that carry a value of their own.
    given = {name: str(value) for name, value in (env.items() if isinstance(env, dict) else ())}
    given = {name: value for name, value in given.items() if not value.startswith("${")}
    launch = Launch(command=command[0], args=tuple(command[1:]))
    try:
        seen = seen_at_start(launch, given, machine.home)
    except StartFailed as failed:
        return f"{has}; does not start: {failed} {' '.join(failed.said)[-200:]}".rstrip(), False
    return f"{has}; starts ({seen.version}, {len(seen.tools)} tools, {seen.seconds:.1f} s)", True
