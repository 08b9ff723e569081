"""The commands put together for typer."""

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import Annotated

import typer

from darkroom.errors import DarkroomError, GatewayError
from darkroom_server import __version__
from darkroom_server.cli.screen import lead_nowhere, note, show_json

# In the order of --help. A command loads its own module, which is named like it, and no other one.
_OF_PICTURES = ("generate", "show", "history", "gallery", "cancel", "models", "schema", "doctor", "sandbox")
_COMMANDS = (*_OF_PICTURES, "install", "uninstall", "serve", "worker", "migrate", "key", "tenant")
_MODULES = {"cancel": "show", "sandbox": "serve", "uninstall": "clients_here", "worker": "team", "migrate": "team"}
_REPORTING = ("generate", "show", "cancel")
# A full disk or a closed pipe behind stdout; Windows tells of a pipe in a way of its own.
_OF_STDOUT = {getattr(errno, name, -1) for name in ("ENOSPC", "EDQUOT", "EIO", "EPIPE", "EBADF", "EINVAL")}
_GROUPS = ("key", "tenant")
_EXIT_CODES = (
    "Exit codes: 0 all is done and saved; 1 it failed, or an image is missing; 2 it was refused here, nothing was "
    "sent; 3 the gateway refused it; 4 it is not at an end, or not known to be; 130 stopped with Ctrl-C, "
    "143 by SIGTERM."
)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code: 3 for the gateway's refusals, 2 for everything before."""
    app = typer.Typer(
        help="Make images over Replicate-format gateways. Start with: darkroom-mcp generate 'a lighthouse at dawn'. "
        "To use it from an assistant: darkroom-mcp install CLIENT",
        epilog=_EXIT_CODES,
        add_completion=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_shared)
    is_known = bool(arguments) and arguments[0] in _COMMANDS
    for name in arguments[:1] if is_known else _COMMANDS:
        module = import_module(f"darkroom_server.cli.{_MODULES.get(name, name)}")
        if name in _GROUPS:
            app.add_typer(getattr(module, f"{name}_commands")(), name=name)
        else:
            app.command()(getattr(module, name))
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a file name may hold what the terminal's encoding does not
            stream.reconfigure(errors="backslashreplace")
    try:
        app(args=list(arguments), prog_name="darkroom-mcp")
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 0
    except DarkroomError as error:
        if "--json" in arguments and arguments[0] in _REPORTING:
            from darkroom.reports import refusal_report

            show_json(refusal_report(error).data)
        else:
            note(error.message)
        return 3 if isinstance(error, GatewayError) else 2
    except OSError as error:
        if error.errno not in _OF_STDOUT or error.filename:
            raise
        lead_nowhere(sys.stdout)
        makes = arguments and arguments[0] in ("generate", "show")
        known = " `darkroom-mcp history` knows what was made." if makes else ""
        note(f"The answer cannot be written ({error.strerror}).{known}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _open_closed_streams() -> None:
    """What a shell has closed is empty, and takes everything."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - until the end


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(__version__)
        raise typer.Exit


def _shared(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Options that stand before the command."""
