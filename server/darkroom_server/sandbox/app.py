"""The ASGI app: the table of endpoints, and what all of them share: the key, faults and rate-limit headers."""

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from darkroom_server.sandbox import faults
from darkroom_server.sandbox.models import ModelEndpoints
from darkroom_server.sandbox.options import SandboxOptions
from darkroom_server.sandbox.predictions import PredictionEndpoints
from darkroom_server.sandbox.profiles import Endpoint
from darkroom_server.sandbox.state import SandboxState
from darkroom_server.sandbox.token_log import TokenLogEndpoints
from darkroom_server.sandbox.uploads import FileEndpoints

Handler = Callable[[Request], Awaitable[Response]]


def _wrapped(state: SandboxState, endpoint: Handler, remaining: int, needs: Endpoint | None) -> Handler:
    """The endpoint behind the key, with faults worded as the profile does, the rate-limit headers and our own.

    `remaining` is what the rate-limit header claims, `needs` what a profile must have to offer the endpoint.
    """
    profile = state.profile

    async def answer(request: Request) -> Response:
        if needs and needs not in profile.has:
            return faults.missing_endpoint(profile, request)
        try:
            _check_key(state.options.key, request.headers.get("authorization", ""))
            response = await endpoint(request)
        except faults.Fault as fault:
            return faults.respond(fault, profile)
        if profile.errors == "problem":
            response.headers.update({"ratelimit-remaining": str(remaining), "ratelimit-reset": "1"})
        # So that a darkroom in front of it tells people that the pictures are simulated.
        response.headers["darkroom-sandbox"] = "simulated"
        return response

    return answer


def _check_key(wanted: str, given: str) -> None:
    """Raises: Fault for an authorization header without the key, if one is wanted."""
    scheme, _, key = given.partition(" ")
    if wanted and (scheme.lower() not in ("bearer", "token") or key != wanted):
        kind = "a valid" if given else "an"
        raise faults.Fault(401, "Unauthenticated", f"You did not pass {kind} authentication token")


def build(options: SandboxOptions) -> Starlette:
    """Every route twice: at the root as on Replicate, and under /replicate as at the resellers."""
    state = SandboxState(options)
    predictions = PredictionEndpoints(state)
    api = _format_routes(state, predictions)

    async def answer_missing(request: Request) -> Response:
        return faults.missing_endpoint(state.profile, request)

    async def greet(request: Request) -> Response:
        return PlainTextResponse("This is darkroom's sandbox. It speaks the Replicate predictions format under /v1.\n")

    every_method = ["GET", "POST", "PUT", "PATCH", "DELETE", "QUERY"]
    missing = Route("/{path:path}", answer_missing, methods=every_method)
    return Starlette(
        routes=[
            Route("/delivery/{id}/{file}", predictions.deliver, methods=["GET"]),
            Route("/", greet, methods=["GET"]),
            *api,
            *_key_routes(state),
            Mount("/replicate", routes=[*api, missing]),
            missing,
        ]
    )


def _format_routes(state: SandboxState, predictions: PredictionEndpoints) -> list[Route]:
    """What Replicate's documents describe."""
    files, models = FileEndpoints(state), ModelEndpoints(state)
    table: list[tuple[str, str, Handler, int, Endpoint | None]] = [
        ("POST", "/models/{owner}/{name}/predictions", predictions.create_by_model, 599, None),
        ("POST", "/predictions", predictions.create, 599, None),
        ("GET", "/predictions", predictions.list_page, 2999, "list"),
        ("GET", "/predictions/{id}", predictions.get, 59999, None),
        ("POST", "/predictions/{id}/cancel", predictions.cancel, 2999, "cancel"),
        ("POST", "/files", files.create, 2999, "files"),
        ("GET", "/files", files.list_all, 2999, "files"),
        ("GET", "/files/{id}", files.get, 2999, "files"),
        ("DELETE", "/files/{id}", files.delete, 2999, "files"),
        ("GET", "/files/{id}/download", files.download, 2999, "files"),
        ("GET", "/account", models.account, 2999, "account"),
        ("POST", "/deployments/{owner}/{name}/predictions", predictions.create_by_deployment, 599, "models"),
        ("GET", "/deployments/{owner}/{name}", models.deployment, 2999, "models"),
        ("GET", "/search", models.search, 2999, "models"),
        ("GET", "/collections/{slug}", models.collection, 2999, "models"),
        ("QUERY", "/models", models.query, 2999, "models"),
        ("GET", "/models", models.list_page, 2999, "models"),
        ("GET", "/models/{owner}/{name}", models.get, 2999, "models"),
        ("GET", "/models/{owner}/{name}/versions", models.versions, 2999, "models"),
        ("GET", "/models/{owner}/{name}/versions/{id}", models.version, 2999, "models"),
    ]
    return [
        Route(f"/v1{path}", _wrapped(state, endpoint, remaining, needs), methods=[method])
        for method, path, endpoint, remaining, needs in table
    ]


def _key_routes(state: SandboxState) -> list[Route]:
    """What new-api tells about a key, at the root of the host."""
    keys = TokenLogEndpoints(state)
    table = (
        ("/api/log/token", keys.log),
        ("/api/usage/token/", keys.usage),
        ("/api/usage/token", keys.usage_without_slash),
    )
    return [Route(path, _wrapped(state, endpoint, 0, "token_log"), methods=["GET"]) for path, endpoint in table]
