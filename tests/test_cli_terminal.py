"""The command line in a terminal that answers: pictures as sixels, a bar, columns that fit, and a yes that is asked."""

import os
import re
import select
import signal
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import systems
from command_line import CommandLine, through
from fault_plan import Plan
from gateway_process import gateway_process

pytestmark = systems.terminals
_QUERY, _SIXELS = b"\x1b[c", b"\x1b[?62;4c"
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def in_terminal(
    line: CommandLine,
    *words: str,
    answers: Mapping[bytes, bytes | signal.Signals] | None = None,
    environ: Mapping[str, str] | None = None,
    columns: int = 80,
) -> tuple[int, bytes]:
    """Run a command in a terminal that says the answer, or sends a signal, as soon as a text is printed.

    Gives its exit code and the screen.
    """
    import fcntl
    import pty
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, columns * 8, 24 * 16))
    told = line.environ | {"TERM": "xterm-256color"} | dict(environ or {})
    told.pop("COLUMNS", None)
    waiting = dict(answers or {})
    screen = b""
    with subprocess.Popen(
        line.command(words), env=told, cwd=line.folder, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        try:
            while select.select([ours], [], [], 60)[0]:
                try:
                    screen += os.read(ours, 65_536)
                except OSError:  # the other side is closed
                    break
                for text in [text for text in waiting if text in screen]:
                    answer = waiting.pop(text)
                    os.write(ours, answer) if isinstance(answer, bytes) else process.send_signal(answer)
        finally:
            process.kill() if process.poll() is None and not screen else None
            os.close(ours)
        return process.wait(timeout=30), screen


@pytest.fixture
def line(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


def test_show_draws_sixels_where_the_terminal_can_and_says_so_where_it_cannot(line: CommandLine) -> None:
    made = line.run("generate", "a fox", "--show")
    assert made.returncode == 0 and "\x1b" not in made.stdout + made.stderr
    code, screen = in_terminal(line, "show", "latest", "--show", answers={_QUERY: _SIXELS})
    assert code == 0 and b"\x1bP" in screen, screen[-2_000:]
    code, screen = in_terminal(line, "show", "latest", "--show", answers={_QUERY: b"\x1b[?62c"})
    assert code == 0 and b"\x1bP" not in screen and b"draws no pictures" in screen


def test_history_and_models_fit_the_terminal(line: CommandLine) -> None:
    line.run("generate", "a very long prompt about a fox " * 8)
    for words in (("history",), ("models", "logo")):
        _, screen = in_terminal(line, *words)
        rows = _ESCAPES.sub("", screen.decode()).replace("\r", "").splitlines()
        table = [row for row in rows if "…" in row]
        assert table and all(len(row) <= 80 for row in table), rows


def test_a_costly_batch_asks_and_a_no_sends_nothing(line: CommandLine) -> None:
    (line.folder / "p.txt").write_text("a fox\na boat\n")
    with gateway_process(Plan(born_done=1.0)) as gateway:
        costly = through(gateway.base_url) | {"DARKROOM_CONFIRM_USD": "0.001"}
        words = ("generate", "@p.txt")
        code, screen = in_terminal(line, *words, answers={b"[y/N]": b"n\n"}, environ=costly)
        assert code == 2 and b"2 images of 2 prompts" in screen and b"$0.006" in screen
        assert gateway.truth().creates == 0
        code, screen = in_terminal(line, *words, answers={b"[y/N]": b"y\n"}, environ=costly)
        assert code == 0 and b"2/2" in screen, screen
        assert gateway.truth().creates == 2


@pytest.mark.parametrize(("key", "code"), [(signal.SIGINT, 130), (b"\x04", 2)])
def test_ctrl_c_and_the_end_of_the_input_are_a_no_to_the_question_about_the_cost(
    line: CommandLine, key: bytes | signal.Signals, code: int
) -> None:
    with gateway_process() as gateway:
        costly = through(gateway.base_url) | {"DARKROOM_CONFIRM_USD": "0.001"}
        ended, screen = in_terminal(line, "generate", "a fox", answers={b"[y/N]": key}, environ=costly)
        assert ended == code and b"Traceback" not in screen, screen
        assert gateway.truth().creates == 0
