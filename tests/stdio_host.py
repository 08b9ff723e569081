"""A host that speaks to the stdio server line by line; the server is a process of its own."""

import json
import os
import subprocess
from pathlib import Path
from typing import IO, Any

from forked_process import ForkedProcess
from forking_program import DARKROOM, INTERPRETER

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
        self.process = self._started(kept | folders | {"HOME": str(folder)} | variables)

    def _started(self, environ: dict[str, str]) -> "subprocess.Popen[bytes]":
        pipe = subprocess.PIPE
        return ForkedProcess([*DARKROOM, "serve"], env=environ, stdin=pipe, stdout=pipe, stderr=pipe)

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
        """Return once the server has reported that the gateway works on it."""
        params = {"name": "generate_image", "arguments": {"prompt": "a fox"}, "_meta": {"progressToken": "t"}}
        self.send("tools/call", params, 2)
        while "processing" not in self.receive()["params"]["message"]:
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


class HostOfAnInterpreter(Host):
    """The server is an interpreter that the host has started itself, with nothing between."""

    def _started(self, environ: dict[str, str]) -> "subprocess.Popen[bytes]":
        pipe = subprocess.PIPE
        return subprocess.Popen([*INTERPRETER, "serve"], env=environ, stdin=pipe, stdout=pipe, stderr=pipe)
