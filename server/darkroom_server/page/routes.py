"""The routes of the page: its lists, thumbnails and images, and on the person's own computer reveal."""

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from anyio import to_thread
from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route, Router

from darkroom.errors import DarkroomError, UnknownPrediction
from darkroom.outputs.formats import HEAD_BYTES, sniff
from darkroom.outputs.preview import SHOWN_TYPES, Reader
from darkroom_server.page.catalogue import Catalogue
from darkroom_server.page.document import served_page
from darkroom_server.page.pictures import Picture
from darkroom_server.page.reveal import reveal
from darkroom_server.page.thumbnails import Thumbnails, shrunk

# An image never changes under its address. On a server the address is the same for whoever has the cookie.
_KEPT = {"Cache-Control": "private, max-age=86400, immutable", "Vary": "Cookie"}
_ANIMATED = frozenset({"image/gif", "image/avif"})
_DRAWING_PX, _DRAWING_BYTES = 2048, 8_000_000
_PAGE = 200

Endpoint = Callable[[Request], Awaitable[Response]]
Data = dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Shown:
    """What one person's page is made of; `read` gives the bytes of a file of the catalogue."""

    catalogue: Catalogue
    thumbnails: Thumbnails
    read: Reader


class DataRoutes:
    """What every page asks for. `shown` says whose pictures they are, and `told` what is told of one.

    The endpoints raise UnknownPrediction where there is no such picture, OutputError where it cannot be read, and
    JournalError.
    """

    def __init__(self, shown: Callable[[Request], Awaitable[Shown]], told: Callable[[Picture], Data]) -> None:
        self._shown = shown
        self._told = told
        self.endpoints: dict[str, Endpoint] = {
            "pictures": self._pictures,
            "version": self._version,
            "thumbnail/{id}": self._thumbnail,
            "image/{id}": self._image,
        }

    async def _pictures(self, request: Request) -> Response:
        given = request.query_params
        limit = given.get("limit", "")
        size = int(limit) if re.fullmatch("[0-9]{1,5}", limit) else _PAGE
        shown = await self._shown(request)
        pictures, after = await shown.catalogue.page(given.get("after", ""), size)
        return answer({"pictures": [self._told(each) for each in pictures], "next": after})

    async def _version(self, request: Request) -> Response:
        version, count = await (await self._shown(request)).catalogue.version()
        return answer({"version": version, "count": count})

    async def _thumbnail(self, request: Request) -> Response:
        async def is_wanted() -> bool:
            return not await request.is_disconnected()

        shown = await self._shown(request)
        return _image(await shown.thumbnails.of((await picture(shown, request)).file, is_wanted))

    async def _image(self, request: Request) -> Response:
        """The file as it is, or what can be shown of it: a drawing (SVG) can hold a program, so its pixels are sent."""
        shown = await self._shown(request)
        content = await shown.read((await picture(shown, request)).file)
        if sniff(content[:HEAD_BYTES]) not in SHOWN_TYPES | _ANIMATED:
            content = await shrunk(content, _DRAWING_PX, _DRAWING_BYTES)
        return _image(content)


def local_router(shown: Shown) -> Router:
    """The whole page, for the person at this computer.

    What is not found, or cannot be read, is told as JSON with `problem`.
    """

    async def mine(request: Request) -> Shown:
        return shown

    async def page(request: Request) -> Response:
        html, policy = served_page()
        return HTMLResponse(html, headers={"Content-Security-Policy": policy})

    async def strays(request: Request) -> Response:
        return answer({"pictures": [each.data() for each in await shown.catalogue.strays()]})

    async def spending(request: Request) -> Response:
        return answer({"spending": [*await shown.catalogue.spending()]})

    async def revealed(request: Request) -> Response:
        await to_thread.run_sync(reveal, Path((await picture(shown, request)).file.location))
        return answer({"problem": ""})

    data = DataRoutes(mine, lambda picture: picture.data())
    endpoints = data.endpoints | {"": page, "strays": strays, "spending": spending}
    reading = [Route(f"/{path}", _in_words(endpoint), methods=["GET"]) for path, endpoint in endpoints.items()]
    revealing = Route("/reveal/{id}", _in_words(revealed), methods=["POST"])
    return Router([*reading, revealing], redirect_slashes=False)


async def picture(shown: Shown, request: Request) -> Picture:
    """The one that the address names. Raises: UnknownPrediction, JournalError."""
    if found := await shown.catalogue.find(request.path_params["id"]):
        return found
    raise UnknownPrediction("There is no such picture.")


def answer(data: Data, status_code: int = 200) -> Response:
    """In ASCII: a sidecar can hold half of a character, which no encoding has."""
    return Response(json.dumps(data), status_code, media_type="application/json")


def _image(content: bytes) -> Response:
    return Response(content, media_type=sniff(content[:HEAD_BYTES]), headers=_KEPT)


def _in_words(endpoint: Endpoint) -> Endpoint:
    """With what darkroom cannot do told in words."""

    async def told(request: Request) -> Response:
        try:
            return await endpoint(request)
        except DarkroomError as error:
            return answer({"problem": error.message}, status_code=404)

    return told
