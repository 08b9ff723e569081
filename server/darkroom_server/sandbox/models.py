"""The endpoints of models, search, collections, deployments and the account."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from darkroom.registry import Model
from darkroom_server.sandbox import faults
from darkroom_server.sandbox.catalogue import DEPLOYMENT, version_id
from darkroom_server.sandbox.schemas import version_body
from darkroom_server.sandbox.state import SandboxState

_MODELS_A_PAGE = 25
_MOST_FOUND = 50
_COLLECTIONS: dict[str, Callable[[Model], bool]] = {
    "official": lambda model: model.run_by == "model",
    "text-to-image": lambda model: model.draws_from_text,
    "image-editing": lambda model: model.edits,
}


class ModelEndpoints:
    """Each method is one endpoint."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._catalogue = state.catalogue

    async def account(self, request: Request) -> Response:
        return JSONResponse(
            {"type": "user", "username": "sandbox", "name": "Sandbox", "github_url": None, "avatar_url": None}
        )

    async def list_page(self, request: Request) -> Response:
        names = self._catalogue.curated_names()
        cursor = request.query_params.get("cursor")
        start = names.index(cursor) if cursor in names else 0
        rest = names[start + _MODELS_A_PAGE :]
        next_url = f"{self._state.options.origin}{request.url.path}?cursor={rest[0]}" if rest else None
        found = [model for name in names[start : start + _MODELS_A_PAGE] if (model := self._catalogue.find(name))]
        return JSONResponse({"next": next_url, "previous": None, "results": list(map(self._catalogue.body, found))})

    async def query(self, request: Request) -> Response:
        """QUERY /v1/models: the words are the body, as plain text."""
        words = (await request.body()).decode("utf-8", "replace")[:1000]
        found = self._catalogue.search(words, _MODELS_A_PAGE)
        return JSONResponse({"next": None, "previous": None, "results": list(map(self._catalogue.body, found))})

    async def search(self, request: Request) -> Response:
        words, limit = request.query_params.get("query", ""), request.query_params.get("limit", "20")
        if not limit.isdecimal() or not 1 <= int(limit) <= _MOST_FOUND:
            raise faults.Fault(400, "Bad Request", f"limit must be between 1 and {_MOST_FOUND}")
        rows = [
            {
                "model": self._catalogue.body(model),
                "metadata": {"tags": list(model.tasks), "score": 1.0, "generated_description": model.best_for},
            }
            for model in self._catalogue.search(words[:1000], int(limit))
        ]
        return JSONResponse({"query": words, "models": rows, "collections": [], "pages": []})

    async def collection(self, request: Request) -> Response:
        slug = request.path_params["slug"]
        if slug not in _COLLECTIONS:
            raise faults.not_found(f"Collection not found: {slug}")
        models = (self._catalogue.find(name) for name in self._catalogue.names())
        found = [self._catalogue.body(model) for model in models if model and _COLLECTIONS[slug](model)]
        title = slug.replace("-", " ").capitalize()
        return JSONResponse({"name": title, "slug": slug, "description": f"{title} models.", "models": found})

    async def get(self, request: Request) -> Response:
        return JSONResponse(self._catalogue.body(self._find(request)))

    async def versions(self, request: Request) -> Response:
        model = self._find_community(request)
        return JSONResponse({"next": None, "previous": None, "results": [version_body(model, version_id(model))]})

    async def version(self, request: Request) -> Response:
        model = self._find_community(request)
        if request.path_params["id"] != version_id(model):
            raise faults.not_found("Version not found")
        return JSONResponse(version_body(model, version_id(model)))

    async def deployment(self, request: Request) -> Response:
        name, runs = DEPLOYMENT
        owner, _, bare = name.partition("/")
        model = self._catalogue.find(runs)
        if (request.path_params["owner"], request.path_params["name"]) != (owner, bare) or model is None:
            raise faults.not_found("Deployment not found")
        hardware: dict[str, Any] = {"hardware": "gpu-t4", "min_instances": 0, "max_instances": 1}
        release = {"number": 1, "model": runs, "version": version_id(model), "configuration": hardware}
        return JSONResponse({"owner": owner, "name": bare, "current_release": release})

    def _find_community(self, request: Request) -> Model:
        """Official models have no versions that could be asked for. Raises: Fault."""
        model = self._find(request)
        if model.run_by == "model":
            raise faults.not_found("Version not found")
        return model

    def _find(self, request: Request) -> Model:
        name = f"{request.path_params['owner']}/{request.path_params['name']}"
        if model := self._catalogue.find(name):
            return model
        raise faults.not_found(f"Model not found: {name}")
