"""A gateway on loopback that has thousands of predictions and takes little time of its own; it says how much.

`with busy_gateway() as gateway`, in a process of its own; as a program its first line is its address. Bodies are made
once for each prediction, so that a page of the list is joined from what is there.
"""

import asyncio
import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any

from fault_plan import picture
from forked_process import ForkedProcess

_PAGE_LENGTH = 100
_LOGS = "\n".join(f"{percent:3d}%|{'#' * (percent // 10):<10}| {percent}/100" for percent in range(0, 100, 10))
_FAILS_EVERY = 50


class _Made:
    """One prediction; `ends_s` is on the wall clock."""

    def __init__(self, number: int, base_url: str, model: str, input: dict[str, Any], span_s: tuple[float, float]):
        self.id = f"busy{number:022d}"
        self.created_s, self.ends_s = span_s
        has_failed = number % _FAILS_EVERY == _FAILS_EVERY - 1
        body: dict[str, Any] = {
            "id": self.id,
            "model": model,
            "version": "hidden",
            "input": input,
            "error": None,
            "logs": _LOGS,
            "created_at": _stamp(self.created_s),
            "started_at": _stamp(self.created_s),
            "urls": dict.fromkeys(("get", "cancel", "web"), f"{base_url}/v1/predictions/{self.id}"),
        }
        runs: dict[str, Any] = {"status": "processing", "output": None, "metrics": {}, "completed_at": None}
        took = {"predict_time": self.ends_s - self.created_s, "total_time": self.ends_s - self.created_s}
        status = "failed" if has_failed else "succeeded"
        output = None if has_failed else [f"{base_url}/files/{self.id}.png"]
        ended = {"status": status, "output": output, "metrics": took, "completed_at": _stamp(self.ends_s)}
        self._runs = json.dumps(body | runs).encode()
        self._ended = json.dumps(body | ended | {"error": "NSFW content" if has_failed else None}).encode()

    def view(self, now: float) -> bytes:
        return self._ended if now >= self.ends_s else self._runs


class _State:
    """What there is, and what was asked."""

    def __init__(self) -> None:
        self.base_url = ""
        self.run_s = 60.0
        self.made: list[_Made] = []
        self.listed: list[_Made] = []
        self.by_id: dict[str, _Made] = {}
        self.counts = {"creates": 0, "looks": 0, "lists": 0, "files": 0}
        self.spoiled: dict[str, int] = {}
        self.unanswered: list[asyncio.Transport] = []

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        if path.startswith("/v1/predictions/"):
            self.counts["looks"] += 1
            found = self.by_id.get(path.rpartition("/")[2])
            return (200, found.view(time.time())) if found else (404, b'{"title":"Not Found","detail":"no such"}')
        if path.startswith("/v1/predictions") and method == "GET":
            return 200, self._page(int(path.partition("cursor=")[2] or len(self.listed)))
        if method == "POST" and path.startswith("/v1/models/"):
            self.counts["creates"] += 1
            asked = json.loads(body)
            return 201, self._make("/".join(path.split("/")[3:5]), asked["input"], 0.0, self.run_s).view(0.0)
        if path.startswith("/files/"):
            self.counts["files"] += 1
            name = path.rpartition("/")[2]
            return self.spoiled.get(name, 200), picture(name)
        return self._told(path, json.loads(body))

    def _told(self, path: str, asked: Any) -> tuple[int, bytes]:
        """By whoever measures: `/run` sets how long creates run, `/fill` makes predictions, `/truth` tells all.

        `/spoil` says with which status which files are answered; 0 is no answer until it is said anew, and then none.
        """
        if path == "/run":
            self.run_s = asked
        elif path == "/spoil":
            self.spoiled = asked
            while self.unanswered:
                self.unanswered.pop().abort()
        elif path == "/fill":
            place, are_listed = (asked["model"], asked["input"]), asked["are_listed"]
            made = [self._make(*place, age_s, left_s, are_listed) for age_s, left_s in asked["spans"]]
            return 200, json.dumps([each.id for each in made]).encode()
        elif path != "/truth":
            return 404, b'{"detail":"Not found"}'
        told = {"ends": {each.id: each.ends_s for each in self.made}, "processor_s": time.process_time()}
        return 200, json.dumps(self.counts | told).encode()

    def _make(self, model: str, input: dict[str, Any], age_s: float, left_s: float, is_listed: bool = True) -> _Made:
        now = time.time()
        made = _Made(len(self.made), self.base_url, model, input, (now - age_s, now + left_s))
        self.made.append(made)
        self.listed += [made] * is_listed
        self.by_id[made.id] = made
        return made

    def _page(self, until: int) -> bytes:
        """Newest first: those before number `until`, which also names the page, as made while it is read."""
        self.counts["lists"] += 1
        first, now = max(0, until - _PAGE_LENGTH), time.time()
        following = f"{self.base_url}/v1/predictions?cursor={first}" if first else None
        shown = b",".join(each.view(now) for each in reversed(self.listed[first:until]))
        return b'{"previous":null,"next":%s,"results":[%s]}' % (json.dumps(following).encode(), shown)


class _Connection(asyncio.Protocol):
    """Answers each request at once, in order; a body comes with its length, as our client sends it."""

    def __init__(self, state: _State) -> None:
        self._state = state
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            first, *lines = self._received[:end].decode("latin-1").split("\r\n")
            given = [line for line in lines if line.lower().startswith("content-length:")]
            until = end + 4 + (int(given[0].partition(":")[2]) if given else 0)
            if len(self._received) < until:
                return
            method, path, _ = first.split(" ")
            status, body = self._state.answer(method, path, self._received[end + 4 : until])
            self._received = self._received[until:]
            if not status:
                self._state.unanswered.append(self._transport)
                continue
            kind = "image/png" if path.startswith("/files/") else "application/json"
            head = f"HTTP/1.1 {status} Said\r\ncontent-type: {kind}\r\ndate: {formatdate(usegmt=True)}\r\n"
            self._transport.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)


@dataclass(frozen=True)
class Asked:
    """What the gateway was asked so far, when each of its predictions ends, and its own seconds of processor."""

    creates: int
    looks: int
    lists: int
    files: int
    ends: dict[str, float]
    processor_s: float


class BusyGateway:
    """One that runs in a process of its own."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    def run_creates_for(self, seconds: float) -> None:
        """How long what is created from now on runs."""
        self._ask("/run", seconds)

    def fill(
        self, model: str, input: dict[str, Any], spans: Sequence[tuple[float, float]], *, are_listed: bool = True
    ) -> list[str]:
        """Predictions that were created so many seconds ago and end in so many, oldest first; their ids."""
        return self._ask("/fill", {"model": model, "input": input, "spans": spans, "are_listed": are_listed})

    def spoil(self, files: dict[str, int]) -> None:
        """From now on these files, `ID.png`, are answered with this status and no other.

        0 is no answer; who waits for one is hung up on when this is called again.
        """
        self._ask("/spoil", files)

    def asked(self) -> Asked:
        return Asked(**self._ask("/truth"))

    def _ask(self, path: str, body: object = None) -> Any:
        request = urllib.request.Request(self.base_url + path, json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)


@contextmanager
def busy_gateway() -> Generator[BusyGateway]:
    with ForkedProcess([__file__], env=os.environ, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield BusyGateway(process.stdout.readline().strip())
        finally:
            process.kill()


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


async def main() -> None:
    state = _State()
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(state), "127.0.0.1", 0, backlog=1000)
    state.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    print(state.base_url, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
