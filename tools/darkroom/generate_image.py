"""generate_image: from a request in our words to predictions, waited on within the budget of the call.

Nothing is sent before the whole request is checked: model, inputs, files, limits, and a place for the images. Then
every prediction is written down as an intent, and the Darkroom takes over; this call only waits.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import anyio
from pydantic import JsonValue

from darkroom.darkroom import CALL_GRACE_S, IMAGES_GRACE_S, Budget, Darkroom, OnProgress
from darkroom.errors import DarkroomError, GatewayUnreachable, InvalidInput, SpendingRefused, UnknownModel
from darkroom.get_prediction import report_on
from darkroom.journal import Intent, NewIntent
from darkroom.registry import (
    ImageRequest,
    MappedInput,
    Model,
    ModelRef,
    ModelRegistry,
    default_model_for,
    map_request,
    unlisted_model,
)
from darkroom.repeats import refuse_other_arguments
from darkroom.reports import PredictionReport, refusal_report
from darkroom.reports.amounts import usd
from darkroom.request_ids import fresh_request_id
from darkroom.secrets_in_inputs import secrets_of
from darkroom.work.crash_points import CrashPoint

MOST_IMAGES = 10


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What is written down for one call (its intents in order, notes for the assistant), and what never is."""

    intents: tuple[Intent, ...]
    notes: tuple[str, ...]
    secrets: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])


async def generate_image(
    darkroom: Darkroom,
    request: ImageRequest,
    *,
    wait_s: float,
    request_id: str = "",
    on_progress: OnProgress | None = None,
    conversation: str = "",
) -> PredictionReport:
    """Create what is asked for and wait at most `wait_s` seconds; the answer comes within 10 s more, whatever happens.

    The same `request_id` gives the same predictions, whatever happened in between. `conversation` is who asks. A
    DarkroomError becomes a report.
    """
    started_s = darkroom.options.monotonic()
    until_s, end_s = started_s + wait_s, started_s + wait_s + CALL_GRACE_S
    if on_progress:
        await on_progress(0.0, "checking the request")
    try:
        with anyio.fail_after(wait_s + CALL_GRACE_S):
            plan = await _plan(darkroom, request, request_id, conversation)
    except TimeoutError:
        return refusal_report(_too_slow(darkroom))
    except DarkroomError as error:
        return refusal_report(error)
    budget = Budget(hold_s=wait_s, retry_s=wait_s, secrets=plan.secrets)
    watched = [darkroom.work.start(intent, budget) for intent in plan.intents]
    await darkroom.waiting.for_create(watched, until_s=end_s, on_progress=on_progress)
    await darkroom.waiting.for_end(watched, until_s=until_s, on_progress=on_progress)
    await darkroom.waiting.for_images(watched, until_s=min(until_s + IMAGES_GRACE_S, end_s))
    return await report_on(darkroom, plan.intents, watched, started_s, plan.notes)


async def _plan(darkroom: Darkroom, request: ImageRequest, request_id: str, conversation: str) -> _Plan:
    if earlier := await darkroom.journal.by_request(request_id) if request_id else ():
        return await _repeat(darkroom, request, earlier)
    model = find_model(darkroom.registry, request, darkroom.options.default_model)
    parts = _map_parts(model, request)
    estimates = [_estimate(darkroom, model, part) for part in parts]
    _check_call_limit(darkroom, estimates)
    await darkroom.stores.default.check()
    resolved, notes = await _resolve_files(darkroom, parts)
    if ":" in request.model and "version" not in darkroom.gateway.creates:
        notes = (*notes, f"gateway '{darkroom.gateway.name}' runs models by name only, so no version was asked for.")
    name = request_id or fresh_request_id()
    wanted = [
        NewIntent(
            request_id=name,
            part=number,
            gateway=darkroom.gateway.name,
            origin=darkroom.gateway.origin,
            account=darkroom.account.id,
            model=model.name,
            version=model.version if model.run_by == "version" else "",
            input=part.input,
            file_fields=part.file_fields,
            request={**request.to_json(), "model": model.name},
            seed=part.seed,
            image_count=part.image_count,
            estimate_usd=estimate,
            output_place=darkroom.stores.default.place,
            conversation=conversation,
        )
        for number, (part, estimate) in enumerate(zip(resolved, estimates, strict=True))
    ]
    intents = await darkroom.journal.intend(wanted, spending=darkroom.day_limit())
    refuse_other_arguments(darkroom, request, intents)  # another process may have been first with this request_id
    darkroom.options.at_crash_point(CrashPoint.INTENDED)
    return _Plan(intents=intents, notes=notes, secrets=secrets_of(parts[0].input))


async def _repeat(darkroom: Darkroom, request: ImageRequest, earlier: Sequence[Intent]) -> _Plan:
    """The request_id was used before: its first input and seed win, and nothing that was sent is sent again.

    What would be sent now is checked like a new call. Raises: InvalidInput, SpendingRefused, OutputError.
    """
    refuse_other_arguments(darkroom, request, earlier)
    earlier = await darkroom.work.settle_doubts(earlier)
    unsent = [intent for intent in earlier if intent.may_be_sent]
    words = "this is what it made, nothing new was started"
    if unsent:
        _check_call_limit(darkroom, [intent.estimate_usd for intent in unsent])
        await darkroom.stores.default.check()
        words = "what had not been created is sent now"
    note = f"request_id '{earlier[0].request_id}' was used before; {words}."
    return _Plan(intents=tuple(earlier), notes=(note,), secrets=secrets_of(request.options))


def _too_slow(darkroom: Darkroom) -> GatewayUnreachable:
    return GatewayUnreachable(
        f"Nothing was created: reading or uploading the images, or asking gateway '{darkroom.gateway.name}', took "
        "too long. Try again with a longer wait_seconds, or with smaller images.",
        gateway=darkroom.gateway.name,
    )


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
        parts.append(map_request(model, replace(request, count=count, seed=seed), draw_seed=_draw_seed))
    return parts


def _draw_seed() -> int:
    return secrets.randbelow(2**31)


def _estimate(darkroom: Darkroom, model: Model, part: MappedInput) -> float | None:
    """US dollars from the registry; the sandbox costs nothing."""
    return 0.0 if darkroom.gateway.is_sandbox else model.estimate_usd(part.input, part.image_count)


def _check_call_limit(darkroom: Darkroom, estimates: Sequence[float | None]) -> None:
    """Raises: SpendingRefused where this call alone is over the person's limit, or its price is unknown under one."""
    limits = darkroom.options
    has_limit = limits.max_usd_per_call is not None or limits.max_usd_per_day is not None
    known = [estimate for estimate in estimates if estimate is not None]
    if has_limit and len(known) < len(estimates) and not limits.allow_unknown_price:
        raise SpendingRefused(
            "The price of this model is unknown and the user has set a spending limit. Nothing was sent. Choose a "
            "model with a known price (list_models shows them), or ask the user to set "
            "DARKROOM_ALLOW_UNKNOWN_PRICE=true."
        )
    total = sum(known)
    if limits.max_usd_per_call is not None and total > limits.max_usd_per_call:
        raise SpendingRefused(
            f"This call would cost about {usd(total)}, more than the user's limit of {usd(limits.max_usd_per_call)} a "
            "call (DARKROOM_MAX_USD_PER_CALL). Nothing was sent. Ask for fewer images or a cheaper model."
        )


async def _resolve_files(darkroom: Darkroom, parts: Sequence[MappedInput]) -> tuple[list[MappedInput], tuple[str, ...]]:
    """Put what the gateway accepts in place of image references, once for all parts, and gather the notes."""
    first = await darkroom.resolve(parts[0])
    files: dict[str, JsonValue] = {name: first.input[name] for name in parts[0].file_fields if name in first.input}
    resolved = [replace(part, input={**part.input, **files}) for part in parts]
    notes = [*parts[0].notes, *first.notes]
    if len(parts) > 1:
        notes.append(f"this model makes fewer images at once, so {len(parts)} predictions were created.")
    return resolved, tuple(dict.fromkeys(notes))
