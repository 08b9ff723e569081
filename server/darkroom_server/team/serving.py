"""A replica: the MCP server of a team over HTTP, stateless, behind the team's log-in.

    /mcp                                     with a token; GET is refused, as nothing is ever sent of its own accord
    /images/{id}/{n}                         with a token, to the owner; to their browser with the session of the page
    /  /connect  /login  ...                 to people, where DARKROOM_OAUTH_CLIENT_ID is set: `people`
    /hooks/{account}/{key}                   to the gateways, signed
    /health  /ready                          to everybody: whether the process answers, and whether it should get calls
    /.well-known/oauth-protected-resource    where tokens come from (RFC 9728), also with /mcp behind it

Nothing of a call is kept between requests, so that any replica answers any request.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from mcp.server import MCPServer
from mcp.server.mcpserver import RequestStateSecurity
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette

from darkroom.errors import DarkroomClosed
from darkroom.gateways import load_gateways
from darkroom.settings import Settings
from darkroom.team_settings import TeamSettings
from darkroom.uris import is_url, scheme_of
from darkroom_server.app import assemble, registry_of
from darkroom_server.bodies import HeldBodies
from darkroom_server.calls import Calls
from darkroom_server.gallery import image_hosts
from darkroom_server.instructions import team_instructions
from darkroom_server.rooms import Rooms
from darkroom_server.team.handshake_requests import HandshakeRequests
from darkroom_server.team.hooks import hook_route
from darkroom_server.team.images import image_route
from darkroom_server.team.opened import Opened, open_team
from darkroom_server.team.people.routes import People
from darkroom_server.team.routes import auth_settings, resource_metadata_route, status_routes
from darkroom_server.team.tenants import Principal
from darkroom_server.team.tokens import TokenVerifier
from darkroom_server.team.vault import Vault

_NEEDED = ("database_url", "master_keys", "public_url", "oauth_issuer")
_STATE_KEYS = "darkroom request state"


class _Here:
    """What the routes need of what is opened later, when the server starts."""

    def __init__(self) -> None:
        self.opened: Opened | None = None

    def now(self) -> Opened:
        """Raises: DarkroomClosed."""
        if self.opened is None:
            raise DarkroomClosed("darkroom is closing, or has not opened yet. Nothing was sent. Try again.")
        return self.opened

    async def machine(self, sha256: bytes) -> str | None:
        return await self.now().directory.machine(sha256)

    def version(self) -> int | None:
        return self.opened.news.version() if self.opened else None

    async def calls(self, principal: Principal | None) -> Calls:
        """Those of this person, or of whoever's token came with the request. Raises: DarkroomError."""
        rooms = self.now().rooms
        return await (rooms.of(principal) if principal else rooms.calls())

    async def missing(self) -> list[str]:
        return await self.opened.missing() if self.opened else ["start"]

    def warnings(self) -> list[str]:
        return ["no worker"] if self.opened and not self.opened.workers.queues else []


def team_app(
    settings: Settings,
    team: TeamSettings,
    transport_security: TransportSecuritySettings,
    is_leaving: Callable[[], bool],
    *,
    most_bytes: int,
) -> Starlette:
    """The ASGI app; what it opens, it opens when it starts.

    `is_leaving` tells that the process was asked to stop; bodies of more than `most_bytes` are refused.

    Raises: SettingsError for a setting that is missing or cannot be used.
    """
    team.require(*_NEEDED)
    here, registry, auth = _Here(), registry_of(settings), auth_settings(team)
    vault, verifier = Vault.read(team.master_keys.get_secret_value()), TokenVerifier(team, here.machine, here.version)

    @asynccontextmanager
    async def lifespan(_: MCPServer[Rooms]) -> AsyncGenerator[Rooms]:
        async with open_team(settings, team, registry) as here.opened:
            here.opened.tasks.start_soon(handshakes.keep_alive, here.opened.tasks)
            try:
                yield here.opened.rooms
            finally:
                here.opened = None

    server = assemble(
        settings,
        registry,
        lifespan,
        instructions=team_instructions(settings, team),
        image_hosts=_image_hosts(settings, team),
        hidden=[place for place in (settings.output_location, str(settings.data_path)) if not is_url(place)],
        subscriptions=False,
        auth=auth,
        token_verifier=verifier,
        request_state_security=RequestStateSecurity(keys=vault.derived(_STATE_KEYS)),
    )
    app = server.streamable_http_app(
        stateless_http=True, transport_security=transport_security, max_request_body_size=most_bytes
    )
    manager = server.session_manager
    manager.asgi_app.app = handshakes = HandshakeRequests(manager, lambda: here.now().rooms)
    app.routes.extend([*status_routes(here.missing, here.warnings, is_leaving), resource_metadata_route(auth)])
    app.router.redirect_slashes = False
    app.state.held_bodies = HeldBodies()
    people = People(team, vault, verifier, here.now, app.state.held_bodies) if team.oauth_client_id else None
    app.routes.extend(people.routes(settings) if people else [])
    app.routes.append(image_route(team, here.calls, people.who if people else None))
    app.state.open_rooms = lambda: here.opened.rooms.open_count if here.opened else 0
    if team.webhooks == "on":
        app.routes.append(hook_route(lambda: here.now().hooks))
    return app


def _image_hosts(settings: Settings, team: TeamSettings) -> list[str]:
    """What the gallery may load images from: any gateway that the team may use, its bucket, and this server."""
    gateways = [host for gateway in load_gateways().values() for host in image_hosts(gateway)]
    bucket = ["https:"] if is_url(settings.output_location) else []
    own = [team.public_url] if scheme_of(team.public_url) == "https" else []
    return list(dict.fromkeys([*gateways, *bucket, *own]))
