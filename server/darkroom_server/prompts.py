"""Ready-made requests that a person picks in the host, from prompts.toml, and completions for their arguments."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp.server import MCPServer
from mcp.server.mcpserver.prompts import Prompt
from mcp.server.mcpserver.prompts.base import PromptArgument
from mcp.types import Completion, CompletionArgument, CompletionContext, PromptReference, ResourceTemplateReference

if TYPE_CHECKING:
    from darkroom.registry import ModelRegistry

_MOST_COMPLETIONS = 100


def add_prompts(server: MCPServer[Any]) -> None:
    """Register the prompts."""
    rows = tomllib.loads(Path(__file__).with_name("prompts.toml").read_text(encoding="utf-8"))
    for name, row in rows.items():
        server.add_prompt(_prompt(name, **row))


def add_completions(server: MCPServer[Any], registry: "Callable[[], ModelRegistry]") -> None:
    """Register completions for model names and tasks; a host is greeted with that."""

    async def complete(
        ref: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        context: CompletionContext | None,
    ) -> Completion | None:
        given = dict(context.arguments or {}) if context else {}
        return _completion(_candidates(registry(), argument.name, given), argument.value)

    server.completion()(complete)


def _prompt(name: str, *, title: str, description: str, text: str, arguments: dict[str, list[str]]) -> Prompt:
    """One prompt. `arguments` gives for each its meaning and, where it may be left out or empty, its default."""
    defaults = {argument: words[-1] for argument, words in arguments.items() if len(words) > 1}

    async def render(**given: str) -> str:
        told = {argument: value for argument, value in given.items() if value or argument not in defaults}
        return text.strip().format(**defaults | told)

    return Prompt(
        name=name,
        title=title,
        description=description,
        arguments=[
            PromptArgument(name=argument, description=words[0], required=len(words) == 1)
            for argument, words in arguments.items()
        ],
        fn=render,
        context_kwarg=None,
    )


def _candidates(models: "ModelRegistry", argument: str, given: dict[str, str]) -> tuple[str, ...]:
    """What may stand for an argument of a prompt or of `models://{owner}/{name}`."""
    from darkroom.model_tasks import TASKS

    names = models.names()
    prefix = f"{given['owner']}/" if given.get("owner") else ""
    candidates = {
        "models": names,
        "model": names,
        "owner": tuple(dict.fromkeys(name.partition("/")[0] for name in names)),
        "name": tuple(name.partition("/")[2] for name in names if name.startswith(prefix)),
        "task": TASKS,
    }
    return candidates.get(argument, ())


def _completion(candidates: tuple[str, ...], typed: str) -> Completion:
    """Those that contain what is typed after the last comma, the ones that begin with it first."""
    before, comma, last = typed.rpartition(",")
    word = last.strip().lower()
    fitting = [each for each in candidates if word in each.lower()]
    fitting.sort(key=lambda each: not each.lower().startswith(word))
    values = [f"{before}{comma} {each}".strip() for each in fitting]
    return Completion(values=values[:_MOST_COMPLETIONS], total=len(values), has_more=len(values) > _MOST_COMPLETIONS)
