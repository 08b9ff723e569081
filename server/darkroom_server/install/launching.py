"""By which command darkroom was started, and whether that command will still be there tomorrow.

An entry names this very program by its absolute path. Where it runs from an environment that uv or pipx will clear away
(`uvx`, `uv run --with`, `pipx run`) no entry may name it; then it is installed as a uv tool first.
"""

import json
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

from darkroom.errors import SettingsError
from darkroom_server.install.entries import PACKAGE, Launch

_SCRIPTS = (PACKAGE, "darkroom")
_CACHE_FOLDERS = {"archive-v0", "environments-v2"}  # of uv, wherever its cache is
_INSTALL_WITHIN_S = 600.0


def own_launch(argv0: str) -> Launch:
    """The command that starts this program again from any folder; `argv0` is `sys.argv[0]`."""
    started = Path(argv0)
    script = next((each for each in (started, started.with_suffix(".exe")) if each.is_file()), started)
    if script.stem in _SCRIPTS and script.is_file():
        return Launch(command=str(script.absolute()))
    if started.name != "__main__.py" and (beside := script_in(Path(sysconfig.get_path("scripts")))):
        return Launch(command=str(beside))
    return Launch(command=str(Path(sys.executable).absolute()), args=("-m", "darkroom_server"))


def script_in(folder: Path) -> Path | None:
    """darkroom's command in a folder of commands."""
    names = (f"{PACKAGE}.exe", PACKAGE) if sys.platform == "win32" else (PACKAGE,)
    return next((folder.absolute() / name for name in names if (folder / name).is_file()), None)


def is_throw_away(prefix: Path) -> bool:
    """Whether an environment lies in a cache, which may be cleared at any time."""
    place = prefix.resolve()
    parts = set(place.parts)
    if parts & _CACHE_FOLDERS or {"pipx", ".cache"} <= parts:
        return True
    # uv marks its cache so, and also its environments, which are no cache: only what lies above counts.
    return any((folder / "CACHEDIR.TAG").is_file() for folder in place.parents)


def own_source() -> str:
    """What `uv tool install` has to be given to install this very program: a folder, a wheel, a commit, or its name."""
    try:
        text = distribution(PACKAGE).read_text("direct_url.json")
    except PackageNotFoundError:
        return PACKAGE
    if not text:
        return f"{PACKAGE}=={distribution(PACKAGE).version}"
    origin = json.loads(text)
    url = str(origin["url"])
    if vcs := origin.get("vcs_info"):
        return f"{vcs['vcs']}+{url}@{vcs['commit_id']}"
    parts = urlsplit(url)
    path = unquote(parts.path)
    return (path.lstrip("/") if sys.platform == "win32" else path) if parts.scheme == "file" else url


def installed_as_tool(uv: str, source: str) -> Launch:
    """Install darkroom with `uv tool install` and give the command that it put there.

    Raises: SettingsError where uv cannot.
    """
    _output_of([uv, "tool", "install", "--quiet", "--upgrade", source])
    folder = _output_of([uv, "tool", "dir", "--bin"]).strip()
    if not (script := script_in(Path(folder))):
        raise SettingsError(f"uv installed darkroom, but there is no {PACKAGE} in '{folder[:120]}'.")
    return Launch(command=str(script))


def _output_of(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_INSTALL_WITHIN_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = str(getattr(error, "stderr", None) or error).strip().splitlines()
        words = " ".join(command[1:])[:120]
        raise SettingsError(f"'uv {words}' failed: {said[-1][:120] if said else 'it said nothing'}") from error
    return done.stdout
