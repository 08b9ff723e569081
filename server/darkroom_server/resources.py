"""What a host can read without a tool call: predictions, their images, the models.

An updated notification is sent for `prediction://ID` when it ends, so that a host which watches need not poll.
"""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from pydantic import JsonValue

from darkroom.errors import DarkroomError
from darkroom_server.keeper import RoomKeeper

if TYPE_CHECKING:
    from darkroom.images import StoredImage
    from darkroom.registry import ModelRegistry
    from darkroom.reports import PredictionReport


def add_resources(server: MCPServer[Any], keeper: RoomKeeper, registry: "Callable[[], ModelRegistry]") -> None:
    """Register `prediction://{id}`, `prediction://{id}/images/{n}`, `models://registry` and `models://{owner}/{name}`."""

    async def report_of(id: str) -> "PredictionReport":
        from darkroom.get_prediction import get_prediction

        try:
            report = await get_prediction(await keeper.room(), id)
        except DarkroomError as error:
            raise ResourceNotFoundError(error.message) from error
        if not report.intents:
            raise ResourceNotFoundError(report.text)
        return report

    @server.resource("prediction://{id}", mime_type="application/json", title="Prediction")
    async def prediction(id: str) -> str:  # pyright: ignore[reportUnusedFunction]  # registered by the decorator
        """The report on one prediction."""
        return _json((await report_of(id)).data)

    @server.resource(
        "prediction://{id}/images/{n}", mime_type="application/octet-stream", title="Image of a prediction"
    )
    async def image(id: str, n: str) -> bytes:  # pyright: ignore[reportUnusedFunction]  # as above
        """The saved bytes of image number n, from 1."""
        wanted = _numbered([each for intent in (await report_of(id)).intents for each in intent.images], n)
        if wanted is None or wanted.file is None:
            raise ResourceNotFoundError(f"Prediction {id!r} has no saved image {n!r}.")
        try:
            return await (await keeper.room()).stores.read(wanted.file)
        except DarkroomError as error:
            raise ResourceNotFoundError(error.message) from error

    @server.resource("models://registry", mime_type="application/json", title="All image models")
    def all_models() -> str:  # pyright: ignore[reportUnusedFunction]  # as above
        """Every model with tasks, prices and speed."""
        from darkroom.list_models import list_models

        return _json(list_models(registry(), limit=len(registry())).data)

    @server.resource("models://{owner}/{name}", mime_type="application/json", title="Image model")
    def one_model(owner: str, name: str) -> str:  # pyright: ignore[reportUnusedFunction]  # as above
        """Everything known about one model."""
        from darkroom.list_models import list_models

        report = list_models(registry(), model=f"{owner}/{name}")
        if report.is_error:
            raise ResourceNotFoundError(report.text)
        return _json(report.data)


def _numbered(images: "list[StoredImage]", n: str) -> "StoredImage | None":
    return images[int(n) - 1] if n.isdecimal() and 1 <= int(n) <= len(images) else None


def _json(data: dict[str, JsonValue]) -> str:
    return json.dumps(data, ensure_ascii=False, indent=1)
