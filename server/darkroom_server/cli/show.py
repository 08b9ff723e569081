"""`darkroom-mcp show` and `cancel`: one prediction by its id or by a picture of it, and lists by day or words."""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from darkroom.darkroom import Darkroom
from darkroom.errors import UnknownPrediction
from darkroom.get_prediction import get_prediction
from darkroom.journal import Intent
from darkroom.reports import PredictionReport
from darkroom.reports.amounts import local, size
from darkroom.reports.details import prompt_of
from darkroom.request_ids import is_latest, is_list
from darkroom_server.batches.making import until_home
from darkroom_server.batches.outcomes import saved_paths
from darkroom_server.cli.opened import in_darkroom, read_settings
from darkroom_server.cli.pictures import draw, open_in_viewer
from darkroom_server.cli.screen import note, progress_bar, show_report
from darkroom_server.shell_commands import command_again

_Id = Annotated[str, typer.Argument(metavar="ID", help="Id of a prediction, a request_id, or `latest`.")]
_IdOrFile = Annotated[
    str,
    typer.Argument(
        metavar="ID|FILE", help="The same, or a picture; for a list `today`, `recent`, a date or `find: words`."
    ),
]
_AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
_LONGEST_SIDECAR = 4_000_000


def show(
    prediction_id: _IdOrFile,
    wait: Annotated[float, typer.Option(help="Seconds to wait.", min=0, max=3600)] = 0,
    is_opened: Annotated[bool, typer.Option("--open", help="Open the images in the system's viewer.")] = False,
    is_shown: Annotated[bool, typer.Option("--show", help="Draw the images in the terminal, where it can.")] = False,
    as_json: _AsJson = False,
) -> None:
    """Show a prediction: where its images are, how they were made, and the command that makes them again."""

    async def work(darkroom: Darkroom) -> PredictionReport:
        started_s = darkroom.options.monotonic()
        name = await _name_of(darkroom, prediction_id)
        with progress_bar() as on_progress:
            report = await get_prediction(darkroom, name, wait_s=wait, on_progress=on_progress)
            if await until_home(darkroom, report.intents, started_s + wait):
                report = await get_prediction(darkroom, name)
        if is_shown:
            await draw(darkroom, report.intents)
        return report

    report = in_darkroom(read_settings(), work)
    code = show_report(report, as_json=as_json)
    if report.intents and not as_json:
        for line in filter(None, _how_made(report.intents)):
            note(line)
    if is_opened:
        open_in_viewer(saved_paths(report))
    raise typer.Exit(code)


def cancel(prediction_id: _Id, as_json: _AsJson = False) -> None:
    """Stop a prediction; what it has done so far may be billed."""
    report = in_darkroom(read_settings(), lambda darkroom: get_prediction(darkroom, prediction_id, cancel=True))
    raise typer.Exit(show_report(report, as_json=as_json))


async def _name_of(darkroom: Darkroom, text: str) -> str:
    """What get_prediction takes; of a picture that of its request. Raises: UnknownPrediction, JournalError."""
    path, sha256 = ("", "") if is_list(text) or is_latest(text) else _picture_at(text)
    if not sha256:
        return text
    id = _id_beside(Path(path), sha256)
    row = await darkroom.journal.find(id) if id else None
    rows = (row,) if row else await darkroom.journal.lists.with_file(path, sha256)
    if rows:
        return rows[0].request_id or rows[0].key
    if id:
        return id
    raise UnknownPrediction(
        f"{path} was not made here: no sidecar lies beside it, and no image of the journal has its content."
    )


def _picture_at(text: str) -> tuple[str, str]:
    """The absolute path of a file and the SHA-256 of its content; empty where there is none."""
    try:
        path = Path(text).expanduser().absolute()
        if not path.is_file():
            return "", ""
        with path.open("rb") as file:
            return str(path), hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError, RuntimeError):
        return "", ""


def _id_beside(path: Path, sha256: str) -> str:
    """The prediction that the sidecar of this very picture names; empty where there is none."""
    for sidecar in (path.with_suffix(".json"), path.with_name(f"{path.stem}-{sha256[:8]}.json")):
        with suppress(OSError, ValueError, RecursionError, LookupError, TypeError):  # it is no sidecar of ours then
            told: Any = json.loads(sidecar.read_bytes()) if sidecar.stat().st_size < _LONGEST_SIDECAR else {}
            if told["file"]["sha256"] == sha256:
                return str(told["prediction_id"])
    return ""


def _how_made(rows: Sequence[Intent]) -> list[str]:
    """Sentences on the request behind these rows, which are the parts of one."""
    first = rows[0]
    seed = "" if first.seed is None else f", seed {first.seed}"
    again = "" if first.is_adopted else command_again(rows)
    return [
        f"Prompt: {prompt_of(first)}" if prompt_of(first) else "",
        f"Made: {local(first.intended_at):%Y-%m-%d %H:%M} by {first.model} through {first.gateway}{seed}",
        *(
            f"Image {image.index + 1}: {file.width_px}x{file.height_px}, {size(file.size_bytes)}"
            for row in rows
            for image in row.images
            if (file := image.file)
        ),
        f"Again: {again}" if again else "",
    ]
