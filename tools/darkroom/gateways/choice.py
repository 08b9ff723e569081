"""Which gateway, and whose key: decided once from the environment and the stored keys, said in one sentence.

A key goes only to the address that it belongs to: the key variable of a profile never unlocks another origin; for any
other address the person sets DARKROOM_API_KEY and so says that it belongs there. A stored key knows its address.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from darkroom.errors import InvalidRequest, SettingsError
from darkroom.gateways.keys import Key
from darkroom.gateways.profiles import Gateway, load_gateways
from darkroom.gateways.route import Route, proxy_at
from darkroom.key_store import KeyStore
from darkroom.spelling import closest_words
from darkroom.uris import is_loopback_url, is_web_url, origin_of

GATEWAY_VARIABLE = "DARKROOM_GATEWAY"
BASE_URL_VARIABLE = "DARKROOM_BASE_URL"
KEY_VARIABLE = "DARKROOM_API_KEY"
OUTPUT_HOSTS_VARIABLE = "DARKROOM_OUTPUT_HOSTS"
PROXY_VARIABLE = "DARKROOM_PROXY"
CERTIFICATES_VARIABLE = "SSL_CERT_FILE"
_HOST_PATTERN = r"\*|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*"
_LOCAL_STORE = r"(\[[0-9a-f:]+\]|[a-z0-9.-]+):\d{1,5}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayChoice:
    """The gateway in use; `reason` is one sentence for people."""

    gateway: Gateway
    key: Key
    reason: str


def choose_gateway(environ: Mapping[str, str], stored: KeyStore | None = None) -> GatewayChoice:
    """The gateway that DARKROOM_GATEWAY names, else the one whose address or key is set or stored, else the sandbox.

    Raises: SettingsError, in words that name the variable to mend.
    """
    profiles = load_gateways()
    values = {name: value.strip() for name, value in environ.items()}
    # A host may leave a placeholder as it is.
    values = {name: value for name, value in values.items() if value and not value.startswith("${")}
    address = _clean_address(values.get(BASE_URL_VARIABLE, ""))
    stored = stored or KeyStore(None)
    profile, reason = _profile(profiles, values, address, stored)
    gateway = _with_output_hosts(_at_address(profile, address), values.get(OUTPUT_HOSTS_VARIABLE, ""))
    proxy = proxy_at(values[PROXY_VARIABLE]) if PROXY_VARIABLE in values else None
    route = Route(proxy=proxy, certificates_file=values.get(CERTIFICATES_VARIABLE, ""))
    gateway = replace(gateway, route=route)
    if not gateway.base_url:
        raise SettingsError(
            f"Gateway '{gateway.name}' has no fixed address: set {BASE_URL_VARIABLE} to the one your reseller gave you."
        )
    return GatewayChoice(gateway=gateway, key=_key(profile, gateway, values, stored), reason=reason)


def _profile(
    profiles: dict[str, Gateway], values: Mapping[str, str], address: str, stored: KeyStore
) -> tuple[Gateway, str]:
    if name := values.get(GATEWAY_VARIABLE, "").lower():
        if name not in profiles:
            raise SettingsError(
                f"{GATEWAY_VARIABLE} is '{_quotable(name, 40)}'; known gateways: {', '.join(profiles)}."
            )
        return profiles[name], f"{GATEWAY_VARIABLE} names it."
    if address:
        own = (each for each in profiles.values() if each.base_url and each.origin == origin_of(address))
        return next(own, profiles["custom"]), f"{BASE_URL_VARIABLE} gives its address."
    found = [(each, name) for each in profiles.values() for name in each.key_variables if name in values]
    if not found and KEY_VARIABLE in values:
        raise SettingsError(
            f"{KEY_VARIABLE} is set, but not which gateway it is for: set {GATEWAY_VARIABLE} ({', '.join(profiles)}) "
            f"or {BASE_URL_VARIABLE}."
        )
    if not found and (kept := [each for name, each in profiles.items() if name in stored.places()]):
        also = f" Others are stored too; {GATEWAY_VARIABLE} chooses." if kept[1:] else ""
        return kept[0], f"A key is stored for it.{also}"
    if not found:
        return profiles["sandbox"], f"No key is set; set REPLICATE_API_TOKEN or {GATEWAY_VARIABLE} for a real gateway."
    chosen, variable = found[0]
    others = sorted({each.name for each, _ in found[1:]} - {chosen.name})
    also = f" Keys are set for {' and '.join(others)} too; {GATEWAY_VARIABLE} chooses." if others else ""
    return chosen, f"{variable} is set.{also}"


def _clean_address(text: str) -> str:
    """The address without `/v1` and trailing slashes.

    Raises: SettingsError for anything but https (http on this machine), a host and a path.
    """
    if not text:
        return ""
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise SettingsError(f"{BASE_URL_VARIABLE} is not an address: {_quotable(str(error), 80)}.") from error
    if "@" in parts.netloc:
        raise SettingsError(f"{BASE_URL_VARIABLE} may not hold a user name or password; set {KEY_VARIABLE} instead.")
    if not (is_web_url(text) and origin_of(text) and text.isprintable()) or parts.query or parts.fragment:
        raise SettingsError(f"{BASE_URL_VARIABLE} must look like https://host:port/path, without '?' and '#'.")
    if parts.scheme == "http" and not is_loopback_url(text):
        raise SettingsError(f"{BASE_URL_VARIABLE} must start with https://; plain http is only for this machine.")
    return origin_of(text) + parts.path.rstrip("/").removesuffix("/v1").rstrip("/")


def _at_address(profile: Gateway, address: str) -> Gateway:
    """The profile at another address; its own path is added where the address of such a host comes without one."""
    if not address:
        return profile
    is_own = profile.origin == origin_of(address) or not (profile.base_url or is_loopback_url(address))
    path = profile.base_path if is_own and not urlsplit(address).path else ""
    return replace(profile, base_url=address + path)


def _with_output_hosts(gateway: Gateway, listed: str) -> Gateway:
    """Names narrow the hosts of outputs to these; `host:port` adds a store on this machine.

    Raises: SettingsError for anything else, because it would never match.
    """
    entries = [entry for part in listed.split(",") if (entry := part.strip().lower())]
    stores = tuple(
        entry for entry in entries if re.fullmatch(_LOCAL_STORE, entry) and is_loopback_url(f"http://{entry}")
    )
    names = tuple(entry for entry in entries if re.fullmatch(_HOST_PATTERN, entry))
    if odd := next((entry for entry in entries if entry not in stores + names), None):
        raise SettingsError(
            f"{OUTPUT_HOSTS_VARIABLE} holds '{_quotable(odd, 60)}'. Allowed: host names such as cdn.example.com or "
            "*.example.com, which must be the only ones then, and 127.0.0.1:port for a store on this machine."
        )
    return replace(gateway, output_hosts=names or gateway.output_hosts, local_stores=stores)


def named_gateway(name: str) -> Gateway:
    """The profile of this name. Raises: InvalidRequest, which names the closest."""
    gateways = load_gateways()
    if chosen := gateways.get(name.lower()):
        return chosen
    hint = closest_words(name.lower(), gateways)
    raise InvalidRequest(f"Unknown gateway {name[:40]!r}.{hint} Known: {', '.join(gateways)}.")


def name_of_key(gateway: Gateway) -> str:
    """The name under which the key for this gateway, at its address, is stored."""
    own = load_gateways()[gateway.name]
    return gateway.name if own.base_url and own.origin == gateway.origin else f"{gateway.name} {gateway.origin}"


def _key(profile: Gateway, gateway: Gateway, values: Mapping[str, str], stored: KeyStore) -> Key:
    """The key and the variable, or the store, that it came from.

    Raises: SettingsError where there is none, or where it belongs to another address.
    """
    own = next((name for name in profile.key_variables if name in values), "")
    variable = KEY_VARIABLE if KEY_VARIABLE in values else own
    if not variable and not gateway.is_sandbox:
        name = name_of_key(gateway)
        if kept := stored.get(name):
            return checked_key(kept, stored.places()[name])
    if not variable and (gateway.is_sandbox or (gateway.name == "custom" and gateway.is_loopback)):
        return Key()
    if not variable:
        names = " or ".join((*profile.key_variables, KEY_VARIABLE))
        raise SettingsError(
            f"Gateway '{gateway.name}' needs a key: set {names}, or run `darkroom-mcp key set {gateway.name}`."
        )
    if variable == own and profile.base_url and profile.origin != gateway.origin:
        raise SettingsError(
            f"{own} belongs to {profile.origin} and is not sent to {gateway.origin}. "
            f"Set {KEY_VARIABLE} to the key for that address, or take {BASE_URL_VARIABLE} away."
        )
    return checked_key(values[variable], variable)


def checked_key(text: str, source: str) -> Key:
    """The key from this source. Raises: SettingsError for what cannot be one."""
    if not text.isascii() or not text.isprintable() or " " in text:
        raise SettingsError(f"{source} holds characters that no key has; copy it again.")
    return Key(text, source)


def _quotable(text: str, limit: int) -> str:
    from darkroom.gateways.words import clean_words  # its patterns take a while to compile

    return clean_words(text, limit)
