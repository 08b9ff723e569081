"""What a host can read without a tool call: predictions, their images, the models.

An updated notification is sent for `prediction://ID` when it ends, so that a host which watches need not poll.
"""

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from pydantic import JsonValue

from darkroom.errors import DarkroomError
from darkroom_server.calls import ANSWER_WITHIN_S, Calls
from darkroom_server.strange_json import cleaned

if TYPE_CHECKING:
    from darkroom.darkroom import Darkroom
    from darkroom.images import StoredImage
    from darkroom.registry import ModelRegistry
    from darkroom.reports import PredictionReport

T = TypeVar("T")
Ctx = Context[Calls, Any]


def add_resources(server: MCPServer[Calls], registry: "Callable[[], ModelRegistry]") -> None:
    """Register `prediction://{id}`, `prediction://{id}/images/{n}`, `models://registry` and `models://{owner}/{name}`."""

    def all_models() -> str:
        """Every model with tasks, prices and speed."""
        from darkroom.list_models import list_models

        return _json(list_models(registry(), limit=len(registry())).data)

    def one_model(owner: str, name: str) -> str:
        """Everything known about one model."""
        from darkroom.list_models import list_models

        report = list_models(registry(), model=f"{owner}/{name}")
        if report.is_error:
            raise ResourceNotFoundError(report.text)
        return _json(report.data)

    json_resource, image_resource = "application/json", "application/octet-stream"
    server.resource("prediction://{id}", mime_type=json_resource, title="Prediction")(prediction)
    server.resource("prediction://{id}/images/{n}", mime_type=image_resource, title="Image of a prediction")(image)
    server.resource("models://registry", mime_type=json_resource, title="All image models")(all_models)
    server.resource("models://{owner}/{name}", mime_type=json_resource, title="Image model")(one_model)


async def prediction(id: str, ctx: Ctx) -> str:
    """The report on one prediction."""
    return _json((await _report_on(id, ctx)).data)


async def image(id: str, n: str, ctx: Ctx) -> bytes:
    """The saved bytes of image number n, from 1."""
    wanted = _numbered([each for intent in (await _report_on(id, ctx)).intents for each in intent.images], n)
    if wanted is None or wanted.file is None:
        raise ResourceNotFoundError(f"Prediction {id!r} has no saved image {n!r}.")
    file = wanted.file
    return await _in_darkroom(ctx, lambda darkroom: darkroom.stores.read(file))


async def _report_on(id: str, ctx: Ctx) -> "PredictionReport":
    from darkroom.get_prediction import get_prediction

    report = await _in_darkroom(ctx, lambda darkroom: get_prediction(darkroom, id))
    if not report.intents:
        raise ResourceNotFoundError(report.text)
    return report


async def _in_darkroom(ctx: Ctx, work: "Callable[[Darkroom], Awaitable[T]]") -> T:
    try:
        result = await ctx.request_context.lifespan_context.in_darkroom(ANSWER_WITHIN_S, work)
    except DarkroomError as error:
        raise ResourceNotFoundError(error.message) from error
    if result is None:
        raise ResourceError("It could not be read in time. Try again.")
    return result


def _numbered(images: "list[StoredImage]", n: str) -> "StoredImage | None":
    return images[int(n) - 1] if n.isdecimal() and len(n) < 10 and 1 <= int(n) <= len(images) else None


def _json(data: dict[str, JsonValue]) -> str:
    return json.dumps(cleaned(data), ensure_ascii=False, indent=1)
