"""The settings of a team: read from the same environment, wrong ones in words, secrets never shown."""

import pytest

from darkroom.errors import SettingsError
from darkroom.settings import Settings
from darkroom.settings_sources import TEAM_SETTINGS
from darkroom.team_settings import TeamSettings, described_for_teams

DATABASE = {"DARKROOM_DATABASE_URL": "postgresql://app:canary-password@db/darkroom"}


def test_without_a_database_there_is_no_team() -> None:
    settings = Settings.read({"DARKROOM_PUBLIC_URL": "https://pictures.example.com"})
    assert settings.team is None


def test_the_settings_of_a_team_are_read_beside_the_others() -> None:
    settings = Settings.read(
        DATABASE
        | {"DARKROOM_PUBLIC_URL": "https://Pictures.example.com/", "DARKROOM_ALLOWED_ORIGINS": "https://a.example, "}
    )
    assert settings.team
    assert settings.team.resource == settings.team.audience == "https://pictures.example.com/mcp"
    assert settings.team.allowed_origins == ("https://a.example",)
    assert settings.team.app_role == "darkroom_app"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://app:canary-password@db/x"),
        ("PUBLIC_URL", "http://pictures.example.com"),
        ("PUBLIC_URL", "https://pictures.example.com/darkroom"),
        ("PUBLIC_URL", "https://ada:canary-password@pictures.example.com"),
        ("OAUTH_ISSUER", "login.example.com"),
        ("ALLOWED_ORIGINS", "*"),
        ("LINK_SECONDS", "5"),
        ("METRICS_PORT", "70000"),
        ("WEBHOOKS", "perhaps"),
        ("MAX_OPEN", "0"),
        ("OAUTH_SCOPE", "images and more"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_allowed(name: str, value: str) -> None:
    settings = Settings.read(DATABASE | {f"DARKROOM_{name}": value})
    with pytest.raises(SettingsError) as error:
        _ = settings.team
    assert error.value.message.startswith(f"DARKROOM_{name} ")
    assert described_for_teams()[name.lower()].allowed in error.value.message
    assert "canary" not in error.value.message


def test_a_missing_setting_is_asked_for_with_its_meaning() -> None:
    team = TeamSettings.read(DATABASE)
    team.require("database_url")
    with pytest.raises(SettingsError, match="DARKROOM_MASTER_KEYS is not set. The keys that seal"):
        team.require("database_url", "master_keys")


def test_secrets_of_a_team_are_not_shown() -> None:
    team = TeamSettings.read(DATABASE | {"DARKROOM_MASTER_KEYS": "k1:canary-password"})
    assert "canary" not in f"{team!r} {team} {team.model_dump()}"


def test_every_setting_of_a_team_is_described() -> None:
    assert set(described_for_teams()) == set(TeamSettings.model_fields) == set(TEAM_SETTINGS)
