"""The bodies of the format as plain dicts, with each profile's own habits, and the log text within them."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from darkroom_server.sandbox.billing import billing_metrics
from darkroom_server.sandbox.life import Prediction, repeatable_random
from darkroom_server.sandbox.options import SandboxOptions
from darkroom_server.sandbox.profiles import SandboxProfile

_UPSTREAM = "https://api.replicate.com"
_BAR_WIDTH = 10
_LAG = 0.96  # real logs trail behind the work and jump at the end


def stamp(moment: float, digits: int = 9) -> str:
    """RFC 3339 in UTC with this many digits behind the seconds; the format mixes 3, 6 and 9."""
    nanoseconds = round(moment * 1_000_000) * 1000 + round(moment * 10) % 10 * 37
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}"[: 20 + digits] + "Z"


def prediction_body(
    prediction: Prediction, profile: SandboxProfile, options: SandboxOptions, now: float
) -> dict[str, Any]:
    """The prediction at `now`, as a GET answers it."""
    stored = prediction.stored
    is_removed, has_ended = now >= prediction.removed_at, prediction.has_ended(now)
    has_output = has_ended and prediction.is_good and not is_removed
    urls = [f"{options.origin}/delivery/{stored.id}/{name}" for name in prediction.output_names]
    official = {"hidden": "hidden", "dp": "dp-" + hashlib.sha256(stored.model.encode()).hexdigest()[:32]}
    body: dict[str, Any] = {
        "id": stored.id,
        "model": stored.model,
        "version": stored.version or official[profile.version_word],
        "input": {} if is_removed else dict(sorted(stored.input.items())),
        "logs": "" if is_removed else _log_text(prediction, now),
        "output": prediction.shaped(urls) if has_output else None,
        "data_removed": is_removed,
        "error": prediction.error or None if has_ended else None,
        "status": prediction.status(now),
        "created_at": stamp(stored.created_at, 3),
    }
    if profile.source:
        body["source"] = profile.source
    if stored.cancel_after_s:
        body["deadline"] = stamp(stored.created_at + stored.cancel_after_s, 3)
    body |= _times(prediction, now)
    body["urls"] = _links(stored.id, profile, options)
    for path in profile.omits + (() if has_ended else profile.omits_at_create):
        outer, _, inner = path.rpartition(".")
        (body.get(outer, {}) if outer else body).pop(inner, None)
    return body


def held_body(body: dict[str, Any], uris: str | list[str] | None, *, is_done: bool) -> dict[str, Any]:
    """A held create: a done one is `processing` with its whole output, a late one still `starting` (both recorded)."""
    kept = {key: value for key, value in body.items() if key not in ("started_at", "completed_at", "metrics")}
    return kept | {"status": "processing" if is_done else "starting", "output": uris if is_done else None, "logs": ""}


def _times(prediction: Prediction, now: float) -> dict[str, Any]:
    """started_at, completed_at and metrics, as far as there are any yet."""
    if not prediction.has_ended(now):
        started = stamp(prediction.started_at) if now >= prediction.started_at else None
        return {"started_at": started, "completed_at": None, "metrics": {}}
    if prediction.end == "aborted":
        return {"started_at": None, "completed_at": stamp(prediction.ended_at)}
    metrics: dict[str, Any] = {
        "predict_time": round(max(prediction.ended_at - prediction.started_at, 3e-6), 9),
        "total_time": round(prediction.ended_at - prediction.stored.created_at, 6),
    }
    if prediction.is_good:
        metrics |= {"image_count": prediction.output_count} | billing_metrics(prediction)
    return {"started_at": stamp(prediction.started_at), "completed_at": stamp(prediction.ended_at), "metrics": metrics}


def _links(identifier: str, profile: SandboxProfile, options: SandboxOptions) -> dict[str, str]:
    origin = options.origin if profile.own_urls else _UPSTREAM
    links = {
        "cancel": f"{origin}/v1/predictions/{identifier}/cancel",
        "get": f"{origin}/v1/predictions/{identifier}",
        "web": f"{options.origin if profile.own_urls else 'https://replicate.com'}/p/{identifier}",
        "stream": f"https://stream.replicate.com/v1/files/sandbox-{identifier}",
    }
    return {name: url for name, url in links.items() if name in ("cancel", "get") or name in profile.links}


def _log_text(prediction: Prediction, now: float) -> str:
    """The log so far, with the progress bars that clients read percents from; models without steps only say a word."""
    stored, model = prediction.stored, prediction.model
    if now < prediction.started_at or prediction.started_at >= prediction.ended_at or prediction.end == "canceled":
        return ""
    run_s = stored.run_s if prediction.stalls else prediction.ended_at - prediction.started_at
    is_done = prediction.has_ended(now) and prediction.end == "succeeded"
    seed = [f"Using seed: {prediction.seed}"] if model.concepts.seed else []
    lines = ["Opening the sandbox's box of colours", *seed]
    steps = model.with_defaults(stored.input).get(model.concepts.steps)
    if isinstance(steps, int | float) and int(steps):
        pace = int(steps) / max(run_s, 0.05) * (0.97 + 0.06 * repeatable_random(stored.id, "pace"))
        lines += _bars(prediction.share(now) * (1 if is_done else _LAG), int(steps), pace)
    else:
        lines.append("Painting...")
    if is_done:
        images = prediction.output_count
        lines.append(f"Painted {images} image{'s' if images != 1 else ''} in {run_s:.2f} s")
    return "\n".join(lines) + "\n"


def _bars(share: float, steps: int, pace: float) -> Iterator[str]:
    """One line for each step that is done, at most a dozen and the last; `pace` is in steps a second."""
    done = int(share * steps)
    for step in sorted({0, *range(0, done + 1, max(1, steps // 12)), done if done == steps else 0}):
        spent_s, left_s = (
            f"{int(count / pace) // 60:02d}:{int(count / pace) % 60:02d}" for count in (step, steps - step)
        )
        bar = ("█" * int(step / steps * _BAR_WIDTH)).ljust(_BAR_WIDTH)
        end = f"{spent_s}<{left_s}, {pace:5.2f}it/s" if step else f"{spent_s}<?, ?it/s"
        yield f"{step / steps:4.0%}|{bar}| {step}/{steps} [{end}]"
