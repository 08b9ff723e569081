"""generate_image: from a request in our words to predictions, waited on within the budget of the call.

Nothing is sent before the whole request is checked: model, inputs, files, limits. Then every prediction is written down as
an intent, and the Darkroom takes over; this call only waits.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import JsonValue

from darkroom.darkroom import PICTURES_GRACE_S, Budget, Darkroom, OnProgress
from darkroom.errors import DarkroomError, InvalidInput, JournalError, SpendingRefused, UnknownModel
from darkroom.journal import Intent, IntentState, NewIntent
from darkroom.registry import (
    ImageRequest,
    MappedInput,
    Model,
    ModelRef,
    ModelRegistry,
    default_model_for,
    unlisted_model,
)
from darkroom.reports import AnswerFacts, PredictionReport, prediction_report, refusal_report
from darkroom.reports.amounts import usd
from darkroom.request_ids import fresh_request_id
from darkroom.work.crash_points import CrashPoint
from darkroom.work.watch import Following

MOST_IMAGES = 10
# A create must be answered before the host gives up at about 60 s, whatever the caller's own budget is.
_CREATE_BUDGET_S = 48.0


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What is written down for one call: its intents in order, and notes for the assistant."""

    intents: tuple[Intent, ...]
    notes: tuple[str, ...]


async def generate_image(
    room: Darkroom,
    request: ImageRequest,
    *,
    wait_s: float,
    request_id: str = "",
    on_progress: OnProgress | None = None,
) -> PredictionReport:
    """Create what is asked for and wait for it at most `wait_s` seconds (the create itself is waited for up to 48 s).

    The same `request_id` gives the same predictions, whatever happened in between. A DarkroomError becomes a report.
    """
    started_s = room.options.monotonic()
    if on_progress:
        await on_progress(0.0, "checking the request")
    try:
        plan = await _plan(room, request, request_id)
    except DarkroomError as error:
        return refusal_report(error)
    until_s = started_s + wait_s
    create_until_s = started_s + max(_CREATE_BUDGET_S, wait_s)
    budget = Budget(hold_s=wait_s, retry_s=min(wait_s, create_until_s - started_s - 5))
    followings = [room.work.start(intent, budget) for intent in plan.intents]
    await room.waiting.for_create(followings, until_s=create_until_s, on_progress=on_progress)
    await room.waiting.for_end(followings, until_s=until_s, on_progress=on_progress)
    await room.waiting.for_pictures(followings, until_s=until_s + PICTURES_GRACE_S)
    return await _report(room, plan, followings, started_s)


async def _plan(room: Darkroom, request: ImageRequest, request_id: str) -> _Plan:
    earlier = await room.journal.by_request(request_id) if request_id else ()
    if earlier:
        return await _replay(room, request, earlier)
    model = find_model(room.registry, request, room.options.default_model)
    parts = _map_parts(model, request)
    estimates = [_estimate(room, model, part) for part in parts]
    _check_call_limit(room, estimates)
    resolved, notes = await _resolve_files(room, parts)
    if ":" in request.model and "version" not in room.gateway.creates:
        notes = (*notes, f"gateway '{room.gateway.name}' runs models by name only, so no version was asked for.")
    name = request_id or fresh_request_id()
    wanted = [
        NewIntent(
            request_id=name,
            part=number,
            gateway=room.gateway.name,
            origin=room.gateway.origin,
            model=model.name,
            version=model.version if model.run_by == "version" else "",
            input=part.input,
            file_fields=part.file_fields,
            request={**request.to_json(), "model": model.name},
            seed=part.seed,
            image_count=part.image_count,
            estimate_usd=estimate,
        )
        for number, (part, estimate) in enumerate(zip(resolved, estimates, strict=True))
    ]
    intents = await room.journal.intend_all(wanted, spending=room.day_limit())
    room.options.at_crash_point(CrashPoint.INTENDED)
    return _Plan(intents=intents, notes=notes)


async def _replay(room: Darkroom, request: ImageRequest, earlier: Sequence[Intent]) -> _Plan:
    """The request_id was used before: its first input and seed win, and nothing that was sent is sent again.

    Raises: InvalidInput where that was through another gateway.
    """
    first = earlier[0]
    if first.origin != room.gateway.origin:
        raise InvalidInput(
            f"request_id '{first.request_id}' was used through gateway '{first.gateway}', not the one in use now. "
            "Nothing was sent. get_prediction with it shows what it made; for a new picture use another request_id.",
            field="request_id",
        )
    earlier = await room.work.settle_doubts(earlier)
    notes = [f"request_id '{first.request_id}' was used before; this is what it made, nothing new was started."]
    if any(intent.state in (IntentState.REFUSED, IntentState.ABSENT, IntentState.INTENT) for intent in earlier):
        notes = [f"request_id '{first.request_id}' was used before; what had not been created is sent now."]
    if request.prompt and request.prompt != first.request.get("prompt"):
        notes.append("its first prompt counts; for another picture use another request_id.")
    return _Plan(intents=tuple(earlier), notes=tuple(notes))


def estimate_usd(registry: ModelRegistry, request: ImageRequest, default_model: str = "") -> float | None:
    """What the request would cost in US dollars; None where the price is unknown. Nothing is sent or written.

    Raises: UnknownModel, InvalidInput.
    """
    model = find_model(registry, request, default_model)
    estimates = [model.estimate_usd(part.input, part.image_count) for part in _map_parts(model, request)]
    known = [estimate for estimate in estimates if estimate is not None]
    return sum(known) if len(known) == len(estimates) else None


def find_model(registry: ModelRegistry, request: ImageRequest, default_model: str = "") -> Model:
    """The model that was named, else the person's default where it can do this, else the registry's.

    Raises: UnknownModel.
    """
    if request.model:
        return _named_model(registry, request.model)
    if default_model:
        model = _named_model(registry, default_model)
        if not model.checked or _can_do(model, request):
            return model
    return registry.get(default_model_for(request))


def _named_model(registry: ModelRegistry, name: str) -> Model:
    """A listed model, or one that nobody described where the name is whole (`owner/name`)."""
    try:
        return registry.get(name)
    except UnknownModel:
        if "/" not in name:
            raise
        return unlisted_model(ModelRef.parse(name))


def _can_do(model: Model, request: ImageRequest) -> bool:
    if request.output_format == "svg" and not model.output.svg:
        return False
    if request.mask and not model.concepts.mask:
        return False
    return model.edits if request.images else not model.needs_image


def _map_parts(model: Model, request: ImageRequest) -> list[MappedInput]:
    """One mapped input for each prediction that the wished number of images takes; their seeds count up."""
    if not 1 <= request.count <= MOST_IMAGES:
        raise InvalidInput(
            f"count {request.count} is not possible. Allowed: 1 to {MOST_IMAGES} images a call.", field="count"
        )
    parts: list[MappedInput] = []
    for number, count in enumerate(model.split_count(request.count)):
        seed = request.seed + number if request.seed >= 0 else request.seed
        parts.append(model.input_for(replace(request, count=count, seed=seed), draw_seed=_draw_seed))
    return parts


def _draw_seed() -> int:
    return secrets.randbelow(2**31)


def _estimate(room: Darkroom, model: Model, part: MappedInput) -> float | None:
    """US dollars from the registry; the sandbox costs nothing."""
    return 0.0 if room.gateway.is_sandbox else model.estimate_usd(part.input, part.image_count)


def _check_call_limit(room: Darkroom, estimates: Sequence[float | None]) -> None:
    """Raises: SpendingRefused where this call alone is over the person's limit, or its price is unknown under one."""
    limits = room.options
    has_limit = limits.max_usd_per_call is not None or limits.max_usd_per_day is not None
    known = [estimate for estimate in estimates if estimate is not None]
    if has_limit and len(known) < len(estimates) and not limits.allow_unknown_price:
        raise SpendingRefused(
            "The price of this model is unknown and the user has set a spending limit. Nothing was sent. Choose a model "
            "with a known price (list_models shows them), or ask the user to set DARKROOM_ALLOW_UNKNOWN_PRICE=true."
        )
    total = sum(known)
    if limits.max_usd_per_call is not None and total > limits.max_usd_per_call:
        raise SpendingRefused(
            f"This call would cost about {usd(total)}, more than the user's limit of {usd(limits.max_usd_per_call)} a call "
            "(DARKROOM_MAX_USD_PER_CALL). Nothing was sent. Ask for fewer images or a cheaper model."
        )


async def _resolve_files(room: Darkroom, parts: Sequence[MappedInput]) -> tuple[list[MappedInput], tuple[str, ...]]:
    """Put what the gateway accepts in place of image references, once for all parts, and gather the notes."""
    first = await room.resolve(parts[0])
    files: dict[str, JsonValue] = {name: first.input[name] for name in parts[0].file_fields if name in first.input}
    resolved = [replace(part, input={**part.input, **files}) for part in parts]
    notes = [*parts[0].notes, *first.notes]
    if len(parts) > 1:
        notes.append(f"this model makes fewer images at once, so {len(parts)} predictions were created.")
    return resolved, tuple(dict.fromkeys(notes))


async def _row(room: Darkroom, following: Following) -> Intent:
    """The row as it stands, or as it was last seen: what was paid is told even when the journal cannot be read."""
    try:
        return await room.journal.find(following.intent.key) or following.intent
    except JournalError:
        return following.intent


async def _report(room: Darkroom, plan: _Plan, followings: Sequence[Following], started_s: float) -> PredictionReport:
    rows = [await _row(room, following) for following in followings]
    facts = AnswerFacts(
        gateway=room.gateway,
        notes=plan.notes,
        idle=frozenset(row.key for row in rows if room.work.following(row) is None),
        waited_s=room.options.monotonic() - started_s,
        now_s=room.options.clock(),
        errors={following.intent.key: following.problem for following in followings if following.problem},
        percents=room.waiting.percents(followings),
        sandbox_hint=room.sandbox_hint,
    )
    return prediction_report(rows, facts)
