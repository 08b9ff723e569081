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
from darkroom_server.sandbox import bodies, faults
from darkroom_server.sandbox.output_files import OutputFiles
from darkroom_server.sandbox.state import SandboxState
from darkroom_server.sandbox.stored_prediction import StoredPrediction
from darkroom_server.sandbox.weather import WEATHER, Weather

PAGE_SIZE = 100
_PREFER = re.compile(r"wait(?:=(\d{1,2}))?")
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")
_HEX_ID = re.compile(r"[0-9a-f]{64}")
_TOP_LEVEL = ("input", "version", "webhook", "webhook_events_filter", "webhook_completed", "stream")
_MAX_WAIT_S = 60


class PredictionEndpoints:
    """Each method is one endpoint."""

    def __init__(self, state: SandboxState, files: OutputFiles) -> None:
        self._state = state
        self._files = files

    async def create_by_model(self, request: Request) -> Response:
        name = f"{request.path_params['owner']}/{request.path_params['name']}"
        body = await read_json(request)
        model = self._state.model(name)
        if model is None or model.run_by != "model":
            raise faults.not_found(f"Model not found: {name}")
        self._check_top_level(body, ("input",))
        return await self._create(request, model, "", body)

    async def create(self, request: Request) -> Response:
        body = await read_json(request)
        profile = self._state.profile
        if profile.takes_model_key and "model" in body:
            return await self._create(request, self._named(str(body["model"])), "", body)
        if not profile.version_refs:
            raise faults.bad_body([("required", "", "model name is required")])
        self._check_top_level(body, ("version", "input"))
        model, version = self._versioned(str(body["version"]))
        return await self._create(request, model, version, body)

    async def get(self, request: Request) -> Response:
        return JSONResponse(self._state.body(self._state.prediction(request.path_params["id"])))

    async def cancel(self, request: Request) -> Response:
        before = self._state.prediction(request.path_params["id"])
        after = self._state.cancel(before)
        body = self._state.body(after)
        return JSONResponse(bodies.canceled_body(body) if after is not before else body)

    async def list_page(self, request: Request) -> Response:
        page = self._state.page(_read_cursor(request.query_params.get("cursor")), PAGE_SIZE + 1)
        shown = page[:PAGE_SIZE]
        next_url = None
        if len(page) > PAGE_SIZE:
            query = urlencode({"cursor": _write_cursor(shown[-1])})
            next_url = f"{self._state.options.origin}{request.url.path}?{query}"
        return JSONResponse(
            {"next": next_url, "previous": None, "results": [self._state.body(stored) for stored in shown]}
        )

    async def deliver(self, request: Request) -> Response:
        """An output file: no key needed, gone with the prediction's data."""
        row = self._state.store.get("prediction", request.path_params["id"])
        stored = StoredPrediction(**row.body) if row else None
        is_there = stored is not None and self._state.body(stored)["output"]
        content = await self._files.content(stored, request.path_params["file"]) if stored and is_there else None
        if stored is None or content is None:
            return Response("Not Found", 404, media_type="text/plain")
        headers = {"cache-control": "public,max-age=3600", "access-control-allow-origin": "*"}
        return Response(content, headers=headers, media_type=self._files.mime_type(stored))

    def _check_top_level(self, body: dict[str, Any], required: tuple[str, ...]) -> None:
        found = [("required", "", f"{name} is required") for name in required if name not in body]
        if self._state.profile.errors == "problem":
            words = "Additional property {} is not allowed"
            extra = [name for name in body if name not in _TOP_LEVEL]
            found += [("additional_property_not_allowed", "", words.format(name)) for name in extra]
        if found:
            raise faults.bad_body(found)

    def _named(self, name: str) -> Model:
        model = self._state.model(name)
        if model is None:
            raise faults.not_found(f"Model not found: {name[:100]}")
        return model

    def _versioned(self, reference: str) -> tuple[Model, str]:
        """The model of a `version` in a form that this profile takes, and the id to echo ("" for official models)."""
        refs = self._state.profile.version_refs
        name, colon, identifier = reference.partition(":")
        if _HEX_ID.fullmatch(reference) and "id" in refs:
            model, identifier = self._state.model_of_version(reference), reference
        elif colon and "name:id" in refs:
            model = self._state.model_of_version(identifier)
            model = model if model and model.name == name else None
        elif not colon and "name" in refs:
            model = self._state.model(reference)
            model = model if model and model.run_by == "model" else None
        else:
            model = None
        if model is None:
            raise faults.bad_version()
        return model, identifier

    async def _create(self, request: Request, model: Model, version: str, body: dict[str, Any]) -> Response:
        input = body.get("input")
        if not isinstance(input, dict):
            raise faults.bad_body([("invalid_type", "input", "Invalid type. Expected: object")])
        input = cast("dict[str, JsonValue]", input)
        if problems := check_input(model, input):
            raise faults.bad_input(problems)
        weather = self._state.weather(model, input)
        if (page := self._refusal(model, weather)) is not None:
            return page
        stored = self._state.create(model, version, input, _cancel_after_s(request))
        if "504" in weather:
            raise faults.server_error(504, "The upstream did not answer in time.")
        return await self._answer(request, stored)

    def _refusal(self, model: Model, weather: Weather) -> Response | None:
        """Raises or gives the answer that the weather demands; None if the create goes through."""
        if weather.unknown:
            # The names are not listed here: a client would read "nsfw" among them as moderation.
            words = (
                f"no weather is named {weather.unknown[:40]!r}; `darkroom-mcp sandbox --help` names all {len(WEATHER)}"
            )
            raise faults.bad_body([("enum", f"input.{model.concepts.prompt}", words)])
        if "402" in weather:
            raise faults.no_credit()
        if "429" in weather and (seconds := self._state.refuses("429", model, weather)):
            raise faults.throttled(seconds)
        if "503" in weather and (seconds := self._state.refuses("503", model, weather)):
            raise faults.overloaded(seconds)
        if "500" in weather:
            raise faults.server_error(500, "Internal error. Nothing was created.")
        return faults.web_page() if "html" in weather else None

    async def _answer(self, request: Request, stored: StoredPrediction) -> Response:
        """The new prediction, at once or after the hold that `Prefer: wait` asks for."""
        profile = self._state.profile
        headers = {"location": f"{self._state.options.origin}/v1/predictions/{stored.id}"}
        wait_s = _prefer_wait_s(request) if profile.honours_prefer else 0
        if not wait_s:
            return JSONResponse(self._state.body(stored), profile.create_status, headers)
        stored = await self._state.hold(stored, wait_s)
        headers["preference-applied"] = request.headers["prefer"].strip()
        return JSONResponse(await self._held_body(stored), profile.create_status, headers)

    async def _held_body(self, stored: StoredPrediction) -> dict[str, Any]:
        life, now = self._state.life(stored), self._state.now
        body = self._state.body(stored)
        if life.has_ended(now) and (life.end != "succeeded" or body["output"] is None):
            return body
        output = await self._inlined(stored) if self._state.options.inlines and life.has_ended(now) else body["output"]
        return bodies.sync_body(body, output, is_done=life.has_ended(now))

    async def _inlined(self, stored: StoredPrediction) -> str | list[str]:
        """The output as data URIs."""
        model = self._state.model_of(stored)
        mime_type = self._files.mime_type(stored)
        uris: list[str] = []
        for name in bodies.output_names(model, stored, self._state.weather(model, stored.input)):
            content = await self._files.content(stored, name) or b""
            uris.append(f"data:{mime_type};base64,{base64.b64encode(content).decode()}")
        return bodies.shaped_output(model, uris)


async def read_json(request: Request) -> dict[str, Any]:
    """Raises: Fault where the body is no JSON object."""
    try:
        body: object = json.loads(await request.body())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise faults.Fault(status=400, title="Bad Request", detail="The request body is not a JSON object.")
    return cast("dict[str, Any]", body)


def _prefer_wait_s(request: Request) -> int:
    """0 without the header; 60 for a bare `wait`."""
    found = _PREFER.fullmatch(request.headers.get("prefer", "").strip())
    return min(_MAX_WAIT_S, int(found[1] or _MAX_WAIT_S)) if found else 0


def _cancel_after_s(request: Request) -> float:
    """Seconds of a `Cancel-After` such as 30, 30s, 5m or 1h30m45s; at least 5, 0 without the header."""
    text = request.headers.get("cancel-after", "").strip()
    found = _DURATION.fullmatch(text)
    if not text or not found:
        return 0.0
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return max(5.0, float(hours * 3600 + minutes * 60 + seconds))


def _write_cursor(stored: StoredPrediction) -> str:
    return base64.urlsafe_b64encode(json.dumps([stored.created_at, stored.id]).encode()).decode()


def _read_cursor(cursor: str | None) -> tuple[float, str] | None:
    if not cursor:
        return None
    try:
        created_at, identifier = json.loads(base64.urlsafe_b64decode(cursor))
        return float(created_at), str(identifier)
    except (ValueError, TypeError, binascii.Error):
        raise faults.Fault(status=400, title="Bad Request", detail="Invalid cursor") from None
