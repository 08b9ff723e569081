"""Seconds of processor and MiB of memory of processes with all that they have started, as Linux counts them."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_AFTER_NAME = 2  # fields of /proc/PID/stat that stand before those that are counted from its name's end


@dataclass(frozen=True, slots=True)
class _Process:
    parent: int
    own_s: float
    ended_children_s: float


def processor_s(pid: int) -> float:
    """Of the process and all below it, also those that have ended and were waited for."""
    table = _table()
    return sum(each.own_s + each.ended_children_s for each in (table[it] for it in _tree(pid, table)))


def own_processor_s(pid: int) -> float:
    """Of the process alone."""
    return _table()[pid].own_s


def resident_mib(pid: int) -> float:
    """Of the process alone, as it stands now."""
    return _status_mib(pid, "VmRSS")


def peak_mib(pid: int) -> float:
    """The most that the process alone has had."""
    return _status_mib(pid, "VmHWM")


def _status_mib(pid: int, name: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


def _tree(pid: int, table: dict[int, _Process]) -> list[int]:
    below = [each for it, process in table.items() if process.parent == pid for each in _tree(it, table)]
    return [pid, *below]


def _table() -> dict[int, _Process]:
    found: dict[int, _Process] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        user, system, gone_user, gone_system = (int(words[index - _AFTER_NAME]) / _TICKS for index in range(13, 17))
        found[int(folder.name)] = _Process(int(words[1]), user + system, gone_user + gone_system)
    return found
