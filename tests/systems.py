"""What some tests need of the system, each with the reason that is told without it; no other file skips for that."""

import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

IS_WINDOWS = sys.platform == "win32"


def _needs(is_there: bool, reason: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not is_there, reason=reason)


def _can_unshare() -> bool:
    program = shutil.which("unshare")
    return bool(program) and subprocess.run([program, "--pid", "--fork", "true"], capture_output=True).returncode == 0


signals = _needs(not IS_WINDOWS, "POSIX signals end the program")
mode_bits = _needs(not IS_WINDOWS, "Windows has no mode bits")
links = _needs(not IS_WINDOWS, "on Windows links need a right")
shell_scripts = _needs(not IS_WINDOWS, "programs are shell scripts here")
posix_names = _needs(not IS_WINDOWS, "the paths, names or homes are those of POSIX")
posix_files = _needs(not IS_WINDOWS, "Windows has no FIFO, no time zone by TZ and no limit on the size of a file")
terminals = _needs(not IS_WINDOWS, "Windows has no pseudo-terminal of this kind")
forks = _needs(hasattr(os, "fork"), "a crash is a forked child that ends")
linux = _needs(sys.platform == "linux", "pipes, places, programs or a viewer are those of Linux")
namespaces = _needs(_can_unshare(), "processes get no numbers of their own here: unshare is missing or forbidden")
processes_in_proc = _needs(Path("/proc/self/stat").exists(), "processes are found in /proc")
own_certificates = _needs(sys.platform not in ("darwin", "win32"), "there the system always has certificates")
if sys.platform == "win32":
    not_root = _needs(False, "Windows has no mode bits")
else:
    not_root = _needs(os.geteuid() != 0, "nothing is forbidden to root")


@contextmanager
def largest_file(size_bytes: int) -> Generator[None]:
    """This process can write no larger file meanwhile, as on a full disk."""
    if sys.platform == "win32":
        raise NotImplementedError
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
