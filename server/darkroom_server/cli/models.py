"""`darkroom-mcp models`: a table of what can be called, or the card of one model."""

import re
from collections.abc import Mapping
from typing import Annotated, cast

import typer
from pydantic import JsonValue

from darkroom.darkroom import Darkroom
from darkroom.gateway_models import describe_model, search_gateway
from darkroom.list_models import list_models
from darkroom.live_models.drift import Checked
from darkroom.model_check import ModelCheck, check_models, model_file_text
from darkroom.registry import ModelRegistry, Sort
from darkroom.reports import Limits, ModelReport
from darkroom.reports.amounts import seconds, usd
from darkroom.reports.for_people import for_person
from darkroom_server.cli.completing import model_names
from darkroom_server.cli.opened import in_darkroom, read_settings
from darkroom_server.cli.screen import note, show_columns, show_json
from darkroom_server.shell_commands import FLAGS, command_for

_HEADS = ("model", "USD an image", "usual", "tasks", "best for")


def models(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[WORDS]...", help="Words to search for, or the name of one model.", autocompletion=model_names
        ),
    ] = None,
    task: Annotated[str, typer.Option(help="Only models for this task.")] = "any",
    sort: Annotated[Sort, typer.Option(help="Which come first.")] = "best",
    max_usd: Annotated[float, typer.Option(help="Those that may charge more for an image come last.", min=0)] = 0,
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many at most.", min=1)] = 20,
    gateway: Annotated[bool, typer.Option("--gateway", help="Search the gateway's own models.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Compare models, or all, with the gateway: exit 1: drift.")
    ] = False,
    refresh: Annotated[str, typer.Option(metavar="OWNER/NAME", help="Print a model file from the gateway.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """List the image models, or all about one: its inputs, prices and an example."""
    settings, names = read_settings(), words or []
    if refresh:
        typer.echo(in_darkroom(settings, lambda darkroom: model_file_text(darkroom, refresh)), nl=False)
        return
    if check:
        raise typer.Exit(_show_check(in_darkroom(settings, lambda each: check_models(each, names)), as_json=as_json))
    query = " ".join(names)
    registry = ModelRegistry.load(settings.models_dir)
    is_name = "/" in query or bool(query and registry.find(query))
    if is_found := gateway and "/" not in query:
        report = in_darkroom(settings, lambda darkroom: search_gateway(darkroom, query, limit))
    else:
        has_limit = settings.max_usd_per_call is not None or settings.max_usd_per_day is not None
        limits = in_darkroom(settings, Darkroom.limits) if has_limit else Limits()
        is_unknown = is_name and registry.find(query) is None
        if is_unknown and not settings.problem and settings.choice.gateway.has_models:  # the gateway may know it
            report = in_darkroom(settings, lambda darkroom: describe_model(darkroom, query, limits))
        else:
            asked = {"model" if is_name else "query": query}
            report = list_models(registry, **asked, task=task, sort=sort, max_usd=max_usd, limit=limit, limits=limits)
    if as_json:
        show_json(report.data)
    elif report.is_error or is_name or is_found:
        typer.echo(_card(report))
    else:
        _show_table(report)
    raise typer.Exit(2 if report.is_error else 0)


def _show_table(report: ModelReport) -> None:
    for line in report.head:
        typer.echo(for_person(line))
    rows = cast("list[dict[str, JsonValue]]", report.data["models"])
    if rows:
        show_columns(_HEADS, [_cells(each) for each in rows], flexible=("tasks", "best for"))
    for line in report.tail:
        typer.echo(for_person(line))


def _cells(row: Mapping[str, JsonValue]) -> tuple[str, ...]:
    prices = [usd(price) for price in cast("list[float]", row["prices_usd"])]
    mark = " !" if row["is_over_limit"] or row["is_over_max_usd"] else ""
    typical_s = cast("float | None", row["typical_s"])
    return (
        str(row["name"]),
        ("-".join(prices) or "unknown") + mark,
        seconds(typical_s) if typical_s else "",
        ", ".join(cast("list[str]", row["tasks"])),
        str(row["best_for"]),
    )


def _card(report: ModelReport) -> str:
    """The card with the names that this command line has."""
    lines: list[str] = []
    for line in report.text.splitlines():
        if line.startswith("Arguments: "):
            line = re.sub(r"\w+(?= \(| and |,|\.$)", lambda found: FLAGS.get(found[0], found[0]), line)
        elif line.startswith("Example: "):
            (model,) = cast("list[dict[str, JsonValue]]", report.data["models"])
            line = f"Example: {command_for(cast('dict[str, JsonValue]', model['example']))}"
        lines.append(for_person(line))
    return "\n".join([*lines, *report.sources])


def _show_check(found: ModelCheck, *, as_json: bool) -> int:
    """Print what has changed; gives the exit code."""
    if as_json:
        show_json({"models": [_row_data(row) for row in found.rows], "exit_code": found.exit_code})
        return found.exit_code
    for row in found.rows:
        for change in row.changes:
            subject = f"{row.model}: {change.input}" if change.input else row.model
            typer.echo(f"{subject} {change.words} [{change.effect}]")
        if row.note:
            typer.echo(f"{row.model}: {row.note}")
        if row.problem:
            note(f"{row.model} could not be compared: {row.problem}.")
    drifted, unasked = sum(bool(row.changes) for row in found.rows), sum(bool(row.problem) for row in found.rows)
    note(f"{len(found.rows)} models asked for: {drifted} have changed, {unasked} could not be compared.")
    return found.exit_code


def _row_data(row: Checked) -> dict[str, JsonValue]:
    changes: list[JsonValue] = [
        {"input": each.input, "change": each.words, "effect": each.effect} for each in row.changes
    ]
    return {"model": row.model, "changes": changes, "note": row.note, "problem": row.problem}
