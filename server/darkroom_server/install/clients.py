"""Which programs can start darkroom, where each keeps its list of servers, and what an entry looks like there.

A table, so that one more client is one more row. File locations and keys as documented or read in the clients' source on
2026-11-20. `home` is the person's home; `config` is the folder for settings of applications: `~/.config` on Linux,
`~/Library/Application Support` on macOS, `%APPDATA%` on Windows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from darkroom.errors import InvalidRequest
from darkroom.spelling import closest

Platform = Literal["linux", "darwin", "win32"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where things are on the computer that darkroom is installed for; `project` is the folder of `--project`."""

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
    next_step: str = ""

    @property
    def can_refer(self) -> bool:
        return bool(self.reference or self.reference_list)

    def path(self, machine: Machine, *, in_project: bool = False) -> Path | None:
        """The file that holds the servers; None where only the client's own command should write it.

        Raises: InvalidRequest where a project file is asked for and the client has none.
        """
        if in_project:
            if not self.project_file:
                raise InvalidRequest(f"{self.title} has no project file; leave --project away.")
            return machine.project / self.project_file
        place = self.file if isinstance(self.file, str) else self.file[machine.platform]
        return Path(place.format(home=machine.home, config=machine.config)) if place else None


CLIENTS: tuple[Client, ...] = (
    Client(
        name="claude-desktop",
        title="Claude Desktop",
        file="{config}/Claude/claude_desktop_config.json",
        needs_absolute_command=True,
        next_step="Quit Claude Desktop fully and start it again.",
    ),
    Client(
        name="claude-code",
        title="Claude Code",
        project_file=".mcp.json",
        reference="${{{}:-}}",  # a variable that is not set and has no default is a configuration error there
        next_step="Start Claude Code again in this folder and approve the server.",
    ),
    Client(
        name="cursor",
        title="Cursor",
        file="{home}/.cursor/mcp.json",
        project_file=".cursor/mcp.json",
        needs_absolute_command=True,
        reference="${{env:{}}}",
        next_step="Switch darkroom on in Cursor's settings, under MCP.",
    ),
    Client(
        name="vscode",
        title="VS Code",
        table="servers",
        file="{config}/Code/User/mcp.json",
        project_file=".vscode/mcp.json",
        needs_absolute_command=True,
        lead={"type": "stdio"},
        reference="${{input:{}}}",
        has_inputs=True,
        next_step="Run 'MCP: List Servers' in VS Code and start darkroom; it asks for the gateway and the key once.",
    ),
    Client(
        name="windsurf",
        title="Windsurf",
        file="{home}/.codeium/windsurf/mcp_config.json",
        needs_absolute_command=True,
        reference="${{env:{}}}",
        next_step="Press refresh in Windsurf's MCP settings.",
    ),
    Client(
        name="zed",
        title="Zed",
        table="context_servers",
        file={
            "linux": "{config}/zed/settings.json",
            "darwin": "{home}/.config/zed/settings.json",
            "win32": "{config}/Zed/settings.json",
        },
        needs_absolute_command=True,
        next_step="Zed notices the change by itself.",
    ),
    Client(
        name="gemini-cli",
        title="Gemini CLI",
        file="{home}/.gemini/settings.json",
        reference="${{{}}}",  # `$X` works too, but stays as `$X` where it is not set
        next_step="Start Gemini CLI again; /mcp lists darkroom.",
    ),
    Client(
        name="codex",
        title="Codex",
        format="toml",
        table="mcp_servers",
        file="{home}/.codex/config.toml",
        project_file=".codex/config.toml",
        needs_absolute_command=True,
        reference_list="env_vars",
        tail={"startup_timeout_sec": 60, "tool_timeout_sec": 300},  # the first uvx run downloads; pictures take minutes
        next_step="Start Codex again; /mcp lists darkroom.",
    ),
    Client(
        name="lm-studio",
        title="LM Studio",
        file="{home}/.lmstudio/mcp.json",
        needs_absolute_command=True,
        next_step="Switch darkroom on in LM Studio, under Program.",
    ),
    Client(
        name="goose",
        title="Goose",
        format="yaml",
        table="extensions",
        file={
            "linux": "{config}/goose/config.yaml",
            "darwin": "{home}/.config/goose/config.yaml",
            "win32": "{config}/Block/goose/config/config.yaml",
        },
        needs_absolute_command=True,
        lead={"enabled": True, "type": "stdio", "name": "{name}"},
        command_key="cmd",
        env_key="envs",
        tail={"timeout": 300},
        reference_list="env_keys",
        refers_unasked=False,  # a key of env_keys that Goose cannot find keeps the extension from loading
        next_step="Start a new Goose session.",
    ),
)


def client_named(name: str) -> Client:
    """The row of the table.

    Raises: InvalidRequest naming the closest.
    """
    found = next((client for client in CLIENTS if client.name == name), None)
    if found:
        return found
    names = [client.name for client in CLIENTS]
    near = closest(name, names, limit=1, cutoff=0.0)
    hint = f" Closest: {near[0]!r}." if near else ""
    raise InvalidRequest(f"Unknown client {name[:40]!r}.{hint} Known: {', '.join(names)}.")
