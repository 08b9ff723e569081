"""A gateway that describes its models by a table and answers creates as it is told, and how to ask it."""

from collections.abc import Callable
from typing import Any

from live_bodies import URI_LIST, live_body, text, whole
from scripted_gateway import Answer, RecordedRequest, ScriptedGateway

from darkroom.darkroom import Darkroom
from darkroom.dry_run import dry_run
from darkroom.generate_image import generate_image
from darkroom.registry import ImageRequest
from darkroom.reports import PredictionReport

NOT_THERE = Answer({"title": "Not Found", "detail": "Model not found: ada/nobody", "status": 404}, 404)
PAGE = Answer("<!doctype html><p>Welcome", headers={"content-type": "text/html"})
CREATED = Answer({"id": "rrr4z55ocneqzikepnug6xezpe", "status": "failed", "error": "stopped"}, 201)
PAINTER = live_body(
    {"prompt": text(), "num_outputs": whole("Number of images to output.", minimum=1, maximum=4, default=2)},
    output=URI_LIST,
    is_official=False,
    required=("prompt",),
)


class Described(ScriptedGateway):
    """Answers each path by a table, and every create by `on_create`, else with a prediction that has ended."""

    def __init__(self, **bodies: Any) -> None:
        super().__init__(self._answered)
        self.on_create: Callable[[RecordedRequest], Answer] = lambda request: CREATED
        self.bodies: dict[str, Any] = {"ada/painter": PAINTER, **bodies}

    def _answered(self, request: RecordedRequest) -> Answer:
        if request.method == "POST":
            return self.on_create(request)
        name = request.path.removeprefix("/v1/models/").removeprefix("/v1/")
        found = self.bodies.get(name, NOT_THERE)
        return found if isinstance(found, Answer) else Answer(found)

    @property
    def looks(self) -> list[str]:
        """What was asked about models."""
        return [each.path for each in self.requests if each.path.startswith(("/v1/models/", "/v1/deployments/"))]

    @property
    def creates(self) -> list[RecordedRequest]:
        return [each for each in self.requests if each.method == "POST"]


async def planned(room: Darkroom, model: str, **asked: Any) -> PredictionReport:
    asked.setdefault("prompt", "a lighthouse")
    return await dry_run(room, ImageRequest(model=model, **asked))


async def made(room: Darkroom, model: str, **asked: Any) -> PredictionReport:
    asked.setdefault("prompt", "a lighthouse")
    name = asked.pop("request_id", "")
    return await generate_image(room, ImageRequest(model=model, **asked), wait_s=5, request_id=name)
