"""Which programs can start darkroom, where each keeps its list of servers, and what an entry looks like there.

They stand in clients.toml: one more client is one more table there.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from darkroom.errors import InvalidRequest
from darkroom.spelling import closest_words

Platform = Literal["linux", "darwin", "win32"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where things are on the computer that darkroom is installed for; `project` is the folder of `--project`.

    `config` is the folder for settings of applications: `~/.config` on Linux, `~/Library/Application Support` on macOS,
    `%APPDATA%` on Windows.
    """

    platform: Platform
    home: Path
    config: Path
    project: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One program and the shape of its entries."""

    name: str
    title: str
    format: Literal["json", "toml", "yaml"] = "json"
    table: str = "mcpServers"
    """Top-level key that holds the servers by name."""
    file: str | Mapping[Platform, str] = ""
    """Empty where the client's own command keeps it."""
    project_file: str = ""
    """Below the project folder; empty where there is none."""
    needs_absolute_command: bool = False
    """Desktop programs start with a short PATH and would not find `uvx`."""
    lead: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    command_key: str = "command"
    env_key: str = "env"
    tail: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    reference: str = ""
    """How a value refers to a variable of the person's environment; `{}` is its name. A reference to a variable that is
    not set arrives empty or as it stands, and the settings read both as unset."""
    reference_list: str = ""
    """Key of the list of variables that are handed on, where the client has that instead."""
    refers_unasked: bool = True
    """False where a variable that is not set keeps the server from starting."""
    has_inputs: bool = False
    """VS Code: values are asked for once, by `inputs` at the top of the file."""
    skills: str = ""
    """Folder of skills, below the person's home or a project; empty where none is known."""
    next_step: str = ""

    own_list: str = ""
    """Where the client's own command keeps the servers, to look at only; {home} is the person's home."""

    @property
    def can_refer(self) -> bool:
        """Whether an entry can name a variable of the person's environment."""
        return bool(self.reference or self.reference_list)

    def path(self, machine: Machine, *, in_project: bool = False) -> Path | None:
        """The file that holds the servers; None where only the client's own command should write it.

        Raises: InvalidRequest where a project file is asked for and the client has none.
        """
        if in_project:
            if not self.project_file:
                raise InvalidRequest(f"{self.title} has no project file; leave --project away.")
            return machine.project / self.project_file
        return Path(self.place(machine.platform, str(machine.home), str(machine.config))) if self.file else None

    def place(self, platform: Platform, home: str, config: str) -> str:
        """The file below these two folders of a computer; empty where `file` is."""
        file = self.file if isinstance(self.file, str) else self.file[platform]
        return file.format(home=home, config=config)


_TABLE = tomllib.loads(Path(__file__).with_name("clients.toml").read_text(encoding="utf-8"))
CLIENTS = tuple(Client(name=name, **row) for name, row in _TABLE.items())


def client_named(name: str) -> Client:
    """The client of this name. Raises: InvalidRequest naming the closest."""
    names = [client.name for client in CLIENTS]
    if name in names:
        return CLIENTS[names.index(name)]
    hint = closest_words(name, names)
    raise InvalidRequest(f"Unknown client {name[:40]!r}.{hint} Known: {', '.join(names)}.")
