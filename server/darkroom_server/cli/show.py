"""`darkroom-mcp show`: one prediction again, waiting for it if it still runs."""

from typing import Annotated

import typer

from darkroom.darkroom import Darkroom
from darkroom.get_prediction import get_prediction
from darkroom.reports import PredictionReport
from darkroom_server.cli.opened import in_darkroom, read_settings
from darkroom_server.cli.screen import progress_bar, show_report


def show(
    prediction_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a prediction, or `latest`.")],
    wait: Annotated[float, typer.Option(help="Seconds to wait.", min=0, max=3600)] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Show a prediction and where its images are."""

    async def work(darkroom: Darkroom) -> PredictionReport:
        with progress_bar() as on_progress:
            return await get_prediction(darkroom, prediction_id, wait_s=wait, on_progress=on_progress)

    raise typer.Exit(show_report(in_darkroom(read_settings(), work), as_json=as_json))
