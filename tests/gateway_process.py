"""A fault gateway in a process of its own, told and asked over HTTP: `with gateway_process() as gateway`.

Run: python tests/gateway_process.py, which says its process id and address; with `forks`, once for each line of stdin.
"""

import asyncio
import atexit
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from typing import Any, Literal

from fault_gateway import FaultGateway
from fault_plan import Made, Plan, Truth


class GatewayProcess:
    """A fault gateway in a process of its own, told and asked over HTTP."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    @property
    def settings(self) -> dict[str, str]:
        """The variables that make it the gateway of a server."""
        return {"DARKROOM_GATEWAY": "replicate", "DARKROOM_BASE_URL": self.base_url, "DARKROOM_API_KEY": "r8_nobody"}

    def follow(self, plan: Plan) -> None:
        self._ask("/plan", asdict(plan))

    def serve_accounts(self, accounts: dict[str, str]) -> None:
        self._ask("/accounts", accounts)

    def end_all(self) -> None:
        self._ask("/end")

    def until(self, name: Literal["predictions", "cancels"], count: int = 1) -> None:
        """Return when it has so many of them."""
        self._ask(f"/until?{name}={count}")

    def truth(self) -> Truth:
        told = self._ask("/truth")
        told["predictions"] = [Made(**each) for each in told["predictions"]]
        return Truth(**told)

    def _ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(self.base_url + path, json.dumps(body).encode() if body else None)
        with urllib.request.urlopen(request, timeout=90) as response:
            return json.load(response)


@contextmanager
def gateway_process(plan: Plan | None = None) -> Generator[GatewayProcess]:
    """Serve while the block runs; what it has loaded is kept for the next one, where there are forks."""
    if hasattr(os, "fork"):
        process = _forking_process()
        assert process.stdin and process.stdout
        process.stdin.write("one more\n")
        process.stdin.flush()
        pid, base_url = process.stdout.readline().split()
        try:
            gateway = GatewayProcess(base_url)
            gateway.follow(plan or Plan())
            yield gateway
        finally:
            os.kill(int(pid), signal.SIGKILL)
    else:
        with subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout
                gateway = GatewayProcess(process.stdout.readline().split()[1])
                gateway.follow(plan or Plan())
                yield gateway
            finally:
                process.kill()


@cache
def _forking_process() -> "subprocess.Popen[str]":
    """Of this process, with which it ends."""
    command = [sys.executable, __file__, "forks"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(process.communicate)  # with the end of its stdin it ends
    return process


async def main() -> None:
    async with FaultGateway() as gateway:
        print(os.getpid(), gateway.base_url, flush=True)
        await gateway.serve_forever()


def _fork_for_each_line() -> bool:
    """Whether this is a fork; the first process returns when nobody can ask any more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # so that no fork remains a zombie
    return any(os.fork() == 0 for _ in sys.stdin)


if __name__ == "__main__":
    if "forks" not in sys.argv or _fork_for_each_line():
        asyncio.run(main())
