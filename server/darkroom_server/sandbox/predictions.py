"""The endpoints of predictions: the three ways to create one, get, list, cancel, and the output files."""

import base64
import binascii
import json
import re
from typing import Any, cast
from urllib.parse import urlencode

from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from darkroom.registry import Model, check_input
from darkroom_server.sandbox import faults
from darkroom_server.sandbox.billing import is_by_size
from darkroom_server.sandbox.bodies import held_body
from darkroom_server.sandbox.catalogue import DEPLOYMENT
from darkroom_server.sandbox.life import Prediction
from darkroom_server.sandbox.output_files import OutputFiles
from darkroom_server.sandbox.state import SandboxState
from darkroom_server.sandbox.token_log import REQUEST_ID_HEADER, request_id
from darkroom_server.sandbox.weather import WEATHER, Weather, weather_of

PAGE_SIZE = 100
_PREFER = re.compile(r"wait(?:=(\d{1,2}))?")
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")
_HEX_ID = re.compile(r"[0-9a-f]{64}")
_TOP_LEVEL = ("input", "version", "webhook", "webhook_events_filter", "webhook_completed", "stream")
_SAID_OF_THE_WHOLE = ("required", "additional_property_not_allowed")  # these faults name `input`, others the field
_MAX_WAIT_S = 60


class PredictionEndpoints:
    """Each method is one endpoint."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._files = OutputFiles(state)

    async def create_by_model(self, request: Request) -> Response:
        name = f"{request.path_params['owner']}/{request.path_params['name']}"
        body = await _read_json(request)
        model = self._state.catalogue.find(name)
        if model is None or model.run_by != "model":
            raise faults.not_found(f"Model not found: {name}")
        self._check_top_level(body, ("input",))
        return await self._create(request, model, "", body)

    async def create_by_deployment(self, request: Request) -> Response:
        name, runs = DEPLOYMENT
        body = await _read_json(request)
        model = self._state.catalogue.find(runs)
        if f"{request.path_params['owner']}/{request.path_params['name']}" != name or model is None:
            raise faults.not_found("Deployment not found")
        self._check_top_level(body, ("input",))
        return await self._create(request, model, model.version, body)

    async def create(self, request: Request) -> Response:
        body = await _read_json(request)
        profile = self._state.profile
        if profile.takes_model_key and "model" in body:
            name = str(body["model"])
            if model := self._state.catalogue.find(name):
                return await self._create(request, model, "", body)
            raise faults.not_found(f"Model not found: {name[:100]}")
        if not profile.version_refs:
            raise faults.bad_body([("required", "", "model name is required")])
        self._check_top_level(body, ("version", "input"))
        model, version = self._versioned(str(body["version"]))
        return await self._create(request, model, version, body)

    async def get(self, request: Request) -> Response:
        return JSONResponse(self._state.body(self._state.prediction(request.path_params["id"])))

    async def cancel(self, request: Request) -> Response:
        """A cancel that worked answers without logs and output."""
        before = self._state.prediction(request.path_params["id"])
        after = self._state.cancel(before)
        return JSONResponse(self._state.body(after) | ({} if after is before else {"logs": None, "output": None}))

    async def list_page(self, request: Request) -> Response:
        page = self._state.page(_read_cursor(request.query_params.get("cursor")), PAGE_SIZE + 1)
        next_url = None
        if len(page) > PAGE_SIZE:
            last = page[PAGE_SIZE - 1].stored
            cursor = base64.urlsafe_b64encode(json.dumps([last.created_at, last.id]).encode()).decode()
            next_url = f"{self._state.options.origin}{request.url.path}?{urlencode({'cursor': cursor})}"
        results = [self._state.body(prediction) for prediction in page[:PAGE_SIZE]]
        return JSONResponse({"next": next_url, "previous": None, "results": results})

    async def deliver(self, request: Request) -> Response:
        """An output file: no key needed, gone with the prediction's data."""
        found = self._state.find(request.path_params["id"])
        if found and self._state.body(found)["output"]:
            content = await self._files.content(found, request.path_params["file"])
            if content is not None:
                headers = {"cache-control": "public,max-age=3600", "access-control-allow-origin": "*"}
                return Response(content, headers=headers, media_type=found.mime_type)
        return Response("Not Found", 404, media_type="text/plain")

    def _check_top_level(self, body: dict[str, Any], required: tuple[str, ...]) -> None:
        found = [("required", "", f"{name} is required") for name in required if name not in body]
        if self._state.profile.errors == "problem":
            words = "Additional property {} is not allowed"
            extra = [name for name in body if name not in _TOP_LEVEL]
            found += [("additional_property_not_allowed", "", words.format(name)) for name in extra]
        if found:
            raise faults.bad_body(found)

    def _versioned(self, reference: str) -> tuple[Model, str]:
        """The model of a `version` in a form that this profile takes, and the id to echo ("" for official models)."""
        refs = self._state.profile.version_refs
        name, colon, identifier = reference.partition(":")
        model = None
        if _HEX_ID.fullmatch(reference) and "id" in refs:
            model, identifier = self._state.catalogue.by_version(reference), reference
        elif colon and "name:id" in refs:
            model = self._state.catalogue.by_version(identifier)
            model = model if model and model.name == name else None
        elif not colon and "name" in refs:
            model = self._state.catalogue.find(reference)
            model = model if model and model.run_by == "model" else None
        if model is None:
            words = "The specified version does not exist (or perhaps you don't have permission to use it?)"
            raise faults.Fault(422, "Invalid version or not permitted", words)
        return model, identifier

    async def _create(self, request: Request, model: Model, version: str, body: dict[str, Any]) -> Response:
        input = body.get("input")
        if not isinstance(input, dict):
            raise faults.bad_body([("invalid_type", "input", "Invalid type. Expected: object")])
        input = cast("dict[str, JsonValue]", input)
        if problems := check_input(model, input):
            places = ("input" if one.kind in _SAID_OF_THE_WHOLE else f"input.{one.field}" for one in problems)
            found = zip(problems, places, strict=True)
            raise faults.bad_body([(one.kind, place, one.description) for one, place in found])
        weather = weather_of(model, input)
        if (page := self._refusal(model, weather)) is not None:
            return page
        prediction = self._state.create(model, version, input, _cancel_after_s(request))
        if is_by_size(model):
            prediction = self._state.saved(await self._files.counted(prediction))
        if "504" in weather:
            raise faults.of_weather("504")
        return await self._answer(request, prediction)

    def _refusal(self, model: Model, weather: Weather) -> Response | None:
        """Raises or gives the answer that the weather demands; None if the create goes through."""
        if weather.unknown:
            # The names are not listed here: a client would read "nsfw" among them as moderation.
            words = (
                f"no weather is named {weather.unknown[:40]!r}; `darkroom-mcp sandbox --help` names all {len(WEATHER)}"
            )
            raise faults.bad_body([("enum", f"input.{model.concepts.prompt}", words)])
        if "402" in weather:
            raise faults.of_weather("402")
        for name in ("429", "503"):
            if name in weather and (wait_s := self._state.refuses(name, model, weather)):
                raise faults.of_weather(name, wait_s)
        if "500" in weather:
            raise faults.of_weather("500")
        return faults.web_page() if "html" in weather else None

    async def _answer(self, request: Request, prediction: Prediction) -> Response:
        """The new prediction, at once or after the hold that `Prefer: wait` asks for."""
        state = self._state
        headers = {"location": f"{state.options.origin}/v1/predictions/{prediction.stored.id}"}
        if "token_log" in state.profile.has:
            headers[REQUEST_ID_HEADER] = request_id(prediction)
        prefer = request.headers.get("prefer", "").strip()
        found = _PREFER.fullmatch(prefer) if state.profile.honours_prefer else None
        wait_s = min(_MAX_WAIT_S, int(found[1] or _MAX_WAIT_S)) if found else 0
        if not wait_s:
            return JSONResponse(state.body(prediction), state.profile.create_status, headers)
        prediction = await state.hold(prediction, wait_s)
        headers["preference-applied"] = prefer
        return JSONResponse(await self._held_body(prediction), state.profile.create_status, headers)

    async def _held_body(self, prediction: Prediction) -> dict[str, Any]:
        now = self._state.now
        body = self._state.body(prediction)
        is_done = prediction.has_ended(now)
        if is_done and (prediction.end != "succeeded" or body["output"] is None):
            return body
        output = body["output"]
        if is_done and self._state.options.inlines:
            contents = [await self._files.content(prediction, name) or b"" for name in prediction.output_names]
            start = f"data:{prediction.mime_type};base64,"
            output = prediction.shaped([start + base64.b64encode(content).decode() for content in contents])
        return held_body(body, output, is_done=is_done)


async def _read_json(request: Request) -> dict[str, Any]:
    """Raises: Fault where the body is no JSON object."""
    try:
        body: object = json.loads(await request.body())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise faults.Fault(400, "Bad Request", "The request body is not a JSON object.")
    return cast("dict[str, Any]", body)


def _cancel_after_s(request: Request) -> float:
    """Seconds of a `Cancel-After` such as 30, 30s, 5m or 1h30m45s; at least 5, 0 without the header."""
    text = request.headers.get("cancel-after", "").strip()
    found = _DURATION.fullmatch(text)
    if not text or not found:
        return 0.0
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return max(5.0, float(hours * 3600 + minutes * 60 + seconds))


def _read_cursor(cursor: str | None) -> tuple[float, str] | None:
    if not cursor:
        return None
    try:
        created_at, identifier = json.loads(base64.urlsafe_b64decode(cursor))
        return float(created_at), str(identifier)
    except (ValueError, TypeError, binascii.Error):
        raise faults.Fault(400, "Bad Request", "Invalid cursor") from None
