"""`darkroom-mcp cancel`: stop a prediction at the gateway."""

from typing import Annotated

import typer

from darkroom.cancel_prediction import cancel_prediction
from darkroom.darkroom import Darkroom
from darkroom.reports import PredictionReport
from darkroom_server.cli.opened import in_darkroom, read_settings
from darkroom_server.cli.screen import show_report


def cancel(
    prediction_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a prediction, or `latest`.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Stop a prediction; what it has done so far may be billed."""

    async def work(darkroom: Darkroom) -> PredictionReport:
        return await cancel_prediction(darkroom, prediction_id)

    raise typer.Exit(show_report(in_darkroom(read_settings(), work), as_json=as_json))
