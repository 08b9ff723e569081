"""Pictures that the person has put in by hand: kept for a day, each under a name nobody can guess.

In a folder a picture is one file, readable by its owner only, and its age is that of the file; in a bucket it is one
object. Expired ones are removed whenever one is added or read, and at the start.
"""

import os
import re
import secrets
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

from darkroom.errors import InvalidRequest, OutputError
from darkroom.uris import is_url

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ObjectStore

LIFETIME_S = 24 * 3600
MOST_PICTURES = 100
MOST_BYTES = 500 * 1024 * 1024
_NAME = re.compile(r"[0-9a-f]{24}")
_IS_PART = ".part"


def uploads_at(place: str, clock: Callable[[], float]) -> "Uploads":
    """Those in a folder, or under the URL of a bucket. `clock` gives seconds since 1970. Raises: SettingsError."""
    if not is_url(place):
        return FolderUploads(Path(place), clock)
    from darkroom.outputs.cloud import open_store

    return BucketUploads(open_store(place), clock)


class FolderUploads:
    """`folder` is made at the first picture. Every method blocks, on the disk or, of a bucket, on the network."""

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self.folder = folder
        self._clock = clock
        self._adding = threading.Lock()

    def add(self, content: bytes) -> str:
        """Keep a picture for a day; gives its id.

        Raises: InvalidRequest where too much was added within the last day; OutputError where the place refuses.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._adding:
                _refuse_too_much([path.stat().st_size for path in self._unexpired()], content)
                return self._write(content)
        except OSError as error:
            why = error.strerror or str(error)
            raise OutputError(f"The picture cannot be kept in '{self.folder}' ({why}). Nothing was added.") from error

    def read(self, id: str) -> bytes | None:
        """The content, or None where there is no such picture any more. Raises: OutputError."""
        try:
            self.sweep()
            return (self.folder / id).read_bytes() if _NAME.fullmatch(id) else None
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OutputError(f"it cannot be read ({error.strerror or error}).") from error

    def sweep(self) -> None:
        """Remove what has expired; what cannot be removed stays until the next time."""
        with suppress(OSError):
            for _ in self._unexpired():
                pass

    def _unexpired(self) -> Iterator[Path]:
        """The pictures that still live, after removing the others. Raises: OSError."""
        oldest_s = self._clock() - LIFETIME_S
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            if not _NAME.fullmatch(path.name.removesuffix(_IS_PART)):
                continue
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < oldest_s:
                    path.unlink()
                elif not path.name.endswith(_IS_PART):
                    yield path

    def _write(self, content: bytes) -> str:
        """The file appears whole or not at all."""
        id = secrets.token_hex(12)
        part = self.folder / f"{id}{_IS_PART}"
        try:
            with open(part, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
                file.write(content)
            now_s = self._clock()
            os.utime(part, (now_s, now_s))
            part.replace(self.folder / id)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        return id


class BucketUploads:
    """The prefix of the store holds nothing else."""

    def __init__(self, store: "ObjectStore", clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._adding = threading.Lock()

    def add(self, content: bytes) -> str:
        with self._adding, _in_words():
            _refuse_too_much([kept["size"] for kept in self._unexpired()], content)
            id = secrets.token_hex(12)
            self._store.put(id, content, mode="create")
            return id

    def read(self, id: str) -> bytes | None:
        if not _NAME.fullmatch(id):
            return None
        with _in_words():
            self.sweep()
            try:
                return bytes(self._store.get(id).bytes())
            except FileNotFoundError:
                return None

    def sweep(self) -> None:
        with suppress(OutputError), _in_words():
            for _ in self._unexpired():
                pass

    def _unexpired(self) -> Iterator["ObjectMeta"]:
        """The pictures that still live, after removing the others."""
        oldest_s = self._clock() - LIFETIME_S
        listed = cast("Iterable[Sequence[ObjectMeta]]", self._store.list())  # pyright: ignore[reportUnknownMemberType]
        for kept in [each for chunk in listed for each in chunk]:
            if kept["last_modified"].timestamp() < oldest_s:
                with suppress(FileNotFoundError):  # another process has just done so
                    self._store.delete(kept["path"])
            else:
                yield kept


Uploads = FolderUploads | BucketUploads


def _refuse_too_much(kept: list[int], content: bytes) -> None:
    """`kept`: the sizes in bytes of those that live. Raises: InvalidRequest."""
    if len(kept) >= MOST_PICTURES or sum(kept) + len(content) > MOST_BYTES:
        raise InvalidRequest(
            f"{len(kept)} pictures ({sum(kept) / 1e6:.0f} MB) were added within a day; at most {MOST_PICTURES} "
            f"and {MOST_BYTES // 2**20} MiB are kept. Nothing was added. Each is removed a day after it was added."
        )


@contextmanager
def _in_words() -> Generator[None]:
    """What the store itself says can hold signatures, so only its kind is told. Raises: OutputError."""
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, OSError) as error:
        raise OutputError(
            f"The store of added pictures does not answer ({type(error).__name__}). Try again."
        ) from error
