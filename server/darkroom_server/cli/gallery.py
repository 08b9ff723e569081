"""`darkroom-mcp gallery`: every picture in the browser, or in one file."""

import contextlib
from pathlib import Path
from typing import Annotated

import anyio
import typer

from darkroom.reports.amounts import counted
from darkroom.settings import Settings
from darkroom_server.cli.screen import note, progress_bar
from darkroom_server.cli.serve import listening
from darkroom_server.stdio import log_to_stderr


def gallery(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.", min=0, max=65535)] = 0,
    is_opened: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    export: Annotated[Path | None, typer.Option(help="Write one HTML file instead, to keep or to send.")] = None,
    limit: Annotated[int, typer.Option(help="--export: how many, newest first; 0 takes all.", min=0)] = 1000,
) -> None:
    """Show all pictures, how they were made and what they cost, on a page in the browser. Costs nothing.

    Only this computer can open the page, and only by the address that is printed. Ctrl-C ends it.
    """
    settings = Settings.read_or_problem()
    log_to_stderr(settings.log_level)
    if settings.problem:
        note(settings.problem.message)
    if export is not None:
        from darkroom_server.page.serving import export_page

        target = export.expanduser()
        with progress_bar() as on_progress:
            count = anyio.run(export_page, settings, target, limit, on_progress)
        typer.echo(target)
        note(f"{counted(count, 'picture')} with prompts and costs, without the paths of this computer.")
        return
    from darkroom_server.page.guard import Guard
    from darkroom_server.page.reveal import open_address
    from darkroom_server.page.serving import serve_page

    def ready(guard: Guard) -> None:
        typer.echo(guard.address)
        if is_opened and not open_address(guard.opening_address):
            note("No browser could be opened here. Open the address above.")
        note("Ctrl-C ends it.")

    with listening("127.0.0.1", port) as listener, contextlib.suppress(KeyboardInterrupt):
        anyio.run(serve_page, settings, listener, ready)
