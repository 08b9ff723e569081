"""The gallery: an MCP App, one hand-written HTML file that hosts show in a frame of their own.

It holds no data: the host hands it each tool result. Its theory of operation stands in the file itself.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from darkroom.gateways import Gateway

from darkroom.uris import scheme_of

GALLERY_URI = "ui://darkroom/gallery.html"
GALLERY_FILE = Path(__file__).with_name("gallery.html")


def gallery_html() -> str:
    """The whole page, read from the package at each call."""
    return GALLERY_FILE.read_text(encoding="utf-8")


def image_hosts(gateway: "Gateway") -> list[str]:
    """CSP sources for exactly the hosts whose images can appear: `data:` for previews, then https origins.

    A gateway on plain http or without an address adds none of its own; a profile that allows any host gives `https:`.
    """
    hosts = ["https:" if host == "*" else f"https://{host}" for host in gateway.output_hosts]
    own = [gateway.origin] if scheme_of(gateway.origin) == "https" else []
    return list(dict.fromkeys(["data:", *own, *hosts]))
