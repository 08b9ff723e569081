"""`darkroom-mcp models`: search the registry, or all about one model."""

import re
from typing import Annotated

import typer

from darkroom.list_models import list_models
from darkroom.registry import ModelRegistry
from darkroom_server.cli.opened import read_settings
from darkroom_server.cli.screen import show_json

# The report words its hint for assistants.
_CALL = re.compile(r'list_models\(model="([^"]+)"\)')


def models(
    query: Annotated[str, typer.Argument(help="Words to search for, or OWNER/NAME for all about one model.")] = "",
    task: Annotated[str, typer.Option(help="Only models for this task.")] = "any",
    limit: Annotated[int, typer.Option(help="How many at most.", min=1)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """List the image models."""
    registry = ModelRegistry.load(read_settings().models_dir)
    words, name = ("", query) if "/" in query else (query, "")
    report = list_models(registry, query=words, task=task, model=name, limit=limit)
    if as_json:
        show_json(report.data)
    else:
        typer.echo(_CALL.sub(r"darkroom-mcp models \1", report.text))
    raise typer.Exit(2 if report.is_error else 0)
