"""What is known of each gateway, as data: `profiles.toml` read into one frozen type."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from darkroom.gateways.route import Route
from darkroom.uris import host_of, is_loopback_url, origin_of

Addressing = Literal["model-path", "version", "model-body", "deployment"]
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
    has_account: bool = False
    has_webhooks: bool = False
    """Whether it signs what it says of an end, with a secret of the account."""
    has_models: bool = False
    """Whether it tells what inputs a model takes (/v1/models/{owner}/{name})."""
    has_token_log: bool | None = None
    """Whether it keeps a log of what each key used; None: asked once, and remembered in the journal."""
    link_lifetime_s: int = 3600
    refusal_codes: tuple[str, ...] = ()
    """`status code` pairs by which the gateway's documents say that nothing was carried out."""
    output_hosts: tuple[str, ...] = ("*",)
    """Hosts that outputs may come from: exact, `*.suffix`, or `*` for any public host; the gateway's own always may."""
    local_stores: tuple[str, ...] = ()
    """`host:port` of stores on this machine that outputs may come from too, where the gateway is on this machine."""
    route: Route = Route()
    """How it and the hosts of its images are reached."""
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
        return host_of(self.base_url) == _EMBEDDED_HOST


@cache
def load_gateways() -> dict[str, Gateway]:
    """Every known profile by name, in the order in which their key variables are tried."""
    text = Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
    rows: dict[str, dict[str, str | int | list[str]]] = tomllib.loads(text)
    gateways: dict[str, Gateway] = {}
    for name, row in rows.items():
        fields: dict[str, Any] = {key: tuple(each) if isinstance(each, list) else each for key, each in row.items()}
        gateways[name] = Gateway(name=name, **fields)
    return gateways
