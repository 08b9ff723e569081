"""Where settings come from: arguments, the environment, and below them `config.toml` in the configuration folder.

All become texts by the names of the variables, so that everything after reads one kind of thing. Pure but for reading
the one file: the environment comes in as an argument.
"""

import os
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from darkroom.errors import SettingsError
from darkroom.setting_folders import FOLDER_WORDS

PREFIX = "DARKROOM_"
_FILE = "config.toml"
_FOLDER_ENDS = ("_dir", "_dirs")
_SECRET_ENDS = ("_KEY", "_KEYS", "_TOKEN", "_SECRET")
# Those of a darkroom that serves a team; `team_settings` reads them.
TEAM_SETTINGS = (
    "database_url",
    "migrate_url",
    "app_role",
    "worker_role",
    "master_keys",
    "public_url",
    "oauth_issuer",
    "oauth_audience",
    "oauth_scope",
    "oauth_client_id",
    "tenant_claim",
    "allowed_origins",
    "link_seconds",
    "webhooks",
    "metrics_port",
    "max_open",
    "max_creates_per_minute",
)
_DATABASES = ("database_url", "migrate_url")
_MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class About:
    """What a person reads about one setting: its meaning, the allowed values, the default in words."""

    meaning: str
    allowed: str
    default: str = ""


def described_in(path: Path, defaults: Mapping[str, object]) -> dict[str, About]:
    """The settings of a TOML file by their names; where it tells no default in words, that of `defaults`."""
    texts = tomllib.loads(path.read_text(encoding="utf-8"))
    found = {name: About(**row) for name, row in texts.items()}
    for name, value in defaults.items():
        shown = str(value).lower() if isinstance(value, bool) else value
        found[name] = replace(found[name], default=found[name].default or f"`{shown}`")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What was set. `texts` holds every variable that carries a value.

    `config` of them are from the file, `arguments` were given in Python.
    """

    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    config: frozenset[str] = frozenset()
    arguments: frozenset[str] = frozenset()
    folder: Path | None = None
    """The configuration folder; it may not be there. None where HOME is not set."""
    problem: SettingsError | None = None
    """Why the file cannot be used."""

    def place_of(self, variable: str) -> str:
        """`max_usd_per_day in /home/ada/.config/darkroom/config.toml` for what the file sets, else the variable.

        `argument max_usd_per_day` for what was given in Python.
        """
        if variable in self.arguments:
            return f"argument {variable.removeprefix(PREFIX).lower()[:60]}"
        if variable not in self.config:
            return variable
        return f"{variable.removeprefix(PREFIX).lower()[:60]} in {self.path}"

    @property
    def path(self) -> Path | None:
        return self.folder / _FILE if self.folder else None


def variable_of(field: str) -> str:
    """`output_dir` -> `DARKROOM_OUTPUT_DIR`."""
    return PREFIX + field.upper()


def gather(environ: Mapping[str, str], arguments: Mapping[str, str] | None = None) -> Sources:
    """The arguments (texts by variable), over the environment, over the file. An empty argument unsets the others."""
    arguments = arguments or {}
    given = _given_texts(environ)
    folder = config_folder(given)
    written: dict[str, str] = {}
    problem: SettingsError | None = None
    if folder and (folder / _FILE).exists():
        try:
            written = _given_texts(_texts_of(folder / _FILE))
        except SettingsError as error:
            problem = error
    below = {name: text for name, text in (written | given).items() if name not in arguments}
    return Sources(
        texts=below | _given_texts(arguments),
        config=frozenset(written.keys() - given.keys() - arguments.keys()),
        arguments=frozenset(arguments),
        folder=folder,
        problem=problem,
    )


def argument_texts(arguments: Mapping[str, object]) -> dict[str, str]:
    """`{"max_usd_per_day": 3}` -> `{"DARKROOM_MAX_USD_PER_DAY": "3"}`; None unsets, as an empty text does.

    Raises: SettingsError for a value of a type that no setting, or not this one, has; it may be a key and is not shown.
    """
    return {PREFIX + name.upper(): _argument_text(name, value) for name, value in arguments.items()}


def _argument_text(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not name.endswith(_FOLDER_ENDS):
        return str(value).lower()
    separator = os.pathsep if name == "input_dirs" else ","
    kind = type(value).__name__[:40]
    items = cast("Sequence[object]", value) if isinstance(value, list | tuple) else (value,)
    paths = [os.fspath(cast("os.PathLike[str]", each)) if isinstance(each, os.PathLike) else each for each in items]
    texts = [path for path in paths if isinstance(path, str) and separator not in path]
    if len(texts) == len(items):
        return separator.join(filter(None, texts))
    raise SettingsError(
        f"argument {name[:40]} cannot be of type {kind}. Allowed: a text, a path, a number, True, "
        f"False, or a list of texts and paths without {separator!r}; for a folder no number."
    )


def config_folder(environ: Mapping[str, str]) -> Path | None:
    """`darkroom` in the folder for configurations, as platformdirs has it, which would take 10 ms of every start."""
    home = environ.get("HOME") or environ.get("USERPROFILE") or ""
    if sys.platform == "win32":
        parent = environ.get("LOCALAPPDATA") or (f"{home}\\AppData\\Local" if home else "")
    elif sys.platform == "darwin":
        parent = f"{home}/Library/Application Support" if home else ""
    else:
        parent = environ.get("XDG_CONFIG_HOME") or (f"{home}/.config" if home else "")
    return Path(parent) / "darkroom" if parent and Path(parent).is_absolute() else None


def _given_texts(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that carry a value. A host that has none to put in leaves an empty text or its own placeholder."""
    stripped = {name: text.strip() for name, text in environ.items()}
    return {
        name: text
        for name, text in stripped.items()
        if text and (text.startswith(FOLDER_WORDS) or not text.startswith("${"))
    }


def _texts_of(path: Path) -> dict[str, str]:
    """The file's values by the names of their variables. Raises: SettingsError, which shows no value."""
    try:
        if not path.is_file() or path.stat().st_size > _MAX_BYTES:
            raise SettingsError(f"'{path}' is not a file of settings.")
        table = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"'{path}' cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"'{path}' cannot be read: it is not UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        # Its own words may quote the line; only where it is is told.
        place = str(error).rpartition("(")[2].rstrip(")")
        raise SettingsError(f"'{path}' is not TOML: look at {place[:60]}.") from None
    except RecursionError:
        raise SettingsError(f"'{path}' is nested too deeply.") from None
    return {PREFIX + name.upper(): _text(path, name, value) for name, value in table.items()}


def _text(path: Path, name: str, value: object) -> str:
    if name.upper().endswith(_SECRET_ENDS):
        raise SettingsError(
            f"'{path}' holds a key under {name[:40]!r}. Keys do not belong there: take it out and run "
            "`darkroom-mcp key set GATEWAY`."
        )
    if name in ("proxy", *_DATABASES) and "@" in str(value):
        variable = PREFIX + name.upper()
        raise SettingsError(f"{name} holds a password. A password does not belong in '{path}': set {variable} instead.")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(each, str) for each in value):  # pyright: ignore[reportUnknownVariableType] # TOML
        separator = os.pathsep if name == "input_dirs" else ","
        return separator.join(map(str, value))  # pyright: ignore[reportUnknownArgumentType] # texts, as was checked
    raise SettingsError(f"{name[:40]!r} in '{path}' is neither a text, a number, true, false nor a list of texts.")
