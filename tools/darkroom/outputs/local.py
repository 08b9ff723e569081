"""The output folder on this machine: a file appears in it whole and on the disk, or not at all; none is overwritten.

Each file is written under a temporary name in the folder itself, synced, then given its name by a link (which fails
where the name is taken), and the folder is synced. A crash at any line leaves a temporary file or the finished one. On
POSIX everything goes through one descriptor of the folder, so that nobody can swap the folder meanwhile.
"""

import errno
import os
import re
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from mmap import ACCESS_READ, mmap
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, TypeVar

from anyio import to_thread

from darkroom.errors import OutputError
from darkroom.file_systems import BINARY, FOLDER, HAS_FOLDER_FDS, NO_FOLLOW, NO_WAIT, extended
from darkroom.images import MAX_IMAGE_BYTES
from darkroom.outputs.formats import EXTENSIONS
from darkroom.outputs.naming import ImageName
from darkroom.outputs.whole import Content

_PART_PREFIX, _PART_SUFFIX = ".darkroom-", ".part"
_PART_LIFETIME_S = 24 * 3600
# File systems without hard links (FAT, exFAT, some network shares) answer with one of these.
_NO_LINKS = frozenset({errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
_FULL = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
_PUBLIC_MODE, _PRIVATE_MODE = 0o644, 0o600

# What may follow the handle in the name of an image.
_ENDING = re.compile(rf"(?:-[0-9a-f]{{8,16}})?\.(?:{'|'.join(EXTENSIONS.values())})")

_Result = TypeVar("_Result")


class LocalTarget:
    """A folder; it is made at the first write. `place` is its absolute path.

    What is awaited of it and of its drafts blocks and waits for nothing else, so it is asked in a `step`.
    """

    check_lasts_s = 5.0

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()
        self.place = str(self.root)
        self._is_swept = False

    async def step(self, work: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result:
        """Run all of a piece of work in one worker thread. Raises: OutputError for what the system refuses."""
        with _in_words(self.place):
            return await to_thread.run_sync(lambda: _ended(work()))

    async def computed(self, work: Callable[[], _Result]) -> _Result:
        """What takes long without the disk; a step is in a thread already."""
        return work()

    def location(self, name: str) -> str:
        return str(self.root / name)

    def name_at(self, location: str) -> str | None:
        """The name of a file that lies directly in the folder, None for any other location."""
        path = Path(location)
        is_inside = path.parent == self.root and path.name not in ("", "..") and "\0" not in location
        return path.name if is_inside else None

    def file_name(self, image: ImageName, ending: str) -> str:
        return image.with_ending(ending)

    async def clear(self) -> int:
        """Delete the folder with all that is in it; how many files there were. Raises: OutputError."""
        return await self.step(self._cleared)

    async def _cleared(self) -> int:
        count = sum(len(names) for _, _, names in os.walk(self.root))
        if self.root.exists():
            shutil.rmtree(self.root)
        return count

    async def link(self, name: str, lifetime_s: int) -> str:
        """None: a folder has no links."""
        return ""

    async def names_of(self, image: ImageName) -> list[str]:
        """The files that can be this very image, whatever its prompt and model were called when they were saved."""
        handle, names = image.handle, os.listdir(self.root) if self.root.exists() else ()
        found = [name.rpartition(handle) for name in names if handle in name]
        ours = [each for each in found if each[0][-1:] in ("", "-") and _ENDING.fullmatch(each[2])]
        return sorted(map("".join, ours))

    async def check(self, expected_bytes: int) -> None:
        self._opened().close()
        with TemporaryFile(dir=self.root) as probe:
            probe.write(b"darkroom")
            probe.flush()
        if shutil.disk_usage(self.root).free < expected_bytes:
            raise _full(self.place)

    async def draft(self, *, is_private: bool = False) -> "LocalDraft":
        folder = self._opened()
        try:
            return LocalDraft(folder, _PRIVATE_MODE if is_private else _PUBLIC_MODE)
        except BaseException:
            folder.close()
            raise

    async def remove(self, name: str) -> None:
        """Remove what is there; what is not, or cannot be, stays as it is."""
        with suppress(OSError):
            os.unlink(extended(str(self.root / name)))

    async def read(self, name: str) -> bytes:
        folder = _Folder(self.root)
        try:
            file_fd = folder.open(name, os.O_RDONLY | NO_WAIT)
        except FileNotFoundError as error:
            raise OutputError(f"The image is no longer in '{self.place}'; it was moved or deleted.") from error
        finally:
            folder.close()
        if not stat.S_ISREG(os.fstat(file_fd).st_mode):
            os.close(file_fd)
            raise OutputError(f"'{name}' in '{self.place}' is not a regular file.")
        with os.fdopen(file_fd, "rb") as file:
            content = file.read(MAX_IMAGE_BYTES + 1)
        if len(content) > MAX_IMAGE_BYTES:
            raise OutputError(f"'{name}' in '{self.place}' is larger than {MAX_IMAGE_BYTES // 2**20} MiB.")
        return content

    def _opened(self) -> "_Folder":
        if not self.root.is_dir():
            self.root.mkdir(mode=0o755, parents=True, exist_ok=True)
        folder = _Folder(self.root)
        if not self._is_swept:
            self._is_swept = True
            folder.sweep()
        return folder


class LocalDraft:
    """One file on its way: written under a temporary name until `publish`. Close it always; that removes the rest."""

    def __init__(self, folder: "_Folder", mode: int, *, owns_folder: bool = True) -> None:
        self._folder = folder
        self._owns_folder = owns_folder
        self._part = f"{_PART_PREFIX}{secrets.token_hex(8)}{_PART_SUFFIX}"
        self._file = os.fdopen(folder.open(self._part, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode), "w+b")

    async def beside(self) -> "LocalDraft":
        """Another one in the same folder, for the owner alone. Close it first."""
        return LocalDraft(self._folder, _PRIVATE_MODE, owns_folder=False)

    async def write(self, data: bytes) -> None:
        self._file.write(data)
        self._file.flush()
        if sys.platform == "linux":  # begin to put it on the disk, so that a sync takes several files at once
            os.posix_fadvise(self._file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    async def examine(self, question: Callable[[Content], bool]) -> bool:
        """What `question` says to the content, of at least one byte, which is not read into memory."""
        with mmap(self._file.fileno(), 0, access=ACCESS_READ) as content:
            return question(content)

    async def publish(self, name: str, mime_type: str) -> bool:
        """Give the file its name, for good once `sync` returns; False where it is taken, and another one may follow."""
        if not self._file.closed:
            os.fsync(self._file.fileno())
            self._file.close()
        is_new = self._folder.name_without_clobber(self._part, name)
        self._part = "" if is_new else self._part
        return is_new

    async def sync(self) -> None:
        """Put the names of the folder on the disk, whoever gave them."""
        self._folder.sync()

    async def aclose(self) -> None:
        # Closing flushes, and fails again on a full disk: that was told already.
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            if self._part:
                self._folder.unlink(self._part)
        if self._owns_folder:
            self._folder.close()


class _Folder:
    """An open folder whose files are addressed by bare names; without `dir_fd` (Windows) by full paths."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.fd = os.open(root, FOLDER) if HAS_FOLDER_FDS else None

    def open(self, name: str, flags: int, mode: int = _PUBLIC_MODE) -> int:
        return os.open(self._at(name), flags | NO_FOLLOW | BINARY, mode, dir_fd=self.fd)

    def stat(self, name: str) -> os.stat_result:
        return os.stat(self._at(name), dir_fd=self.fd, follow_symlinks=False)

    def unlink(self, name: str) -> None:
        os.unlink(self._at(name), dir_fd=self.fd)

    def sweep(self) -> None:
        """Remove what crashed processes have left half written."""
        for name in os.listdir(self._root if self.fd is None else self.fd):
            if name.startswith(_PART_PREFIX) and name.endswith(_PART_SUFFIX):
                with suppress(OSError):
                    if time.time() - self.stat(name).st_mtime > _PART_LIFETIME_S:
                        self.unlink(name)

    def name_without_clobber(self, part: str, name: str) -> bool:
        """Turn the temporary file into `name`; False where that exists."""
        try:
            if os.name == "nt":  # there a rename refuses an existing name by itself
                os.rename(self._at(part), self._at(name))
                return True
            os.link(self._at(part), self._at(name), src_dir_fd=self.fd, dst_dir_fd=self.fd)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return self._rename_onto_reservation(part, name)
        self.unlink(part)
        return True

    def sync(self) -> None:
        if self.fd is not None:
            os.fsync(self.fd)

    def close(self) -> None:
        if self.fd is not None:
            os.close(self.fd)

    def _rename_onto_reservation(self, part: str, name: str) -> bool:
        """Without hard links: reserve the name with an empty file, then rename over it.

        An empty file that is there already is the reservation of a process that crashed or is bringing the same output.
        """
        try:
            os.close(self.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            if self.stat(name).st_size:
                return False
        os.rename(self._at(part), self._at(name), src_dir_fd=self.fd, dst_dir_fd=self.fd)
        return True

    def _at(self, name: str) -> str:
        return name if self.fd is not None else extended(str(self._root / name))


def _ended(work: Coroutine[Any, Any, _Result]) -> _Result:
    """What it gives at the end of its only step."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("a step has waited")


@contextmanager
def _in_words(place: str) -> Generator[None]:
    """Turn what the operating system refuses into a sentence that says who can mend it."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise _full(place) from error
        raise OutputError(
            f"The output folder '{place}' cannot be used ({error.strerror or type(error).__name__}). Ask the user to "
            "check it or to set DARKROOM_OUTPUT_DIR to another folder.",
            can_retry=True,
        ) from error


def _full(place: str) -> OutputError:
    return OutputError(f"No space is left for images in '{place}'. Ask the user to free space there.", can_retry=True)
