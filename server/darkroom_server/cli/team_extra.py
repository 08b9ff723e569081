"""What the commands for a team need before they begin."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from darkroom.errors import SettingsError
from darkroom.settings import Settings

if TYPE_CHECKING:
    from darkroom.team_settings import TeamSettings


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


def owner_url() -> str:
    """The address of the database as its owner. Raises: SettingsError where none is named, or as `team_settings`."""
    team = team_settings()
    team.require("migrate_url")
    return team.migrate_url.get_secret_value() if team.migrate_url else ""
