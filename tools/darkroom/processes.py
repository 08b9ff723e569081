"""Names of processes, by which another one can tell that the owner of a row has died.

A number alone names no process: containers of one image can share the computer's name and each have a process 1, and
numbers are given anew. So a name also holds what numbers it (Linux: this start of the kernel and the namespace of
numbers) and when the process began. Where that cannot be read, nobody is known to have died.
"""

import functools
import os
import platform
from pathlib import Path

_STATE, _BEGAN = 0, 19  # in /proc/PID/stat, counted from behind the command's name (proc(5))
_PROC = Path("/proc")


def own_name() -> str:
    """This process, as `computer/what numbers it/number/began`."""
    return _own_name(os.getpid())  # which is another one after a fork


def has_died(name: str) -> bool:
    """Whether that process is known to be gone. One that is numbered elsewhere is not."""
    numbered, _, began = name.rpartition("/")
    place, _, pid = numbered.rpartition("/")
    if not place or place != _numbered_by() or not (pid.isascii() and pid.isdecimal()) or os.name != "posix":
        return False  # on Windows, signal 0 would end it
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return bool(began) and _began(int(pid)) not in ("", began)


@functools.lru_cache(1)
def _own_name(pid: int) -> str:
    return f"{_numbered_by()}/{pid}/{_began(pid)}"


@functools.cache
def _numbered_by() -> str:
    """Empty on a Linux that does not tell."""
    if platform.system() != "Linux":
        return f"{platform.node()}/"
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{platform.node()}/{boot}.{(_PROC / 'self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def _began(pid: int) -> str:
    """In ticks since the kernel's start; `ended` for what nobody has waited for yet, empty where it is not told."""
    try:
        told = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
        return "ended" if told[_STATE] in ("Z", "X") else told[_BEGAN]
    except (OSError, IndexError):
        return ""
