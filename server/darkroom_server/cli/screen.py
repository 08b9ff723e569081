"""What a person sees: saved paths on stdout, everything else on stderr, one exit code per outcome."""

import contextlib
import json
import os
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from threading import Thread
from typing import TextIO, cast

import anyio
import typer
from pydantic import JsonValue

from darkroom.journal import DOUBTFUL, Intent
from darkroom.reports import Outcome, PredictionReport
from darkroom.reports.for_people import for_person
from darkroom.work.wait import OnProgress
from darkroom_server.batches.outcomes import exit_code, records, saved_paths, unsaved_states

_UNBOUNDED = 100_000
_LOOK_S = 0.05


def show_report(report: PredictionReport, *, as_json: bool, is_quiet: bool = False, paths: Sequence[str] = ()) -> int:
    """Print one prediction's report and return the exit code. `paths`: where its images went, if not where they lie.

    `is_quiet` leaves only the paths, and what went wrong.
    """
    code = exit_code(report)
    if as_json:
        show_json(report.data)
    elif report.data["status"] in ("planned", "listed"):
        typer.echo(for_person(report.text))
    else:
        headline = report.text.partition("\n")[0]
        if code or not is_quiet:
            for line in (headline, *_remarks(report, headline)):
                note(line)
        for path in paths or saved_paths(report):
            typer.echo(path)
    return code


def show_json(data: JsonValue) -> None:
    # What another encoding has no character for would be written in a way that is no JSON.
    is_unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    typer.echo(json.dumps(data, indent=2, ensure_ascii=not is_unicode))


def show_columns(heads: Sequence[str], rows: Sequence[Sequence[str]], *, flexible: Sequence[str] = ()) -> None:
    """Print a table, in full where no terminal reads it; columns named in `flexible` give way where one is narrow."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    is_terminal = sys.stdout.isatty()
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="bold" if is_terminal else "")
    for head in heads:
        gives_way = head in flexible
        table.add_column(head, no_wrap=True, overflow="ellipsis", ratio=1 if gives_way and is_terminal else None)
    for row in rows:
        table.add_row(*map(Text, row))
    Console(width=None if is_terminal else _UNBOUNDED, highlight=False, soft_wrap=False).print(table)


def note(line: str) -> None:
    """One line for the person, on stderr; where nobody can be told any more, the command goes on."""
    try:
        typer.echo(for_person(line), err=True)
    except OSError:
        lead_nowhere(sys.stderr)


def lead_nowhere(stream: TextIO) -> None:
    """What cannot be written to a full disk or a closed pipe is not tried again, also not at the end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


async def agreed(question: str) -> bool:
    """What the person says to that; no at the end of stdin. Ctrl-C waits for nobody's answer."""
    said: list[bytes] = []
    typer.echo(f"{question} [y/N]: ", nl=False, err=True)

    def ask() -> None:  # not through sys.stdin: its lock would be held at the end of the process
        with contextlib.suppress(OSError):
            said.append(os.read(sys.stdin.fileno(), 4096))

    asking = Thread(target=ask, daemon=True)
    asking.start()
    while asking.is_alive():  # noqa: ASYNC110 - a thread cannot set an event of the loop
        await anyio.sleep(_LOOK_S)
    return b"".join(said).strip().lower() in (b"y", b"yes")


def _remarks(report: PredictionReport, headline: str) -> Iterator[str]:
    """What the person should know beside the headline: reasons, lost images, notes, cost, the next step."""
    for each in records(report, "predictions"):
        if each["error"] and str(each["error"]) not in headline:
            yield f"Reason: {each['error']}"
    for image in records(report, "images"):
        if not image["path"]:
            yield f"Image {image['n']} is not saved. {image['problem']} {image['url']}"
        elif image["problem"]:
            yield f"Image {image['n']}: {image['problem']}"
    yield from (f"Note: {each}" for each in cast("list[str]", report.data.get("notes") or []))
    yield from _cost(report)
    if report.outcome is Outcome.RUNNING or "wanted" in unsaved_states(report):
        yield _how_to_fetch(str(report.data["id"]))
    elif report.outcome in (Outcome.UNRESOLVED, Outcome.SUCCEEDED, Outcome.FAILED) and report.data["next"]:
        yield str(report.data["next"])


def _cost(report: PredictionReport) -> Iterator[str]:
    """What it cost; nothing where nothing was sent, as the headline says so."""
    gateway = cast("dict[str, JsonValue]", report.data.get("gateway") or {})
    if gateway.get("is_sandbox") and "Charged: nothing (sandbox)" in report.text:
        if saved_paths(report):
            yield "Made by the sandbox, not by a model. `darkroom-mcp doctor` says how to use a real gateway."
    elif gateway:
        yield from (line for line in report.text.splitlines() if line.startswith("Charged: "))


def _how_to_fetch(prediction_id: str) -> str:
    return f"Nothing fetches it until darkroom runs again: darkroom-mcp show {prediction_id} --wait 60"


def left_behind(intent: Intent) -> str:
    """What is known of a prediction when its command is stopped, and how to go on with it."""
    if intent.prediction_id:
        return f"The gateway goes on with it. {_how_to_fetch(intent.prediction_id)}"
    known = "It was not sent yet."
    if intent.state in DOUBTFUL:
        known = f"The request went to gateway '{intent.gateway}', which has not answered yet: it may run and be billed."
    return f"{known} What became of it: darkroom-mcp show {intent.key} --wait 60"


@contextlib.contextmanager
def progress_bar(*, is_quiet: bool = False) -> Generator[OnProgress | None]:
    """A bar on stderr while it is a terminal, else None."""
    if is_quiet or not sys.stderr.isatty():
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


@contextlib.contextmanager
def batch_bar(total: int, *, is_quiet: bool) -> Generator[Callable[[], None]]:
    """A bar on stderr that counts prompts, while it is a terminal; what it gives is called after each."""
    if is_quiet or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # What goes to a file must not be drawn around the bar.
    is_shared = sys.stdout.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=is_shared) as bar:
        task = bar.add_task("", total=total)
        yield lambda: bar.advance(task)
