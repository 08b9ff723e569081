"""Folders as settings give them, made absolute, and the person's own, where no setting says more."""

import os
from collections.abc import Mapping
from pathlib import Path

from darkroom.errors import SettingsError

# Desktop hosts leave these four unexpanded.
FOLDER_WORDS = ("${HOME}", "${DESKTOP}", "${DOCUMENTS}", "${DOWNLOADS}")
_LONGEST_SHOWN = 60


def absolute_folder(text: str, environ: Mapping[str, str]) -> Path:
    """The absolute folder; a leading `~`, or one of the four words, is resolved."""
    word = next((word for word in FOLDER_WORDS if text.startswith(word)), "")
    if word:
        text = _place(word, environ) + text.removeprefix(word)
    elif text == "~" or text.startswith("~/"):
        text = _place("${HOME}", environ) + text[1:]
    return Path(text).absolute()


def home_problem(environ: Mapping[str, str]) -> SettingsError | None:
    """Why the home folder cannot be used, or None.

    With a relative HOME some folders would lie in the working folder and others in the account's own home.
    """
    home = environ.get("HOME", "")
    if os.name == "nt" or not home or Path(home).is_absolute():
        return None
    return SettingsError(
        f"HOME is {home[:_LONGEST_SHOWN]!r}, which is no absolute path, so the user's folders cannot be found. "
        "Ask the user to set it to a path that begins with '/'."
    )


def _place(word: str, environ: Mapping[str, str]) -> str:
    if word == "${HOME}":
        return environ.get("HOME") or environ.get("USERPROFILE") or str(Path.home())
    import platformdirs

    # Such as `user_desktop_dir` for ${DESKTOP}.
    return getattr(platformdirs, f"user_{word[2:-1].lower()}_dir")()


def input_folders(output_folder: Path | None, named: tuple[Path, ...] = ()) -> tuple[Path, ...]:
    """The folders that the person has named, else their pictures, downloads and desktop; and always the output folder.

    One that holds the home folder counts only where it was named: in XDG one that is switched off is the home folder.
    """
    own: tuple[Path, ...] = ()
    if not named:
        from platformdirs import user_desktop_path, user_downloads_path, user_pictures_path

        own = (user_pictures_path(), user_downloads_path(), user_desktop_path())
    home = Path.home()
    guarded = [folder for folder in (output_folder, *own) if folder and not home.is_relative_to(folder)]
    return tuple(dict.fromkeys((*named, *guarded)))
