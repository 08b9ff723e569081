"""A real MCP client over stdio, a real server process, a gateway that misbehaves: what is sent, and who hears what."""

from pathlib import Path

import anyio
import pytest
import systems
from gateway_process import gateway_process
from outside_cases import CASES, HEADER, QUICK, Row, Scene, played

pytestmark = [pytest.mark.anyio, systems.linux]

# creates on the wire, predictions made, told to cancel, pictures saved
_ONE = (1, 1, 0, 1)
EXPECTED: dict[str, tuple[int, int, int, int]] = dict.fromkeys(CASES, _ONE) | {
    "504 without creating": (2, 1, 0, 1),
    "429 with a time": (2, 1, 0, 1),
}


@pytest.mark.parametrize("name", CASES)
async def test_one_prediction_is_made_and_the_host_learns_what_became_of_it(name: str, tmp_path: Path) -> None:
    with anyio.fail_after(240), gateway_process() as gateway:
        row = await played(name, Scene(gateway=gateway, folder=tmp_path, pace=QUICK))
    print("", HEADER, row.line(name), sep="\n")
    assert _counts(row) == EXPECTED[name]
    assert row.answers[-1].startswith(("Succeeded", "Still", "Made, but not saved yet"))


def _counts(row: Row) -> tuple[int, int, int, int]:
    return (row.creates, row.predictions, row.cancels, row.pictures)
