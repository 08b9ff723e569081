"""`darkroom-mcp cancel`: stop a prediction at the gateway."""

from typing import Annotated

import typer

from darkroom.darkroom import Darkroom
from darkroom.get_prediction import find, get_prediction
from darkroom.reports import PredictionReport
from darkroom_server.cli.opened import in_darkroom, read_settings
from darkroom_server.cli.screen import note, show_report


def cancel(
    prediction_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a prediction, or `latest`.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Stop a prediction; what it has done so far may be billed."""

    async def work(room: Darkroom) -> PredictionReport:
        for intent in await find(room, prediction_id):
            is_over = intent.status is not None and intent.status.is_terminal
            if intent.prediction_id and not is_over and await room.cancel(intent) is None:
                note(f"{room.gateway.title} cannot cancel; the prediction goes on.")
        return await get_prediction(room, prediction_id, wait_s=0)

    report = in_darkroom(read_settings(), work)
    code = show_report(report, as_json=as_json)
    raise typer.Exit(0 if report.data["status"] in ("canceled", "aborted") else code)
