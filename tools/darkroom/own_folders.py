"""The person's own folders, from which images are read where no setting says more. Light, for the server's start."""

from pathlib import Path


def default_input_folders(output_folder: Path | None) -> tuple[Path, ...]:
    """The output folder and the user's pictures, downloads and desktop folders."""
    from platformdirs import user_desktop_path, user_downloads_path, user_pictures_path

    folders = (output_folder, user_pictures_path(), user_downloads_path(), user_desktop_path())
    # A folder that is switched off in XDG is given as the home folder, which would open everything.
    home = Path.home()
    return tuple(dict.fromkeys(folder for folder in folders if folder and not home.is_relative_to(folder)))
