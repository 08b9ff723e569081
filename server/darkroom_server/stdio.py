"""The stdio transport: stdout belongs to the protocol, everything else goes to stderr, and `hangup` leaves."""

import gc
import logging
import secrets
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from darkroom_server.hangup import Hangup

if TYPE_CHECKING:
    from mcp.server import MCPServer

    from darkroom.settings import Settings

log = logging.getLogger(__name__)


def serve_stdio(settings: "Settings") -> int:
    """Serve on stdin and stdout until the host leaves or a signal comes, and return the exit code.

    0 when the host left (end of stdin, closed stdout), 128 + n after signal n.
    """
    log_to_stderr(settings.log_level)
    hangup = Hangup()
    hangup.watch()
    server = _create_quietly(settings, hangup)
    import anyio

    try:
        anyio.run(_run, server)
    except* OSError as errors:
        # The host closed stdout while an answer was on its way.
        log.debug("The host left: %s", errors.exceptions[0])
    except* Exception:
        if not hangup.has_begun.is_set():
            raise
        log.debug("Left in the middle of a call", exc_info=True)
    return hangup.exit_code


def log_to_stderr(level: str) -> None:
    """Log our own modules at `level` and all others from WARNING: at DEBUG, HTTP libraries print keys."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    for name in ("darkroom", "darkroom_server"):
        logging.getLogger(name).setLevel(level)


async def _run(server: "MCPServer[Any]") -> None:
    """Serve, with garbage collection from here on: all that was imported stays, also what anyio has imported by now."""
    gc.freeze()
    gc.enable()
    await server.run_stdio_async()


def _create_quietly(settings: "Settings", hangup: "Hangup") -> "MCPServer[Any]":
    """Import and build the server without garbage collection: all of it stays, and each pass would cost time.

    The SDK is kept from importing rich (100 ms) only to configure a logging that is configured already.
    """
    gc.disable()
    modules = cast("dict[str, ModuleType | None]", sys.modules)
    is_hidden = modules.setdefault("rich.console", None) is None
    try:
        from darkroom_server.app import create_server

        return create_server(settings, is_leaving=hangup.has_begun.is_set, conversation=secrets.token_hex(8))
    finally:
        if is_hidden:
            del modules["rich.console"]
