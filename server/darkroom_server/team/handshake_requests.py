"""Requests of the handshake era in a replica: each POST stands for itself, and is answered on its own event stream.

The SDK (2.3.0) opens a whole session for each of them: eleven tasks and four streams, 90 KiB while a call waits. Here
the request's own task waits for the client to go, one more carries out the call, and one timer pings all streams.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc
import pydantic_core
from mcp.server.connection import Connection
from mcp.server.runner import modern_error_data, serve_one
from mcp.server.streamable_http import check_accept_headers
from mcp.server.transport_security import TransportSecurityMiddleware
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import NoBackChannelError
from mcp.shared.jsonrpc_dispatcher import progress_token_from_params
from mcp.shared.message import ServerMessageMetadata
from mcp.shared.transport_context import TransportContext
from mcp.types import INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR, JSONRPCRequest, jsonrpc_message_adapter
from mcp_types import DEFAULT_NEGOTIATED_VERSION
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

    from darkroom_server.rooms import Rooms

_TRANSPORT = TransportContext(kind="streamable-http", can_send_request=False)
_KIND = (b"content-type", b"text/event-stream")
_STREAM_HEADERS = [_KIND, (b"cache-control", b"no-cache, no-transform"), (b"x-accel-buffering", b"no")]


class HandshakeRequests:
    """The ASGI app of /mcp in front of the SDK's, which answers the later era.

    `rooms` gives what the server's lifespan has opened.
    """

    def __init__(
        self, manager: "StreamableHTTPSessionManager", rooms: "Callable[[], Rooms]", ping_after_s: float = 15.0
    ) -> None:
        self._later_era = manager.asgi_app.app
        self._server = manager.app
        self._security = TransportSecurityMiddleware(manager.security_settings)
        self._rooms = rooms
        self._ping_after_s = ping_after_s
        self._open: set[_Stream] = set()

    async def keep_alive(self, tasks: anyio.abc.TaskGroup) -> None:
        """Runs for ever: says something on each stream that was silent for long, or proxies would cut it."""
        while True:
            await anyio.sleep(self._ping_after_s / 10)
            silent_since_s = anyio.current_time() - self._ping_after_s
            for stream in self._open:
                if stream.written_s < silent_since_s and not stream.is_pinging:
                    tasks.start_soon(stream.ping)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        version = request.headers.get("mcp-protocol-version", DEFAULT_NEGOTIATED_VERSION)
        if version not in HANDSHAKE_PROTOCOL_VERSIONS:
            await self._later_era(scope, receive, send)
            return
        refused = await self._security.validate_request(request, is_post=True) or _refused_accept(request)
        message = refused or _message(await Request(scope, receive).body())
        if isinstance(message, JSONRPCRequest):
            await self._answer(message, version, request, receive, send)
        else:
            await message(scope, receive, send)

    async def _answer(
        self, message: JSONRPCRequest, version: str, request: Request, receive: Receive, send: Send
    ) -> None:
        """Carry it out until that is done or the client has gone."""
        stream = _Stream(message, request, send)
        self._open.add(stream)
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _STREAM_HEADERS})
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._carry_out, message, version, stream, tasks.cancel_scope)
                while (await receive())["type"] != "http.disconnect":
                    pass
                tasks.cancel_scope.cancel()
        finally:
            self._open.discard(stream)

    async def _carry_out(
        self, message: JSONRPCRequest, version: str, stream: "_Stream", scope: anyio.CancelScope
    ) -> None:
        connection = Connection.from_envelope(version, None, None)
        said: dict[str, Any] = {"jsonrpc": "2.0", "id": message.id}
        try:
            asked = (self._server, stream, message.method, message.params)
            said["result"] = await serve_one(*asked, connection=connection, lifespan_state=self._rooms())
        except Exception as error:
            said["error"] = modern_error_data(error).model_dump(exclude_none=True)
        self._open.discard(stream)
        await stream.write(said, is_last=True)
        scope.cancel()


class _Stream:
    """What a call has of its transport, as the SDK's `DispatchContext`: news go out at once, nothing can be asked."""

    can_send_request = False
    transport = _TRANSPORT

    def __init__(self, message: JSONRPCRequest, request: Request, send: Send) -> None:
        self.request_id = message.id
        self.message_metadata = ServerMessageMetadata(request_context=request, can_send_request=False)
        self.written_s = anyio.current_time()
        self.is_pinging = self._is_over = False
        self._progress_token = progress_token_from_params(message.params)
        self._send = send

    @property
    def cancel_requested(self) -> anyio.Event:
        """Never set: a cancel comes with a POST of its own, which stands for itself."""
        return anyio.Event()

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        """Raises: NoBackChannelError, always."""
        raise NoBackChannelError(method)

    async def notify(self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None) -> None:
        """Send a notification."""
        said = {"jsonrpc": "2.0", "method": method}
        await self.write(said if params is None else said | {"params": dict(params)})

    async def progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        """Send the progress of the call, where the host wants to hear of it."""
        if self._progress_token is not None:
            told = {"progressToken": self._progress_token, "progress": progress, "total": total, "message": message}
            await self.notify("notifications/progress", {name: told[name] for name in told if told[name] is not None})

    async def write(self, said: Mapping[str, Any], *, is_last: bool = False) -> None:
        """Send one message of the protocol; what comes after the last is dropped."""
        await self._write(b"event: message\r\ndata: %s\r\n\r\n" % pydantic_core.to_json(said), is_last=is_last)

    async def ping(self) -> None:
        """Send a comment, which hosts skip."""
        self.is_pinging = True
        with suppress(RuntimeError):  # the server's, where the end overtakes it on a line that was clogged
            await self._write(b": ping\r\n\r\n")
        self.is_pinging = False

    async def _write(self, body: bytes, *, is_last: bool = False) -> None:
        if not self._is_over:
            self._is_over, self.written_s = is_last, anyio.current_time()
            await self._send({"type": "http.response.body", "body": body, "more_body": not is_last})


def _refused_accept(request: Request) -> Response | None:
    if all(check_accept_headers(request)):
        return None
    return _refusal(406, INVALID_REQUEST, "Not Acceptable: accept both application/json and text/event-stream")


def _message(body: bytes) -> JSONRPCRequest | Response:
    """The request in a body; else the answer to what it is: what asks for nothing is taken and does nothing here."""
    try:
        message = jsonrpc_message_adapter.validate_json(body, by_name=False)
    except ValidationError as error:
        if error.errors(include_input=False, include_url=False)[0]["type"] == "json_invalid":
            return _refusal(400, PARSE_ERROR, "Parse error: the body is no JSON")
        return _refusal(400, INVALID_PARAMS, "Validation error: the body is no message of JSON-RPC 2.0")
    return message if isinstance(message, JSONRPCRequest) else Response(status_code=202)


def _refusal(status: int, code: int, words: str) -> Response:
    error = {"code": code, "message": words}
    return JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, status_code=status)
