"""`darkroom-mcp sandbox`: the sandbox as a server of its own, for any client of the predictions format."""

import contextlib
from typing import Annotated

import typer

from darkroom_server.cli.screen import note
from darkroom_server.cli.serve import LOOPBACK, listening


def sandbox(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.", min=0, max=65535)] = 8787,
    profile: Annotated[str, typer.Option(help="Gateway whose habits it takes on, such as replicate.")] = "replicate",
    key: Annotated[str, typer.Option(help="Made-up key that clients must send; empty lets everybody in.")] = "",
    speed: Annotated[float, typer.Option(help="Divides the time that a prediction takes.", min=0.1)] = 1.0,
) -> None:
    """Serve the sandbox on this machine until Ctrl-C; its first line is its address.

    A prompt that begins with `sandbox:` and one of these has bad weather: cold, slow, stall, unknown, nsfw,
    interrupted, director, oom, cancel, abort, empty, partial, truncated, expired, 402, 429, 503, 500, 504, html.
    Seconds go behind an equals sign, as in `sandbox:slow=75 a lighthouse`.
    """
    import uvicorn

    from darkroom_server.sandbox import SandboxOptions, create_sandbox

    with listening(LOOPBACK, port) as listener:
        address = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        try:
            app = create_sandbox(SandboxOptions(profile=profile, key=key, base_url=address, speed=speed))
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--profile") from None
        typer.echo(address)
        note(
            f"Sandbox with the habits of {profile}. Point a client at it: DARKROOM_BASE_URL={address}. Ctrl-C ends it."
        )
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
