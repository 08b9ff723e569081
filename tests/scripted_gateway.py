"""A gateway on loopback that gives canned answers in order and remembers every request, headers included."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

from darkroom.gateways import Gateway, load_gateways


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRequest:
    """What arrived, whole: `path` with its query, header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Answer:
    """One canned answer; a `body` that is no str or bytes is sent as JSON."""

    body: Any = field(default_factory=dict[str, Any])
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def encoded(self) -> bytes:
        text = self.body if isinstance(self.body, str | bytes) else json.dumps(self.body)
        content = text.encode() if isinstance(text, str) else text
        headers = {"content-type": "application/json", "content-length": str(len(content)), **self.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"HTTP/1.1 {self.status} Scripted\r\n{lines}\r\n".encode() + content


Responder = Callable[[RecordedRequest], Answer]


class ScriptedGateway:
    """`async with ScriptedGateway(Answer(...), ...) as gateway`; the last answer repeats, `answer` replaces them all.

    An answer may be made from its request by a function. One that says `connection: close` ends its connection.

    `requests` holds every whole request in order of arrival; `connections` counts the connections.
    """

    def __init__(self, *answers: "Answer | Responder") -> None:
        self.requests: list[RecordedRequest] = []
        self.connections = 0
        self._answers: Sequence[Answer | Responder] = answers or (Answer(),)
        self._given = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._arrived = asyncio.Event()

    def answer(self, *answers: "Answer | Responder") -> None:
        """From now on these, from the first."""
        self._answers = answers
        self._given = 0

    async def heard(self, count: int) -> None:
        """Wait for so many requests in all: one that its client gives up may be read after that."""
        while len(self.requests) < count:
            self._arrived.clear()
            await self._arrived.wait()

    @property
    def open_connections(self) -> int:
        """How many have neither been closed here nor there."""
        return len(self._writers)

    def posts(self) -> list[RecordedRequest]:
        return [request for request in self.requests if request.method == "POST"]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.base_url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for writer in list(self._writers):
            writer.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while True:
                request = await read_request(reader)
                self.requests.append(request)
                self._arrived.set()
                answer = self._answers[min(self._given, len(self._answers) - 1)]
                self._given += 1
                given = answer if isinstance(answer, Answer) else answer(request)
                writer.write(given.encoded())
                await writer.drain()
                if given.headers.get("connection") == "close":
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()


async def read_request(reader: asyncio.StreamReader) -> RecordedRequest:
    """One whole request off the wire. Raises: asyncio.IncompleteReadError when the client leaves before its end."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return RecordedRequest(method=method, path=path, headers=headers, body=body)


def gateway_at(base_url: str, name: str = "replicate") -> Gateway:
    """The profile `name`, served from `base_url`."""
    return replace(load_gateways()[name], base_url=base_url)
