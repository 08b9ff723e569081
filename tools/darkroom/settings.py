"""The person's settings: DARKROOM_ variables, and a file below them, read here and nowhere else.

Plain pydantic over a mapping: pydantic-settings would add 70 ms to every start of the stdio server. A setting that
cannot be used never stops the server silently: `read_or_problem` keeps the error, and each call answers with it.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError

from darkroom.errors import SettingsError
from darkroom.setting_folders import absolute_folder, home_problem, input_folders
from darkroom.settings_sources import PREFIX, TEAM_SETTINGS, About, Sources, argument_texts, described_in, gather
from darkroom.settings_sources import variable_of as variable_of
from darkroom.spelling import closest
from darkroom.uris import is_url

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails
    from starlette.types import ASGIApp

    from darkroom.darkroom import DarkroomOptions
    from darkroom.gateways import GatewayChoice
    from darkroom.key_store import KeyStore
    from darkroom.team_settings import TeamSettings

DEFAULT_WAIT_S = 25
MOST_WAIT_S = 50  # a call may ask for so much; hosts end calls at about 60 s
# Settings of earlier versions that do nothing any more: named by doctor, and no fault.
GONE = {"cancel_tool": "get_prediction(id, cancel=true) does it now"}
GATEWAY_SETTINGS = ("gateway", "base_url", "api_key", "output_hosts", "proxy")  # read by `choose_gateway`


def _on_or_off(word: object) -> object:
    """Hosts send booleans as "true" and "false"."""
    return {"true": "on", "false": "off", "1": "on", "0": "off"}.get(str(word).lower(), str(word).lower())


_Usd = Annotated[float | None, Field(ge=0, allow_inf_nan=False)]


def is_completing() -> bool:
    """Whether a shell has started the command only to ask what may stand next, as typer's completion does."""
    return "_DARKROOM_MCP_COMPLETE" in os.environ


class Settings(BaseModel):
    """All settings with their defaults; settings.toml says what they mean. An empty text means: unset."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    default_model: str = ""
    output_dir: str = ""
    input_dirs: tuple[Path, ...] = ()
    keep_metadata: bool = False
    data_dir: Path | None = None
    models_dir: Path | None = None
    max_usd_per_call: _Usd = None
    max_usd_per_day: _Usd = None
    allow_unknown_price: bool = False
    confirm_usd: _Usd = None
    wait_seconds: Annotated[int, Field(ge=0, le=600)] = DEFAULT_WAIT_S
    previews: Annotated[Literal["on", "off"], BeforeValidator(_on_or_off)] = "on"
    preview_px: Annotated[int, Field(ge=128, le=1536)] = 768
    resource_links: bool = False
    structured_output: bool = False
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(lambda word: str(word).upper())
    ] = "WARNING"

    _reads_local_files: bool = PrivateAttr(default=True)
    _sources: Sources = PrivateAttr(default_factory=Sources)
    _reading_problem: SettingsError | None = PrivateAttr(default=None)

    @classmethod
    def read(
        cls, environ: Mapping[str, str] | None = None, arguments: Mapping[str, object] | None = None
    ) -> "Settings":
        """The settings in `environ` (of the process where it is None) and in the file of its configuration folder.

        `arguments`, by the names of the settings, count more than both; None as a value unsets.

        Raises: SettingsError naming the variable and what is allowed.
        """
        settings = cls.read_or_problem(environ, arguments)
        if settings.problem:
            raise settings.problem
        return settings

    @classmethod
    def read_or_problem(
        cls, environ: Mapping[str, str] | None = None, arguments: Mapping[str, object] | None = None
    ) -> "Settings":
        """The same without raising: what cannot be used keeps its default, and `problem` carries the error.

        Raises: SettingsError for an argument of a type that no setting has.
        """
        sources = gather(os.environ if environ is None else environ, argument_texts(arguments or {}))
        given = sources.texts
        values = {
            field: _parsed(field, text, given)
            for name, text in given.items()
            if name.startswith(PREFIX)
            and (field := name.removeprefix(PREFIX).lower()) not in (*GATEWAY_SETTINGS, *GONE, *TEAM_SETTINGS)
        }
        try:
            settings = cls.model_validate(values)
        except ValidationError as error:
            wrong = error.errors(include_url=False)
            usable = {name: value for name, value in values.items() if name not in {each["loc"][0] for each in wrong}}
            settings = cls.model_validate(usable)
            settings._reading_problem = _explain(wrong[0], sources)
        settings._reading_problem = sources.problem or settings._reading_problem or home_problem(given)
        settings._sources = sources
        return settings

    @cached_property
    def problem(self) -> SettingsError | None:
        """Why no call can be made, or None."""
        if self._reading_problem:
            return self._reading_problem
        try:
            _ = self.choice
        except SettingsError as error:
            written = [name for name in self._sources.config if re.search(rf"\b{name}\b", error.message)]
            places = ", ".join(map(self._sources.place_of, sorted(written)))
            return SettingsError(f"{error.message} See {places}.") if written else error
        return None

    @property
    def sources(self) -> Sources:
        """Where the values come from."""
        return self._sources

    @property
    def key_store(self) -> "KeyStore":
        """The keys that the person has stored."""
        from darkroom.key_store import KeyStore

        return KeyStore(self._sources.folder)

    @cached_property
    def choice(self) -> "GatewayChoice":
        """The gateway with its key, and why it was chosen. Raises: SettingsError where its settings do not fit."""
        from darkroom.gateways import choose_gateway

        return choose_gateway(self._sources.texts, self.key_store)

    @cached_property
    def team(self) -> "TeamSettings | None":
        """Those of a team; None where this darkroom serves one person. Raises: SettingsError."""
        if not {variable_of("database_url"), variable_of("migrate_url")} & self._sources.texts.keys():
            return None
        from darkroom.team_settings import TeamSettings

        return TeamSettings.read(self._sources.texts)

    @property
    def data_path(self) -> Path:
        """Where the journal lies; not created here."""
        if self.data_dir:
            return self.data_dir
        import platformdirs

        return platformdirs.user_data_path("darkroom", appauthor=False)

    @property
    def output_location(self) -> str:
        """Absolute path or object URL of the folder for images; not created here."""
        if self.output_dir:
            return self.output_dir
        import platformdirs

        return str(platformdirs.user_pictures_path() / "darkroom")

    @property
    def input_paths(self) -> tuple[Path, ...]:
        """Folders from which local images may be read, whether they exist or not."""
        if not self._reads_local_files:
            return ()
        output_folder = None if is_url(self.output_location) else Path(self.output_location)
        return input_folders(output_folder, self.input_dirs)

    def without_local_files(self) -> "Settings":
        """The same for callers over a network: no file of this computer is read, also not from `input_dirs`."""
        closed = self.model_copy()
        closed._reads_local_files = False
        return closed

    def at(self, choice: "GatewayChoice") -> "Settings":
        """The same at another gateway, for callers over a network."""
        placed = self.without_local_files()
        vars(placed).update(choice=choice, problem=None)
        return placed

    def options(self) -> "DarkroomOptions":
        """What `Darkroom.open` needs, such as the embedded sandbox. Raises: SettingsError as `problem` has it."""
        from darkroom.darkroom import DarkroomOptions

        if self.problem:
            raise self.problem
        return DarkroomOptions(
            gateway=self.choice.gateway,
            key=self.choice.key,
            app=self.embedded_sandbox(),
            data_dir=self.data_path,
            output_dir=self.output_location,
            models_dir=self.models_dir,
            input_dirs=self.input_paths,
            keep_metadata=self.keep_metadata,
            default_model=self.default_model,
            max_usd_per_call=self.max_usd_per_call,
            max_usd_per_day=self.max_usd_per_day,
            allow_unknown_price=self.allow_unknown_price,
            wait_s=self.wait_seconds,
        )

    @property
    def gone(self) -> tuple[str, ...]:
        """A sentence for each variable that is set and does nothing any more."""
        return tuple(
            f"{variable_of(name)} is gone: {why}."
            for name, why in GONE.items()
            if variable_of(name) in self._sources.texts
        )

    def embedded_sandbox(self) -> "ASGIApp | None":
        """The sandbox inside this process, its store beside the journal; None where another gateway is in use.

        Raises: SettingsError where the data folder cannot be written, or the sandbox is not installed.
        """
        if not self.choice.gateway.is_embedded:
            return None
        import sqlite3

        from darkroom.registry import ModelRegistry
        from darkroom.sandbox_entry import load_sandbox

        create_sandbox = load_sandbox()
        try:
            return create_sandbox(self.data_path / "sandbox.sqlite3", ModelRegistry.load(self.models_dir))
        except (OSError, sqlite3.Error) as error:
            words = getattr(error, "strerror", None) or str(error)
            raise SettingsError(
                f"The data folder '{self.data_path}' cannot be written ({words}). Nothing was sent. The person should "
                "make it writable, or set DARKROOM_DATA_DIR to another one."
            ) from error


def described() -> dict[str, About]:
    """Every setting by its name, those of the gateway first."""
    from darkroom.gateways import load_gateways

    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    known = described_in(Path(__file__).with_suffix(".toml"), defaults)
    return known | {"gateway": replace(known["gateway"], allowed=", ".join(load_gateways()))}


def _parsed(name: str, text: str, environ: Mapping[str, str]) -> object:
    """Folders get their absolute path; everything else is parsed by its type."""
    if name == "input_dirs":
        return tuple(absolute_folder(each.strip(), environ) for each in text.split(os.pathsep) if each.strip())
    if name in {"data_dir", "models_dir"} or (name == "output_dir" and not is_url(text)):
        return str(absolute_folder(text, environ))
    return text


def _explain(wrong: "ErrorDetails", sources: Sources) -> SettingsError:
    name, known = str(wrong["loc"][0]), described()
    variable = variable_of(name)
    place = sources.place_of(variable)
    if name not in known:
        near = closest(name, known, limit=1, cutoff=0.0)
        is_written = variable in sources.config or variable in sources.arguments
        hint = f" Closest: {near[0] if is_written else variable_of(near[0])}." if near else ""
        said = f"{place if is_written else place[:60]} is no setting of darkroom.{hint}"
    else:
        from darkroom.gateways import clean_words

        value = clean_words(sources.texts[variable], 60)  # a key that was put into the wrong variable is not shown
        said = f"{place} is '{value}'. Allowed: {known[name].allowed}."
    return SettingsError(f"{said} Ask the user to mend it.")
