"""The SDK's server, with what it does otherwise here: how a call fails, and which type an image has.

The SDK would drop an unknown argument, and the image would be paid for all the same. It words a wrong value for programmers,
and without the structured content that a tool with an output schema owes. It knows one type for all resources of a template.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from mcp.server import MCPServer
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.types import CallToolResult, InputRequiredResult
from pydantic import AnyUrl, ValidationError
from pydantic_core import ErrorDetails

from darkroom.errors import DarkroomError, InternalFault, InvalidRequest
from darkroom.spelling import closest
from darkroom_server.content import model_refusal, refusal

log = logging.getLogger(__name__)

_MOST_NAMED = 5
_LONGEST_VALUE = 60
_FAULT_WORDS = (
    "Darkroom had an internal fault in this call; the reason is in its log (stderr). Something may have been created: "
    "ask get_prediction for 'latest' before any repeat, and tell the user."
)


class DarkroomServer(MCPServer[None]):
    """Every failing call is a refusal in words; `is_structured`: with the report as data too."""

    def __init__(self, *args: Any, is_structured: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_structured = is_structured
        self._known: dict[str, tuple[str, ...]] = {}

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[None, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool by name. Raises: ToolError for a tool that does not exist."""
        known = await self._arguments_of(name)
        if known is None:
            return await super().call_tool(name, arguments, context)
        if unknown := [each for each in arguments if each not in known]:
            return self._refused(name, InvalidRequest(_unknown_words(name, unknown, known)))
        try:
            return await super().call_tool(name, arguments, context)
        except UnexpectedToolError:
            log.exception("%s failed", name)
            return self._refused(name, InternalFault(_FAULT_WORDS))
        except ToolError as error:  # raised before the tool itself ran
            return self._refused(name, InvalidRequest(_unfit_words(error)))

    async def read_resource(
        self, uri: AnyUrl | str, context: Context[None, Any] | None = None
    ) -> Iterable[ReadResourceContents] | InputRequiredResult:
        """Read a resource; an image comes under its own type. Raises: ResourceError."""
        read = await super().read_resource(uri, context)
        return read if isinstance(read, InputRequiredResult) else [_typed(each) for each in read]

    async def _arguments_of(self, tool: str) -> tuple[str, ...] | None:
        if not self._known:
            self._known = {each.name: tuple(each.input_schema["properties"]) for each in await self.list_tools()}
        return self._known.get(tool)

    def _refused(self, tool: str, error: DarkroomError) -> CallToolResult:
        return model_refusal(error) if tool == "list_models" else refusal(error, is_structured=self._is_structured)


def _typed(read: ReadResourceContents) -> ReadResourceContents:
    if not isinstance(read.content, bytes):
        return read
    from darkroom.outputs.formats import sniff

    return replace(read, mime_type=sniff(read.content) or read.mime_type)


def _unknown_words(tool: str, unknown: Sequence[str], known: tuple[str, ...]) -> str:
    words = ", ".join(_named(name, known) for name in unknown[:_MOST_NAMED])
    hint = " An input that only the model has goes into `options`." if "options" in known else ""
    return f"{tool} has no argument {words}. Nothing was sent or spent. It takes: {', '.join(known)}.{hint}"


def _named(name: str, known: tuple[str, ...]) -> str:
    close = closest(name, known, limit=1)
    return f"{name[:_LONGEST_VALUE]!r} (did you mean {close[0]!r}?)" if close else repr(name[:_LONGEST_VALUE])


def _unfit_words(error: ToolError) -> str:
    """`count 99: Input should be less than or equal to 10.`"""
    cause = error.__cause__
    if not isinstance(cause, ValidationError):
        return str(error)
    faults = cause.errors(include_url=False, include_context=False)
    return f"{' '.join(_fault(each) for each in faults[:_MOST_NAMED])} Nothing was sent or spent."


def _fault(fault: ErrorDetails) -> str:
    field = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "missing":
        return f"{field} is required."
    given = repr(fault["input"])
    shown = given if len(given) <= _LONGEST_VALUE else f"{given[:_LONGEST_VALUE]}…"
    return f"{field} {shown}: {fault['msg']}."
