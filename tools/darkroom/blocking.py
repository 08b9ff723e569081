"""The room's verbs for programs without an event loop: each opens a room, works in a thread of its own, closes it."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Unpack

from anyio.from_thread import start_blocking_portal

from darkroom.room import Confirm, Room, SettingArguments, Tell
from darkroom.room import open as open_room

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue

    from darkroom.python_arguments import Picture
    from darkroom.reports import PredictionReport


class GenerateArguments(SettingArguments, total=False):
    """The arguments of `Room.generate`, and settings beside them."""

    model: str
    images: "Picture | Sequence[Picture]"
    mask: "Picture"
    aspect_ratio: str
    width: int
    height: int
    count: int | None
    seed: int | None
    negative_prompt: str
    output_format: str
    model_options: "Mapping[str, JsonValue] | None"
    like: str
    wait_seconds: float | None
    request_id: str | None
    max_usd: float | None
    dry_run: bool
    confirm: Confirm
    on_progress: Tell | None


def generate(prompt: str = "", **arguments: Unpack[GenerateArguments]) -> "PredictionReport":
    """Make images, wait for them, and report on what became of them; arguments and errors are those of `Room.generate`.

    >>> report = darkroom.generate("a lighthouse at dawn", output_dir="pictures")
    >>> [path.name for path in report.paths]
    ['a-lighthouse-at-dawn-flux-schnell-...-1.webp']
    >>> report.images[0].width_px, report.charged.usd
    (1024, 0.0)

    Settings may stand among the arguments. It waits in this thread at most `wait_seconds` s (300), also where an event
    loop runs in it, as in a notebook; an async program should `open` a room instead, or its loop stands still. After
    Ctrl-C, and where it is still running when the wait is over, `get` finds the prediction again.

    Raises: DarkroomError where nothing was made or paid.
    """
    settings: Any = {name: value for name, value in arguments.items() if name in SettingArguments.__annotations__}
    wishes: dict[str, Any] = {name: value for name, value in arguments.items() if name not in settings}
    return _in_room(open_room(**settings), lambda room: room.generate(prompt, **wishes))


def get(
    id: str, *, wait_seconds: float = 0.0, limit: int = 10, **settings: Unpack[SettingArguments]
) -> "PredictionReport":
    """Find a prediction again, at no cost, and wait at most `wait_seconds` s for its end; see `Room.get`."""
    return _in_room(open_room(**settings), lambda room: room.get(id, wait_seconds=wait_seconds, limit=limit))


def cancel(id: str, **settings: Unpack[SettingArguments]) -> "PredictionReport":
    """Ask the gateway to stop a prediction; see `Room.cancel`."""
    return _in_room(open_room(**settings), lambda room: room.cancel(id))


def _in_room(
    opening: AbstractAsyncContextManager[Room], work: Callable[[Room], "Awaitable[PredictionReport]"]
) -> "PredictionReport":
    async def run() -> "PredictionReport":
        async with opening as room:
            return await work(room)

    # In a thread of its own, so that a loop in this one does not matter. Ctrl-C leaves the portal, which ends `run`.
    with start_blocking_portal("asyncio") as portal:
        return portal.call(run)
