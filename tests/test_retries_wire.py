"""When an answer has left, seen from the wire: what counts as delivered, and what as given up."""

import json
import os
import socket
import sqlite3
from collections import deque
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest
import systems
from fault_plan import Plan
from gateway_process import GatewayProcess, gateway_process
from http_process import HttpProcess
from journal_fixtures import HandClock, new_intent, opened
from mcp import Client
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCRequest
from stdio_host import HELLO, Host

from darkroom.journal import Call
from darkroom.settings import Settings
from darkroom_server.app import create_server
from darkroom_server.wire import Stdio

LONG = "a fox " * 500  # its answer repeats it, and does not fit into the smallest pipe
_F_SETPIPE_SZ = 1031  # known to Python on Linux alone


@pytest.fixture
def gateway() -> Generator[GatewayProcess]:
    with gateway_process(Plan(run_s=600)) as gateway:
        yield gateway


def variables(gateway: GatewayProcess) -> dict[str, str]:
    return {"DARKROOM_GATEWAY": "replicate", "DARKROOM_BASE_URL": gateway.base_url, "DARKROOM_API_KEY": "r8_nobody"}


def marks(folder: Path) -> list[tuple[int, bool]]:
    """Of each row whether it was given up and whether it was answered, as the file has it."""
    connection = sqlite3.connect(folder / "data" / "journal.sqlite3")
    try:
        return connection.execute("SELECT is_left, answered_at IS NOT NULL FROM intents").fetchall()
    finally:
        connection.close()


@systems.linux
def test_an_answer_that_nobody_reads_is_not_delivered(gateway: GatewayProcess, tmp_path: Path) -> None:
    gateway.follow(Plan(born_done=1.0))
    import fcntl

    host = Host(tmp_path, **variables(gateway))
    host.greet()
    fcntl.fcntl(host.stdout, _F_SETPIPE_SZ, 4096)
    host.send("tools/call", {"name": "generate_image", "arguments": {"prompt": LONG}}, 2)
    heard = b""
    while b'"result"' not in heard:
        heard += os.read(host.stdout.fileno(), 64)
    host.process.kill()
    host.process.wait(timeout=20)
    host.close()
    assert marks(tmp_path) == [(0, False)]


def test_an_answer_that_was_read_is_delivered_when_the_host_leaves(gateway: GatewayProcess, tmp_path: Path) -> None:
    gateway.follow(Plan(born_done=1.0))
    host = Host(tmp_path, **variables(gateway))
    try:
        host.greet()
        host.send("tools/call", {"name": "generate_image", "arguments": {"prompt": LONG}}, 2)
        while host.receive().get("id") != 2:
            pass
        host.stdin.close()
        host.end()
    finally:
        host.close()
    assert marks(tmp_path) == [(0, True)]


class Session:
    """A session of handshake HTTP, request by request, each on a connection of its own."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._id = ""
        with self.post("initialize", HELLO, 1) as connection:
            head = connection.makefile("rb").read().decode().lower()
        self._id = next(line.split(":")[1].strip() for line in head.splitlines() if line.startswith("mcp-session-id"))
        self.post("notifications/initialized", {}).close()

    def post(self, method: str, params: dict[str, Any], number: int | None = None) -> socket.socket:
        message = {"jsonrpc": "2.0", "method": method, "params": params} | ({"id": number} if number else {})
        body = json.dumps(message).encode()
        headers = {
            "host": self._url.netloc,
            "accept": "application/json, text/event-stream",
            "content-type": "application/json",
            "content-length": str(len(body)),
            "connection": "close",
            **({"mcp-session-id": self._id, "mcp-protocol-version": HELLO["protocolVersion"]} if self._id else {}),
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        connection = socket.create_connection((str(self._url.hostname), self._url.port or 80), timeout=30)
        connection.sendall(f"POST /mcp HTTP/1.1\r\n{lines}\r\n".encode() + body)
        return connection


def test_a_connection_that_breaks_in_a_session_gives_the_call_up(gateway: GatewayProcess, tmp_path: Path) -> None:
    with HttpProcess(tmp_path, **variables(gateway)) as server:
        session = Session(server.url)
        arguments = {"prompt": "a fox", "wait_seconds": 40}
        connection = session.post("tools/call", {"name": "generate_image", "arguments": arguments}, 2)
        gateway.until("predictions")
        connection.close()
        while marks(tmp_path) != [(1, False)]:
            pass
        again = {"name": "generate_image", "arguments": arguments | {"wait_seconds": 0}}
        with session.post("tools/call", again, 3) as connection:
            assert "joined the call" in connection.makefile("rb").read().decode()
        assert gateway.truth().creates == 1 and not gateway.truth().cancels
        while marks(tmp_path) != [(1, True)]:
            pass


# Two processes at once, as the journal sees them


@pytest.mark.anyio
async def test_of_two_calls_that_are_written_down_at_once_the_retry_joins(tmp_path: Path) -> None:
    clock = HandClock()
    async with opened(tmp_path, clock) as one, opened(tmp_path, clock) as two:
        first = Call(id="first", wish="w", origin=new_intent().origin, account="", begun_at=clock())
        row = replace(new_intent(request_id="a"), wish="w", caller="first", called_at=first.begun_at)
        later = replace(first, id="later", begun_at=clock() + 5)
        assert await two.answers.join(later) == ()
        (written,), _ = await one.intend([row], call=first)
        (joined,), _ = await two.intend([replace(row, request_id="b", caller="later")], call=later)
        assert joined.key == written.key and joined.caller == "later"
        (other,), _ = await two.intend([replace(row, request_id="c")], call=replace(first, id="beside"))
        assert other.key != written.key


@pytest.mark.anyio
@pytest.mark.parametrize(("apart_s", "creates"), [(1.9, 2), (2.1, 1)])
async def test_calls_are_apart_as_they_arrived_however_busy_the_server_was(
    gateway: GatewayProcess, tmp_path: Path, apart_s: float, creates: int
) -> None:
    stdio = Stdio(deque(number * apart_s for number in range(20)))
    for number in range(20):
        stdio.read(SessionMessage(JSONRPCRequest(jsonrpc="2.0", id=number, method="tools/call")))
    settings = Settings.read({**variables(gateway), "HOME": str(tmp_path)})
    with anyio.fail_after(60):
        server = create_server(settings, stdio=stdio)
        async with Client(server) as client, anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(client.call_tool, "generate_image", {"prompt": "a fox", "wait_seconds": 1})
    assert gateway.truth().creates == creates


def test_each_line_of_stdin_tells_when_it_arrived() -> None:
    stdio = Stdio(deque([1.0, 2.0, 5.0]))
    stdio.read(SessionMessage(JSONRPCRequest(jsonrpc="2.0", id=7, method="ping")))
    stdio.read(ValueError("no JSON"))
    stdio.read(SessionMessage(JSONRPCRequest(jsonrpc="2.0", id="8", method="ping")))
    assert (stdio.arrival_s(7), stdio.arrival_s(8)) == (1.0, 5.0)
