"""generate_image: from a request in our words to predictions, waited on within the budget of the call.

Nothing is sent before the whole request is checked: model, inputs, files, limits, and a place for the images. Then
every prediction is written down as an intent, and the Darkroom takes over; this call only waits.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import anyio
from pydantic import JsonValue

from darkroom.darkroom import CALL_GRACE_S, IMAGES_GRACE_S, Budget, Darkroom, OnProgress
from darkroom.errors import DarkroomError, GatewayUnreachable
from darkroom.get_prediction import report_on
from darkroom.journal import Intent, NewIntent
from darkroom.quotes import check_limits, noted_estimate, quote
from darkroom.registry import ImageRequest, MappedInput
from darkroom.repeats import refuse_other_arguments
from darkroom.reports import PredictionReport, refusal_report
from darkroom.request_ids import fresh_request_id
from darkroom.secrets_in_inputs import secrets_of
from darkroom.work.crash_points import CrashPoint


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
    max_usd: float = 0.0,
    on_progress: OnProgress | None = None,
    conversation: str = "",
) -> PredictionReport:
    """Create what is asked for and wait at most `wait_s` seconds; the answer comes within 10 s more, whatever happens.

    The same `request_id` gives the same predictions, whatever happened in between. Nothing is sent where it may cost
    more than `max_usd` US dollars (0: no limit of its own). `conversation` is who asks. A DarkroomError becomes a
    report.
    """
    started_s = darkroom.options.monotonic()
    until_s, end_s = started_s + wait_s, started_s + wait_s + CALL_GRACE_S
    if on_progress:
        await on_progress(0.0, "checking the request")
    try:
        with anyio.fail_after(wait_s + CALL_GRACE_S):
            plan = await _plan(darkroom, request, request_id, max_usd, conversation)
    except TimeoutError:
        return refusal_report(_too_slow(darkroom))
    except DarkroomError as error:
        return refusal_report(error)
    budget = Budget(hold_s=wait_s, retry_s=wait_s, secrets=plan.secrets)
    watched = [darkroom.work.start(intent, budget) for intent in plan.intents]
    await darkroom.waiting.for_create(watched, until_s=end_s, on_progress=on_progress)
    await darkroom.waiting.for_end(watched, until_s=until_s, on_progress=on_progress)
    await darkroom.waiting.for_create(watched, until_s=end_s)  # what was queued may have gone in the last moment
    await darkroom.waiting.for_images(watched, until_s=min(until_s + IMAGES_GRACE_S, end_s))
    return await report_on(darkroom, plan.intents, watched, started_s, plan.notes)


async def _plan(darkroom: Darkroom, request: ImageRequest, request_id: str, max_usd: float, conversation: str) -> _Plan:
    if earlier := await darkroom.journal.by_request(request_id) if request_id else ():
        return await _repeat(darkroom, request, earlier, max_usd)
    quoted = await quote(darkroom, request)
    model = quoted.model
    await check_limits(darkroom, quoted.wanted, max_usd=max_usd)
    await darkroom.stores.default.check()
    resolved, notes = await _resolve_files(darkroom, quoted.parts)
    notes = (*quoted.notes, *notes)
    if ":" in request.model and "version" not in darkroom.gateway.creates:
        notes = (*notes, f"gateway '{darkroom.gateway.name}' runs models by name only, so no version was asked for.")
    name = request_id or fresh_request_id()
    intents = [
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
            estimate_usd=estimate.most_usd,
            has_bound=estimate.is_bound,
            output_place=darkroom.stores.default.place,
            conversation=conversation,
        )
        for number, (part, estimate) in enumerate(zip(resolved, quoted.estimates, strict=True))
    ]
    written = await darkroom.journal.intend(intents, spending=darkroom.day_limit())
    refuse_other_arguments(darkroom, request, written)  # another process may have been first with this request_id
    darkroom.options.at_crash_point(CrashPoint.INTENDED)
    return _Plan(intents=written, notes=notes, secrets=secrets_of(quoted.parts[0].input))


async def _repeat(darkroom: Darkroom, request: ImageRequest, earlier: Sequence[Intent], max_usd: float) -> _Plan:
    """The request_id was used before: its first input and seed win, and nothing that was sent is sent again.

    What would be sent now is checked like a new call. Raises: InvalidInput, SpendingRefused, OutputError.
    """
    refuse_other_arguments(darkroom, request, earlier)
    earlier = await darkroom.work.settle_doubts(earlier)
    unsent = [intent for intent in earlier if intent.may_be_sent]
    words = "nothing new was started or charged, this is what became of it"
    if unsent:
        wanted = [(each.image_count, noted_estimate(each)) for each in unsent]
        await check_limits(darkroom, wanted, max_usd=max_usd, with_day=False)  # the claim looks at what is left today
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


async def _resolve_files(darkroom: Darkroom, parts: Sequence[MappedInput]) -> tuple[list[MappedInput], tuple[str, ...]]:
    """Put what the gateway accepts in place of image references, once for all parts, and gather the notes."""
    first = await darkroom.resolve(parts[0])
    files: dict[str, JsonValue] = {name: first.input[name] for name in parts[0].file_fields if name in first.input}
    resolved = [replace(part, input={**part.input, **files}) for part in parts]
    notes = [*parts[0].notes, *first.notes]
    if len(parts) > 1:
        notes.append(f"this model makes fewer images at once, so {len(parts)} predictions were created.")
    return resolved, tuple(dict.fromkeys(notes))
