"""What generate_image says about its own choices, in an open Darkroom on a fault gateway."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from fault_gateway import FaultGateway
from open_rooms import room_at

from darkroom.generate_image import generate_image
from darkroom.registry import ImageRequest

pytestmark = pytest.mark.anyio

VERSION = "7762fd07cf82c948538e41f63f77d685e02b063e37e496e96eefd46c929f9bdc"


@pytest.fixture
async def gateway() -> AsyncGenerator[FaultGateway]:
    async with FaultGateway() as gateway:
        yield gateway


@pytest.mark.parametrize(("profile", "is_told"), [("replicate", False), ("cometapi", True)])
async def test_a_version_that_the_gateway_cannot_be_asked_for_is_told(
    gateway: FaultGateway, tmp_path: Path, profile: str, is_told: bool
) -> None:
    async with room_at(gateway, tmp_path, profile=profile) as room:
        report = await generate_image(
            room, ImageRequest(prompt="a fox", model=f"stability-ai/sdxl:{VERSION}"), wait_s=20
        )
    assert report.outcome == "succeeded"
    assert (f"gateway '{profile}' runs models by name only" in report.text) is is_told
