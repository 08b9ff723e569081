"""The routes behind the secret: the page, its lists, thumbnails, images, and the one thing that it can do: reveal."""

import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

from anyio import to_thread
from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route, Router

from darkroom.errors import DarkroomError, OutputError
from darkroom.outputs.formats import HEAD_BYTES, sniff
from darkroom_server.page.catalogue import Catalogue
from darkroom_server.page.document import served_page
from darkroom_server.page.pictures import Picture
from darkroom_server.page.reveal import reveal
from darkroom_server.page.thumbnails import SHOWN_TYPES, Reader, Thumbnails, shrunk

# They never change under their address, and the address dies with the process.
_KEPT = {"Cache-Control": "private, max-age=86400, immutable"}
_ANIMATED = frozenset({"image/gif", "image/avif"})
_DRAWING_PX, _DRAWING_BYTES = 2048, 8_000_000
_PAGE = 200

Endpoint = Callable[[Request], Awaitable[Response]]


class Routes:
    """`read` gives the bytes of a file of the catalogue."""

    def __init__(self, catalogue: Catalogue, thumbnails: Thumbnails, read: Reader) -> None:
        self._catalogue = catalogue
        self._thumbnails = thumbnails
        self._read = read

    def router(self) -> Router:
        """The ASGI app; what is not found, or cannot be read, is told as JSON with `problem`."""
        routes = {
            "/": self._page,
            "/pictures": self._pictures,
            "/strays": self._strays,
            "/spending": self._spending,
            "/version": self._version,
            "/thumbnail/{id}": self._thumbnail,
            "/image/{id}": self._image,
        }
        reading = [Route(path, _told(endpoint), methods=["GET"]) for path, endpoint in routes.items()]
        revealing = Route("/reveal/{id}", _told(self._reveal), methods=["POST"])
        return Router([*reading, revealing], redirect_slashes=False)

    async def _page(self, request: Request) -> Response:
        html, policy = served_page()
        return HTMLResponse(html, headers={"Content-Security-Policy": policy})

    async def _pictures(self, request: Request) -> Response:
        given = request.query_params
        limit = given.get("limit", "")
        size = int(limit) if re.fullmatch("[0-9]{1,5}", limit) else _PAGE
        pictures, after = await self._catalogue.page(given.get("after", ""), size)
        return _json({"pictures": [each.data() for each in pictures], "next": after})

    async def _strays(self, request: Request) -> Response:
        return _json({"pictures": [each.data() for each in await self._catalogue.strays()]})

    async def _spending(self, request: Request) -> Response:
        return _json({"spending": [*await self._catalogue.spending()]})

    async def _version(self, request: Request) -> Response:
        return _json({"version": await self._catalogue.version()})

    async def _thumbnail(self, request: Request) -> Response:
        async def is_wanted() -> bool:
            return not await request.is_disconnected()

        return _image(await self._thumbnails.of((await self._picture(request)).file, is_wanted))

    async def _image(self, request: Request) -> Response:
        """The file as it is, or what can be shown of it: a drawing (SVG) can hold a program, so its pixels are sent."""
        content = await self._read((await self._picture(request)).file)
        if sniff(content[:HEAD_BYTES]) not in SHOWN_TYPES | _ANIMATED:
            content = await shrunk(content, _DRAWING_PX, _DRAWING_BYTES)
        return _image(content)

    async def _reveal(self, request: Request) -> Response:
        await to_thread.run_sync(reveal, Path((await self._picture(request)).file.location))
        return _json({"problem": ""})

    async def _picture(self, request: Request) -> Picture:
        """Raises: OutputError for an id that no list gave; JournalError."""
        if found := await self._catalogue.find(request.path_params["id"]):
            return found
        raise OutputError("There is no such picture.")


def _image(content: bytes) -> Response:
    return Response(content, media_type=sniff(content[:HEAD_BYTES]), headers=_KEPT)


def _json(data: dict[str, JsonValue], status_code: int = 200) -> Response:
    """In ASCII: a sidecar can hold half of a character, which no encoding has."""
    return Response(json.dumps(data), status_code, media_type="application/json")


def _told(endpoint: Endpoint) -> Endpoint:
    """With what darkroom cannot do told in words."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except DarkroomError as error:
            return _json({"problem": error.message}, status_code=404)

    return answer
