"""`darkroom-mcp` as a person runs it: a process of its own, with a home, data and images of its own."""

import contextlib
import os
import sqlite3
import subprocess
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

from fault_plan import Plan
from forking_program import darkroom_command, run_darkroom
from gateway_process import gateway_process


class CommandLine:
    """Runs `darkroom-mcp` with its data and images in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {name: text for name, text in os.environ.items() if not name.startswith("DARKROOM_")}
        self.environ = kept | {
            "HOME": str(folder),
            "DARKROOM_DATA_DIR": str(folder / "data"),
            "DARKROOM_OUTPUT_DIR": str(folder / "images"),
        }

    def run(
        self, *words: str, environ: Mapping[str, str] | None = None, stdin: bytes = b""
    ) -> subprocess.CompletedProcess[str]:
        return run_darkroom(words, self.environ | dict(environ or {}), self.folder, stdin=stdin)

    def command(self, words: Sequence[str]) -> list[str]:
        """For what has to be watched while it runs, or to be interrupted."""
        return darkroom_command(self.environ, *words)

    @contextlib.contextmanager
    def begun(self, command: Sequence[str], base_url: str) -> Generator["subprocess.Popen[str]"]:
        """A command on that gateway, with stdout and stderr to be read; in the end nothing of it goes on."""
        environ, pipe = self.environ | through(base_url), subprocess.PIPE
        with subprocess.Popen(command, env=environ, cwd=self.folder, stdout=pipe, stderr=pipe, text=True) as process:
            try:
                yield process
            finally:
                process.kill()

    def stopped(self, number: int, plan: Plan, until: str, command: Sequence[str] = ()) -> tuple[int, str]:
        """Exit code and stderr of `generate` that is sent this signal once the journal says yes to that SQL."""
        with (
            gateway_process(plan) as gateway,
            self.begun(command or self.command(("generate", "a fox")), gateway.base_url) as process,
        ):
            self.seen_in_the_journal(process, until)
            process.send_signal(number)
            _, said = process.communicate(timeout=30)
        return process.returncode, said

    def seen_in_the_journal(self, process: "subprocess.Popen[str]", question: str) -> None:
        """Look into the journal until this SQL gives a row that is not 0; each look waits on the process a moment."""
        for _ in range(1200):
            if self.answer(question):
                return
            try:
                process.wait(timeout=0.1)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError("it ended too early")
        raise AssertionError(f"never true: {question}")

    def answer(self, question: str) -> int:
        """The number that SQL gives of the journal; 0 while there is none."""
        path = self.folder / "data" / "journal.sqlite3"
        try:
            with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as journal:
                return journal.execute(question).fetchone()[0]
        except sqlite3.Error:
            return 0


def through(base_url: str) -> dict[str, str]:
    """The settings of a gateway on this machine, whose prices are real ones."""
    return {"DARKROOM_GATEWAY": "replicate", "DARKROOM_BASE_URL": base_url, "DARKROOM_API_KEY": "k" * 20}
