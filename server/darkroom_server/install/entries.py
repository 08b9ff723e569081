"""What darkroom's entry says in each client, and how it joins an entry that is there already.

A key is written only where the person gave it with `--env`; otherwise the entry refers to the variable in the client's
own way, or says nothing.
"""

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from darkroom.errors import InvalidRequest, SettingsError
from darkroom.gateways import load_gateways
from darkroom_server.install.clients import Client

Values = dict[str, JsonValue]

PACKAGE = "darkroom-mcp"
REFERRED = ("DARKROOM_GATEWAY", "DARKROOM_API_KEY")
"""A key alone is refused by the settings: it does not say which gateway it is for."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REMOTE_KEYS = ("url", "httpUrl", "serverUrl", "uri")


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """The command that starts darkroom's stdio server."""

    command: str
    args: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Variables for the server: `given` with their values, `referred` by name only."""

    given: Mapping[str, str]
    referred: tuple[str, ...] = ()


def uvx_launch(client: Client, uvx: str | None, *, in_project: bool = False) -> Launch:
    """How `client` starts darkroom by uvx, whose absolute path `uvx` is. A project file is shared and gets no path.

    Raises: InvalidRequest where the path is needed and there is none.
    """
    if not client.needs_absolute_command or in_project:
        return Launch(command="uvx", args=(PACKAGE,))
    if not uvx:
        words = f"uvx was not found, and {client.title} needs its path. Install uv, or take --command path."
        raise InvalidRequest(words)
    return Launch(command=uvx, args=(PACKAGE,))


def environment_for(client: Client, wanted: Iterable[str], *, is_settled: bool = False) -> Environment:
    """The variables of `--env K=V` and `--env K`; else references to the gateway and the key where that is safe.

    With `is_settled` the server knows its gateway and key without the client, which then asks for neither.

    Raises: InvalidRequest for what is no variable, or cannot be referred to in this client.
    """
    given: dict[str, str] = {}
    referred: list[str] = []
    can_refer = client.can_refer
    for text in wanted:
        name, equals, value = text.partition("=")
        if not _VARIABLE.fullmatch(name):
            raise InvalidRequest(f"--env needs NAME=VALUE or NAME, not {name[:40]!r}.")
        if not equals and not can_refer:
            raise InvalidRequest(f"{client.title} cannot hand on a variable: give its value, --env {name}=…")
        if equals:
            given[name] = value
        else:
            referred.append(name)
    if client.refers_unasked and can_refer and not is_settled:
        referred += _still_open(given)
    return Environment(given=given, referred=tuple(dict.fromkeys(referred)))


def _still_open(given: Mapping[str, str]) -> list[str]:
    """Which of the gateway and its key what is given leaves open; a gateway's own key variable settles both."""
    gateways = load_gateways()
    named = gateways.get(given.get("DARKROOM_GATEWAY", "").lower())
    own_keys = {variable for each in gateways.values() for variable in each.key_variables}
    if own_keys & given.keys() or (named and named.is_sandbox):
        return []
    is_placed = bool({"DARKROOM_GATEWAY", "DARKROOM_BASE_URL"} & given.keys())
    return [name for name in REFERRED if name not in given and not (is_placed and name == "DARKROOM_GATEWAY")]


def checked_name(name: str) -> str:
    """`name`, if every client takes it. Raises: InvalidRequest."""
    if not _NAME.fullmatch(name):
        raise InvalidRequest(f"--name {name[:40]!r}: take up to 40 letters, digits, '-' and '_'.")
    return name


def fresh_entry(client: Client, name: str, launch: Launch, environment: Environment) -> Values:
    """The entry as it is written where there is none."""
    entry: Values = {key: name if value == "{name}" else value for key, value in client.lead.items()}
    entry |= {client.command_key: launch.command, "args": list(launch.args)}
    env: Values = {**environment.given}
    if client.reference:
        env |= {each: _reference(client, each) for each in environment.referred if each not in env}
    if env:
        entry[client.env_key] = env
    if client.reference_list and environment.referred:
        entry[client.reference_list] = [each for each in environment.referred if each not in env]
    return entry | dict(client.tail)


def merged_entry(client: Client, fresh: Values, existing: Values | None, given: Mapping[str, str]) -> Values:
    """`existing` brought up to `fresh`: the command is ours, everything else that the person set stays.

    Raises: SettingsError where the existing entry is a remote server.
    """
    if existing is None:
        return fresh
    if any(key in existing for key in _REMOTE_KEYS) or existing.get("type", "stdio") != "stdio":
        words = f"{client.title} has an entry of this name for a remote server."
        raise SettingsError(f"{words} Remove it, or choose another --name.")
    references = {_reference(client, name): name for name in REFERRED} if client.reference else {}
    fresh_env = _mapping(fresh.get(client.env_key))
    old_env = _mapping(existing.get(client.env_key))
    # A reference of ours that what is given has settled would be asked for, or win over it.
    old_env = {
        name: value for name, value in old_env.items() if name in fresh_env or references.get(str(value)) != name
    }
    merged = fresh | existing | {client.command_key: fresh[client.command_key], "args": fresh["args"]}
    env = fresh_env | old_env | dict(given)
    if env or client.env_key in existing:
        merged[client.env_key] = env
    if names := _listed(existing, client.reference_list) + _listed(fresh, client.reference_list):
        merged[client.reference_list] = [each for each in dict.fromkeys(names) if each not in env]
    return merged


def command_line(name: str, launch: Launch, given: Mapping[str, str]) -> str:
    """Claude Code's command that adds the entry; the file for all projects is its own to write."""
    env = [part for variable, value in given.items() for part in ("--env", f"{variable}={value}")]
    add = ["claude", "mcp", "add", name, "--scope", "user", *env, "--", launch.command, *launch.args]
    return shlex.join(add)


def questions_for(client: Client, entry: Values) -> list[Values]:
    """What VS Code has to ask so that the entry's references mean something."""
    env = _mapping(entry.get(client.env_key)) if client.has_inputs else {}
    return [_question(name) for name, value in env.items() if value == _reference(client, name)]


def _question(variable: str) -> Values:
    """How VS Code asks for one variable. Of the gateways it names those that need no address as well."""
    if variable == "DARKROOM_GATEWAY":
        names = ", ".join(name for name, gateway in load_gateways().items() if gateway.base_url)
        about: Values = {"description": f"Gateway for darkroom: {names}", "default": "sandbox"}
        return {"type": "promptString", "id": "darkroom-gateway", **about}
    name, words = f"darkroom-{variable}", f"{variable} for darkroom"
    if variable == "DARKROOM_API_KEY":
        name, words = "darkroom-key", "API key of the gateway; empty for the sandbox"
    return {"type": "promptString", "id": name, "description": words, "password": True}


def _reference(client: Client, variable: str) -> str:
    return client.reference.format(_question(variable)["id"] if client.has_inputs else variable)


def _mapping(value: JsonValue) -> Values:
    return dict(value) if isinstance(value, dict) else {}


def _listed(entry: Values, key: str) -> list[JsonValue]:
    value = entry.get(key)
    return list(value) if isinstance(value, list) else []
