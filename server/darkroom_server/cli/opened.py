"""Opening the darkroom for one command."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from darkroom.darkroom import Darkroom
from darkroom.settings import Settings
from darkroom_server.cli.screen import note
from darkroom_server.stdio import log_to_stderr

T = TypeVar("T")


def read_settings() -> Settings:
    """The person's settings. Raises: SettingsError."""
    settings = Settings.read()
    log_to_stderr(settings.log_level)
    return settings


def in_darkroom(settings: Settings, work: Callable[[Darkroom], Awaitable[T]]) -> T:
    """What `work` gives with the darkroom open. Raises: DarkroomError; KeyboardInterrupt, of which typer makes 130."""

    async def run() -> T:
        async with Darkroom.open(settings.options()) as darkroom:
            for warning in darkroom.journal.warnings:
                note(f"Warning: {warning}")
            return await work(darkroom)

    return anyio.run(run)
