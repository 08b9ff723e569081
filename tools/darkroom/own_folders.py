"""The person's own folders, from which images are read where no setting says more. Light, for the server's start."""

from pathlib import Path


def input_folders(output_folder: Path | None, named: tuple[Path, ...] = ()) -> tuple[Path, ...]:
    """The folders that the person has named, else their pictures, downloads and desktop; and always the output folder.

    One that holds the home folder counts only where it was named.
    """
    return tuple(dict.fromkeys((*named, *_guarded(output_folder)))) if named else _default_folders(output_folder)


def _default_folders(output_folder: Path | None) -> tuple[Path, ...]:
    from platformdirs import user_desktop_path, user_downloads_path, user_pictures_path

    return _guarded(output_folder, user_pictures_path(), user_downloads_path(), user_desktop_path())


def _guarded(*folders: Path | None) -> tuple[Path, ...]:
    """A folder that is switched off in XDG is given as the home folder, which would open everything."""
    home = Path.home()
    return tuple(dict.fromkeys(folder for folder in folders if folder and not home.is_relative_to(folder)))
