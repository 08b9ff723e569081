"""A second one of an equal call, begun while the first still runs: paid for as well, so its answer says so."""

from pathlib import Path

import anyio
import pytest
from fault_gateway import FaultGateway
from fault_plan import Plan
from open_rooms import room_at

from darkroom.darkroom import Darkroom
from darkroom.generate_image import generate_image
from darkroom.get_prediction import get_prediction
from darkroom.joining import Caller
from darkroom.registry import ImageRequest
from darkroom.reports import PredictionReport

pytestmark = pytest.mark.anyio


async def answered(room: Darkroom, name: str, prompt: str = "a fox") -> PredictionReport:
    """A call whose answer has arrived."""
    caller = Caller(id=name, answered=frozenset, on_joined=lambda request_id: None)
    request = ImageRequest(prompt=prompt)
    report = await generate_image(room, request, wait_s=0, request_id=f"auto-{name}", caller=caller)
    await room.journal.answers.delivered(f"auto-{name}", name)
    return report


async def test_a_second_one_of_what_still_runs_is_called_so_and_how_to_stop_one(tmp_path: Path) -> None:
    with anyio.fail_after(60):
        async with FaultGateway(Plan(run_s=60)) as gateway, room_at(gateway, tmp_path) as room:
            first = await answered(room, "one")
            second = await answered(room, "two")
            other = await answered(room, "three", "a hare")
            assert len(gateway.truth.predictions) == 3
            words = "with the same arguments still runs; this is a second one, paid for as well"
            id = first.data["id"]
            assert f"Note: '{id}' {words}; to stop one: get_prediction(id='{id}', cancel=true)." in second.text
            assert "same arguments" not in f"{first.text}{other.text}"
            for report in (first, second):
                await get_prediction(room, str(report.data["id"]), cancel=True)
            assert "same arguments" not in (await answered(room, "four")).text
