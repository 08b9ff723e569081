"""`darkroom-mcp worker`, for a team's server."""

from typing import Annotated

import anyio
import typer

from darkroom.errors import SettingsError
from darkroom.settings import Settings
from darkroom_server.cli.team_extra import check_team_extra
from darkroom_server.stdio import log_to_stderr


def worker(
    host: Annotated[str, typer.Option(help="Address on which DARKROOM_METRICS_PORT answers.")] = "127.0.0.1",
) -> None:
    """Follow the predictions of a team and store their images, until SIGTERM. Run two or more, on any machine.

    It makes no creates: those are sent by `darkroom-mcp serve --transport http`. It reads DARKROOM_DATABASE_URL (as the
    role of the workers) and DARKROOM_MASTER_KEYS, and stores images where DARKROOM_OUTPUT_DIR says. Its first line is
    `ready`.

    Example: DARKROOM_DATABASE_URL=postgresql://darkroom_worker@db/darkroom darkroom-mcp worker
    """
    settings = Settings.read()
    log_to_stderr(settings.log_level)
    if (team := settings.team) is None:
        raise SettingsError(
            "DARKROOM_DATABASE_URL is not set. A worker serves a team, whose journal is in PostgreSQL; for one person "
            "`darkroom-mcp` itself follows the predictions."
        )
    check_team_extra()
    if team.metrics_port:
        from darkroom_server.team.metrics import serve_metrics

        serve_metrics(team.metrics_port, host)
    from darkroom_server.team.worker import work

    anyio.run(work, settings, team, lambda: typer.echo("ready"))
