"""What listens: `darkroom-mcp serve` over HTTP, and the sandbox. Over stdio `serve` starts without typer, in `cli`."""

import contextlib
import re
import socket
from collections.abc import Sequence
from typing import Annotated, Literal

import typer

from darkroom.settings import Settings
from darkroom_server.cli.screen import note
from darkroom_server.cli.team import check_database
from darkroom_server.stdio import log_to_stderr, serve_stdio

_LOOPBACK = "127.0.0.1"
_PORT = 8000
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")


def serve(
    transport: Annotated[Literal["stdio", "http"], typer.Option(help="How the host talks to the server.")] = "stdio",
    host: Annotated[str, typer.Option(help="http: address to listen on.")] = _LOOPBACK,
    port: Annotated[int, typer.Option(help="http: port; 0 takes a free one.", min=0, max=65535)] = _PORT,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="http: name by which clients reach it besides localhost; may be repeated.", metavar="NAME"),
    ] = None,
) -> None:
    """Serve MCP over stdio, which is also what happens without arguments when stdin is no terminal, or over HTTP."""
    if transport == "http":
        _serve_http(host, port, allow_host or [])
        return
    if (host, port, allow_host) != (_LOOPBACK, _PORT, None):
        raise typer.BadParameter("--host, --port and --allow-host go with --transport http.")
    raise typer.Exit(serve_stdio(Settings.read_or_problem()))


def _serve_http(host: str, port: int, allowed_hosts: Sequence[str]) -> None:
    """Serve until a signal comes; the first line on stdout is the address."""
    from darkroom.uris import is_loopback
    from darkroom_server.http import serve_http, served_team

    for name in allowed_hosts:
        if not _HOST_NAME.fullmatch(name):
            raise typer.BadParameter(
                f"{name!r} is no host name. Give it without scheme, port and path, such as darkroom.example.com.",
                param_hint="--allow-host",
            )
    shown = f"[{host}]" if ":" in host else host
    settings = Settings.read_or_problem()
    team = served_team(settings)
    if is_loopback(host) or team:
        allowed_hosts = [*allowed_hosts, shown]
    elif not allowed_hosts:
        raise typer.BadParameter(
            f"{host} can be reached from other computers, and darkroom has no log-in: whoever gets there spends "
            "your money. If that is meant, name each host by which clients reach it: --allow-host darkroom.example.com",
            param_hint="--host",
        )
    if team:
        if settings.problem:
            raise settings.problem
        check_database(team)
    log_to_stderr(settings.log_level)
    with listening(host, port) as listener:
        if settings.problem:
            note(settings.problem.message)
        address = f"http://{shown}:{listener.getsockname()[1]}/mcp"
        serve_http(settings, listener, allowed_hosts=allowed_hosts, on_ready=lambda: typer.echo(address))


def sandbox(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.", min=0, max=65535)] = 8787,
    profile: Annotated[str, typer.Option(help="Gateway whose habits it takes on, such as replicate.")] = "replicate",
    key: Annotated[str, typer.Option(help="Made-up key that clients must send; empty lets everybody in.")] = "",
    speed: Annotated[float, typer.Option(help="Divides the time that a prediction takes.", min=0.1)] = 1.0,
    drift: Annotated[bool, typer.Option("--drift", help="Some models have changed since they were curated.")] = False,
) -> None:
    """Serve the sandbox on this machine until Ctrl-C; its first line is its address.

    A prompt that begins with `sandbox:` and one of these has bad weather: cold, slow, stall, unknown, nsfw,
    interrupted, director, oom, cancel, abort, empty, partial, truncated, expired, 402, 429, 503, 500, 504, html.
    Seconds go behind an equals sign, as in `sandbox:slow=75 a lighthouse`.
    """
    import uvicorn

    from darkroom_server.sandbox import SandboxOptions, create_sandbox

    with listening(_LOOPBACK, port) as listener:
        address = f"http://{_LOOPBACK}:{listener.getsockname()[1]}"
        try:
            options = SandboxOptions(profile=profile, key=key, base_url=address, speed=speed, has_drifted=drift)
            app = create_sandbox(options)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--profile") from None
        typer.echo(address)
        note(
            f"Sandbox with the habits of {profile}. Point a client at it: DARKROOM_BASE_URL={address}. Ctrl-C ends it."
        )
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises: typer.BadParameter where it cannot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        opened = socket.create_server((host, port), family=family).detach()
        # With its protocol named, asyncio switches Nagle's delay off on the sockets accepted from it: 40 ms a request.
        return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=opened)
    except OSError as error:
        raise typer.BadParameter(
            f"Nothing can listen on {host}, port {port} ({error.strerror}). Port 0 takes a free one.",
            param_hint="--port",
        ) from None
