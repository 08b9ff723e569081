"""Keys that the person has stored: in the system's key store where there is one, else in a file only they can read.

The file, `keys.json` in the configuration folder, names every stored key; those in the system's store are not in it.
So a start without stored keys reads one file at most, and `keyring`, which is an extra, is loaded only for a key that
is in the system's store and wanted.
"""

import json
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from darkroom.errors import SettingsError

SYSTEM_STORE = "the system's key store"
_FILE = "keys.json"
_SERVICE = "darkroom"
_ANSWER_WITHIN_S = 10.0  # a locked store may ask the person, whom a server without a window would wait for
_PERSON_WITHIN_S = 120.0  # who stores or removes a key is there to be asked
_MAX_BYTES = 1_000_000
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class KeyStore:
    """The stored keys below one configuration folder; without a folder there are none.

    A name is that of a gateway, or "gateway https://host" where the gateway has no address of its own.
    """

    folder: Path | None

    @property
    def path(self) -> Path:
        """The file; it may not be there. Raises: SettingsError without a folder."""
        if self.folder is None:
            raise SettingsError("No folder for keys is known, because HOME is not set.")
        return self.folder / _FILE

    def places(self) -> dict[str, str]:
        """Where each key is, by name: SYSTEM_STORE, or the path of the file. Raises: SettingsError."""
        return {name: str(self.path) if key else SYSTEM_STORE for name, key in self._rows().items()}

    def get(self, name: str) -> str:
        """The key; empty where none of that name is stored. Raises: SettingsError where it cannot be read."""
        rows = self._rows()
        if name not in rows:
            return ""
        if key := rows[name]:
            return key
        found = _asked(lambda: _keyring().get_password(_SERVICE, name), name)
        if not found:
            raise SettingsError(f"The key of '{name}' is no more in {SYSTEM_STORE}. {_again(name)}")
        return found

    def put(self, name: str, key: str, *, is_for_file: bool = False) -> str:
        """Store a key in the place of an earlier one, and say where it is now, as `places` does.

        Raises: SettingsError where that cannot be done; an earlier key is then as it was.
        """
        rows = self._rows()
        has_system_store = not is_for_file and _asked(lambda: _put_in_system(name, key), name, _PERSON_WITHIN_S)
        self._write(rows | {name: "" if has_system_store else key})
        if not has_system_store and rows.get(name) == "":
            _forget(name)
        return self.places()[name]

    def remove(self, name: str) -> bool:
        """Forget a key; False where there was none. Raises: SettingsError."""
        rows = self._rows()
        if name not in rows:
            return False
        if not rows[name]:
            _forget(name)
        self._write({each: key for each, key in rows.items() if each != name})
        return True

    def is_open_to_others(self) -> bool:
        """Whether others on this computer may read the file."""
        if self.folder is None or sys.platform == "win32" or not self.path.is_file():
            return False
        return bool(self.path.stat().st_mode & 0o077)

    def _rows(self) -> dict[str, str]:
        """The key by name, empty for one in the system's store."""
        if self.folder is None or not self.path.exists():
            return {}
        from pydantic import TypeAdapter

        try:
            if not self.path.is_file() or self.path.stat().st_size > _MAX_BYTES:
                raise ValueError
            return TypeAdapter(dict[str, str]).validate_python(json.loads(self.path.read_bytes()), strict=True)
        except OSError as error:
            raise SettingsError(f"'{self.path}' cannot be read ({error.strerror}).") from error
        except (ValueError, RecursionError):
            raise SettingsError(
                f"'{self.path}' is not what `darkroom-mcp key` wrote. Remove it, and set the keys again."
            ) from None

    def _write(self, rows: dict[str, str]) -> None:
        """All or nothing, readable by the owner alone."""
        from darkroom.file_systems import write_whole

        try:
            write_whole(self.path, json.dumps(rows, indent=2).encode())
        except OSError as error:
            raise SettingsError(f"'{self.path}' cannot be written ({error.strerror}).") from error


def _keyring() -> Any:
    import keyring

    return keyring


def _put_in_system(name: str, key: str) -> bool:
    """Whether the system's store has taken the key; some only pretend to."""
    try:
        import keyring.errors
    except ImportError:
        return False
    try:
        _keyring().set_password(_SERVICE, name, key)
    except keyring.errors.NoKeyringError:
        return False
    return _keyring().get_password(_SERVICE, name) == key


def _forget(name: str) -> None:
    """A key that is gone from the store already, or a store that is gone, is as good as removed."""
    try:
        _asked(lambda: _keyring().delete_password(_SERVICE, name), name, _PERSON_WITHIN_S)
    except SettingsError as error:
        cause = error.__cause__
        if not (cause and (_is_missing(cause) or type(cause).__name__ == "PasswordDeleteError")):
            raise


def _asked(call: Callable[[], _T], name: str, within_s: float = _ANSWER_WITHIN_S) -> _T:
    """What the system's store answers. Raises: SettingsError where it has none, refuses, or does not answer in time."""
    answers: list[_T] = []
    faults: list[Exception] = []

    def ask() -> None:
        try:
            answers.append(call())
        except Exception as error:  # the border to backends that nobody vouches for
            faults.append(error)

    asking = threading.Thread(target=ask, name="key store", daemon=True)
    asking.start()
    asking.join(within_s)
    if answers:
        return answers[0]
    if faults and _is_missing(faults[0]):
        words = f"The key of '{name}' is in {SYSTEM_STORE}, which this environment cannot read:"
        raise SettingsError(f"{words} install darkroom-mcp[keyring]. {_again(name)}") from faults[0]
    kind = type(faults[0]).__name__ if faults else f"no answer within {within_s:g} s"
    cause = faults[0] if faults else None
    raise SettingsError(f"{SYSTEM_STORE.capitalize()} does not give out '{name}' ({kind}). {_again(name)}") from cause


def _is_missing(error: BaseException) -> bool:
    """Whether the extra is not installed."""
    return isinstance(error, ImportError) and error.name == "keyring"


def _again(name: str) -> str:
    return f"`darkroom-mcp key set {name.partition(' ')[0]} --file` keeps it in a file instead."
