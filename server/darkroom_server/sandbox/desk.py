"""What one sandbox holds while it runs: its models, its store, and who is waiting for what."""

import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any

import anyio
from pydantic import JsonValue

from darkroom.registry import Model, ModelRef, ModelRegistry, unlisted_model
from darkroom_server.sandbox import faults
from darkroom_server.sandbox.bodies import prediction_body
from darkroom_server.sandbox.catalog import version_id
from darkroom_server.sandbox.facts import Facts, fair_run_s
from darkroom_server.sandbox.life import Life, life_of
from darkroom_server.sandbox.options import SandboxOptions
from darkroom_server.sandbox.profiles import sandbox_profile
from darkroom_server.sandbox.store import Row, open_store
from darkroom_server.sandbox.weather import Weather, read_weather

_KEPT_S = 14 * 24 * 3600.0  # predictions older than this are forgotten
_REFUSAL_MEMORY_S = 600.0  # a prompt that was refused this long ago is refused anew


class Desk:
    """The one place where the sandbox reads and writes what it knows."""

    def __init__(self, options: SandboxOptions) -> None:
        self.options = options
        self.profile = sandbox_profile(options.profile)
        self.store = open_store(options.store_path)
        self.registry = options.registry or ModelRegistry.load()
        self._refused_at: dict[str, float] = {}
        self._waiting: dict[str, list[anyio.Event]] = {}

    @property
    def now(self) -> float:
        return self.options.clock()

    def model(self, name: str) -> Model | None:
        return self.registry.find(name) if "/" in name else None

    @cached_property
    def _names_by_version(self) -> dict[str, str]:
        return {version_id(self.registry.get(name)): name for name in self.registry.names()}

    def model_of_version(self, version: str) -> Model | None:
        name = self._names_by_version.get(version)
        return self.registry.get(name) if name else None

    def model_of(self, facts: Facts) -> Model:
        """The model of a stored prediction, even if the registry has dropped it since."""
        return self.registry.find(facts.model) or unlisted_model(ModelRef.parse(facts.model))

    def weather(self, model: Model, input: dict[str, JsonValue]) -> Weather:
        """What the prompt asks for; models without a prompt have fair weather."""
        return read_weather(str(input.get(model.concepts.prompt) or ""))

    def create(self, model: Model, version: str, input: dict[str, JsonValue], cancel_after_s: float) -> Facts:
        identifier = self.options.draw_id()
        facts = Facts(
            id=identifier,
            model=model.name,
            version=version,
            input=input,
            created_at=self.now,
            run_s=fair_run_s(identifier, model.typical_s, self.options.speed),
            cancel_after_s=cancel_after_s,
        )
        self.store.forget("prediction", facts.created_at - _KEPT_S)
        self._save(facts)
        return facts

    def facts(self, identifier: str) -> Facts:
        """Raises: Fault for an id that was never given out."""
        row = self.store.get("prediction", identifier)
        if row is None:
            raise faults.not_found("Prediction not found")
        return Facts(**row.body)

    def page(self, before: tuple[float, str] | None, limit: int) -> list[Facts]:
        return [Facts(**row.body) for row in self.store.newest("prediction", limit, before)]

    def cancel(self, facts: Facts) -> Facts:
        """Stop it now, and wake whoever waits for it; one that has ended stays as it is."""
        if self.life(facts).has_ended(self.now):
            return facts
        canceled = replace(facts, canceled_at=self.now)
        self._save(canceled)
        for event in self._waiting.get(facts.id, []):
            event.set()
        return canceled

    def life(self, facts: Facts) -> Life:
        options = self.options
        weather = self.weather(self.model_of(facts), facts.input)
        return life_of(facts, weather, speed=options.speed, link_lifetime_s=options.link_lifetime_s)

    def body(self, facts: Facts) -> dict[str, Any]:
        """The prediction as a GET answers it now."""
        model = self.model_of(facts)
        weather = self.weather(model, facts.input)
        return prediction_body(facts, self.life(facts), weather, model, self.profile, self.options, self.now)

    async def hold(self, facts: Facts, budget_s: float) -> Facts:
        """Sleep until it ends, is canceled, or the budget is spent; no polling."""
        remaining = self.life(facts).ended_at - self.now
        with self._waiter(facts.id) as canceled, anyio.move_on_after(max(0.0, min(remaining, budget_s)) + 0.002):
            await canceled.wait()
        return self.facts(facts.id)

    def refuses(self, kind: str, model: Model, weather: Weather) -> float:
        """Seconds that this create still has to wait, 0 once it is accepted.

        The first create with a prompt is refused; once the named seconds have passed, the next one is accepted, and the
        one after that is refused again.
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

    def _save(self, facts: Facts) -> None:
        self.store.put(Row(kind="prediction", id=facts.id, created_at=facts.created_at, body=facts.to_json()))

    @contextmanager
    def _waiter(self, identifier: str) -> Generator[anyio.Event]:
        event = anyio.Event()
        waiting = self._waiting.setdefault(identifier, [])
        waiting.append(event)
        try:
            yield event
        finally:
            waiting.remove(event)
            if not waiting:
                del self._waiting[identifier]
