"""The sandbox for tests: on a free loopback port, or in process with a clock that is moved by hand."""

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

import anyio
import httpx
import uvicorn
from quick_sandbox import QUICK

from darkroom_server.sandbox import SandboxOptions, create_sandbox

BASE_URL = "http://sandbox.darkroom.invalid"


class HandClock:
    """A clock that stands still until a test moves it. Seconds since 1970."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += seconds


class _Server(uvicorn.Server):
    """Leaves when it is told to, where uvicorn's own looks ten times a second whether it should."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.leaving = anyio.Event()

    async def main_loop(self) -> None:
        ticks = 0
        while not self.leaving.is_set() and not await self.on_tick(ticks):
            ticks += 1
            with anyio.move_on_after(0.1):
                await self.leaving.wait()


@asynccontextmanager
async def sandbox_client(options: SandboxOptions | None = None) -> AsyncGenerator[httpx.AsyncClient]:
    """An httpx client that talks to a sandbox in process."""
    transport = httpx.ASGITransport(app=create_sandbox(options))
    async with httpx.AsyncClient(transport=transport, base_url=(options or SandboxOptions()).base_url) as client:
        yield client


@asynccontextmanager
async def sandbox_server(options: SandboxOptions = QUICK) -> AsyncGenerator[str]:
    """Serve the sandbox while the block runs; gives its origin, `http://127.0.0.1:<port>`, also its base_url."""
    # With its protocol named, asyncio switches Nagle's delay off on the sockets accepted from it: 40 ms a request.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = create_sandbox(replace(options, base_url=origin))
    server = _Server(uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=1))
    server.config.load()
    with listener:
        async with anyio.create_task_group() as tasks:
            # `_serve` is what `serve` runs after it has taken over the process's signals, which a test must not do.
            tasks.start_soon(lambda: server._serve(sockets=[listener]))  # pyright: ignore[reportPrivateUsage]
            with anyio.fail_after(10):
                while not server.started:  # noqa: ASYNC110 - uvicorn offers no event to wait for
                    await anyio.sleep(0.005)
            try:
                yield origin
            finally:
                server.leaving.set()
