"""The state of one running sandbox: its models, its store, and the creates that are being held."""

import hashlib
from dataclasses import asdict, replace
from typing import Any
from weakref import WeakValueDictionary

import anyio
from pydantic import JsonValue

from darkroom.registry import Model, ModelRef, ModelRegistry, unlisted_model
from darkroom_server.sandbox import faults
from darkroom_server.sandbox.bodies import prediction_body
from darkroom_server.sandbox.catalogue import Catalogue
from darkroom_server.sandbox.life import Prediction, StoredPrediction, foretold, usual_run_s
from darkroom_server.sandbox.options import SandboxOptions
from darkroom_server.sandbox.profiles import sandbox_profile
from darkroom_server.sandbox.store import Row, Store
from darkroom_server.sandbox.weather import Weather

_KEPT_S = 14 * 24 * 3600.0  # predictions older than this are forgotten
_REFUSAL_MEMORY_S = 600.0  # a prompt whose last refusal is older is refused again


class SandboxState:
    """All endpoints read and write through this."""

    def __init__(self, options: SandboxOptions) -> None:
        self.options = options
        self.profile = sandbox_profile(options.profile)
        self.store = Store(options.store_path)
        self.catalogue = Catalogue(options, options.registry or ModelRegistry.load())
        self._refused_at: dict[str, float] = {}
        self._cancels: WeakValueDictionary[str, anyio.Event] = WeakValueDictionary()  # kept alive by the creates held

    @property
    def now(self) -> float:
        return self.options.clock()

    def create(self, model: Model, version: str, input: dict[str, JsonValue], cancel_after_s: float) -> Prediction:
        identifier = self.options.new_id()
        stored = StoredPrediction(
            id=identifier,
            model=model.name,
            version=version,
            input=input,
            created_at=self.now,
            run_s=usual_run_s(identifier, model.typical_s, self.options.speed),
            cancel_after_s=cancel_after_s,
        )
        self.store.forget("prediction", stored.created_at - _KEPT_S)
        return self.saved(stored)

    def saved(self, stored: StoredPrediction) -> Prediction:
        self.store.put(Row(kind="prediction", id=stored.id, created_at=stored.created_at, body=asdict(stored)))
        return self._prediction(stored)

    def find(self, identifier: str) -> Prediction | None:
        row = self.store.get("prediction", identifier)
        return self._prediction(StoredPrediction(**row.body)) if row else None

    def prediction(self, identifier: str) -> Prediction:
        """Raises: Fault for an unknown id."""
        if found := self.find(identifier):
            return found
        raise faults.not_found("Prediction not found")

    def page(self, before: tuple[float, str] | None, limit: int) -> list[Prediction]:
        rows = self.store.newest("prediction", limit, before)
        return [self._prediction(StoredPrediction(**row.body)) for row in rows]

    def cancel(self, prediction: Prediction) -> Prediction:
        """Stop it now and release the creates that wait for it; one that has ended stays as it is."""
        if prediction.has_ended(self.now):
            return prediction
        canceled = self.saved(replace(prediction.stored, canceled_at=self.now))
        if event := self._cancels.get(canceled.stored.id):
            event.set()
        return canceled

    def body(self, prediction: Prediction) -> dict[str, Any]:
        """The prediction as a GET answers it now."""
        return prediction_body(prediction, self.profile, self.options, self.now)

    async def hold(self, prediction: Prediction, budget_s: float) -> Prediction:
        """Sleep until it ends, is canceled, or `budget_s` has passed."""
        remaining = prediction.ended_at - self.now
        canceled = self._cancels.setdefault(prediction.stored.id, anyio.Event())
        with anyio.move_on_after(max(0.0, min(remaining, budget_s)) + 0.002):
            await canceled.wait()
        return self.prediction(prediction.stored.id)

    def refuses(self, kind: str, model: Model, weather: Weather) -> float:
        """Seconds that this create still has to wait, 0 once it is accepted.

        The first create with a prompt is refused. After the named seconds the next one is accepted, and the one after
        it is refused again.
        """
        wait_s = weather.seconds(kind, 0.0)
        key = hashlib.sha256(f"{kind}|{model.name}|{weather.caption}".encode()).hexdigest()
        since = self.now - self._refused_at.get(key, -_REFUSAL_MEMORY_S)
        if since >= _REFUSAL_MEMORY_S:
            self._refused_at[key] = self.now
            return max(wait_s, 0.001)
        if since < wait_s:
            return wait_s - since
        del self._refused_at[key]
        return 0.0

    def _prediction(self, stored: StoredPrediction) -> Prediction:
        """With its model, even if the registry has dropped that since."""
        model = self.catalogue.find(stored.model) or unlisted_model(ModelRef.parse(stored.model))
        return foretold(stored, model, speed=self.options.speed)
