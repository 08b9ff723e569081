"""Hundreds of odd answers of a gateway: no Darkroom ends, and the next calls bring their images."""

import itertools
from pathlib import Path
from typing import Any

import anyio
import pytest
from fault_plan import picture
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from odd_answers import ODD_ANSWERS, RawAnswer
from open_rooms import room_at
from rounds import rounds
from scripted_gateway import Answer, RecordedRequest, ScriptedGateway

from darkroom.darkroom import Darkroom
from darkroom.generate_image import generate_image
from darkroom.get_prediction import get_prediction
from darkroom.registry import ImageRequest

ANSWERS_A_ROUND, CALLS_AFTER = 30, 5
STAGES = (*("create", "look", "file") * 5, "cancel", "list")  # a list that fails is asked for again after a while


class Round(list[tuple[str, RawAnswer]]):
    """What one room meets; shown by its length, because the answers would fill megabytes."""

    def __repr__(self) -> str:
        return f"{len(self)} odd answers"


class OddGateway:
    """Answers as it should, but for the stage that is to be odd now; a prediction runs no longer than its stage."""

    def __init__(self) -> None:
        self.base_url = ""
        self.stage = ""
        self.odd: RawAnswer = RawAnswer(b"")
        self._made: list[str] = []

    def __call__(self, request: RecordedRequest) -> Answer:
        path = request.path.partition("?")[0]
        stage = "cancel" if path.endswith("/cancel") else "create" if request.method == "POST" else "look"
        stage = (
            "file" if path.startswith("/files/") else "list" if path == "/v1/predictions" and stage == "look" else stage
        )
        if path == "/v1/account":
            return Answer({"detail": "not here"}, 404)
        if stage == self.stage:
            return self.odd
        if stage == "create":
            return self._create(request)
        if stage == "file":
            return Answer(picture(path.rpartition("/")[2]), 200, {"content-type": "image/png"})
        if stage == "list":
            return Answer({"results": [self._view(name) for name in self._made], "next": None})
        name = path.split("/")[3]
        return Answer(self._view(name)) if name in self._made else Answer({"detail": "no"}, 404)

    def _create(self, request: RecordedRequest) -> Answer:
        if self.stage == "list":  # what makes it ask for the list
            return Answer({"detail": "late"}, 500)
        name = f"prediction{len(self._made):016d}"
        self._made.append(name)
        return Answer(self._view(name), 201)

    def _view(self, name: str) -> dict[str, Any]:
        is_running = self.stage in ("look", "cancel") and name == self._made[-1]
        output = None if is_running else [f"{self.base_url}/files/{name}.png"]
        status = "processing" if is_running else "succeeded"
        return {"id": name, "status": status, "output": output, "input": {"prompt": "a kite"}}


async def ask(room: Darkroom, name: str, *, wait_s: float) -> str:
    request = ImageRequest(prompt="a kite", model="black-forest-labs/flux-schnell")
    report = await generate_image(room, request, wait_s=wait_s, request_id=name)
    return str(report.outcome)


async def play(folder: Path, answers: Round) -> None:
    gateway, numbers = OddGateway(), itertools.count()
    async with ScriptedGateway(gateway) as server:
        gateway.base_url = server.base_url
        for part in (answers, answers[:3]):  # the next process meets what the first one has left
            async with room_at(server, folder) as room:
                for gateway.stage, gateway.odd in part:
                    name = f"odd {next(numbers)}"
                    await ask(room, name, wait_s=0.05)
                    if gateway.stage == "cancel":
                        await get_prediction(room, name, cancel=True)
                gateway.stage = ""
                after = [await ask(room, f"plain {next(numbers)}", wait_s=60) for _ in range(CALLS_AFTER)]
                assert after == ["succeeded"] * CALLS_AFTER


class CountingGateway:
    """Names its predictions 1, 2, 3 …, and begins anew whenever it is started; an image shows its prompt."""

    def __init__(self) -> None:
        self.base_url = ""
        self._prompts: list[str] = []

    def __call__(self, request: RecordedRequest) -> Answer:
        if request.method == "POST":
            self._prompts.append(request.json()["input"]["prompt"])
            return Answer({"id": len(self._prompts), "status": "starting"}, 201)
        name = request.path.rpartition("/")[2].removesuffix(".png")
        if not name.isdecimal():
            return Answer({"detail": "not here"}, 404)
        number = int(name)
        if request.path.startswith("/files/"):
            return Answer(picture(self._prompts[number - 1]), 200, {"content-type": "image/png"})
        output = f"{self.base_url}/files/{number}.png"
        return Answer({"id": number, "status": "done", "input": {"prompt": "as sent"}, "output": output})


@pytest.mark.anyio
async def test_a_gateway_that_counts_from_one_again_brings_each_image_home(tmp_path: Path) -> None:
    prompts = ["a kite", "a fox", "a boat", "a tree"]
    images = list[bytes]()
    for some in (prompts[:2], prompts[2:]):
        gateway = CountingGateway()
        async with ScriptedGateway(gateway) as server:
            gateway.base_url = server.base_url
            async with room_at(server, tmp_path) as room:
                for prompt in some:
                    request = ImageRequest(prompt=prompt, model="black-forest-labs/flux-schnell")
                    report = await generate_image(room, request, wait_s=60, request_id=prompt)
                    assert report.outcome == "succeeded"
                rows = [row for prompt in prompts for row in await room.journal.by_request(prompt)]
                images = [
                    await room.stores.default.read(row.images[0].file) or b"" for row in rows if row.images[0].file
                ]
    assert images == [picture(prompt) for prompt in prompts]


async def play_at_once(folder: Path, drawn: list[Round]) -> None:
    """Each in a room and at a gateway of its own; the time goes into waiting."""
    with anyio.fail_after(240):
        async with anyio.create_task_group() as tasks:
            for number, answers in enumerate(drawn):
                tasks.start_soon(play, folder / str(number), answers, name=f"round {number}")


_STAGED = st.tuples(st.sampled_from(STAGES), ODD_ANSWERS)
_ROUNDS = st.lists(_STAGED, min_size=ANSWERS_A_ROUND, max_size=ANSWERS_A_ROUND).map(Round)
_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


def test_no_odd_answer_ends_a_room_and_the_next_calls_bring_their_images(tmp_path: Path) -> None:
    drawn: list[Round] = []

    @settings(max_examples=rounds(3), deadline=None, phases=[Phase.generate], suppress_health_check=_SLOW)
    @given(_ROUNDS)
    def draw(answers: Round) -> None:
        drawn.append(answers)

    draw()
    assert len(drawn) >= rounds(3) / 2
    anyio.run(play_at_once, tmp_path, drawn)
