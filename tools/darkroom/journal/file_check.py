"""Whether the SQLite file is whole, which means reading all of it: a small one at each start, a large one once a day.

That a large one was found whole is the time of an empty file beside it. What damage a statement meets meanwhile removes
that file, so that the next start looks again.
"""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

SMALL_BYTES = 16 * 2**20  # read in some 50 ms
_LASTS_S = 24 * 3600


def refuse_damage(connection: sqlite3.Connection, path: Path, now: float) -> None:
    """Raises: sqlite3.DatabaseError with the code of a damaged file."""
    mark = _mark(path)
    is_large = path.stat().st_size > SMALL_BYTES
    with suppress(OSError):
        if is_large and 0 <= now - mark.stat().st_mtime < _LASTS_S:
            return
    if (found := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        damage = sqlite3.DatabaseError(found)
        damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise damage
    if is_large:
        with suppress(OSError):  # then the next start looks again
            mark.touch(mode=0o600)
            os.utime(mark, (now, now))


def look_again(connection: sqlite3.Connection) -> None:
    """The next start reads the whole file, because a statement has met damage."""
    with suppress(sqlite3.Error, OSError):
        for _, name, path in connection.execute("PRAGMA database_list").fetchall():
            if name == "main":
                _mark(Path(path)).unlink(missing_ok=True)


def _mark(path: Path) -> Path:
    return path.with_name(f"{path.name}-whole")
