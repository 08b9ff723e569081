"""The journal and the folder opened for the page: served until Ctrl-C, or written into one file."""

import base64
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from types import FrameType

import anyio
import uvicorn
from anyio import to_thread
from pydantic import JsonValue

from darkroom.errors import OutputError
from darkroom.journal import open_journal
from darkroom.outputs import OutputStores
from darkroom.outputs.decoders import decoders
from darkroom.outputs.formats import HEAD_BYTES, sniff
from darkroom.settings import Settings
from darkroom.work.wait import OnProgress
from darkroom_server.page.catalogue import Catalogue
from darkroom_server.page.document import exported_page
from darkroom_server.page.guard import Guard
from darkroom_server.page.pictures import Picture
from darkroom_server.page.routes import Shown, local_router
from darkroom_server.page.thumbnails import FolderKept, Thumbnails

_LEAVE_WITHIN_S = 1
_ROWS_AT_ONCE = 500
_MADE_AT_ONCE = 8


@asynccontextmanager
async def opened(settings: Settings) -> AsyncGenerator[tuple[Shown, FolderKept]]:
    """The page and where its thumbnails are kept; without a key. Raises: JournalError; SettingsError for no folder."""
    data_dir = settings.data_path
    async with open_journal(data_dir / "journal.sqlite3") as journal, decoders().kept():
        stores = OutputStores(settings.output_location, spare=data_dir / "images")
        kept = FolderKept(data_dir / "thumbnails")
        yield Shown(Catalogue(journal, stores.default.place), Thumbnails(kept, stores.read), stores.read), kept


async def serve_page(settings: Settings, listener: socket.socket, on_ready: Callable[[Guard], None]) -> None:
    """Serve on `listener`, which is bound to 127.0.0.1, until SIGINT or SIGTERM."""
    async with opened(settings) as (shown, kept), anyio.create_task_group() as tasks:
        guard = Guard(local_router(shown), listener.getsockname()[1])
        # No access log: it would hold the secret.
        config = uvicorn.Config(
            guard,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_LEAVE_WITHIN_S,
        )
        tasks.start_soon(to_thread.run_sync, kept.sweep)
        on_ready(guard)
        await _Server(config).serve(sockets=[listener])


async def export_page(settings: Settings, target: Path, limit: int, on_progress: OnProgress | None) -> int:
    """Write the newest `limit` pictures (0: all) into one file of HTML; gives how many there are in it.

    Raises: OutputError where the file cannot be written; JournalError.
    """
    async with opened(settings) as (shown, _):
        pictures = sorted(await _all(shown.catalogue), key=lambda each: each.at, reverse=True)
        chosen = list(islice(pictures, limit or None))
        rest: dict[str, JsonValue] = {"spending": [list(row) for row in await shown.catalogue.spending()]}
        html = await exported_page(_entries(chosen, shown.thumbnails, on_progress), rest)
    try:
        await anyio.Path(target).write_text(html, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"'{target}' cannot be written ({error.strerror}).") from error
    return len(chosen)


async def _all(catalogue: Catalogue) -> list[Picture]:
    found, after = await catalogue.strays(), ""
    while True:
        pictures, after = await catalogue.page(after, _ROWS_AT_ONCE)
        found += pictures
        if not after:
            return found


async def _entries(
    pictures: list[Picture], thumbnails: Thumbnails, on_progress: OnProgress | None
) -> AsyncIterator[dict[str, JsonValue]]:
    """Each picture with its thumbnail, "" where there is none."""
    for start in range(0, len(pictures), _MADE_AT_ONCE):
        group = pictures[start : start + _MADE_AT_ONCE]
        made = [""] * len(group)

        async def make(index: int, picture: Picture, made: list[str] = made) -> None:
            made[index] = await _data_uri(picture, thumbnails)

        async with anyio.create_task_group() as tasks:
            for index, picture in enumerate(group):
                tasks.start_soon(make, index, picture)
        for picture, uri in zip(group, made, strict=True):
            yield picture.data(is_shared=True) | {"thumbnail": uri}
        if on_progress:
            await on_progress(100 * (start + len(group)) / len(pictures), f"{start + len(group)} pictures")


async def _data_uri(picture: Picture, thumbnails: Thumbnails) -> str:
    try:
        content = await thumbnails.of(picture.file)
    except OutputError:
        return ""
    return f"data:{sniff(content[:HEAD_BYTES])};base64,{base64.b64encode(content).decode()}"


class _Server(uvicorn.Server):
    """A signal is an orderly end; uvicorn would raise it once more after it has left."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True
