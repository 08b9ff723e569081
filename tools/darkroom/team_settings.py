"""The settings of a darkroom that serves a team: DARKROOM_ variables besides those of a single person.

Read only where DARKROOM_DATABASE_URL or DARKROOM_MIGRATE_URL is set. Addresses of databases and keys hide in `repr`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from darkroom.errors import SettingsError
from darkroom.settings_sources import TEAM_SETTINGS, About, described_in, variable_of
from darkroom.uris import is_loopback_url, is_web_url, origin_of

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_PLACES = ("postgresql", "postgres")
_SECRETS = frozenset({"database_url", "migrate_url", "master_keys"})


def _database(url: SecretStr) -> SecretStr:
    parts = urlsplit(url.get_secret_value())
    if parts.scheme not in _PLACES:
        raise ValueError
    return url


def _web_address(text: str) -> str:
    if not (is_web_url(text) and origin_of(text)) or not text.isprintable() or " " in text:
        raise ValueError
    parts = urlsplit(text)
    if "@" in parts.netloc or parts.query or parts.fragment or (parts.scheme == "http" and not is_loopback_url(text)):
        raise ValueError
    return text


def _own_address(text: str) -> str:
    if urlsplit(_web_address(text)).path not in ("", "/"):
        raise ValueError
    return origin_of(text)


def _origins(text: object) -> object:
    """Texts with commas between them."""
    return tuple(_own_address(each.strip()) for each in str(text).split(",") if each.strip())


def _one_word(text: str) -> str:
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError
    return text


_Database = Annotated[SecretStr, AfterValidator(_database)]
_Word = Annotated[str, AfterValidator(_one_word)]
_Some = Annotated[int | None, Field(ge=1)]


class TeamSettings(BaseModel):
    """All of them with their defaults; team_settings.toml says what they mean. None and "" mean: not set."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    database_url: _Database | None = None
    migrate_url: _Database | None = None
    app_role: _Word = "darkroom_app"
    worker_role: _Word = "darkroom_worker"
    master_keys: SecretStr = SecretStr("")
    public_url: Annotated[str, AfterValidator(_own_address)] = ""
    oauth_issuer: Annotated[str, AfterValidator(_web_address)] = ""
    oauth_audience: _Word = ""
    oauth_scope: _Word = "images"
    oauth_client_id: _Word = ""
    tenant_claim: _Word = ""
    allowed_origins: Annotated[tuple[str, ...], BeforeValidator(_origins)] = ()
    link_seconds: Annotated[int, Field(ge=60, le=604_800)] = 900
    webhooks: Annotated[Literal["on", "off"], BeforeValidator(lambda word: str(word).lower())] = "off"
    metrics_port: Annotated[int | None, Field(ge=1, le=65_535)] = None
    max_open: _Some = None
    max_creates_per_minute: _Some = None

    @classmethod
    def read(cls, texts: Mapping[str, str]) -> "TeamSettings":
        """The settings among `texts`, which are named like the variables.

        Raises: SettingsError naming the variable and what is allowed, without the value of a secret.
        """
        given = {name: texts[variable_of(name)] for name in TEAM_SETTINGS if variable_of(name) in texts}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise _explained(error.errors(include_url=False)[0], given) from None

    @property
    def resource(self) -> str:
        """The address of the MCP server, by which tokens are asked for (RFC 8707)."""
        return f"{self.public_url}/mcp"

    @property
    def audience(self) -> str:
        return self.oauth_audience or self.resource

    def require(self, *names: str) -> None:
        """Raises: SettingsError for the first of these settings that is not set."""
        for name in names:
            value = getattr(self, name)
            if not (value.get_secret_value() if isinstance(value, SecretStr) else value):
                about = described_for_teams()[name]
                raise SettingsError(
                    f"{variable_of(name)} is not set. {about.meaning} Allowed: {about.allowed}. "
                    "The administrator should set it."
                )


def described_for_teams() -> dict[str, About]:
    """Every setting of a team by its name."""
    defaults = {name: field.default for name, field in TeamSettings.model_fields.items()}
    return described_in(Path(__file__).with_suffix(".toml"), defaults)


def _explained(wrong: "ErrorDetails", given: Mapping[str, str]) -> SettingsError:
    from darkroom.gateways import clean_words

    name = str(wrong["loc"][0])
    shown = "cannot be used" if name in _SECRETS or "@" in given[name] else f"is '{clean_words(given[name], 60)}'"
    allowed = described_for_teams()[name].allowed
    return SettingsError(f"{variable_of(name)} {shown}. Allowed: {allowed}. Ask the administrator to mend it.")
