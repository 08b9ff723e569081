"""Images from any gateway that speaks the predictions format, from Python. Knows nothing of MCP.

    import darkroom

    report = darkroom.generate("a lighthouse at dawn")
    print(report.paths, report.charged.usd)

In an async program, where several calls may run at once:

    async with darkroom.open() as room:
        report = await room.generate("a lighthouse at dawn", count=2)

What is named here is loaded when it is first used, so that importing this package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from darkroom import errors, models
    from darkroom.blocking import cancel, generate, get
    from darkroom.reports import PredictionReport
    from darkroom.room import Room
    from darkroom.room import open as open

# `open` is not among them: a star import would hide Python's own.
__all__ = ["PredictionReport", "Room", "cancel", "errors", "generate", "get", "models"]

_PLACES = {
    "PredictionReport": "darkroom.reports",
    "Room": "darkroom.room",
    "cancel": "darkroom.blocking",
    "generate": "darkroom.blocking",
    "get": "darkroom.blocking",
    "open": "darkroom.room",
}
_MODULES = ("errors", "models")

if not TYPE_CHECKING:  # so that type checkers still see a name that is not there

    def __getattr__(name):
        if name in _MODULES:
            return import_module(f"darkroom.{name}")
        if name not in _PLACES:
            raise AttributeError(f"module 'darkroom' has no attribute {name!r}")
        return getattr(import_module(_PLACES[name]), name)

    def __dir__():
        return sorted({*globals(), *_PLACES, *_MODULES})
