"""The command `models`: the registry, the gateway's own models, and what has changed between the two."""

import re
from typing import Annotated

import typer
from pydantic import JsonValue

from darkroom.darkroom import Darkroom
from darkroom.gateway_models import describe_model, search_gateway
from darkroom.list_models import list_models
from darkroom.live_models.drift import Checked
from darkroom.model_check import ModelCheck, check_models, model_file_text
from darkroom.registry import ModelRegistry, Sort
from darkroom.reports import Limits, ModelReport
from darkroom.settings import Settings
from darkroom_server.cli.opened import in_darkroom, read_settings
from darkroom_server.cli.screen import note, show_json

# The report words its hint for assistants.
_CALL = re.compile(r'list_models\(model="([^"]+)"\)')


def models(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[WORDS]...", help="Words to search for, or OWNER/NAME for all about one model."),
    ] = None,
    task: Annotated[str, typer.Option(help="Only models for this task.")] = "any",
    sort: Annotated[Sort, typer.Option(help="Which come first.")] = "best",
    max_usd: Annotated[float, typer.Option(help="Those that may charge more for an image come last.", min=0)] = 0,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1)] = 20,
    gateway: Annotated[bool, typer.Option("--gateway", help="Search the gateway's own models.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Compare models, or all, with the gateway: exit 1: drift.")
    ] = False,
    refresh: Annotated[str, typer.Option(metavar="OWNER/NAME", help="Print a model file from the gateway.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """List the image models."""
    settings = read_settings()
    names = words or []
    if refresh:
        typer.echo(in_darkroom(settings, lambda darkroom: model_file_text(darkroom, refresh)), nl=False)
        return
    if check:
        raise typer.Exit(_show_check(in_darkroom(settings, lambda each: check_models(each, names)), as_json=as_json))
    query = " ".join(names)
    if gateway and "/" not in query:
        report = in_darkroom(settings, lambda darkroom: search_gateway(darkroom, query, limit))
    else:
        report = _report(settings, query, task=task, sort=sort, max_usd=max_usd, limit=limit)
    if as_json:
        show_json(report.data)
    else:
        typer.echo("\n".join([_CALL.sub(r"darkroom-mcp models \1", report.text), *report.sources]))
    raise typer.Exit(2 if report.is_error else 0)


def _report(settings: Settings, query: str, *, task: str, sort: Sort, max_usd: float, limit: int) -> ModelReport:
    registry = ModelRegistry.load(settings.models_dir)
    words, name = ("", query) if "/" in query else (query, "")
    has_limit = settings.max_usd_per_call is not None or settings.max_usd_per_day is not None
    limits = in_darkroom(settings, Darkroom.limits) if has_limit else None
    if name and registry.find(name) is None and not settings.problem and settings.choice.gateway.has_models:
        return in_darkroom(settings, lambda darkroom: describe_model(darkroom, name, limits or Limits()))
    return list_models(
        registry, query=words, task=task, model=name, sort=sort, max_usd=max_usd, limit=limit, limits=limits
    )


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
