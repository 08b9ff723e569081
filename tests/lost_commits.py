"""A relay before a PostgreSQL that loses answers: `async with lost_commits(postgres, folder) as relay`."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from postgres_server import PostgresServer


class LostCommits:
    """The next `to_lose` commits are carried out, and their connections end instead of an answer."""

    def __init__(self, server: PostgresServer, folder: Path) -> None:
        self.to_lose = 0
        self._losing: set[asyncio.StreamReader] = set()
        self._passing: list[asyncio.Task[None]] = []
        self._at = str(server.folder / ".s.PGSQL.5432")
        self.url = server.app.replace(f"host={server.folder}", f"host={folder}")

    async def serve(self, asked: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        answers, on = await asyncio.open_unix_connection(self._at)
        self._passing.append(asyncio.ensure_future(self._pass_on(asked, on)))
        self._passing.append(asyncio.ensure_future(self._pass_back(answers, back, asked)))

    async def ended(self) -> None:
        await asyncio.gather(*self._passing)

    async def _pass_on(self, asked: asyncio.StreamReader, on: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while piece := await asked.read(65_536):
                if self.to_lose and b"COMMIT\0" in piece:
                    self.to_lose -= 1
                    self._losing.add(asked)
                on.write(piece)
        await _closed(on)

    async def _pass_back(
        self, answers: asyncio.StreamReader, back: asyncio.StreamWriter, asked: asyncio.StreamReader
    ) -> None:
        with suppress(ConnectionError):
            while (piece := await answers.read(65_536)) and asked not in self._losing:  # then it is on the disk
                back.write(piece)
        await _closed(back)


async def _closed(writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def lost_commits(server: PostgresServer, folder: Path) -> AsyncGenerator[LostCommits]:
    """`folder`: a short path of one's own, since a socket lies there."""
    relay = LostCommits(server, folder)
    async with await asyncio.start_unix_server(relay.serve, folder / ".s.PGSQL.5432"):
        yield relay
        await relay.ended()
