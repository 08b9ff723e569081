"""The sandbox: a gateway of our own that speaks the predictions format and paints real images, free and offline.

It shares no class with the client (plain dicts only), so that a wrong field cannot be wrong on both sides. Of darkroom
it imports the registry alone. Importing this package loads neither the web framework nor Pillow.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from darkroom_server.sandbox.options import SandboxOptions
from darkroom_server.sandbox.weather import WEATHER

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from darkroom.registry import ModelRegistry

__all__ = ["WEATHER", "SandboxOptions", "create_sandbox", "embedded"]


def create_sandbox(options: SandboxOptions | None = None) -> "Starlette":
    """The sandbox as an ASGI app. Its answers depend on `options`, its store and the clock only."""
    from darkroom_server.sandbox.app import build  # loads starlette

    return build(options or SandboxOptions())


def embedded(store_path: Path, registry: "ModelRegistry") -> "Starlette":
    """The sandbox inside another process, as the entry point `darkroom.sandbox` names it.

    Raises: OSError, sqlite3.Error where the store cannot be written.
    """
    return create_sandbox(SandboxOptions(store_path=store_path, registry=registry))
