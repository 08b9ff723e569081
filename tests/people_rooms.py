"""The page for people over a PostgreSQL of the tests, in this process; who looks is in a plain cookie of the tests'."""

import threading
from collections.abc import AsyncGenerator, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import anyio
import httpx
import uvicorn
from journal_fixtures import HandClock, new_intent, prediction
from page_rooms import Made, stored
from postgres_server import PostgresServer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from team_rooms import ISSUER

from darkroom.images import ImageState, StoredImage
from darkroom.journal import Journal
from darkroom.journal.postgres import Postgres, open_postgres
from darkroom.predictions import PredictionStatus
from darkroom.settings import Settings
from darkroom_server.team.people.data_routes import people_routes
from darkroom_server.team.people.views import pictures_page
from darkroom_server.team.people.visitor import Visitor
from darkroom_server.team.tenants import Principal, principal_hash

_MANY = """INSERT INTO intents (tenant, principal, key, request_id, part, gateway, origin, model, version, input_shown,
    file_fields, request, image_count, cost_usd, cost_basis, state, prediction_id, status, prediction, intended_at,
    sent_at, known_at, ended_at)
    SELECT '{tenant}', '{hash}', rpad(to_char(100000 - n, 'FM00000') || '{name}', 26, '0'), '', 0, 'replicate',
    'https://gateway.invalid', 'luma/photon', '', '{{}}', '[]', '{{"prompt":"lighthouse number ' || n || '"}}', 1,
    0.001, 'computed', 'known', '{name}many' || n, 'succeeded', '{{"id":"{name}many' || n || '","status":"succeeded"}}',
    at, at, at, at
    FROM (SELECT n, extract(epoch FROM now()) - 60 * n AS at FROM generate_series(1, {count}) AS n) AS numbers;
INSERT INTO images (tenant, prediction_id, idx, url, state, location, mime_type, width_px, height_px)
    SELECT tenant, prediction_id, 0, 'https://gateway.invalid/1', 'stored', '/nowhere/' || prediction_id || '.png',
    'image/png', 120, 80 FROM intents WHERE prediction_id LIKE '{name}many%'"""


def person(subject: str, tenant: str = "acme") -> Principal:
    return Principal(tenant=tenant, issuer=ISSUER, subject=subject, hash=principal_hash(ISSUER, subject))


@dataclass
class People:
    """The page at `url`; images lie below `folder`."""

    server: PostgresServer
    folder: Path
    url: str = ""

    def get(self, subject: str, path: str = "", tenant: str = "acme") -> httpx.Response:
        """What this person is told; nobody's is the empty name."""
        cookies = {"as": f"{tenant}/{subject}"} if subject else {}
        return httpx.get(f"{self.url}/{path}", cookies=cookies, timeout=60)

    def fill(self, who: Principal, pictures: Iterable[Made], *, now: float) -> list[str]:
        """Pictures of this person, sent `days_ago` before now; the ids by which the page asks for them."""

        async def work() -> list[str]:
            clock = HandClock(now)
            async with open_postgres(self.server.app, 2) as postgres:
                journal = Journal(postgres.database(who.tenant, who.hash), clock)
                return [await self._add(journal, who, clock, now, made, n) for n, made in enumerate(pictures)]

        with ThreadPoolExecutor(1) as thread:
            return thread.submit(anyio.run, work).result()

    def fill_many(self, who: Principal, count: int) -> None:
        """So many pictures without files, one a minute, of which the oldest is `lighthouse number COUNT`."""
        self.server.execute(_MANY.format(tenant=who.tenant, hash=who.hash, name=who.subject, count=count))

    async def _add(
        self, journal: Journal, who: Principal, clock: HandClock, now: float, made: Made, number: int
    ) -> str:
        clock.now = now - made.days_ago * 86_400 - number * 1e-3
        [intent], _ = await journal.intend([replace(new_intent(made.seed, prompt=made.prompt), model=made.model)])
        await journal.claim(intent.key)
        output, name = ("https://files.invalid/1",), f"{who.tenant}{who.subject.partition('@')[0]}{number:05d}"
        ended = prediction(name, PredictionStatus.SUCCEEDED, at=clock.now, output=output)
        await journal.mark_known(intent.key, ended)
        if made.cost_usd is not None:
            await journal.bill(intent.key, made.cost_usd)
        path = self.folder / "images" / who.tenant / who.hash / f"{name}.{made.mime_type.partition('/')[2][:3]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made.content)
        image = StoredImage(prediction_id=name, index=0, url=output[0], state=ImageState.STORED)
        problem = f"It lies in '{self.folder}': the disk is full."
        await journal.image_stored(replace(image, file=stored(path, made), problem=problem))
        return f"{intent.key}-1"


@contextmanager
def open_people(server: PostgresServer, folder: Path) -> Generator[People]:
    """Serves while the block runs, in a thread of its own."""
    people, opened = People(server, folder), list[Postgres]()

    async def who(request: Request) -> Visitor | None:
        tenant, _, subject = request.cookies.get("as", "").partition("/")
        return Visitor(principal=person(subject, tenant), form_token="") if subject else None

    async def page(request: Request) -> Response:
        html, policy = pictures_page()
        return HTMLResponse(html, headers={"Content-Security-Policy": policy})

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with open_postgres(server.app, 4) as postgres:
            opened.append(postgres)
            yield

    settings = Settings.model_validate({"output_dir": str(folder / "images"), "data_dir": str(folder / "data")})
    routes = [Route("/", page), *people_routes(who, lambda: opened[0], settings)]
    config = uvicorn.Config(Starlette(routes=routes, lifespan=lifespan), port=0, log_config=None, access_log=False)
    served = uvicorn.Server(config)
    thread = threading.Thread(target=served.run)
    thread.start()
    try:
        while not served.started:
            assert thread.is_alive()
            threading.Event().wait(0.01)
        people.url = f"http://127.0.0.1:{served.servers[0].sockets[0].getsockname()[1]}"
        yield people
    finally:
        served.should_exit = True
        thread.join()
