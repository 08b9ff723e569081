"""The data of the page for people: every route first asks who it is, and reads the rows of that person alone.

What is another's is 404, as what is not there; a log-in that has ended is 401, and the page says so.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import JsonValue
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from darkroom.errors import AccessRefused, DarkroomError, InvalidRequest, OutputError, UnknownPrediction
from darkroom.journal import Journal
from darkroom.journal.postgres import Postgres
from darkroom.outputs import OutputStores
from darkroom.settings import Settings
from darkroom_server.bodies import AGAIN_S, TooMuchAtOnce
from darkroom_server.page.catalogue import Catalogue
from darkroom_server.page.guard import ALWAYS, UNLESS_SAID
from darkroom_server.page.routes import DataRoutes, Endpoint, Shown, answer
from darkroom_server.page.thumbnails import Thumbnails
from darkroom_server.team.people.spending import spending_of
from darkroom_server.team.people.tenant_rows import administered_by, tenant_data
from darkroom_server.team.people.thumbnails import KeptBesideImages
from darkroom_server.team.people.visitor import Who
from darkroom_server.team.tenants import Principal

log = logging.getLogger(__name__)

_STATUSES = {UnknownPrediction: 404, AccessRefused: 403, InvalidRequest: 400}
ROOT = "page/"
"""Where the data of the page is, below the address of the server."""


def people_routes(who: Who, postgres: Callable[[], Postgres], settings: Settings) -> list[Route]:
    """`who` says whose session a request brings; `postgres` gives the open pool.

    Raises: SettingsError for a DARKROOM_OUTPUT_DIR that is none.
    """
    stores = OutputStores(settings.output_location, spare=settings.data_path / "images")
    people = _People(who, postgres, stores, Thumbnails(KeptBesideImages(stores), stores.read))
    data = DataRoutes(people.shown, lambda picture: picture.data_for_team())
    own = {"spending": people.spending, "me": people.me, "tenant/{tenant}": people.tenant}
    endpoints = data.endpoints | own
    return [Route(f"/{ROOT}{path}", told(endpoint), methods=["GET"]) for path, endpoint in endpoints.items()]


class NotYours(Exception):
    """There is no log-in (401), or the form is none of the page's (403)."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status
        self.words = "Your log-in has ended. Reload the page to log in again."


@dataclass(frozen=True, slots=True)
class _People:
    """Whoever asks, and what of theirs is shown."""

    who: Who
    postgres: Callable[[], Postgres]
    stores: OutputStores
    thumbnails: Thumbnails

    async def shown(self, request: Request) -> Shown:
        person, postgres = await self._person(request), self.postgres()
        journal = Journal(postgres.database(person.tenant, person.hash), postgres.clock)
        return Shown(Catalogue(journal), self.thumbnails, self.stores.read)

    async def spending(self, request: Request) -> Response:
        return answer(await spending_of(self.postgres(), await self._person(request)))

    async def me(self, request: Request) -> Response:
        person = await self._person(request)
        administered: list[JsonValue] = [*await administered_by(self.postgres(), person)]
        return answer({"tenant": person.tenant, "subject": person.subject, "administers": administered})

    async def tenant(self, request: Request) -> Response:
        person, tenant = await self._person(request), request.path_params["tenant"]
        if tenant not in await administered_by(self.postgres(), person):
            raise UnknownPrediction("There is no such tenant, or you do not administer it.")
        return answer(await tenant_data(self.postgres(), tenant))

    async def _person(self, request: Request) -> Principal:
        if (visitor := await self.who(request)) is None:
            raise NotYours(401)
        return visitor.principal


def told(endpoint: Endpoint) -> Endpoint:
    """With what darkroom cannot do told in words, and none that name a place of this computer or of the bucket."""

    async def answered(request: Request) -> Response:
        try:
            response = await endpoint(request)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            status, words = _in_words(error, is_reading=request.method == "GET")
            response = answer({"problem": words}, status)
            if isinstance(error, TooMuchAtOnce):
                response.headers["Retry-After"] = str(AGAIN_S)
        for name, value in (ALWAYS | UNLESS_SAID).items():
            response.headers.setdefault(name, value)
        return response

    return answered


def _in_words(error: Exception, *, is_reading: bool) -> tuple[int, str]:
    """The status and what happened. Raises: the error where it is none of darkroom's."""
    if isinstance(error, NotYours | TooMuchAtOnce):
        return error.status, error.words
    if not isinstance(error, DarkroomError):
        raise error
    if status := next((status for kind, status in _STATUSES.items() if isinstance(error, kind)), None):
        return status, error.message
    log.warning("the page cannot be served: %s", error)
    if isinstance(error, OutputError) and is_reading:
        return 404, "The picture cannot be read at the moment."
    return 503, "This cannot be done at the moment. Try again; an administrator finds the reason in the log."
