"""`darkroom-mcp models --check`: what a gateway has changed since our files were written."""

import typer
from pydantic import JsonValue

from darkroom.live_models.drift import Checked
from darkroom.model_check import ModelCheck
from darkroom_server.cli.screen import note, show_json


def show_check(found: ModelCheck, *, as_json: bool) -> int:
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
