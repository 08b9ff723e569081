"""What a host can read without a tool call: predictions, their images, the models."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from mcp.server import MCPServer
from mcp.server.apps import APP_MIME_TYPE
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp.server.mcpserver.resources import FileResource
from pydantic import JsonValue

from darkroom.errors import DarkroomError
from darkroom_server.calls import ANSWER_WITHIN_S
from darkroom_server.gallery import GALLERY_FILE, GALLERY_URI
from darkroom_server.rooms import Ctx, Rooms, calls_of
from darkroom_server.strange_json import cleaned

if TYPE_CHECKING:
    from darkroom.darkroom import Darkroom
    from darkroom.images import StoredFile
    from darkroom.registry import ModelRegistry
    from darkroom.reports import PredictionReport

T = TypeVar("T")


def add_gallery(server: MCPServer[Rooms], hosts: Sequence[str]) -> None:
    """Register the view of image answers; its frame may load images from these hosts and from nowhere else."""
    csp = {"resourceDomains": list(hosts)}
    server.add_resource(
        FileResource(
            uri=GALLERY_URI,
            name="gallery",
            title="Gallery",
            mime_type=APP_MIME_TYPE,
            path=GALLERY_FILE,
            meta={"ui": {"csp": csp, "permissions": {"clipboardWrite": {}}, "prefersBorder": True}},
        )
    )


def add_resources(server: MCPServer[Rooms], registry: "Callable[[], ModelRegistry]") -> None:
    """Register `prediction://{id}` with its images and previews, `models://registry` and `models://{owner}/{name}`."""

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
    server.resource("prediction://{id}/images/{n}/preview", mime_type=image_resource, title="Preview of an image")(
        preview
    )
    server.resource("models://registry", mime_type=json_resource, title="All image models")(all_models)
    server.resource("models://{owner}/{name}", mime_type=json_resource, title="Image model")(one_model)


async def prediction(id: str, ctx: Ctx) -> str:
    """The report on one prediction."""
    return _json((await _report_on(id, ctx)).data)


async def image(id: str, n: str, ctx: Ctx) -> bytes:
    """The saved bytes of image number n, from 1."""
    file = await _file_of(id, n, ctx)
    return await _in_darkroom(ctx, lambda darkroom: darkroom.stores.read(file))


async def preview(id: str, n: str, ctx: Ctx) -> bytes:
    """Image number n made small, for the gallery: an answer shows its model all images in one."""
    file, longest_px = await _file_of(id, n, ctx), (await calls_of(ctx)).settings.preview_px
    made = await _in_darkroom(ctx, lambda darkroom: darkroom.preview({1: file}, longest_px))
    if made.preview is None:
        raise ResourceNotFoundError(f"Image {n} has no preview: {made.problems[0].reason}.")
    return made.preview.data


async def _file_of(id: str, n: str, ctx: Ctx) -> "StoredFile":
    report = await _report_on(id, ctx)
    images = enumerate((each for intent in report.intents for each in intent.images), start=1)
    file = next((each.file for number, each in images if n.isdecimal() and len(n) < 10 and number == int(n)), None)
    if file is None:
        raise ResourceNotFoundError(f"Prediction {id!r} has no saved image {n!r}.")
    return file


async def _report_on(id: str, ctx: Ctx) -> "PredictionReport":
    from darkroom.get_prediction import get_prediction

    report = await _in_darkroom(ctx, lambda darkroom: get_prediction(darkroom, id))
    if not report.intents:
        raise ResourceNotFoundError(report.text)
    return report


async def _in_darkroom(ctx: Ctx, work: "Callable[[Darkroom], Awaitable[T]]") -> T:
    try:
        result = await (await calls_of(ctx)).in_darkroom(ANSWER_WITHIN_S, work)
    except DarkroomError as error:
        raise ResourceNotFoundError(error.message) from error
    if result is None:
        raise ResourceError("It could not be read in time. Try again.")
    return result


def _json(data: dict[str, JsonValue]) -> str:
    return json.dumps(cleaned(data), ensure_ascii=False, indent=1)
