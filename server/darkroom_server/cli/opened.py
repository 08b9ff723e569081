"""Opening the darkroom for one command."""

import signal
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

import anyio
import typer

from darkroom.darkroom import Darkroom
from darkroom.settings import Settings
from darkroom_server.cli.screen import note
from darkroom_server.stdio import log_to_stderr

T = TypeVar("T")
_LIKE_CTRL_C = ("SIGTERM", "SIGHUP")  # the end of a time-out, and of the terminal; Windows has no SIGHUP


def read_settings() -> Settings:
    """The person's settings. Raises: SettingsError."""
    settings = Settings.read()
    log_to_stderr(settings.log_level)
    return settings


def in_darkroom(settings: Settings, work: Callable[[Darkroom], Awaitable[T]]) -> T:
    """What `work` gives with the darkroom open. Raises: DarkroomError; typer.Exit with 128 + n after signal n."""

    async def run() -> T:
        async with Darkroom.open(settings.options()) as darkroom:
            for warning in darkroom.journal.warnings:
                note(f"Warning: {warning}")
            return await work(darkroom)

    with _taken_like_ctrl_c() as came:
        try:
            return anyio.run(run)
        except KeyboardInterrupt:
            raise typer.Exit(128 + (*came, signal.SIGINT)[0]) from None


@contextmanager
def _taken_like_ctrl_c() -> Generator[list[int]]:
    """Let other signals end a command as Ctrl-C does: ids on their way arrive, and how to go on is said.

    Gives those that came.
    """
    came: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        came.append(number)
        interrupt = signal.getsignal(signal.SIGINT)
        if not callable(interrupt):  # a shell has it ignored by what it runs behind its back
            raise KeyboardInterrupt
        interrupt(number, frame)

    known = [getattr(signal, name) for name in _LIKE_CTRL_C if hasattr(signal, name)]
    taken = [each for each in known if signal.getsignal(each) is signal.SIG_DFL]  # nohup has SIGHUP ignored
    for each in taken:
        signal.signal(each, stop)
    try:
        yield came
    finally:
        for each in taken:
            signal.signal(each, signal.SIG_DFL)
