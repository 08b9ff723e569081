"""The commands put together for typer, and the two short ones: show and cancel."""

import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Annotated

import typer

from darkroom.darkroom import Darkroom
from darkroom.errors import DarkroomError, GatewayError
from darkroom.get_prediction import get_prediction
from darkroom.reports import PredictionReport
from darkroom_server import __version__
from darkroom_server.cli.clients_here import uninstall
from darkroom_server.cli.doctor import doctor
from darkroom_server.cli.gallery import gallery
from darkroom_server.cli.generate import generate
from darkroom_server.cli.history import history
from darkroom_server.cli.install import install
from darkroom_server.cli.key import key_commands
from darkroom_server.cli.models import models
from darkroom_server.cli.opened import in_darkroom, read_settings
from darkroom_server.cli.screen import note, progress_bar, show_report
from darkroom_server.cli.serve import sandbox, serve

_Id = Annotated[str, typer.Argument(metavar="ID", help="Id of a prediction, a request_id, or `latest`.")]
_IdOrList = Annotated[
    str, typer.Argument(metavar="ID", help="The same, or for a list `today`, `recent`, a date or `find: words`.")
]
_AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code: 3 for the gateway's refusals, 2 for everything before."""
    app = typer.Typer(
        help="Make images over Replicate-format gateways. Start with: darkroom-mcp generate 'a lighthouse at dawn'. "
        "To use it from an assistant: darkroom-mcp install CLIENT",
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_shared)
    for command in (generate, show, history, gallery, cancel, models, doctor, sandbox, install, uninstall, serve):
        app.command()(command)
    app.add_typer(key_commands(), name="key")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a file name may hold what the terminal's encoding does not
            stream.reconfigure(errors="backslashreplace")
    try:
        app(args=list(arguments), prog_name="darkroom-mcp")
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 0
    except DarkroomError as error:
        note(error.message)
        return 3 if isinstance(error, GatewayError) else 2
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


def show(
    prediction_id: _IdOrList,
    wait: Annotated[float, typer.Option(help="Seconds to wait.", min=0, max=3600)] = 0,
    as_json: _AsJson = False,
) -> None:
    """Show a prediction and where its images are."""

    async def work(darkroom: Darkroom) -> PredictionReport:
        with progress_bar() as on_progress:
            return await get_prediction(darkroom, prediction_id, wait_s=wait, on_progress=on_progress)

    raise typer.Exit(show_report(in_darkroom(read_settings(), work), as_json=as_json))


def cancel(prediction_id: _Id, as_json: _AsJson = False) -> None:
    """Stop a prediction; what it has done so far may be billed."""
    report = in_darkroom(read_settings(), lambda darkroom: get_prediction(darkroom, prediction_id, cancel=True))
    raise typer.Exit(show_report(report, as_json=as_json))
