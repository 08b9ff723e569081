"""What the commands for a team need before they begin."""

from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from darkroom.errors import SettingsError
from darkroom.settings import Settings
from darkroom_server.cli.screen import note

if TYPE_CHECKING:
    from darkroom.team_settings import TeamSettings
    from darkroom_server.team.administration import Administration


def check_team_extra() -> None:
    """Raises: SettingsError where the extra `team` is not installed."""
    if find_spec("psycopg") is None or find_spec("procrastinate") is None:
        raise SettingsError("A team's darkroom needs the extra `team`: pip install 'darkroom-mcp[team]'.")


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
