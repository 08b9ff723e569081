"""Shows a file in the system's file manager: a program with arguments, never a shell."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from shutil import which

from darkroom.errors import OutputError


def reveal(path: Path) -> None:
    """Open the folder of a file, with the file selected where the system can do that.

    Raises: OutputError that says why not.
    """
    if not path.is_absolute() or not path.is_file():
        raise OutputError("The file is no longer there: it was moved or deleted.")
    start(_command(path))


def start(command: list[str] | str) -> None:
    """Start a program that outlives us and has nothing to do with our terminal. Raises: OutputError."""
    try:
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise OutputError(f"No file manager could be started ({error.strerror}).") from error


def open_address(url: str) -> bool:
    """Open the address in the person's browser; False where none can be started."""
    if sys.platform in ("darwin", "win32"):
        import webbrowser

        return webbrowser.open(url)
    # Elsewhere `webbrowser` may start one for the terminal, which would take the terminal from us.
    program = which("xdg-open")
    with suppress(OutputError):
        if program:
            start([program, url])
            return True
    return False


def _command(path: Path) -> list[str] | str:
    if sys.platform == "darwin":
        return ["open", "-R", str(path)]
    if sys.platform == "win32":
        # Explorer reads its own line: quotation marks stand inside, and no file name of Windows can hold one.
        return f'explorer /select,"{path}"'
    program = which("xdg-open")
    if program is None:
        raise OutputError("There is no xdg-open on this computer. Copy the path instead.")
    return [program, str(path.parent)]
