"""What a replica answers to everybody: its state, and where its tokens come from."""

from collections.abc import Awaitable, Callable

from mcp.server.auth.routes import create_protected_resource_routes
from mcp.server.auth.settings import AuthSettings
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from darkroom.team_settings import TeamSettings
from darkroom_server import __version__

_METADATA = "/.well-known/oauth-protected-resource"


def status_routes(
    missing: Callable[[], Awaitable[list[str]]], warnings: Callable[[], list[str]], is_leaving: Callable[[], bool]
) -> list[Route]:
    """`/health`, which asks nobody, and `/ready`: 503 with the reasons while it should get no calls.

    `warnings` are what others have to mend while it serves on.
    """

    async def health(request: Request) -> JSONResponse:
        return JSONResponse({"name": "darkroom", "version": __version__, "ok": True})

    async def ready(request: Request) -> JSONResponse:
        reasons = ["leaving"] if is_leaving() else await missing()
        state = {"ready": not reasons, "missing": reasons}
        if not reasons and (said := warnings()):
            state["warnings"] = said
        return JSONResponse(state, status_code=503 if reasons else 200)

    return [Route("/health", health, methods=["GET"]), Route("/ready", ready, methods=["GET"])]


def auth_settings(team: TeamSettings) -> AuthSettings:
    """What the SDK needs to know of the log-in."""
    # From texts: an address that was parsed before ends with a slash, and hosts compare the issuer by characters.
    given = {"issuer_url": team.oauth_issuer, "resource_server_url": team.resource}
    return AuthSettings.model_validate(given | {"required_scopes": [team.oauth_scope], "validate_token_resource": True})


def resource_metadata_route(auth: AuthSettings) -> Route:
    """The document that the SDK serves with `/mcp` behind it, at the root too, where some hosts ask for it."""
    assert auth.resource_server_url
    (route,) = create_protected_resource_routes(
        resource_url=auth.resource_server_url,
        authorization_servers=[auth.issuer_url],
        scopes_supported=auth.required_scopes,
    )
    return Route(_METADATA, endpoint=route.endpoint, methods=["GET", "OPTIONS"])
