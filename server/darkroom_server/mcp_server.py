"""The SDK's server, where it has to behave differently: how a call fails, strange JSON, and which type an image has.

The SDK's messages about wrong values are technical, and lack the structured content that a tool with an output schema
owes. It drops a message that it cannot read, and knows one type for all resources of a template. It builds all schemas
before it can greet a host.
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
from anyio.streams.memory import MemoryObjectSendStream
from mcp.server import MCPServer
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.server.mcpserver.tools import Tool, ToolManager
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError
from mcp.shared.message import SessionMessage
from mcp.types import INVALID_PARAMS, CallToolResult, InputRequiredResult, jsonrpc_message_adapter
from pydantic import AnyUrl, ValidationError
from pydantic_core import ErrorDetails

from darkroom.errors import DarkroomError, InternalFault, InvalidRequest
from darkroom_server.app_tools import answer_ping, for_its_apps, is_for_apps_only, shows_apps
from darkroom_server.strange_json import FLAW, LONGEST_TEXT, cleaned, flaw_in, messages_in, object_in, readable
from darkroom_server.wire import Stdio

if TYPE_CHECKING:
    from darkroom_server.rooms import Rooms

log = logging.getLogger(__name__)

Refuse = Callable[[DarkroomError], CallToolResult]

_MOST_NAMED = 5
_LONGEST_VALUE = 60
# A completion is repeated in every candidate, and an address in the answer's data.
_LONGEST_TEXTS = {"completion/complete": 1_000, "resources/read": 2_000}
_FAULT_WORDS = (
    "Darkroom had an internal fault in this call; the reason is in its log (stderr). Something may have been created: "
    "ask get_prediction for 'latest' before any repeat, and tell the user."
)


class DarkroomServer(MCPServer["Rooms"]):
    """Every failing call is a refusal in words.

    `fill` adds what it offers, by the first word of the methods that ask for it, once a host sends one. `stdio` hears
    of what goes over stdio. `hidden` are folders of this computer that no answer may name.
    """

    def __init__(
        self,
        *args: Any,
        fill: Mapping[str, Callable[["DarkroomServer"], None]],
        stdio: Stdio | None = None,
        hidden: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        rules = [_offer_what_is_sent, _hear_cancel, _refuse_strange_params, answer_ping, for_its_apps]
        super().__init__(*args, middleware=[self._fill_first, *rules], **kwargs)
        self._fill = dict(fill)
        self._refusals: dict[str, Refuse] = {}
        self._stdio = stdio or Stdio()
        self._hidden = tuple(json.dumps(place)[1:-1] for place in hidden)
        self._schemas: dict[str, dict[str, dict[str, Any]]] = {}

    def fill(self, method: str) -> None:
        """Add what such a method asks for, such as `tools/list`, unless that is done; requests do so by themselves."""
        offered = method.partition("/")[0]
        if fill := self._fill.get(offered):
            fill(self)
            del self._fill[offered]  # one that fails is tried again

    def add_tools(self, tools: Iterable[Tool], refusals: Mapping[str, Refuse]) -> None:
        """Offer these as well; `refusals` gives each tool's answer to a refused call."""
        self._refusals |= refusals
        self._tool_manager = ToolManager(tools=[*self._tool_manager.list_tools(), *tools])

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: "Context[Rooms, Any] | None" = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool by name. Raises: ToolError for a tool that does not exist."""
        result = await self._call(name, arguments, context)
        if isinstance(result, InputRequiredResult) or not self._hidden:
            return result
        text = result.model_dump_json(by_alias=True)
        if not any(place in text for place in self._hidden):
            return result
        for place in self._hidden:
            text = text.replace(place, "(a folder of the server)")
        return CallToolResult.model_validate_json(text)

    async def _call(
        self, name: str, arguments: dict[str, Any], context: "Context[Rooms, Any] | None"
    ) -> CallToolResult | InputRequiredResult:
        refuse = self._refusals.get(name)
        hidden = set[str]() if context and shows_apps(context) else await self._hidden_tools()
        if refuse is None or name in hidden:
            known = ", ".join(each for each in self._refusals if each not in hidden)
            raise ToolError(f"There is no tool {name[:_LONGEST_VALUE]!r}. There are: {known}.")
        if flaw := arguments.get(FLAW):
            return refuse(InvalidRequest(f"The arguments cannot be used: {flaw}. Nothing was sent or spent."))
        from darkroom_server.tool_arguments import as_meant

        try:
            meant = as_meant(name, arguments, await self._schemas_of(name))
        except InvalidRequest as error:
            return refuse(error)
        try:
            return await super().call_tool(name, meant, context)
        except UnexpectedToolError as error:
            if isinstance(error.__cause__, DarkroomError):
                return refuse(error.__cause__)
            log.exception("%s failed", name)
            return refuse(InternalFault(_FAULT_WORDS))
        except ToolError as error:  # raised before the tool itself ran
            return refuse(InvalidRequest(_unfit_words(error)))

    async def read_resource(
        self, uri: AnyUrl | str, context: "Context[Rooms, Any] | None" = None
    ) -> Iterable[ReadResourceContents] | InputRequiredResult:
        """Read a resource; an image comes under its own type. Raises: ResourceError."""
        read = await super().read_resource(uri, context)
        return read if isinstance(read, InputRequiredResult) else [_typed(each) for each in read]

    async def run_stdio_async(self) -> None:
        """Serve on stdin and stdout; also a message that the SDK could not read, and see each answer off."""
        server = self._lowlevel_server
        async with stdio_server() as (incoming, outgoing), anyio.create_task_group() as tasks:
            inlet, outlet = anyio.create_memory_object_stream[SessionMessage | Exception](0)
            told, answers = anyio.create_memory_object_stream[SessionMessage](0)
            tasks.start_soon(self._pass_on, incoming, inlet)
            async with anyio.create_task_group() as writing:
                writing.start_soon(self._stdio.pass_on, answers, outgoing)
                await server.run(outlet, told, server.create_initialization_options())
            tasks.cancel_scope.cancel()

    async def _pass_on(self, incoming: Any, inlet: MemoryObjectSendStream[SessionMessage | Exception]) -> None:
        """Hand every message on, also several in one line, and one that could not be read in its readable form."""
        async with inlet:
            async for item in incoming:
                line = _line(item.errors(include_url=False)[0]) if isinstance(item, ValidationError) else ""
                for passed in [_message(each) or item for each in messages_in(line)] or [item]:
                    self._stdio.read(passed)
                    await inlet.send(passed)

    async def _fill_first(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        if ctx.request_id is not None:
            self.fill(ctx.method)
        return await call_next(ctx)

    def _tool_input_schema(self, name: str) -> dict[str, Any] | None:
        self.fill("tools")  # over HTTP the SDK asks for this before any middleware
        return super()._tool_input_schema(name)

    async def _hidden_tools(self) -> set[str]:
        return {each.name for each in await self.list_tools() if is_for_apps_only(each.meta)}

    async def _schemas_of(self, tool: str) -> dict[str, dict[str, Any]]:
        """Of each argument that the tool has."""
        if not self._schemas:
            self._schemas = {each.name: each.input_schema["properties"] for each in await self.list_tools()}
        return self._schemas[tool]


def _line(error: ErrorDetails) -> str:
    """What could not be read; of JSON the SDK gives the value, in which only a list is no message by itself."""
    read, text = error["input"], str(error["input"])
    return json.dumps(read) if isinstance(read, list) and len(error["loc"]) < 2 else text


def _message(text: str) -> SessionMessage | None:
    with suppress(ValidationError):
        return SessionMessage(jsonrpc_message_adapter.validate_json(readable(text), by_name=False))
    return None


async def _offer_what_is_sent(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Do not offer news of changed lists: no list changes, and the SDK offers them with every subscription."""
    result = await call_next(ctx)
    if ctx.method == "server/discover" and isinstance(result, dict):
        for offered in result["capabilities"].values():
            offered.pop("listChanged", None)
    return result


async def _hear_cancel(ctx: ServerRequestContext["Rooms", Any], call_next: CallNext) -> HandlerResult:
    """Hand on why the host cancels a call: the SDK ends the call, and keeps the reason from it."""
    if ctx.method == "notifications/cancelled":
        ctx.lifespan_context.hear_cancel(ctx)
    return await call_next(ctx)


async def _refuse_strange_params(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Answer a request whose values cannot be used; a tool call goes on to be refused in the shape of its tool."""
    params = dict(ctx.params or {})
    if ctx.method == "tools/call" and isinstance(written := params.get("arguments"), str):
        # Some hosts pass on what a model wrote as it is: an object, as a text.
        read = {} if written.strip() in ("", "null") else object_in(written)
        params["arguments"] = {FLAW: "arguments is a text that holds no JSON object"} if read is None else read
        ctx = replace(ctx, params=params)
    flaw = params.get(FLAW) or flaw_in(params, longest=_LONGEST_TEXTS.get(ctx.method, LONGEST_TEXT))
    if not flaw or ctx.request_id is None:
        return await call_next(ctx)
    if ctx.method != "tools/call":
        raise MCPError(code=INVALID_PARAMS, message=f"This request cannot be answered: {flaw}.")
    name = cleaned(str(params.get("name", "")))[:_LONGEST_VALUE]
    kept = {"_meta": cleaned(params["_meta"])} if "_meta" in params else {}
    return await call_next(replace(ctx, params={**kept, "name": name, "arguments": {FLAW: flaw}}))


def _typed(read: ReadResourceContents) -> ReadResourceContents:
    if not isinstance(read.content, bytes):
        return read
    from darkroom.outputs.formats import sniff

    return replace(read, mime_type=sniff(read.content) or read.mime_type)


def _unfit_words(error: ToolError) -> str:
    """`count 99: Input should be less than or equal to 10.`"""
    cause = error.__cause__
    if not isinstance(cause, ValidationError):
        return str(error)
    faults = cause.errors(include_url=False, include_context=False)
    return f"{' '.join(_fault(each) for each in faults[:_MOST_NAMED])} Nothing was sent or spent."


def _fault(fault: ErrorDetails) -> str:
    field = ".".join(str(step)[:_LONGEST_VALUE] for step in fault["loc"])
    if fault["type"] == "missing":
        return f"{field} is required."
    given = repr(fault["input"])
    shown = given if len(given) <= _LONGEST_VALUE else f"{given[:_LONGEST_VALUE]}…"
    return f"{field} {shown}: {fault['msg']}."
