"""Requests of the handshake era as a replica answers them, beside the SDK's own answers to the same."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import anyio
import pytest
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from starlette.types import ASGIApp, Message, Scope

from darkroom_server.team.handshake_requests import HandshakeRequests

pytestmark = pytest.mark.anyio

BOTH = "application/json, text/event-stream"


def call(tool: str, **meta: Any) -> bytes:
    params = {"name": tool, "arguments": {}, "_meta": meta}
    return json.dumps({"jsonrpc": "2.0", "id": "7", "method": "tools/call", "params": params}).encode()


def message(method: str, **other: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "method": method, **other}).encode()


HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "host", "version": "1"}}
BODIES = {
    "initialize": message("initialize", id=0, params=HELLO),
    "initialize of an unknown version": message("initialize", id=0, params=HELLO | {"protocolVersion": "1999-01-01"}),
    "initialize without its params": message("initialize", id=0, params={}),
    "ping": message("ping", id=1),
    "the tools": message("tools/list", id=2),
    "a call": call("greet"),
    "a call that fails": call("fail"),
    "a call with progress": call("progress", progressToken=5),
    "a call whose progress nobody wants": call("progress"),
    "a tool that is not there": call("none"),
    "a method that is not there": message("nonsense/none", id=3),
    "wrong params": message("tools/call", id=4, params={"name": 5}),
    "a notification": message("notifications/initialized"),
    "a cancel": message("notifications/cancelled", params={"requestId": 1}),
    "an answer": b'{"jsonrpc": "2.0", "id": 1, "result": {}}',
    "no JSON": b"{",
    "nothing": b"",
    "no message": b'{"jsonrpc": "2.0"}',
    "an odd id": b'{"jsonrpc": "2.0", "id": {}, "method": "ping"}',
    "several at once": b"[%s, %s]" % (message("ping", id=1), message("ping", id=2)),
}


@dataclass
class Exchange:
    """One request to an ASGI app, and what came back so far."""

    app: ASGIApp
    status: int = 0
    body: bytes = b""
    has_ended: bool = False
    came: anyio.Event = field(default_factory=anyio.Event)
    gone: anyio.Event = field(default_factory=anyio.Event)

    async def send(self, body: bytes, **headers: str) -> None:
        """Send it; returns when the app has done with it."""
        given = {"content-type": "application/json", "accept": BOTH, "host": "127.0.0.1:1"} | headers
        scope: Scope = {"type": "http", "method": "POST", "path": "/mcp", "query_string": b""}
        scope["headers"] = [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()]
        pending = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            if pending:
                return pending.pop()
            await self.gone.wait()
            return {"type": "http.disconnect"}

        await self.app(scope, receive, self._hear)

    async def _hear(self, message: Message) -> None:
        if self.has_ended:
            raise RuntimeError("sent after the response has ended")  # as uvicorn does
        self.status = message.get("status", self.status)
        self.body += message.get("body", b"")
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.has_ended = True
            self.gone.set()
        came, self.came = self.came, anyio.Event()
        came.set()

    async def until(self, is_so: Callable[[], bool]) -> None:
        with anyio.fail_after(10):
            while not is_so():
                await self.came.wait()

    @property
    def messages(self) -> list[dict[str, Any]]:
        """Of the protocol, without what is no part of a stream's events."""
        lines = self.body.decode().split("\r\n")
        return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


@dataclass
class Served:
    """One server behind our app and behind the SDK's own; `began` and `ended` tell of a call of `wait`."""

    ours: ASGIApp
    sdk: ASGIApp
    began: anyio.Event
    ended: anyio.Event
    release: anyio.Event
    contexts: list[Context[Any, Any]]


@asynccontextmanager
async def serving(ping_after_s: float = 15.0) -> AsyncGenerator[Served]:
    began, ended, release = anyio.Event(), anyio.Event(), anyio.Event()
    contexts: list[Context[Any, Any]] = []

    async def greet() -> str:
        return "hello,\r\nworld\u2028"

    async def fail() -> str:
        raise RuntimeError

    async def progress(ctx: Context[Any, Any]) -> str:
        contexts.append(ctx)
        await ctx.report_progress(1, 2, "half")
        await ctx.report_progress(2)
        return "done"

    async def wait() -> str:
        began.set()
        try:
            await release.wait()
        finally:
            ended.set()
        return "waited"

    server = MCPServer("test")
    tools: list[Callable[..., Awaitable[str]]] = [greet, fail, progress, wait]
    for each in tools:
        server.add_tool(each)
    server.streamable_http_app(stateless_http=True)
    manager, nothing = server.session_manager, cast("Any", None)
    ours = HandshakeRequests(manager, lambda: nothing, ping_after_s=ping_after_s)
    async with manager.run(), anyio.create_task_group() as tasks:
        tasks.start_soon(ours.keep_alive, tasks)
        yield Served(ours, manager.asgi_app, began, ended, release, contexts)
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_it_answers_as_the_sdk_does(body: bytes) -> None:
    async with serving() as served:
        ours, sdk = Exchange(served.ours), Exchange(served.sdk)
        await ours.send(body)
        await sdk.send(body)
        assert (ours.status, ours.messages) == (sdk.status, sdk.messages)
        if sdk.status >= 400:
            assert json.loads(ours.body)["error"]["code"] == json.loads(sdk.body)["error"]["code"]


@pytest.mark.parametrize(
    "headers",
    [
        {"accept": "application/json"},
        {"accept": "text/event-stream"},
        {"accept": "*/*"},
        {"content-type": "text/plain"},
        {"host": "rebound.example"},
        {"origin": "https://other.example"},
        {"mcp-protocol-version": "2025-03-26"},
        {"mcp-protocol-version": "1999-01-01"},
        {"mcp-protocol-version": "2026-07-28"},
    ],
    ids=str,
)
async def test_it_judges_headers_as_the_sdk_does(headers: dict[str, str]) -> None:
    async with serving() as served:
        ours, sdk = Exchange(served.ours), Exchange(served.sdk)
        await ours.send(BODIES["ping"], **headers)
        await sdk.send(BODIES["ping"], **headers)
        assert (ours.status, ours.messages) == (sdk.status, sdk.messages)


async def test_a_silent_stream_gets_a_sign_of_life_and_then_its_answer() -> None:
    async with serving(ping_after_s=0.05) as served, anyio.create_task_group() as tasks:
        exchange = Exchange(served.ours)
        tasks.start_soon(exchange.send, call("wait"))
        await exchange.until(lambda: exchange.body.count(b": ping\r\n\r\n") >= 2)
        assert not exchange.messages
        served.release.set()
        await exchange.until(lambda: exchange.has_ended)
        assert exchange.messages[0]["result"]["content"][0]["text"] == "waited"


async def test_a_sign_of_life_that_comes_too_late_harms_nobody() -> None:
    async with serving(ping_after_s=1e-5) as served, anyio.create_task_group() as tasks:
        exchanges = [Exchange(served.ours) for _ in range(20)]
        for each in exchanges:
            tasks.start_soon(each.send, call("wait"))
        for each in exchanges:
            await each.until(lambda each=each: b": ping" in each.body)
        served.release.set()
        for each in exchanges:
            await each.until(lambda each=each: each.has_ended)
        assert all(len(each.messages) == 1 for each in exchanges)


async def test_news_after_the_answer_are_dropped() -> None:
    async with serving() as served:
        exchange = Exchange(served.ours)
        await exchange.send(call("progress", progressToken=5))
        told = len(exchange.messages)
        await served.contexts[0].report_progress(3)
        assert len(exchange.messages) == told == 3


async def test_a_host_that_goes_ends_its_call() -> None:
    async with serving() as served, anyio.create_task_group() as tasks:
        exchange = Exchange(served.ours)
        tasks.start_soon(exchange.send, call("wait"))
        with anyio.fail_after(10):
            await served.began.wait()
            exchange.gone.set()
            await served.ended.wait()
        assert not exchange.messages


async def test_a_call_that_waits_takes_one_task_beside_its_request() -> None:
    async with serving() as served, anyio.create_task_group() as tasks:
        before = len(anyio.get_running_tasks())
        exchange = Exchange(served.ours)
        tasks.start_soon(exchange.send, call("wait"))
        with anyio.fail_after(10):
            await served.began.wait()
        assert len(anyio.get_running_tasks()) == before + 2
        served.release.set()
