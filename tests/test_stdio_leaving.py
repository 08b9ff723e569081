"""The stdio server in a process of its own, and every way in which it can be left."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals and pipes")

HELLO = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}


class Host:
    """A host that speaks to the server line by line."""

    def __init__(self, folder: Path, **variables: str) -> None:
        kept = {name: text for name, text in os.environ.items() if not name.startswith("DARKROOM_")}
        folders = {"DARKROOM_DATA_DIR": str(folder / "data"), "DARKROOM_OUTPUT_DIR": str(folder / "images")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", "import sys; from darkroom_server.cli import main; sys.exit(main())"],
            env=kept | folders | {"HOME": str(folder)} | variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    @property
    def stdin(self) -> IO[bytes]:
        assert self.process.stdin
        return self.process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        assert self.process.stdout
        return self.process.stdout

    def send(self, method: str, params: dict[str, Any], number: int | None = None) -> None:
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
        self.stdin.write(json.dumps(message if number is None else message | {"id": number}).encode() + b"\n")
        self.stdin.flush()

    def receive(self) -> dict[str, Any]:
        return json.loads(self.stdout.readline())

    def greet(self) -> dict[str, Any]:
        self.send("initialize", HELLO, 1)
        answer = self.receive()
        self.send("notifications/initialized", {})
        return answer

    def begin_a_long_call(self) -> None:
        """Return once the server has reported that it works on it."""
        arguments = {"prompt": "sandbox:slow=60 a fox"}
        params = {"name": "generate_image", "arguments": arguments, "_meta": {"progressToken": "t"}}
        self.send("tools/call", params, 2)
        while "starting" not in self.receive()["params"]["message"]:
            pass

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def end(self) -> tuple[int, str]:
        """Exit code and stderr, once it has left by itself."""
        self.process.wait(timeout=20)
        assert self.process.stderr
        return self.process.returncode, self.process.stderr.read().decode()

    def close(self) -> None:
        if self.is_running:
            self.process.kill()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream and not stream.closed:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue
        self.process.wait(timeout=20)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    host = Host(tmp_path)
    yield host
    host.close()


def test_the_server_answers_and_leaves_with_0_at_the_end_of_stdin(host: Host) -> None:
    assert host.greet()["result"]["serverInfo"]["name"] == "darkroom"
    host.stdin.close()
    assert host.end() == (0, "")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_an_idle_server_without_a_traceback(host: Host, number: int, code: int) -> None:
    host.greet()
    host.process.send_signal(number)
    assert host.end() == (code, "")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_in_the_middle_of_a_call_ends_the_server_without_a_traceback(
    host: Host, number: int, code: int
) -> None:
    host.greet()
    host.begin_a_long_call()
    host.process.send_signal(number)
    left, said = host.end()
    assert left == code
    assert "Traceback" not in said


def test_a_host_that_closes_stdout_but_not_stdin_is_left_too(host: Host) -> None:
    host.greet()
    host.stdout.close()
    left, said = host.end()
    assert left == 0
    assert "Traceback" not in said


def test_a_host_that_dies_in_the_middle_of_a_call_is_left(host: Host) -> None:
    host.greet()
    host.begin_a_long_call()
    host.stdout.close()
    host.stdin.close()
    left, said = host.end()
    assert left == 0
    assert "Traceback" not in said


def test_a_wrong_setting_does_not_keep_the_server_from_listing_its_tools(tmp_path: Path) -> None:
    host = Host(tmp_path, DARKROOM_MAX_USD_PER_DAY="lots")
    try:
        host.greet()
        host.send("tools/list", {}, 2)
        assert {tool["name"] for tool in host.receive()["result"]["tools"]} >= {"generate_image", "get_prediction"}
        host.send("tools/call", {"name": "generate_image", "arguments": {"prompt": "a fox"}}, 3)
        result = host.receive()["result"]
        assert result["isError"] is True
        assert "DARKROOM_MAX_USD_PER_DAY" in result["content"][0]["text"]
    finally:
        host.close()


def test_a_large_message_passes_the_relay_whole(host: Host) -> None:
    host.greet()
    prompt = "x" * 3_000_000
    host.send("tools/call", {"name": "generate_image", "arguments": {"prompt": prompt}}, 2)
    assert host.receive()["id"] == 2
