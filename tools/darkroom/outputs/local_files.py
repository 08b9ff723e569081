"""Opening an image that the assistant names by path, only inside the folders that the person allows.

A path comes from a language model, which may have been talked into naming a secret. So: the path is compared as text
first, and a path outside is refused in the same words whether or not something lies there; then it is opened component
by component without following links, and everything after that (is it a regular file, how large, what is in it) is
asked of the descriptor that was opened.
"""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from darkroom.errors import InvalidInput
from darkroom.file_systems import (
    BINARY,
    DRIVE,
    FOLDER,
    HAS_FOLDER_FDS,
    NO_FOLLOW,
    NO_WAIT,
    extended,
    path_of_file_uri,
    trouble_on_windows,
)

_FILE = os.O_RDONLY | NO_FOLLOW | NO_WAIT | BINARY
_ROOT = "its drive" if os.name == "nt" else "'/'"


def read_local(reference: str, folders: Sequence[Path], *, field: str, label: str, limit_bytes: int) -> bytes:
    """The bytes of a regular file under one of `folders`. Blocks on the disk.

    `label` is how messages call the argument `field`.

    Raises: InvalidInput naming the allowed folders, and never saying if a file outside of them exists.
    """
    if not folders:
        words = "files of this machine are not read here. Give an https URL, a data URI or 'prediction:ID'."
        raise InvalidInput(f"{label}: {words}", field=field)
    quoted = f"{label} '{quotable(reference)}'"
    try:
        root, parts = _placed(_absolute(reference), folders)
    except ValueError as error:
        raise InvalidInput(f"{quoted}: {error}", field=field) from None
    try:
        descriptor = _open_beneath(root, parts)
    except (OSError, ValueError) as error:
        words = "there is no such file, it may not be read, or a part of the path is a link (links are not followed)."
        raise InvalidInput(f"{quoted} cannot be opened: {words}", field=field) from error
    return _read_regular(descriptor, quoted, field, limit_bytes)


def _absolute(reference: str) -> Path:
    """The path as text, with the home folder put in. Raises: ValueError with the end of a sentence."""
    text = path_of_file_uri(reference) if reference.lower().startswith("file:") else reference
    if "\0" in reference + text:
        raise ValueError("a path cannot hold a NUL character.")
    if text.startswith(("\\\\", "//")):
        raise ValueError("network shares are not read; copy the file to this machine.")
    if text.startswith(("~/", "~\\")):
        return Path.home() / text[2:]
    if os.name != "nt" and DRIVE.match(text):
        raise ValueError("this machine has no drive letters; give the path as it is here.")
    path = Path(text)
    if not path.is_absolute():
        raise ValueError(f"give the whole path, from {_ROOT} or '~/', or an https URL.")
    return path


def _placed(path: Path, folders: Sequence[Path]) -> tuple[Path, tuple[str, ...]]:
    """The folder that holds the path, and the components below it.

    Raises: ValueError where it lies under none, as far as the text tells.
    """
    for folder in folders:
        # The person may have named the folder through a link of their own (as /tmp is one on macOS).
        for root in (folder, Path(os.path.realpath(folder))):
            if not path.is_relative_to(root):
                continue
            parts = path.relative_to(root).parts
            if not parts:
                raise ValueError("this is a folder. Give the path of an image in it.")
            if ".." not in parts and not (os.name == "nt" and trouble_on_windows("\\".join(parts))):
                return root, parts
    allowed = ", ".join(_with_tilde(folder) for folder in folders)
    raise ValueError(
        f"files are only read from {quotable(allowed, 150)}. Give an image that lies there, or a URL; the user can "
        "name other folders instead in DARKROOM_INPUT_DIRS."
    )


def _open_beneath(root: Path, parts: tuple[str, ...]) -> int:
    if not HAS_FOLDER_FDS:
        return _open_checked(root, parts)
    folder = os.open(root, FOLDER)
    try:
        for part in parts[:-1]:
            inner = os.open(part, FOLDER | NO_FOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(parts[-1], _FILE, dir_fd=folder)
    finally:
        os.close(folder)


def _open_checked(root: Path, parts: tuple[str, ...]) -> int:
    """Without descriptors of folders (Windows): the path must be its own real path before and after it was opened."""
    path = Path(os.path.realpath(root)).joinpath(*parts)
    descriptor = os.open(extended(str(path)), _FILE)
    if Path(os.path.realpath(path)) != path:
        os.close(descriptor)
        raise OSError("a part of the path is a link")
    return descriptor


def _read_regular(descriptor: int, words: str, field: str, limit_bytes: int) -> bytes:
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise InvalidInput(f"{words}: this is a folder. Give the path of an image in it.", field=field)
        raise InvalidInput(f"{words} is not a regular file.", field=field)
    try:
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(limit_bytes + 1)
    except OSError as error:
        raise InvalidInput(f"{words} cannot be read ({error.strerror}).", field=field) from error
    if len(content) > limit_bytes:
        most = f"{limit_bytes // 2**20} MiB, the most that is read"
        raise InvalidInput(f"{words} is larger than {most}. Give a smaller image.", field=field)
    return content


def _with_tilde(folder: Path) -> str:
    home = Path.home()
    return f"~/{folder.relative_to(home).as_posix()}" if folder.is_relative_to(home) and folder != home else str(folder)


def quotable(text: str, limit: int = 80) -> str:
    """A reference as messages quote it: one line, without control characters."""
    clean = "".join(character if character.isprintable() else "?" for character in text)
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
