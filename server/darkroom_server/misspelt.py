"""Refuses arguments that a tool does not have, by name: the SDK would drop them, and the image would be paid for all the same."""

import difflib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.types import Tool

from darkroom_server.content import refusal


class MisspeltArguments:
    """Middleware around `tools/call`; `list_tools` gives the tools with their schemas."""

    def __init__(self, list_tools: Callable[[], Awaitable[Sequence[Tool]]]) -> None:
        self._list_tools = list_tools
        self._known: dict[str, tuple[str, ...]] = {}

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        if ctx.method == "tools/call" and (sentence := await self._complaint(ctx.params or {})):
            return refusal(sentence)
        return await call_next(ctx)

    async def _complaint(self, params: Mapping[str, Any]) -> str:
        tool, given = str(params.get("name", "")), params.get("arguments")
        known = await self._arguments_of(tool)
        if known is None or not isinstance(given, Mapping):
            return ""
        unknown = [name for name in cast("Mapping[str, Any]", given) if name not in known]
        if not unknown:
            return ""
        words = ", ".join(_named(name, known) for name in unknown[:5])
        hint = " An input that only the model has goes into `options`." if "options" in known else ""
        return (
            f"Refused: {tool} has no argument {words}. Nothing was sent or spent. It takes: {', '.join(known)}.{hint}"
        )

    async def _arguments_of(self, tool: str) -> tuple[str, ...] | None:
        if not self._known:
            self._known = {each.name: tuple(each.input_schema["properties"]) for each in await self._list_tools()}
        return self._known.get(tool)


def _named(name: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"{name[:60]!r} (did you mean {close[0]!r}?)" if close else repr(name[:60])
