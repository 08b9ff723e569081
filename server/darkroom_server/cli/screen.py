"""What a person sees: saved paths on stdout, everything else on stderr, one exit code per outcome."""

import contextlib
import json
import sys
from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import cast

import typer
from pydantic import JsonValue

from darkroom.errors import DarkroomError, GatewayError
from darkroom.reports import Outcome, PredictionReport

OnProgress = Callable[[float, str], Awaitable[None]]

INTERRUPTED = 130
_EXIT_CODES = {
    Outcome.SUCCEEDED: 0,
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
        return _exit_code(report)
    note(report.text.partition("\n")[0])
    for line in _remarks(report):
        note(line)
    for path in saved_paths(report.data):
        typer.echo(path)
    return _exit_code(report)


def _exit_code(report: PredictionReport) -> int:
    """A script that is told 0 finds every image on the disk, or has canceled what it wanted to cancel."""
    if report.is_wanted_end:
        return 0
    unsaved = [image for image in records(report.data, "images") if not image["path"]]
    if report.outcome is not Outcome.SUCCEEDED or not unsaved:
        return _EXIT_CODES[report.outcome]
    return _EXIT_CODES[Outcome.RUNNING if _can_come(unsaved) else Outcome.FAILED]


def _can_come(unsaved: list[dict[str, JsonValue]]) -> bool:
    return any(image["state"] == "wanted" for image in unsaved)


def show_json(data: JsonValue) -> None:
    typer.echo(json.dumps(data, indent=2, ensure_ascii=False))


def note(line: str) -> None:
    """One line for the person, on stderr."""
    typer.echo(line, err=True)


def stop(error: DarkroomError) -> typer.Exit:
    """Say what went wrong; raise what this gives: exit code 3 for the gateway's refusals, 2 for everything before."""
    note(error.message)
    return typer.Exit(3 if isinstance(error, GatewayError) else 2)


def records(data: Mapping[str, JsonValue], name: str) -> list[dict[str, JsonValue]]:
    """The list of objects under `name` in a report's data."""
    return cast("list[dict[str, JsonValue]]", data.get(name) or [])


def saved_paths(data: Mapping[str, JsonValue]) -> list[str]:
    return [str(image["path"]) for image in records(data, "images") if image["path"]]


def _remarks(report: PredictionReport) -> list[str]:
    """What the person should know beside the headline."""
    data = report.data
    reasons = [
        f"Reason: {each['error']}"
        for each in records(data, "predictions")
        if each["error"] and str(each["error"]) not in report.text.partition("\n")[0]
    ]
    lost = [
        f"Image {image['n']}: {image['problem']}"
        if image["path"]
        else f"Image {image['n']} is not saved. {image['problem']} {image['url']}"
        for image in records(data, "images")
        if not image["path"] or image["problem"]
    ]
    notes = [f"Note: {each}" for each in cast("list[str]", data.get("notes") or [])]
    return [*reasons, *lost, *notes, *_figures(data), *_next_step(report)]


def _figures(data: Mapping[str, JsonValue]) -> list[str]:
    """What the saved images cost."""
    if not saved_paths(data):
        return []
    if cast("dict[str, JsonValue]", data["gateway"])["is_sandbox"]:
        return ["Made by the sandbox, not by a model. `darkroom-mcp doctor` says how to use a real gateway."]
    price = data["price_usd"]
    return ["Price unknown." if price is None else f"Price about ${price}."]


def _next_step(report: PredictionReport) -> list[str]:
    if report.outcome in (Outcome.RUNNING, Outcome.UNRESOLVED):
        return [pick_up(str(report.data["id"]))]
    unsaved = [image for image in records(report.data, "images") if not image["path"]]
    return [f"Fetch it again with: darkroom-mcp show {report.data['id']} --wait 60"] if _can_come(unsaved) else []


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
