"""`darkroom-mcp migrate` and `worker`, and what all commands for a team need before they begin."""

from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import anyio
import typer

from darkroom.errors import SettingsError
from darkroom.settings import Settings
from darkroom_server.cli.screen import note
from darkroom_server.stdio import log_to_stderr

if TYPE_CHECKING:
    from darkroom.team_settings import TeamSettings
    from darkroom_server.team.administration import Administration


def check_team_extra() -> None:
    """Raises: SettingsError where the extra `team` is not installed."""
    if find_spec("psycopg") is None or find_spec("procrastinate") is None:
        raise SettingsError("A team's darkroom needs the extra `team`: pip install 'darkroom-mcp[team]'.")


def check_database(team: "TeamSettings") -> str:
    """The role that can use the database of this team.

    Raises: SettingsError as `check_team_extra`; JournalError where it cannot, or the tables are not up to date.
    """
    check_team_extra()
    from darkroom.journal.postgres_schema import checked, connected

    assert team.database_url
    with connected(team.database_url.get_secret_value()) as connection:
        checked(connection)
        return connection.info.user


def team_settings() -> "TeamSettings":
    """Those that are set, or else the defaults.

    Raises: SettingsError for one that cannot be used, or where the extra is not installed.
    """
    check_team_extra()
    from darkroom.team_settings import TeamSettings

    return Settings.read_or_problem().team or TeamSettings()


@contextmanager
def owner() -> Generator["Administration"]:
    """What the owner of the database may do; what there is to tell of it besides is told at the end.

    Raises: SettingsError where no owner is named, or as `team_settings`; JournalError.
    """
    team = team_settings()
    team.require("migrate_url")
    from darkroom_server.team.administration import administering

    with administering(team.migrate_url.get_secret_value() if team.migrate_url else "") as administration:
        yield administration
        for line in administration.notices:
            note(line)


def migrate(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit code 1 where the tables are not up to date.")
    ] = False,
) -> None:
    """Make the tables of a team's database, or bring them up to date, as their owner. Running it twice does no harm.

    It also makes the roles DARKROOM_APP_ROLE and DARKROOM_WORKER_ROLE where they are missing.

    Example: DARKROOM_MIGRATE_URL=postgresql://darkroom_owner:PASSWORD@db:5432/darkroom darkroom-mcp migrate --check
    """
    team = team_settings()
    if not (check and team.database_url):
        team.require("migrate_url")
    url = team.migrate_url or team.database_url
    assert url
    from darkroom.journal.postgres_schema import Roles
    from darkroom.journal.postgres_schema import migrate as take_steps

    done = take_steps(url.get_secret_value(), Roles(team.app_role, team.worker_role), check=check)
    for role in done.made_roles:
        note(f"Role '{role}' is made without a password. If it logs in by one: ALTER ROLE {role} PASSWORD '…'.")
    numbers = ", ".join(map(str, done.taken))
    if not done.taken:
        typer.echo(f"The tables are up to date (step {done.before}).")
    elif check:
        typer.echo(f"Missing steps: {numbers}. `darkroom-mcp migrate` takes them.")
        raise typer.Exit(1)
    else:
        typer.echo(f"The tables stood at step {done.before}; taken: {numbers}.")
        if not done.before:
            note("Next: darkroom-mcp tenant add NAME")


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
