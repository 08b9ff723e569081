"""`GET /images/ID/N`: a stored image, to the person alone to whom it belongs. What is another's is not there.

For places that give no links of their own, and for agents that have a token anyway. A browser comes with the session of
the page, and is led to the log-in without one.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from darkroom.darkroom import Darkroom
from darkroom.errors import AccessRefused, DarkroomError, OutputError
from darkroom.images import StoredFile
from darkroom.team_settings import TeamSettings
from darkroom_server.calls import ANSWER_WITHIN_S, Calls
from darkroom_server.team.people.visitor import Who, to_login, wants_page
from darkroom_server.team.tenants import Principal

_NUMBER = re.compile(r"[1-9][0-9]{0,3}")
# An SVG can carry scripts, and a browser may guess at types: neither runs anything here.
_HEADERS = {
    "Cache-Control": "private, max-age=3600",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def image_route(
    team: TeamSettings, calls: Callable[[Principal | None], Awaitable[Calls]], who: Who | None = None
) -> Route:
    """`calls` gives those of a person, or of whose token came; `who` knows a browser's session, where there are any."""

    async def image(request: Request) -> Response:
        id, number = request.path_params["id"], request.path_params["n"]
        try:
            visitor = await who(request) if who and "authorization" not in request.headers else None
            if not visitor and (refused := _login_problem(request, team)):
                return to_login(request) if who and wants_page(request) else refused
            person = visitor.principal if visitor else None
            found = await _content(await calls(person), id, number, is_png=request.query_params.get("as") == "png")
        except AccessRefused as error:
            return JSONResponse({"error": error.message}, status_code=403)
        except DarkroomError:
            return JSONResponse({"error": "The image cannot be read at the moment. Try again."}, status_code=503)
        if found is None:
            return JSONResponse({"error": "There is no such image."}, status_code=404)
        body, file = found
        kept = {"Content-Disposition": "attachment"} if file.mime_type == "image/svg+xml" else {}
        # A browser may be somebody else's next.
        kept |= {"Cache-Control": "no-store"} if visitor else {}
        return Response(body, media_type=file.mime_type, headers=_HEADERS | kept)

    return Route("/images/{id}/{n}", image, methods=["GET"])


def _login_problem(request: Request, team: TeamSettings) -> Response | None:
    """The answer to whoever is not logged in, or without the scope."""
    metadata = f"{team.public_url}/.well-known/oauth-protected-resource/mcp"
    if not isinstance(request.user, AuthenticatedUser):
        challenge = f'Bearer error="invalid_token", resource_metadata="{metadata}"'
        return JSONResponse({"error": "invalid_token"}, status_code=401, headers={"WWW-Authenticate": challenge})
    if team.oauth_scope not in request.user.scopes:
        challenge = f'Bearer error="insufficient_scope", scope="{team.oauth_scope}", resource_metadata="{metadata}"'
        return JSONResponse({"error": "insufficient_scope"}, status_code=403, headers={"WWW-Authenticate": challenge})
    return None


async def _content(calls: Calls, id: str, number: str, *, is_png: bool) -> tuple[bytes, StoredFile] | None:
    """The bytes and what they are; None where there is no such image. Raises: DarkroomError."""

    async def read(darkroom: Darkroom) -> list[tuple[bytes, StoredFile]]:
        row = await darkroom.journal.find(id) if _NUMBER.fullmatch(number) else None
        file = next((each.file for each in row.images if each.index + 1 == int(number)), None) if row else None
        if file and is_png and file.raster_location:
            file = replace(file, location=file.raster_location, mime_type="image/png")
        return [(await darkroom.stores.read(file), file)] if file else []

    if (found := await calls.in_darkroom(ANSWER_WITHIN_S, read)) is None:
        raise OutputError("It was not read in time.", can_retry=True)
    return next(iter(found), None)
