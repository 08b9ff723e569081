"""The pages that people read, and what stands in them: commands, links, names."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from forking_program import python_command

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
# What stands for a word of one's own in the commands of the pages.
STANDS_FOR = {"CLIENT": "cursor", "COMMAND": "history", "NAME=VALUE": "DARKROOM_PREVIEWS=off", "OWNER/NAME": "a/b"}
RUN_EACH = (
    "import json, sys\nfrom darkroom_server.cli import main\n"
    "for words in json.loads(sys.argv[1]):\n"
    "    code = main(words)\n    sys.stdout.flush()\n    print(f'\\x1f{code}', flush=True)\n"
)


@dataclass(frozen=True)
class Page:
    """A page by its path from the root, such as `server/docs/costs.md`."""

    name: str

    @property
    def path(self) -> Path:
        return ROOT / self.name

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def prose(self) -> str:
        """The page without its fenced blocks."""
        return FENCE.sub("", self.text)

    def fenced(self, language: str) -> list[str]:
        return [body for kind, body in FENCE.findall(self.text) if kind == language]

    def shell_lines(self) -> list[str]:
        return [line for block in self.fenced("sh") for line in block.splitlines() if line]

    def commands(self) -> list[list[str]]:
        """The words of each `uv run darkroom-mcp …` in a fence: these can be run as they stand."""
        lines = (line for line in self.shell_lines() if line.startswith("uv run darkroom-mcp "))
        return [shlex.split(line)[3:] for line in lines]

    def named_commands(self) -> Iterator[list[str]]:
        """The words of each command of ours that stands in a sentence or an indented block."""
        inline = re.findall(r"`(?:uv run |uvx )?darkroom-mcp ([^`]+)`", self.prose)
        blocks = re.findall(r"^    (?:.*\| )?darkroom-mcp (.+)$", self.prose, re.MULTILINE)
        for command in (*inline, *blocks):
            yield [STANDS_FOR.get(word, word) for word in shlex.split(command)]

    def links(self) -> list[str]:
        """What the links and pictures that stay in the repository point to, from this page."""
        found = re.findall(r'(?:src="|\]\()([^)"\s]+)', self.prose)
        return [each for each in found if "://" not in each]

    def anchors(self) -> set[str]:
        """What can stand behind `#`, as GitHub makes it of the headings."""
        headings = re.findall(r"^#+ (.+)$", self.prose, re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def bare_environ() -> dict[str, str]:
    """What says how Python reads and writes, and nothing else of the person who runs the tests."""
    return {name: text for name, text in os.environ.items() if name.startswith(("PYTHON", "LANG", "LC_"))}


README = Page("README.md")
DOCS = [Page(f"server/docs/{path.name}") for path in sorted((ROOT / "server" / "docs").glob("*.md"))]
PAGES = [README, *DOCS, Page("server/README.md")]


def run_each(
    commands: Sequence[Sequence[str]], home: Path, *, stdin: str = "", environ: Mapping[str, str] | None = None
) -> list[tuple[int, str]]:
    """Exit code and words of each, all run in one process with that empty home and working folder, without any key."""
    scripts = Path(sys.executable).parent
    bare = bare_environ() | {"PATH": f"{scripts}{os.pathsep}{os.defpath}", "HOME": str(home)} | dict(environ or {})
    done = subprocess.run(
        python_command(bare, "-c", RUN_EACH, json.dumps(commands)),
        input=stdin,
        env=bare,
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    parts = re.findall(r"(.*?)\x1f(\d+)\n", done.stdout, re.DOTALL)
    assert len(parts) == len(commands), done.stdout
    return [(int(code), words) for words, code in parts]
