"""Requests like earlier ones in an open room, and what the gateway got for them."""

from pathlib import Path
from typing import Any

from fault_gateway import FaultGateway
from pictures import picture
from pydantic import JsonValue

from darkroom.darkroom import Darkroom
from darkroom.generate_image import generate_image
from darkroom.registry import ImageRequest
from darkroom.reports import PredictionReport

FOX = ImageRequest(
    prompt="a fox", model="black-forest-labs/flux-schnell", aspect_ratio="16:9", options={"megapixels": "0.25"}
)
EDITOR = "black-forest-labs/flux-kontext-dev"


async def ask(room: Darkroom, request: ImageRequest, request_id: str = "") -> PredictionReport:
    return await generate_image(room, request, wait_s=20, request_id=request_id)


async def made(room: Darkroom, request: ImageRequest, request_id: str = "") -> str:
    """The id of a prediction that has succeeded."""
    report = await ask(room, request, request_id)
    assert report.outcome == "succeeded", report.text
    return str(report.data["id"])


def like(id: str, **changes: Any) -> ImageRequest:
    return ImageRequest(like=id, **changes)


async def refused(room: Darkroom, gateway: FaultGateway, request: ImageRequest) -> str:
    """The refusal of this request, which must send nothing."""
    before = len(gateway.truth.predictions)
    report = await ask(room, request)
    assert report.outcome == "invalid" and "othing was sent" in report.text, report.text
    assert len(gateway.truth.predictions) == before
    return report.text


def inputs(gateway: FaultGateway) -> list[dict[str, JsonValue]]:
    return [each.input for each in gateway.truth.predictions]


def photo(folder: Path, color: tuple[int, int, int] = (1, 2, 3), name: str = "photo.png") -> str:
    path = folder / name
    path.write_bytes(picture(color=color))
    return str(path)
