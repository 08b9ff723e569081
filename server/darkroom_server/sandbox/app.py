"""The ASGI app: which path leads to which endpoint, who may come in, and what every answer carries."""

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

from darkroom_server.sandbox import faults
from darkroom_server.sandbox.catalog import model_body, version_body, version_id
from darkroom_server.sandbox.options import SandboxOptions
from darkroom_server.sandbox.output_files import OutputFiles
from darkroom_server.sandbox.predictions import PredictionEndpoints
from darkroom_server.sandbox.profiles import Endpoint
from darkroom_server.sandbox.state import SandboxState
from darkroom_server.sandbox.uploads import FileEndpoints

Handler = Callable[[Request], Awaitable[Response]]
_MODELS_A_PAGE = 25


class ModelEndpoints:
    """The models and the account: what can be asked without creating anything."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state

    async def account(self, request: Request) -> Response:
        return JSONResponse(
            {"type": "user", "username": "sandbox", "name": "Sandbox", "github_url": None, "avatar_url": None}
        )

    async def list_page(self, request: Request) -> Response:
        names = self._state.registry.names()
        start = next((spot for spot, name in enumerate(names) if name == request.query_params.get("cursor")), 0)
        shown = [self._state.registry.get(name) for name in names[start : start + _MODELS_A_PAGE]]
        rest = names[start + _MODELS_A_PAGE : start + _MODELS_A_PAGE + 1]
        next_url = f"{self._state.options.origin}{request.url.path}?cursor={rest[0]}" if rest else None
        models = [model_body(model, self._state.options) for model in shown]
        return JSONResponse({"next": next_url, "previous": None, "results": models})

    async def get(self, request: Request) -> Response:
        return JSONResponse(self._find(request))

    async def versions(self, request: Request) -> Response:
        return JSONResponse({"next": None, "previous": None, "results": [self._find(request)["latest_version"]]})

    async def version(self, request: Request) -> Response:
        name = f"{request.path_params['owner']}/{request.path_params['name']}"
        model = self._state.model(name)
        if model is None or request.path_params["id"] != version_id(model):
            raise faults.not_found("Version not found")
        return JSONResponse(version_body(model))

    def _find(self, request: Request) -> dict[str, Any]:
        name = f"{request.path_params['owner']}/{request.path_params['name']}"
        model = self._state.model(name)
        if model is None:
            raise faults.not_found(f"Model not found: {name}")
        return model_body(model, self._state.options)


class EndpointWrapper:
    """Wraps every endpoint: asks for the key, turns faults into the profile's words, adds the rate-limit headers."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state

    def wrap(self, handler: Handler, remaining: int, endpoint: Endpoint | None = None) -> Handler:
        """`endpoint` names what a profile may lack; `remaining` is what the rate-limit header claims."""

        async def answer(request: Request) -> Response:
            profile = self._state.profile
            request_id = uuid.uuid4().hex[:24]
            if endpoint and endpoint not in profile.has:
                return faults.missing_endpoint(profile, request.method, request.url.path, request_id)
            try:
                self._ask_for_key(request)
                response = await handler(request)
            except faults.Fault as fault:
                return faults.respond(fault, profile, request_id)
            if profile.errors == "problem":
                response.headers.update({"ratelimit-remaining": str(remaining), "ratelimit-reset": "1"})
            return response

        return answer

    async def unknown(self, request: Request) -> Response:
        return faults.missing_endpoint(self._state.profile, request.method, request.url.path, uuid.uuid4().hex[:24])

    def _ask_for_key(self, request: Request) -> None:
        given = request.headers.get("authorization", "")
        scheme, _, key = given.partition(" ")
        if self._state.options.key and (scheme.lower() not in ("bearer", "token") or key != self._state.options.key):
            raise faults.unauthenticated(is_given=bool(given))


def build(options: SandboxOptions) -> Starlette:
    """Every route twice: at the root as on Replicate, and under /replicate as at the resellers."""
    state = SandboxState(options)
    files = OutputFiles(state)
    predictions = PredictionEndpoints(state, files)
    wrapper = EndpointWrapper(state)
    api = [
        *_prediction_routes(predictions, wrapper),
        *_file_routes(FileEndpoints(state), wrapper),
        *_model_routes(ModelEndpoints(state), wrapper),
    ]
    every_method = ["GET", "POST", "PUT", "PATCH", "DELETE", "QUERY"]
    return Starlette(
        routes=[
            Route("/delivery/{id}/{file}", predictions.deliver, methods=["GET"]),
            Route("/", _greet, methods=["GET"]),
            *api,
            Mount("/replicate", routes=[*api, Route("/{path:path}", wrapper.unknown, methods=every_method)]),
            Route("/{path:path}", wrapper.unknown, methods=every_method),
        ]
    )


async def _greet(request: Request) -> Response:
    return PlainTextResponse("This is darkroom's sandbox. It speaks the Replicate predictions format under /v1.\n")


def _prediction_routes(predictions: PredictionEndpoints, wrapper: EndpointWrapper) -> list[Route]:
    return [
        Route(
            "/v1/models/{owner}/{name}/predictions", wrapper.wrap(predictions.create_by_model, 599), methods=["POST"]
        ),
        Route("/v1/predictions", wrapper.wrap(predictions.create, 599), methods=["POST"]),
        Route("/v1/predictions", wrapper.wrap(predictions.list_page, 2999, "list"), methods=["GET"]),
        Route("/v1/predictions/{id}", wrapper.wrap(predictions.get, 59999), methods=["GET"]),
        Route("/v1/predictions/{id}/cancel", wrapper.wrap(predictions.cancel, 2999, "cancel"), methods=["POST"]),
    ]


def _file_routes(files: FileEndpoints, wrapper: EndpointWrapper) -> list[Route]:
    return [
        Route("/v1/files", wrapper.wrap(files.create, 2999, "files"), methods=["POST"]),
        Route("/v1/files", wrapper.wrap(files.list_all, 2999, "files"), methods=["GET"]),
        Route("/v1/files/{id}", wrapper.wrap(files.get, 2999, "files"), methods=["GET"]),
        Route("/v1/files/{id}", wrapper.wrap(files.delete, 2999, "files"), methods=["DELETE"]),
        Route("/v1/files/{id}/download", wrapper.wrap(files.download, 2999, "files"), methods=["GET"]),
    ]


def _model_routes(models: ModelEndpoints, wrapper: EndpointWrapper) -> list[Route]:
    return [
        Route("/v1/account", wrapper.wrap(models.account, 2999, "account"), methods=["GET"]),
        Route("/v1/models", wrapper.wrap(models.list_page, 2999, "models"), methods=["GET"]),
        Route("/v1/models/{owner}/{name}", wrapper.wrap(models.get, 2999, "models"), methods=["GET"]),
        Route("/v1/models/{owner}/{name}/versions", wrapper.wrap(models.versions, 2999, "models"), methods=["GET"]),
        Route("/v1/models/{owner}/{name}/versions/{id}", wrapper.wrap(models.version, 2999, "models"), methods=["GET"]),
    ]
