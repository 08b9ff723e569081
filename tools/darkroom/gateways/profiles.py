"""What is known of each gateway, as data: `profiles.toml` read into one frozen type."""

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from ipaddress import ip_address
from typing import Any, Literal, cast
from urllib.parse import urlsplit

Addressing = Literal["model-path", "version", "model-body"]


_EMBEDDED_HOST = "sandbox.darkroom.invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """One host that speaks the predictions format; a missing ability is one that nobody documents."""

    name: str
    title: str
    base_url: str
    """Without `/v1` and without a trailing slash; empty where the person must give it."""
    base_path: str = ""
    """What stands between the host and `/v1`."""
    key_variables: tuple[str, ...] = ()
    creates: tuple[Addressing, ...] = ("model-path", "version")
    honours_prefer: bool = False
    honours_cancel_after: bool = False
    has_cancel: bool = False
    has_list: bool = False
    has_files: bool = False
    has_models: bool = False
    has_account: bool = False
    link_lifetime_s: int = 3600
    docs_url: str = ""
    output_hosts: tuple[str, ...] = ()
    """Hosts that outputs may come from: exact, `*.suffix`, or `*` for any public host; the gateway's own host always may."""
    is_sandbox: bool = False

    @property
    def origin(self) -> str:
        """`https://host[:port]`, the only place that ever sees the key."""
        return origin_of(self.base_url)

    @property
    def is_loopback(self) -> bool:
        return is_loopback_url(self.base_url)

    @property
    def is_embedded(self) -> bool:
        """True for the sandbox that runs inside this process."""
        return urlsplit(self.base_url).hostname == _EMBEDDED_HOST


def load_gateways() -> dict[str, Gateway]:
    """Every known profile by name, in the order in which their key variables are tried."""
    text = files("darkroom.gateways").joinpath("profiles.toml").read_text(encoding="utf-8")
    rows: dict[str, dict[str, Any]] = tomllib.loads(text)
    return {name: _gateway(name, row) for name, row in rows.items()}


def origin_of(url: str) -> str:
    """Scheme, host and port in lower case, the scheme's own port left out; empty for no URL."""
    parts = urlsplit(url)
    if not parts.hostname:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    is_default = parts.port in (None, {"https": 443, "http": 80}.get(parts.scheme))
    return f"{parts.scheme}://{host}" + ("" if is_default else f":{parts.port}")


def is_loopback_url(url: str) -> bool:
    """True for `localhost`, 127.0.0.0/8 and ::1 written as such; no name is resolved."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _gateway(name: str, row: dict[str, Any]) -> Gateway:
    """Raises: TypeError for a field that no gateway has."""
    values: dict[str, Any] = {
        field: tuple(cast("list[str]", value)) if isinstance(value, list) else value for field, value in row.items()
    }
    return Gateway(name=name, **values)
