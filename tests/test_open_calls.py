"""Who may stop a prediction by cancelling a call: a host that gives a person's reason, and nobody else."""

from collections.abc import Generator
from typing import Any

import anyio
import pytest
from call_results import text
from fault_plan import Plan
from gateway_process import GatewayProcess, gateway_process
from http_process import HttpProcess
from mcp import Client, MCPError
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from stdio_host import Host

from darkroom_server.open_calls import is_of_a_person

MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
NO_CANCEL = (
    None,
    "",
    "caller cancelled",
    "Request timed out",
    "McpError -32001",
    "deadline exceeded",
    "connection closed",
    {"code": 5},
)


@pytest.fixture(scope="module")
def gateway() -> Generator[GatewayProcess]:
    with gateway_process() as gateway:
        yield gateway


# The words


@pytest.mark.parametrize(
    "reason",
    [
        "timed out after 5s",
        "MCP error -32001: Request timed out",
        "TimeoutError: The operation was aborted due to timeout",
        "time-out",
        "time limit of 30 s exceeded",
        "Connection lost",
        "ConnectionClosed",
        "transport closed",
        "the session was terminated",
        "client disconnected",
        "socket hang up",
        "closing the connection",
        "caller cancelled",
        "context canceled",
        "context deadline exceeded",
        "CancelledError()",
        "asyncio.exceptions.CancelledError",
        "Cancelled via cancel scope 7fb1a0; reason: fail_after",
        "task was cancelled",
        "cancelled",
        "the call took too long",
        "no response within 30 s",
        "the request exceeded 30000 ms",
        "time's up",
        "maximum duration reached",
        "tool call limit of 60 s reached",
        "user session expired",
        "Zeitüberschreitung der Anforderung",
        "请求超时",
        "read ECONNRESET",
        "EPIPE: broken pipe",
        "network error",
        "client is shutting down",
        "server closed",
        "process exited",
        "superseded by a retry",
        "  ",
    ],
)
def test_a_reason_of_the_host_itself_stops_nothing(reason: str) -> None:
    assert not is_of_a_person(reason)


@pytest.mark.parametrize(
    "reason",
    [
        "user pressed stop",
        "stopped by user",
        "The user no longer wants it",
        "Abgebrochen",
        "User requested",
        "user cancelled the task",
        "AbortError: The operation was aborted.",
        "AbortError: This operation was aborted",
        "cancelled by the user",
        "User cancelled after 20 seconds",
        "the user found that it took too long",
        "Vom Benutzer abgebrochen",
        "用户取消",
        "no longer needed",
        "wrong prompt",
    ],
)
def test_any_other_reason_is_a_persons(reason: str) -> None:
    assert is_of_a_person(reason)


# Over stdio, line by line


class Wire:
    """A host over stdio in one era: `stop` begins a call and cancels it, `look` tells what became of its prediction."""

    def __init__(self, host: Host, meta: dict[str, Any]) -> None:
        self.host = host
        self._meta = meta
        self._number = 10
        self._stopped: set[int] = set()

    def stop(self, name: str, params: dict[str, Any], **wish: Any) -> None:
        arguments = {"prompt": "a fox", "request_id": name, "wait_seconds": 40, **wish}
        number = self._send("generate_image", arguments)
        while "processing" not in self.host.receive().get("params", {}).get("message", ""):
            pass
        self.host.send("notifications/cancelled", {"requestId": number, **params})
        self._stopped.add(number)

    def look(self, name: str) -> str:
        looks = self._send("get_prediction", {"id": name, "wait_seconds": 40})
        while (answer := self.host.receive()).get("id") != looks:
            assert answer.get("id") not in self._stopped, "a cancelled call is not answered"
        return answer["result"]["content"][0]["text"]

    def _send(self, tool: str, arguments: dict[str, Any]) -> int:
        self._number += 1
        meta = {**self._meta, "progressToken": self._number}
        self.host.send("tools/call", {"name": tool, "arguments": arguments, "_meta": meta}, self._number)
        return self._number


@pytest.fixture(scope="module", params=["handshake", "modern"])
def wire(
    request: pytest.FixtureRequest, gateway: GatewayProcess, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Wire]:
    host = Host(tmp_path_factory.mktemp("stdio"), **gateway.settings)
    try:
        if request.param == "handshake":
            host.greet()
        yield Wire(host, MODERN if request.param == "modern" else {})
    finally:
        host.close()


def test_a_person_who_stops_the_call_stops_the_prediction_once(wire: Wire, gateway: GatewayProcess) -> None:
    """Fails where the SDK no longer hands the reason to the middleware after it has ended the call."""
    gateway.follow(Plan(run_s=60))
    before = gateway.truth().cancels
    wire.stop("stopped", {"reason": "user pressed stop"})
    assert wire.look("stopped").startswith("Canceled")
    after = gateway.truth()
    assert after.cancels == [*before, after.predictions[-1].id]


def test_a_person_stops_all_predictions_of_a_call_at_a_gateway_that_takes_its_time(
    wire: Wire, gateway: GatewayProcess
) -> None:
    gateway.follow(Plan(run_s=60, cancel_s=0.7))
    single = {"model": "black-forest-labs/flux-1.1-pro", "count": 4}
    wire.stop("stopped all", {"reason": "user pressed stop"}, **single)
    said = wire.look("stopped all")
    assert said.startswith("Canceled") and said.count("Prediction ") == 4
    assert [made.canceled_s > 0 for made in gateway.truth().predictions[-4:]] == [True] * 4


def test_a_host_that_gives_up_waiting_leaves_the_prediction_alone(wire: Wire, gateway: GatewayProcess) -> None:
    gateway.follow(Plan(run_s=60))
    before = gateway.truth().cancels
    for reason in NO_CANCEL:
        wire.stop(f"given up {reason!r}", {} if reason is None else {"reason": reason})
    wire.stop("stopped after them", {"reason": "user pressed stop"})
    assert wire.look("stopped after them").startswith("Canceled")
    gateway.end_all()
    said = {f"{reason!r}": wire.look(f"given up {reason!r}") for reason in NO_CANCEL}
    assert [reason for reason, words in said.items() if not words.startswith("Succeeded")] == []
    after = gateway.truth()
    assert after.cancels == [*before, after.predictions[-1].id]


# Over HTTP


def cancel_with(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the SDK's client give this reason instead of its own, as a host for people does."""
    send = JSONRPCDispatcher._cancel_outbound  # pyright: ignore[reportPrivateUsage]  # there is no other way to say it

    async def say(dispatcher: Any, request_id: Any, _: str, related: Any) -> None:
        await send(dispatcher, request_id, reason, related)

    monkeypatch.setattr(JSONRPCDispatcher, "_cancel_outbound", say)


@pytest.fixture(scope="module")
def served(gateway: GatewayProcess, tmp_path_factory: pytest.TempPathFactory) -> Generator[HttpProcess]:
    with HttpProcess(tmp_path_factory.mktemp("http"), **gateway.settings) as process:
        yield process


async def leave(client: Client, name: str, *, limit_s: float | None = None) -> None:
    """Leave a call once its prediction runs, or let the client's own time-out end it."""
    async with anyio.create_task_group() as tasks:

        async def hear(progress: float, total: float | None, message: str | None) -> None:
            if limit_s is None and "processing" in (message or ""):
                tasks.cancel_scope.cancel()

        arguments = {"prompt": "a fox", "request_id": name, "wait_seconds": 40}
        try:
            await client.call_tool("generate_image", arguments, progress_callback=hear, read_timeout_seconds=limit_s)
        except MCPError as error:
            assert "timed out" in error.message


async def found(client: Client, name: str, *, wait_s: int = 40) -> str:
    return text(await client.call_tool("get_prediction", {"id": name, "wait_seconds": wait_s}))


async def assert_it_goes_on(client: Client, gateway: GatewayProcess, name: str, cancels: list[str]) -> None:
    """Nobody has cancelled what this call has started; it has been asked for twice by then."""
    for _ in range(2):
        assert (await found(client, name, wait_s=0)).startswith("Still")
    gateway.end_all()
    assert (await found(client, name)).startswith("Succeeded")
    assert gateway.truth().cancels == cancels


@pytest.mark.anyio
async def test_a_persons_cancel_over_handshake_http_stops_the_prediction_of_its_own_session(
    served: HttpProcess, gateway: GatewayProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancel_with("user pressed stop", monkeypatch)
    gateway.follow(Plan(run_s=60))
    before = gateway.truth().cancels
    with anyio.fail_after(60):
        async with Client(served.url, mode="legacy") as client:
            await leave(client, "stopped")
            assert (await found(client, "stopped")).startswith("Canceled")
    after = gateway.truth()
    assert after.cancels == [*before, after.predictions[-1].id]


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_time_out_over_http_leaves_the_prediction_alone(
    served: HttpProcess, gateway: GatewayProcess, mode: Any
) -> None:
    """Where the machine is so busy that nothing was created by then, the next call has more time."""
    gateway.follow(Plan(run_s=60))
    before, limit_s = gateway.truth(), 0.25
    with anyio.fail_after(60):
        async with Client(served.url, mode=mode) as client:
            while gateway.truth().creates == before.creates:
                limit_s *= 2
                await leave(client, f"timed out {mode} {limit_s}", limit_s=limit_s)
            await assert_it_goes_on(client, gateway, f"timed out {mode} {limit_s}", before.cancels)


@pytest.mark.anyio
async def test_a_task_that_a_framework_cancels_leaves_the_prediction_alone(
    served: HttpProcess, gateway: GatewayProcess
) -> None:
    gateway.follow(Plan(run_s=60))
    before = gateway.truth().cancels
    with anyio.fail_after(60):
        async with Client(served.url, mode="legacy") as client:
            await leave(client, "task")
            await assert_it_goes_on(client, gateway, "task", before)


@pytest.mark.anyio
async def test_a_dropped_connection_leaves_the_prediction_alone(served: HttpProcess, gateway: GatewayProcess) -> None:
    """In this era a client cancels by closing the answer's stream, and so does a network that fails."""
    gateway.follow(Plan(run_s=60))
    before = gateway.truth().cancels
    with anyio.fail_after(60):
        async with Client(served.url) as client:
            await leave(client, "dropped")
            await assert_it_goes_on(client, gateway, "dropped", before)
