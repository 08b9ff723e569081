"""`darkroom-mcp key`: keys of gateways, kept outside of every settings file. None is ever shown."""

from importlib.util import find_spec
from typing import Annotated

import typer

from darkroom.errors import InvalidRequest
from darkroom.gateways import checked_key, choose_gateway, load_gateways, name_of_key, named_gateway
from darkroom.key_store import SYSTEM_STORE
from darkroom.settings import Settings
from darkroom_server.cli.hidden import read_hidden
from darkroom_server.cli.screen import note

_Gateway = Annotated[str, typer.Argument(help="The gateway, such as replicate.", metavar="GATEWAY")]
_Address = Annotated[str, typer.Option("--base-url", help="Its address, where that is not its own or not set.")]


def key_commands() -> typer.Typer:
    """The three commands as one group."""
    group = typer.Typer(help="Keep the keys of gateways in the system's key store, or in a file of your own.")
    group.command(name="set")(set_key)
    group.command(name="list")(list_keys)
    group.command(name="remove")(remove_key)
    return group


def set_key(
    gateway: _Gateway,
    base_url: _Address = "",
    in_file: Annotated[bool, typer.Option("--file", help="Use the file, also where there is a key store.")] = False,
) -> None:
    """Store a key, read without showing it, or from a line of stdin."""
    settings = Settings.read_or_problem()
    name = _name(settings, gateway, base_url)
    key = checked_key(read_hidden(f"Key for {name} (not shown): "), "What was typed")
    if not key:
        raise InvalidRequest("No key came. Type it at the prompt, or give it as a line of stdin. Nothing was stored.")
    place = settings.key_store.put(name, key.reveal(), is_for_file=in_file)
    is_file = place != SYSTEM_STORE
    note(f"The key for {name} is kept in {place}{', which you alone can read' if is_file else ''}.")
    if is_file and not in_file and not find_spec("keyring"):
        note("With the extra `keyring` it would go into the system's key store: darkroom-mcp[keyring].")
    variables = ("DARKROOM_API_KEY", *load_gateways()[gateway.lower()].key_variables)
    if first := next((each for each in variables if each in settings.sources.texts), ""):
        note(f"{first} is set in the environment and still comes first.")


def list_keys() -> None:
    """Say for which gateways a key is stored, and where."""
    places = Settings.read_or_problem().key_store.places()
    for name, place in places.items():
        typer.echo(f"{name}  {place}")
    if not places:
        note("No key is stored. `darkroom-mcp key set replicate` stores one.")


def remove_key(gateway: _Gateway, base_url: _Address = "") -> None:
    """Forget a stored key."""
    settings = Settings.read_or_problem()
    stored = settings.key_store.places()
    known = [name for name in stored if name.partition(" ")[0] == gateway.lower()]
    name = known[0] if len(known) == 1 and not base_url else _name(settings, gateway, base_url)
    if not settings.key_store.remove(name):
        raise InvalidRequest(f"No key for {name} is stored. `darkroom-mcp key list` shows which are.")
    note(f"The key for {name} is removed from {stored[name]}.")


def _name(settings: Settings, gateway: str, base_url: str) -> str:
    """The name of the key, which holds the address where the gateway has none of its own.

    Raises: InvalidRequest, SettingsError where there is no such gateway, or no address for it.
    """
    chosen = named_gateway(gateway)
    if chosen.is_sandbox:
        raise InvalidRequest("The sandbox needs no key.")
    address = base_url or ("" if chosen.base_url else settings.sources.texts.get("DARKROOM_BASE_URL", ""))
    if not (address or chosen.base_url):
        raise InvalidRequest(f"Gateway {chosen.name!r} has no address of its own: give it with --base-url https://…")
    named = {"DARKROOM_GATEWAY": chosen.name, "DARKROOM_API_KEY": "any", "DARKROOM_BASE_URL": address}
    return name_of_key(choose_gateway(named).gateway)
