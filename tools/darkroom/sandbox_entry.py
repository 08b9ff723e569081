"""The sandbox that runs inside this process, found through an entry point: `darkroom` does not know where it lies."""

import tomllib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from darkroom.errors import SettingsError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from darkroom.registry import ModelRegistry

_DISTRIBUTION = "darkroom-mcp"
_GROUP = "darkroom.sandbox"
_NAME = "embedded"


def load_sandbox() -> "Callable[[Path, ModelRegistry], ASGIApp]":
    """What makes the sandbox, from the path of its SQLite store and the models that it offers.

    Only darkroom's own distribution is asked, so that no other package can put itself in its place.

    Raises: SettingsError where `darkroom` is here without it.
    """
    try:
        return _entry().load()
    except (ImportError, LookupError, OSError, ValueError) as error:
        raise SettingsError(
            "The sandbox is not installed here. Nothing was sent. Install darkroom-mcp, or set DARKROOM_GATEWAY "
            "and a key."
        ) from error


def _entry() -> metadata.EntryPoint:
    """The entry of the installed distribution; in a checkout that is not installed, the one that it would have."""
    try:
        installed = metadata.distribution(_DISTRIBUTION).entry_points
        return installed.select(group=_GROUP)[_NAME]
    except (metadata.PackageNotFoundError, KeyError):
        project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
        return metadata.EntryPoint(_NAME, project["project"]["entry-points"][_GROUP][_NAME], _GROUP)
