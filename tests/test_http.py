"""The HTTP transport as a process: the Python SDK's client in both eras, who is let in, and how it leaves."""

import base64
import contextlib
import os
import signal
import subprocess
from collections.abc import AsyncGenerator, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import systems
from anyio.abc import SocketStream
from call_results import report, text
from fault_plan import Plan
from forking_program import INTERPRETER
from gateway_process import gateway_process
from http_process import HttpProcess, bare_environ
from mcp import Client, MCPError
from PIL import Image

from darkroom.settings import Settings
from darkroom_server import __version__
from darkroom_server.cli import main

pytestmark = pytest.mark.anyio

ERAS = ("auto", "legacy")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpProcess]:
    """One for all tests that neither stop it nor look at `latest`."""
    folder = tmp_path_factory.mktemp("http")
    with HttpProcess(folder, "--allow-host", "darkroom.example.com", DARKROOM_INPUT_DIRS=str(folder)) as process:
        Image.new("RGB", (64, 64), "teal").save(folder / "teal.png")
        yield process


@pytest.fixture(params=ERAS)
async def client(request: pytest.FixtureRequest, server: HttpProcess) -> AsyncGenerator[Client]:
    with anyio.fail_after(60):
        async with Client(server.url, mode=request.param) as client:
            yield client


def is_under_way(message: str | None) -> bool:
    """The gateway has it."""
    return bool(message) and any(word in message for word in ("starting", "processing"))


# Both eras


async def test_a_picture_is_made_over_http_and_found_again(client: Client) -> None:
    assert [tool.name for tool in (await client.list_tools()).tools][:2] == ["generate_image", "get_prediction"]
    made = await client.call_tool("generate_image", {"prompt": "a lighthouse at dawn"})
    assert text(made).startswith("Succeeded: 1 image")
    found = await client.call_tool("get_prediction", {"id": report(made)["id"]})
    assert report(found)["images"][0]["sha256"] == report(made)["images"][0]["sha256"]


async def test_progress_arrives_while_a_call_waits(client: Client) -> None:
    seen: list[str] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        seen.append(message or "")

    made = await client.call_tool("generate_image", {"prompt": "sandbox:slow=0.3 a fox"}, progress_callback=on_progress)
    assert any(message.startswith(report(made)["id"]) for message in seen)


async def test_no_file_of_this_computer_is_read_for_a_caller_over_http(client: Client, server: HttpProcess) -> None:
    path = server.folder / "teal.png"
    refused = await client.call_tool("generate_image", {"prompt": "make it night", "images": [str(path)]})
    assert refused.is_error
    assert "files of this machine are not read here" in text(refused)


async def test_a_picture_of_several_megabytes_passes_as_a_data_uri(client: Client) -> None:
    buffer = BytesIO()
    Image.frombytes("RGB", (1300, 1300), os.urandom(1300 * 1300 * 3)).save(buffer, "PNG", compress_level=0)
    uri = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    assert len(uri) > 5_000_000
    edited = await client.call_tool("generate_image", {"prompt": "make it night", "images": [uri]})
    assert text(edited).startswith("Succeeded: 1 image")


# Who is let in


async def test_health_says_name_version_and_that_all_is_well(server: HttpProcess) -> None:
    async with httpx.AsyncClient() as web:
        answer = await web.get(f"{server.origin}/health")
    assert answer.json() == {"name": "darkroom", "version": __version__, "ok": True}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "darkroom.example.com"}, 200),
        ({"Host": "darkroom.example.com:8443", "Origin": "https://darkroom.example.com:8443"}, 200),
        ({"Origin": "http://localhost:6274"}, 200),
        ({"Host": "evil.example"}, 421),
        ({"Host": "darkroom.example.com.evil.example"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
async def test_only_expected_hosts_and_origins_are_answered(
    server: HttpProcess, headers: dict[str, str], status: int
) -> None:
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
    accepted = {"Accept": "application/json, text/event-stream"}
    async with httpx.AsyncClient() as web:
        answer = await web.post(server.url, json=body, headers=accepted | headers)
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--transport", "http", "--host", "0.0.0.0"), "--allow-host darkroom.example.com"),
        (("--transport", "http", "--host", "::"), "no log-in"),
        (("--transport", "http", "--host", "192.0.2.7"), "no log-in"),
        (("--transport", "http", "--allow-host", "https://darkroom.example.com"), "is no host name"),
        (("--transport", "http", "--allow-host", "*"), "is no host name"),
        (("--port", "9000"), "--transport http"),
    ],
)
def test_a_way_to_serve_that_is_not_safe_or_not_meant_is_refused_in_words(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    assert main(["serve", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_port_that_is_taken_is_said_in_words(server: HttpProcess, capsys: pytest.CaptureFixture[str]) -> None:
    port = server.origin.rpartition(":")[2]
    assert main(["serve", "--transport", "http", "--port", port]) == 2
    assert f"port {port}" in capsys.readouterr().err


def test_settings_without_local_files_open_no_folder_even_where_one_is_named(tmp_path: Path) -> None:
    settings = Settings.read({"DARKROOM_INPUT_DIRS": str(tmp_path), "DARKROOM_DATA_DIR": str(tmp_path)})
    assert tmp_path in settings.options().input_dirs
    assert settings.without_local_files().options().input_dirs == ()


# Settings and leaving


async def test_a_wrong_setting_is_told_in_health_and_in_each_answer(tmp_path: Path) -> None:
    with HttpProcess(tmp_path, DARKROOM_GATEWAY="replicat") as server:
        async with httpx.AsyncClient() as web:
            assert (await web.get(f"{server.origin}/health")).json()["ok"] is False
        async with Client(server.url) as client:
            answer = await client.call_tool("generate_image", {"prompt": "a fox"})
    assert answer.is_error
    assert "DARKROOM_GATEWAY" in text(answer)


@systems.signals
@pytest.mark.parametrize("mode", ERAS)
async def test_a_server_that_is_stopped_leaves_with_0_and_the_prediction_goes_on(tmp_path: Path, mode: Any) -> None:
    left: list[tuple[int, str]] = []
    arguments = {"prompt": "a fox", "request_id": "fox"}
    with anyio.fail_after(120), gateway_process(Plan(run_s=600)) as gateway:
        with HttpProcess(tmp_path, **gateway.settings) as server, pytest.raises(ExceptionGroup) as broken:
            async with Client(server.url, mode=mode) as client:
                stopping = anyio.Lock()

                async def stop(progress: float, total: float | None, message: str | None) -> None:
                    async with stopping:  # the next notice comes while the server still leaves
                        if is_under_way(message) and not left:
                            left.append(await anyio.to_thread.run_sync(server.terminate))

                await client.call_tool("generate_image", arguments, progress_callback=stop)
        assert broken.group_contains(MCPError)
        gateway.end_all()
        with HttpProcess(tmp_path, **gateway.settings) as server:
            async with Client(server.url, mode=mode) as client:
                later = await client.call_tool("get_prediction", {"id": "fox", "wait_seconds": 50})
        assert gateway.truth().cancels == []
    code, said = left[0]
    assert code == 0
    assert "Traceback" not in said and "uvicorn" not in said
    assert text(later).startswith("Succeeded: 1 image")


def test_the_stdio_server_loads_nothing_of_the_http_server(tmp_path: Path) -> None:
    script = "from darkroom_server.cli import main; code = main(['serve'])\n"
    script += "import sys; print(code, 'darkroom_server.http' in sys.modules, 'typer' in sys.modules, file=sys.stderr)"
    with subprocess.Popen(
        [*INTERPRETER[:2], script],
        env=bare_environ(tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        print('{"jsonrpc": "2.0", "id": 1, "method": "ping"}', file=process.stdin, flush=True)
        assert process.stdout.readline()
        process.stdin.close()
        assert process.stderr.read().split() == ["0", "False", "False"]


@systems.signals
def test_an_idle_server_leaves_with_0_and_says_nothing(tmp_path: Path) -> None:
    with HttpProcess(tmp_path) as server:
        assert server.url.startswith("http://127.0.0.1:")
        assert server.terminate() == (0, "")


# Half-sent requests


async def _half_sent(port: int, sent: bytes) -> SocketStream:
    stream = await anyio.connect_tcp("127.0.0.1", port)
    await stream.send(sent)
    return stream


async def _heard(stream: SocketStream) -> bytes:
    """All that comes until the server closes."""
    heard = b""
    async with stream:
        with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            while True:
                heard += await stream.receive()
    return heard


HALF_SENT = {
    "a body": b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{",
    "a chunked body": b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
    "headers": b"POST /mcp HTTP/1.1\r\nHost: localhost\r\n",
    "nothing": b"",
}


async def test_half_sent_requests_end_in_408_and_keep_nobody_out(tmp_path: Path) -> None:
    with anyio.fail_after(60), HttpProcess(tmp_path) as server:
        port = int(server.origin.rpartition(":")[2])
        streams = [await _half_sent(port, sent) for sent in HALF_SENT.values() for _ in range(75)]
        async with Client(server.url) as client:
            assert not (await client.call_tool("list_models", {})).is_error
        answers = [await _heard(stream) for stream in streams]
        assert all(answer.startswith(b"HTTP/1.1 408 ") for answer in answers)
        assert server.terminate() == (0, "")


@systems.signals
async def test_a_rush_of_whole_requests_is_answered_whole(server: HttpProcess) -> None:
    port = int(server.origin.rpartition(":")[2])
    server.signal(signal.SIGSTOP)  # so that all of them wait when it looks again
    try:
        sent = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        streams = [await _half_sent(port, sent) for _ in range(250)]
    finally:
        server.signal(signal.SIGCONT)
    with anyio.fail_after(30):
        answers = [await _heard(stream) for stream in streams]
    assert {answer[:12] for answer in answers} == {b"HTTP/1.1 200"}


async def test_a_body_that_comes_in_pieces_is_waited_for(server: HttpProcess) -> None:
    body = b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}'
    head = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
    head += b"Accept: application/json, text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(body)
    with anyio.fail_after(30):
        stream = await _half_sent(int(server.origin.rpartition(":")[2]), head)
        for start in range(0, len(body), 9):
            await stream.send(body[start : start + 9])
        assert (await _heard(stream)).startswith(b"HTTP/1.1 400 ")  # no session was opened; but it was read whole
