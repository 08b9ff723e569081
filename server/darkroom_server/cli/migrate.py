"""`darkroom-mcp migrate`: the tables of a team's database, made or brought up to date by their owner."""

from typing import TYPE_CHECKING, Annotated

import typer

from darkroom_server.cli.screen import note
from darkroom_server.cli.team_extra import team_settings

if TYPE_CHECKING:
    from darkroom.journal.postgres_schema import Migrated


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
    _say(done, check)
    if check and done.taken:
        raise typer.Exit(1)


def _say(done: "Migrated", check: bool) -> None:
    for role in done.made_roles:
        note(f"Role '{role}' is made without a password. If it logs in by one: ALTER ROLE {role} PASSWORD '…'.")
    numbers = ", ".join(map(str, done.taken))
    if not done.taken:
        typer.echo(f"The tables are up to date (step {done.before}).")
    elif check:
        typer.echo(f"Missing steps: {numbers}. `darkroom-mcp migrate` takes them.")
    else:
        typer.echo(f"The tables stood at step {done.before}; taken: {numbers}.")
