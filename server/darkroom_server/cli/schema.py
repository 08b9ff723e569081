"""`darkroom-mcp schema`: what `--json` prints, as JSON Schema. Each command's is tested against its real output."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from darkroom_server.cli.screen import show_json

Command = Literal["generate", "show", "cancel", "history", "models"]
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema(command: Annotated[Command, typer.Argument(help="Whose --json it is about.")]) -> None:
    """Print the JSON Schema of what a command prints with --json."""
    show_json(schema_of(command))


def schema_of(command: Command) -> dict[str, Any]:
    """The JSON Schema (2020-12) of the `--json` of this command."""
    from darkroom_server.output_schema import answer_schemas  # with MCP, which --help and --version can do without

    answers = answer_schemas()
    own: dict[str, Any] = json.loads(Path(__file__).with_name("json_output.json").read_text(encoding="utf-8"))
    prediction = answers["prediction"]
    batches = [_of_lines(own[name], prediction) for name in ("batch", "planned_batch")]
    found: Mapping[Command, dict[str, Any]] = {
        "generate": {"anyOf": [prediction, *batches]},
        "show": prediction,
        "cancel": prediction,
        "history": own["history"],
        "models": answers["models"],
    }
    return {"$schema": _DIALECT, "title": f"darkroom-mcp {command} --json", **found[command]}


def _of_lines(batch: dict[str, Any], prediction: dict[str, Any]) -> dict[str, Any]:
    """A batch whose lines are reports, each with where its prompt stands."""
    line = {
        "line": {"type": "string", "description": "Where the prompt stands"},
        "copies": {"type": "array", "items": {"type": "string"}, "description": "Where -o has put them"},
    }
    items = {"properties": prediction["properties"] | line, "required": [*prediction["required"], "line"]}
    batch["properties"]["lines"]["items"] = prediction | items
    return batch
