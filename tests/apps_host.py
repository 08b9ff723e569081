"""A client that has MCP Apps, as a host with a gallery declares it."""

from typing import Any

from mcp.client.extension import ClientExtension
from mcp.server.apps import APP_MIME_TYPE, EXTENSION_ID


class HasApps(ClientExtension):
    """Give it to `Client(extensions=[…])`."""

    identifier = EXTENSION_ID

    def settings(self) -> dict[str, Any]:
        return {"mimeTypes": [APP_MIME_TYPE]}


CAPABILITIES = {"extensions": {EXTENSION_ID: {"mimeTypes": [APP_MIME_TYPE]}}}
