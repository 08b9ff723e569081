"""The sandbox on a free loopback port, for tests that need a real socket."""

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

import anyio
import uvicorn

from darkroom_server.sandbox import SandboxOptions, create_sandbox


@asynccontextmanager
async def sandbox_server(options: SandboxOptions | None = None) -> AsyncGenerator[str]:
    """Serve the sandbox while the block runs; gives its origin, `http://127.0.0.1:<port>`, which is also its base_url."""
    listener = socket.create_server(("127.0.0.1", 0))
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = create_sandbox(replace(options or SandboxOptions(), base_url=origin))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=1))
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
                server.should_exit = True
