"""A stdio server as a process, as far as its first answers."""

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

_CLIENT = {"name": "bench", "version": "1"}
_META = "io.modelcontextprotocol"
Hello = Literal["initialize", "server/discover"]
# What the SDK's client sends first, by the era of the protocol.
_HELLOS: dict[Hello, dict[str, Any]] = {
    "initialize": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": _CLIENT},
    "server/discover": {
        "_meta": {
            f"{_META}/protocolVersion": "2026-07-28",
            f"{_META}/clientInfo": _CLIENT,
            f"{_META}/clientCapabilities": {},
        }
    },
}


class ServerProcess:
    """Started at `with`; `hello_s` is the time from before the start of the process to the answer to `hello`.

    `processor_s` is the time of processor until then, of all its threads (0.0 but on Linux).
    """

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], hello: Hello = "initialize") -> None:
        self._command = command
        self._environ = environ
        self._hello: Hello = hello

    def __enter__(self) -> Self:
        started = time.perf_counter()
        self._process = subprocess.Popen(
            self._command,
            env=dict(self._environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        answer = self.ask(self._hello, _HELLOS[self._hello])
        self.hello_s = time.perf_counter() - started
        self.processor_s = sum(map(_processor_s, Path(f"/proc/{self.pid}/task").glob("*/schedstat")))
        assert "capabilities" in answer["result"], answer
        if self._hello == "initialize":
            self._write({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Send one request and give its whole answer."""
        self._write({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        assert self._process.stdout
        return json.loads(self._process.stdout.readline())

    def _write(self, message: dict[str, Any]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()


def _processor_s(schedstat: Path) -> float:
    return int(schedstat.read_text(encoding="ascii").split()[0]) / 1e9
