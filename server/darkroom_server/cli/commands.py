"""The commands, one file each, put together for typer."""

from collections.abc import Sequence
from typing import Annotated

import typer

from darkroom_server import __version__
from darkroom_server.cli.cancel import cancel
from darkroom_server.cli.doctor import doctor
from darkroom_server.cli.generate import generate
from darkroom_server.cli.history import history
from darkroom_server.cli.install import install
from darkroom_server.cli.models import models
from darkroom_server.cli.sandbox import sandbox
from darkroom_server.cli.serve import serve
from darkroom_server.cli.show import show


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    app = typer.Typer(
        help="Make images over Replicate-format gateways. Start with: darkroom-mcp generate 'a lighthouse at dawn'. "
        "To use it from an assistant: darkroom-mcp install CLIENT",
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_shared)
    for command in (generate, show, history, cancel, models, doctor, sandbox, install, serve):
        app.command()(command)
    try:
        app(args=list(arguments), prog_name="darkroom-mcp")
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 0
    return 0


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
