"""Reading and replacing a settings file of another program: all or nothing, with a copy, and its mode and link kept."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from darkroom.errors import SettingsError
from darkroom.file_systems import write_whole


def read_text(path: Path) -> str:
    """The text with its line ends as they are; empty where there is no file.

    Raises: SettingsError where it cannot be read.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{str(path)[:160]!r} cannot be read ({_reason(error)}). Nothing was changed.") from error


def replace_text(path: Path, old: str, new: str, *, stamp: str) -> Path | None:
    """Put `new` in the place of `old`; gives the copy of the old file, `<file>.bak-<stamp>`, if there was one.

    A link stays a link: its target is replaced. A new file is readable by its owner only, because it may hold a key.

    Raises: SettingsError where it cannot be written, or changed meanwhile.
    """
    if read_text(path) != old:
        raise SettingsError(f"{str(path)[:160]!r} was changed by another program just now. Nothing was changed.")
    try:
        new.encode("utf-8")  # a path of this computer may hold bytes that are no text
        backup = _copy(path, stamp) if path.exists() else None
        _write(path, new)
    except (OSError, UnicodeEncodeError) as error:
        words = f"{str(path)[:160]!r} cannot be written ({_reason(error)}). Nothing was changed."
        raise SettingsError(words) from error
    return backup


def put_back(path: Path, before: str | None, copies: Sequence[Path]) -> None:
    """Give the file the text that it had before, or remove it where there was none, and clear the copies away.

    Raises: SettingsError where that cannot be done.
    """
    try:
        if before is None:
            path.unlink()
        else:
            _write(path, before)
        for copy in copies:
            copy.unlink()
    except OSError as error:
        raise SettingsError(f"{str(path)[:160]!r} cannot be written ({_reason(error)}).") from error


def _copy(path: Path, stamp: str) -> Path:
    names = (path.with_name(f"{path.name}.bak-{stamp}{suffix}") for suffix in ("", *(f"-{n}" for n in range(2, 100))))
    backup = next(name for name in names if not name.exists())
    shutil.copy2(path, backup)
    return backup


def _write(path: Path, text: str) -> None:
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    write_whole(target, text.encode("utf-8"), keeps_mode=True)


def _reason(error: OSError | UnicodeError) -> str:
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else "it is not UTF-8"
