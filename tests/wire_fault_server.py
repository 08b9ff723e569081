"""A raw server on loopback that breaks the wire in one scripted way, to see what a client makes of it.

Only a real socket can reset a connection, stop in the middle of a body or drop a kept connection; transports that
pretend cannot. `whole_requests` says what the server could have billed.
"""

import asyncio
import socket
import struct
from collections.abc import Callable
from types import TracebackType
from typing import Literal, Self

from scripted_gateway import read_request

WireScript = Literal[
    "rst_on_accept",
    "rst_mid_request",
    "rst_after_request",
    "fin_after_request",
    "half_headers",
    "half_body_before_id",
    "half_body_after_id",
    "garbage",
    "silence",
    "no_handshake",
    "dripping_headers",
    "endless_body",
    "good_then_dropped",
]
GOOD_ID = "wirefault00000000000000001"
_BODY = b'{"id": "%s", "status": "starting", "input": {"prompt": "a kite over the dunes"}}' % GOOD_ID.encode()
_HEAD = b"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(_BODY)
_LAST_WORDS: dict[WireScript, bytes] = {
    "fin_after_request": b"",
    "half_headers": b"HTTP/1.1 201 Crea",
    "half_body_before_id": _HEAD + _BODY[:6],
    "half_body_after_id": _HEAD + _BODY[:-20],
    "garbage": b"\x00\x01garbage\r\n\r\n",
}


class WireFaultServer:
    """`async with WireFaultServer(script) as server`; `base_url`, and counts of connections and of whole requests.

    `first_bytes` is set once some have come.

    `on_whole_request` is called for each, before the fault: a fake gateway can bill there.
    """

    def __init__(self, script: WireScript, on_whole_request: Callable[[], None] | None = None) -> None:
        self.connections = 0
        self.whole_requests = 0
        self._script: WireScript = script
        self._on_whole_request = on_whole_request
        self.first_bytes = asyncio.Event()
        self._closing = asyncio.Event()
        self._open: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.base_url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.close()
        await asyncio.gather(*self._open)
        await self._server.wait_closed()

    async def until_closed(self) -> None:
        """Until the other side has closed every connection."""
        await asyncio.gather(*self._open)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._open.add(task)
        await task

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._play(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._script == "rst_on_accept":
            return _reset(writer)
        if self._script == "rst_mid_request":
            await reader.read(200)
            return _reset(writer)
        if self._script == "no_handshake":
            while await reader.read(1000):
                self.first_bytes.set()
            return None
        await self._whole_request(reader)
        match self._script:
            case "rst_after_request":
                _reset(writer)
            case "silence":
                await self._closing.wait()
            case "dripping_headers":
                await self._drip(writer, b"HTTP/1.1 201 Created\r\nx-drip: ", b".")
            case "endless_body":
                await self._drip(writer, _HEAD.replace(b"content-length: %d" % len(_BODY), b"x: y") + _BODY[:-1], b" ")
            case "good_then_dropped":
                writer.write(_HEAD + _BODY)
                await self._whole_request(reader)
                _reset(writer)
            case _:
                writer.write(_LAST_WORDS[self._script])
                await writer.drain()

    async def _whole_request(self, reader: asyncio.StreamReader) -> None:
        await read_request(reader)
        self.whole_requests += 1
        if self._on_whole_request:
            self._on_whole_request()

    async def _drip(self, writer: asyncio.StreamWriter, head: bytes, drop: bytes) -> None:
        writer.write(head)
        while not self._closing.is_set():
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0.02)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST instead of FIN."""
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
