"""The commands put together for typer, and the three short ones: show, cancel, models."""

import re
from collections.abc import Sequence
from typing import Annotated

import typer

from darkroom.darkroom import Darkroom
from darkroom.errors import DarkroomError, GatewayError
from darkroom.get_prediction import get_prediction
from darkroom.list_models import list_models
from darkroom.registry import ModelRegistry, Sort
from darkroom.reports import PredictionReport
from darkroom_server import __version__
from darkroom_server.cli.doctor import doctor
from darkroom_server.cli.generate import generate
from darkroom_server.cli.history import history
from darkroom_server.cli.install import install
from darkroom_server.cli.opened import in_darkroom, read_settings
from darkroom_server.cli.screen import note, progress_bar, show_json, show_report
from darkroom_server.cli.serve import sandbox, serve

_Id = Annotated[str, typer.Argument(metavar="ID", help="Id of a prediction, a request_id, or `latest`.")]
_IdOrList = Annotated[
    str, typer.Argument(metavar="ID", help="The same, or for a list `today`, `recent`, a date or `find: words`.")
]
_AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
# The report words its hint for assistants.
_CALL = re.compile(r'list_models\(model="([^"]+)"\)')


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code: 3 for the gateway's refusals, 2 for everything before."""
    app = typer.Typer(
        help="Make images over Replicate-format gateways. Start with: darkroom-mcp generate 'a lighthouse at dawn'. "
        "To use it from an assistant: darkroom-mcp install CLIENT",
        add_completion=True,
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


def models(
    query: Annotated[str, typer.Argument(help="Words to search for, or OWNER/NAME for all about one model.")] = "",
    task: Annotated[str, typer.Option(help="Only models for this task.")] = "any",
    sort: Annotated[Sort, typer.Option(help="Which come first.")] = "best",
    max_usd: Annotated[float, typer.Option(help="Those that may charge more for an image come last.", min=0)] = 0,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1)] = 20,
    as_json: _AsJson = False,
) -> None:
    """List the image models."""
    settings = read_settings()
    registry = ModelRegistry.load(settings.models_dir)
    words, name = ("", query) if "/" in query else (query, "")
    has_limit = settings.max_usd_per_call is not None or settings.max_usd_per_day is not None
    limits = in_darkroom(settings, Darkroom.limits) if has_limit else None
    report = list_models(
        registry, query=words, task=task, model=name, sort=sort, max_usd=max_usd, limit=limit, limits=limits
    )
    if as_json:
        show_json(report.data)
    else:
        typer.echo("\n".join([_CALL.sub(r"darkroom-mcp models \1", report.text), *report.sources]))
    raise typer.Exit(2 if report.is_error else 0)
