"""The bodies of the format as plain dicts, with each profile's own habits."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from darkroom.registry import Model
from darkroom_server.sandbox.life import Life
from darkroom_server.sandbox.logs import log_text
from darkroom_server.sandbox.options import SandboxOptions
from darkroom_server.sandbox.output_spec import format_of, image_count
from darkroom_server.sandbox.profiles import SandboxProfile
from darkroom_server.sandbox.stored_prediction import StoredPrediction, repeatable_random
from darkroom_server.sandbox.weather import Weather

_UPSTREAM = "https://api.replicate.com"
_UPSTREAM_WEB = "https://replicate.com/p"
_UPSTREAM_STREAM = "https://stream.replicate.com/v1/files"


def stamp(moment: float, digits: int = 9) -> str:
    """RFC 3339 in UTC with this many digits behind the seconds; the format mixes 3, 6 and 9."""
    nanoseconds = round(moment * 1_000_000) * 1000 + round(moment * 10) % 10 * 37
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}"[: 20 + digits] + "Z"


def seed_of(model: Model, stored: StoredPrediction) -> int:
    """The seed that the input names, else one that follows from the prediction's id."""
    given = stored.input.get(model.concepts.seed)
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    return int(repeatable_random(stored.id, "seed") * 100_000)


def output_count(model: Model, stored: StoredPrediction, weather: Weather) -> int:
    """How many images it ends with."""
    asked = image_count(model, stored.input)
    return max(1, asked - 1) if "partial" in weather else asked


def output_names(model: Model, stored: StoredPrediction, weather: Weather) -> list[str]:
    """File names of the outputs: `output.png` for models of one image, `out-0.png` on for the others."""
    ending = format_of(model, stored.input)
    if model.output.kind == "uri":
        return [f"output.{ending}"]
    return [f"out-{index}.{ending}" for index in range(output_count(model, stored, weather))]


def output_urls(model: Model, stored: StoredPrediction, weather: Weather, options: SandboxOptions) -> list[str]:
    return [f"{options.files_origin}/delivery/{stored.id}/{name}" for name in output_names(model, stored, weather)]


def shaped_output(model: Model, uris: list[str]) -> str | list[str]:
    """One string or a list, as the model's schema says."""
    return uris[0] if model.output.kind == "uri" else uris


def prediction_body(
    stored: StoredPrediction,
    life: Life,
    weather: Weather,
    model: Model,
    profile: SandboxProfile,
    options: SandboxOptions,
    now: float,
) -> dict[str, Any]:
    """The prediction at `now`, as a GET answers it."""
    is_removed, has_ended = life.is_removed(now), life.has_ended(now)
    has_output = has_ended and life.end == "succeeded" and not is_removed and not life.is_empty
    output = shaped_output(model, output_urls(model, stored, weather, options)) if has_output else None
    body: dict[str, Any] = {
        "id": stored.id,
        "model": stored.model,
        "version": _version_word(model, stored, profile),
        "input": {} if is_removed else dict(sorted(stored.input.items())),
        "logs": "" if is_removed else _logs(stored, life, weather, model, now),
        "output": output,
        "data_removed": is_removed,
        "error": life.error or None if has_ended else None,
        "status": life.status(now),
        "created_at": stamp(stored.created_at, 3),
    }
    if profile.source:
        body["source"] = profile.source
    if stored.cancel_after_s:
        body["deadline"] = stamp(stored.created_at + stored.cancel_after_s, 3)
    body |= _times(stored, life, model, weather, now)
    body["urls"] = _links(stored.id, profile, options)
    omitted = profile.omits + (() if has_ended else profile.omits_at_create)
    return _without(body, omitted)


def canceled_body(body: dict[str, Any]) -> dict[str, Any]:
    """The answer to a cancel that worked: neither logs nor output."""
    return body | {"logs": None, "output": None}


def sync_body(body: dict[str, Any], uris: str | list[str] | None, *, is_done: bool) -> dict[str, Any]:
    """A held create: a done one is `processing` with its whole output, a late one still `starting` (both recorded)."""
    body = {key: value for key, value in body.items() if key not in ("started_at", "completed_at", "metrics")}
    if not is_done:
        return body | {"status": "starting", "output": None, "logs": ""}
    return body | {"status": "processing", "output": uris, "logs": ""}


def _version_word(model: Model, stored: StoredPrediction, profile: SandboxProfile) -> str:
    if stored.version:
        return stored.version
    if profile.version_word == "dp":
        return "dp-" + hashlib.sha256(model.name.encode()).hexdigest()[:32]
    return "hidden"


def _logs(stored: StoredPrediction, life: Life, weather: Weather, model: Model, now: float) -> str:
    if now < life.started_at or not life.was_started or life.end == "canceled":
        return ""
    steps = model.with_defaults(stored.input).get(model.concepts.steps)
    return log_text(
        stored,
        share=life.share(now),
        has_ended=life.has_ended(now) and life.end == "succeeded",
        run_s=stored.run_s if life.stalls else life.ended_at - life.started_at,
        seed=seed_of(model, stored) if model.can_seed else None,
        steps=int(steps) if isinstance(steps, int | float) else 0,
        images=output_count(model, stored, weather),
    )


def _times(stored: StoredPrediction, life: Life, model: Model, weather: Weather, now: float) -> dict[str, Any]:
    """started_at, completed_at and metrics, as far as there are any yet."""
    if life.has_ended(now):
        ran = life.ended_at - life.started_at
        metrics: dict[str, Any] = {
            "predict_time": round(max(ran, 3e-6), 9),
            "total_time": round(life.ended_at - life.created_at, 6),
        }
        if life.end == "succeeded" and not life.is_empty:
            metrics["image_count"] = output_count(model, stored, weather)
        started = None if life.end == "aborted" else stamp(life.started_at)
        times: dict[str, Any] = {"started_at": started, "completed_at": stamp(life.ended_at)}
        return times if life.end == "aborted" else times | {"metrics": metrics}
    if now >= life.started_at:
        return {"started_at": stamp(life.started_at), "completed_at": None, "metrics": {}}
    return {"started_at": None, "completed_at": None, "metrics": {}}


def _links(identifier: str, profile: SandboxProfile, options: SandboxOptions) -> dict[str, str]:
    origin = options.origin if profile.own_urls else _UPSTREAM
    links = {
        "cancel": f"{origin}/v1/predictions/{identifier}/cancel",
        "get": f"{origin}/v1/predictions/{identifier}",
        "web": f"{options.origin}/p/{identifier}" if profile.own_urls else f"{_UPSTREAM_WEB}/{identifier}",
        "stream": f"{_UPSTREAM_STREAM}/sandbox-{identifier}",
    }
    return {name: url for name, url in links.items() if name in ("cancel", "get") or name in profile.links}


def _without(body: dict[str, Any], omitted: tuple[str, ...]) -> dict[str, Any]:
    for path in omitted:
        outer, _, inner = path.partition(".")
        if inner and isinstance(body.get(outer), Mapping):
            body[outer] = {key: value for key, value in body[outer].items() if key != inner}
        elif not inner:
            body.pop(path, None)
    return body
