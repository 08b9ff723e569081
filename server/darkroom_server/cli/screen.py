"""What a person sees: saved paths on stdout, everything else on stderr, one exit code per outcome."""

import contextlib
import json
import sys
from collections.abc import Awaitable, Callable, Generator, Iterator
from typing import cast

import typer
from pydantic import JsonValue

from darkroom.reports import Outcome, PredictionReport

OnProgress = Callable[[float, str], Awaitable[None]]

_EXIT_CODES = {
    Outcome.SUCCEEDED: 0,
    Outcome.PLANNED: 0,
    Outcome.LISTED: 0,
    Outcome.FAILED: 1,
    Outcome.INVALID: 2,
    Outcome.REFUSED: 3,
    Outcome.RUNNING: 4,
    # Possibly created: for a script that is "ask again later", never "safe to repeat".
    Outcome.UNRESOLVED: 4,
}


def show_report(report: PredictionReport, *, as_json: bool) -> int:
    """Print one prediction's report and return the exit code."""
    if as_json:
        show_json(report.data)
    elif report.data["status"] in ("planned", "listed"):
        typer.echo(report.text)
    else:
        headline = report.text.partition("\n")[0]
        for line in (headline, *_remarks(report, headline)):
            note(line)
        for path in _saved_paths(report):
            typer.echo(path)
    return _exit_code(report)


def _exit_code(report: PredictionReport) -> int:
    """A script that is told 0 finds every image on the disk, or has canceled what it wanted to cancel."""
    if report.is_wanted_end:
        return 0
    if report.outcome is not Outcome.SUCCEEDED or not (unsaved := _unsaved_states(report)):
        return _EXIT_CODES[report.outcome]
    return _EXIT_CODES[Outcome.RUNNING if "wanted" in unsaved else Outcome.FAILED]


def show_json(data: JsonValue) -> None:
    typer.echo(json.dumps(data, indent=2, ensure_ascii=False))


def note(line: str) -> None:
    """One line for the person, on stderr."""
    typer.echo(line, err=True)


def _records(report: PredictionReport, name: str) -> list[dict[str, JsonValue]]:
    """The list of objects under `name` in a report's data."""
    return cast("list[dict[str, JsonValue]]", report.data.get(name) or [])


def _saved_paths(report: PredictionReport) -> list[str]:
    return [str(image["path"]) for image in _records(report, "images") if image["path"]]


def _unsaved_states(report: PredictionReport) -> set[str]:
    return {str(image["state"]) for image in _records(report, "images") if not image["path"]}


def _remarks(report: PredictionReport, headline: str) -> Iterator[str]:
    """What the person should know beside the headline: reasons, lost images, notes, cost, the next step."""
    for each in _records(report, "predictions"):
        if each["error"] and str(each["error"]) not in headline:
            yield f"Reason: {each['error']}"
    for image in _records(report, "images"):
        if not image["path"]:
            yield f"Image {image['n']} is not saved. {image['problem']} {image['url']}"
        elif image["problem"]:
            yield f"Image {image['n']}: {image['problem']}"
    yield from (f"Note: {each}" for each in cast("list[str]", report.data.get("notes") or []))
    yield from _cost(report)
    if report.outcome in (Outcome.RUNNING, Outcome.UNRESOLVED):
        yield pick_up(str(report.data["id"]))
    elif "wanted" in _unsaved_states(report):
        yield f"Fetch it again with: darkroom-mcp show {report.data['id']} --wait 60"


def _cost(report: PredictionReport) -> Iterator[str]:
    """What it cost; nothing where nothing was sent, as the headline says so."""
    gateway = cast("dict[str, JsonValue]", report.data.get("gateway") or {})
    if gateway.get("is_sandbox") and "Charged: nothing (sandbox)" in report.text:
        if _saved_paths(report):
            yield "Made by the sandbox, not by a model. `darkroom-mcp doctor` says how to use a real gateway."
    elif gateway:
        yield from (line for line in report.text.splitlines() if line.startswith("Charged: "))


def pick_up(prediction_id: str) -> str:
    """How to go on with a prediction that runs."""
    return f"It goes on by itself. Pick it up with: darkroom-mcp show {prediction_id} --wait 60"


@contextlib.contextmanager
def progress_bar() -> Generator[OnProgress | None]:
    """A bar on stderr while it is a terminal, else None."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    columns = (SpinnerColumn(), BarColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("asking the gateway", total=100)

        async def show(percent: float, message: str) -> None:
            bar.update(task, completed=percent, description=message)

        yield show
