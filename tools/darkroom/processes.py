"""Names of processes, by which another one on the same computer can tell that its owner has died."""

import os
import platform


def own_name() -> str:
    """This process on this computer, as `computer/pid`."""
    return f"{platform.node()}/{os.getpid()}"


def has_died(name: str) -> bool:
    """Whether that process is known to be gone. One of another computer, or whose number was given anew, is not."""
    node, _, pid = name.rpartition("/")
    if node != platform.node() or not pid.isdecimal() or os.name != "posix":  # elsewhere, signal 0 would end it
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False
