"""Names of processes: who is known to have died, and who must never be taken for dead."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

import pytest
from systems import namespaces, processes_in_proc, signals

from darkroom.processes import has_died, own_name

TELL = "import sys; from darkroom.processes import own_name; print(own_name(), flush=True); sys.stdin.read()"


@contextmanager
def another(*before: str) -> Generator[tuple[str, "subprocess.Popen[str]"]]:
    """The name of a living process and it; `before` is what starts it."""
    process = subprocess.Popen(
        [*before, sys.executable, "-c", TELL],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        yield process.stdout.readline().strip(), process
    finally:
        process.kill()
        process.communicate()


@signals
def test_one_that_lives_has_not_died_and_one_that_was_ended_has() -> None:
    with another() as (name, process):
        assert name != own_name()
        assert (has_died(own_name()), has_died(name)) == (False, False)
        process.kill()
        process.communicate()
        assert has_died(name)


@processes_in_proc
def test_one_for_whose_end_nobody_has_waited_yet_has_died() -> None:
    with another() as (name, process):
        process.kill()
        assert sys.platform == "linux"  # where the test runs; macOS has no waitid
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert has_died(name)


@processes_in_proc
def test_one_whose_number_was_given_anew_has_died() -> None:
    place, began = own_name().rsplit("/", 1)
    assert has_died(f"{place}/{int(began) - 1}")


@namespaces
def test_one_of_another_container_of_the_same_computer_name_is_not_known_to_have_died() -> None:
    unshare = shutil.which("unshare")
    assert unshare
    with another(unshare, "--pid", "--fork", "--kill-child") as (name, _):
        node, _, pid, _ = name.split("/")
        assert (node, pid) == (own_name().split("/")[0], "1")
        assert not has_died(name)
        # Nor does its number, which nobody has here, say anything.
        assert not has_died(name.replace("/1/", f"/{2**22 - 1}/"))


@pytest.mark.parametrize("name", ["", "/", "//", "#", "elsewhere/1", f"{platform.node()}/1", "a/b.1/1/2", "a/b/²/1"])
def test_a_name_that_is_not_understood_is_not_known_to_have_died(name: str) -> None:
    assert not has_died(name)


@signals
@pytest.mark.parametrize("pid", ["0", "-1", "99999999999999999999", "²", "1 "])
def test_no_odd_number_is_asked_after(pid: str) -> None:
    place, _, began = own_name().rsplit("/", 2)
    assert not has_died(f"{place}/{pid}/{began}")
