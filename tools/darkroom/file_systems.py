"""What differs between the file systems of POSIX and Windows; each difference has both ways here, side by side."""

import ntpath
import os
import re
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

# On POSIX files are opened within a folder that is open itself, so that nobody can swap it meanwhile.
HAS_FOLDER_FDS = {os.open, os.link} <= os.supports_dir_fd
FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
NO_WAIT = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)  # a FIFO is then opened at once, and refused
BINARY = getattr(os, "O_BINARY", 0)  # Windows would turn line ends

DRIVE = re.compile(r"[A-Za-z]:[\\/]")
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file (2026-11-26)
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])[ ]*(\.|:|\Z)", re.IGNORECASE)
_NOT_IN_NAMES = re.compile(r'[<>:"|?*\x00-\x1f]')


def path_of_file_uri(uri: str) -> str:
    """The path of a `file:` URI of this machine, as on this machine. Raises: ValueError with the end of a sentence."""
    parts = urlsplit(uri)
    if parts.netloc not in ("", "localhost"):
        raise ValueError("a file URI of another machine is not read.")
    path = unquote(parts.path)
    return path[1:] if DRIVE.match(path[1:]) else path


def is_device(name: str) -> bool:
    """Whether Windows takes a file of this name for a device, as it does with "nul" and "Con.png"."""
    return bool(_DEVICE.match(name))


def trouble_on_windows(path: str) -> str:
    """Why Windows could not write this path as it stands, as the end of a sentence; empty where it can."""
    rest = ntpath.splitdrive(path)[1]
    for name in filter(None, re.split(r"[\\/]", rest)):
        if is_device(name):
            return f"{name!r} is the name of a device there"
        if _NOT_IN_NAMES.search(name):
            return f'{name!r} holds one of < > : " | ? *'
        if name not in (".", "..") and name.endswith((" ", ".")):
            return f"{name!r} ends with a blank or a dot, which is dropped there"
    return ""


def extended(path: str, system: str = os.name) -> str:
    """An absolute path so that Windows takes more than 259 characters of it; on other systems as it is."""
    if system != "nt" or path.startswith("\\\\?\\"):
        return path
    whole = ntpath.normpath(path)
    return f"\\\\?\\UNC\\{whole[2:]}" if whole.startswith("\\\\") else f"\\\\?\\{whole}"


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk; Windows does that by itself, and opens no folder."""
    if os.name != "nt":
        folder_fd = os.open(folder, FOLDER)
        try:
            os.fsync(folder_fd)
        finally:
            os.close(folder_fd)


def write_whole(path: Path, content: bytes, *, keeps_mode: bool = False) -> None:
    """Make this the content of a file, all of it or nothing, on the disk before it returns; its folder is made.

    Only the owner may read it, unless `keeps_mode` gives it the mode of the file that was there. Raises: OSError.
    """
    import shutil
    import tempfile

    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if keeps_mode and path.exists():
            shutil.copymode(path, name)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    with suppress(OSError):  # some file systems cannot
        sync_folder(path.parent)
