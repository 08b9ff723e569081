"""generate_image: from a request in our words to predictions, waited on within the budget of the call.

Nothing is sent before the whole request is checked: model, inputs, files, limits, and a place for the images. Then
every prediction is written down as an intent, and the Darkroom takes over; this call only waits.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import anyio
from pydantic import JsonValue

from darkroom.alike import cheaper_way
from darkroom.darkroom import CALL_GRACE_S, IMAGES_GRACE_S, Budget, Darkroom, OnProgress
from darkroom.errors import DarkroomError, GatewayUnreachable, InvalidInput, OutputError, SpendingRefused
from darkroom.get_prediction import report_on
from darkroom.images import ReadImage
from darkroom.input_facts import wanted_output
from darkroom.joining import Caller, call_of, joined_words, twin_words, unnamed_caller
from darkroom.journal import Call, Intent, NewIntent
from darkroom.like import whole
from darkroom.quotes import noted_estimate, quote
from darkroom.registry import ImageRequest, MappedInput
from darkroom.repeats import changed_files, refuse_other_arguments
from darkroom.reports import PredictionReport, Quote, refusal_report
from darkroom.request_ids import fresh_request_id
from darkroom.second_tries import second_tries
from darkroom.secrets_in_inputs import secrets_of
from darkroom.spending_limits import check_limits
from darkroom.work.runtime import CrashPoint
from darkroom.work.watch import Watched

_NOTHING_NEW = "nothing new was started or charged, this is what became of it"
_REST_IS_SENT = "what had not been created is sent now"


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What is written down for one call (its intents in order, notes for the assistant), and what never is.

    `left_alone` are the keys of those that are told and may not be sent now. `is_free`: it sends nothing that was not
    sent before. `quoted` is there where all of it is new, for `request`.
    """

    intents: tuple[Intent, ...]
    notes: tuple[str, ...]
    left_alone: frozenset[str] = frozenset()
    is_free: bool = False
    quoted: Quote | None = None
    request: ImageRequest = field(default_factory=ImageRequest)
    secrets: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """The call around a request. `call` is what tells its retries, for whom `caller` speaks.

    A look for what an earlier call has lost takes at most `look_s` seconds.
    """

    request_id: str
    max_usd: float
    look_s: float
    conversation: str
    caller: Caller | None
    call: Call


async def generate_image(
    darkroom: Darkroom,
    request: ImageRequest,
    *,
    wait_s: float,
    request_id: str = "",
    max_usd: float = 0.0,
    on_progress: OnProgress | None = None,
    conversation: str = "",
    caller: Caller | None = None,
) -> PredictionReport:
    """Create what is asked for and wait at most `wait_s` seconds; the answer comes within 10 s more, whatever happens.

    The same `request_id` gives the same predictions, whatever happened in between. Nothing is sent where it may cost
    more than `max_usd` US dollars (0: no limit of its own). `conversation` is who asks. With a `caller` its
    `request_id` is a fresh one, and where an equal call was not answered it joins that one. A DarkroomError becomes a
    report.
    """
    started_s = darkroom.options.monotonic()
    until_s, end_s = started_s + wait_s, started_s + wait_s + CALL_GRACE_S
    if on_progress:
        await on_progress(0.0, "checking the request")
    try:
        with anyio.fail_after(wait_s + CALL_GRACE_S):
            call = await call_of(darkroom, request, caller, started_s)
            asked = _Asked(
                request_id=request_id,
                max_usd=max_usd,
                look_s=max(wait_s, CALL_GRACE_S / 2),
                conversation=conversation,
                caller=caller,
                call=call,
            )
            plan = await _plan(darkroom, request, asked)
    except TimeoutError:
        if caller:
            caller.on_joined(request_id)  # it is no answer to an earlier call
        return refusal_report(_too_slow(darkroom))
    except DarkroomError as error:
        return refusal_report(error)
    budget = Budget(hold_until_s=until_s, retry_s=wait_s, secrets=plan.secrets, may_be_mended=plan.quoted is not None)
    watched: Sequence[Watched] = [
        darkroom.work.start(each, budget) for each in plan.intents if each.key not in plan.left_alone
    ]
    await darkroom.waiting.for_create(watched, until_s=end_s, on_progress=on_progress)
    notes = plan.notes
    if plan.quoted and any(each.problem for each in watched):
        watched, more = await second_tries(darkroom, plan.request, plan.quoted, watched, budget)
        notes = (*notes, *more)
        await darkroom.waiting.for_create(watched, until_s=end_s, on_progress=on_progress)
    await darkroom.waiting.for_end(watched, until_s=until_s, on_progress=on_progress)
    await darkroom.waiting.for_create(watched, until_s=end_s)  # what was queued may have gone in the last moment
    await darkroom.waiting.for_images(watched, until_s=min(until_s + IMAGES_GRACE_S, end_s))
    free_call = "this repeat" if plan.is_free else ""
    is_new = bool(plan.quoted) and len(plan.intents) == 1 and not wait_s
    return await report_on(darkroom, plan.intents, watched, started_s, notes, free_call=free_call, is_new=is_new)


async def _plan(darkroom: Darkroom, request: ImageRequest, asked: _Asked) -> _Plan:
    joined, twin = await darkroom.journal.answers.before(asked.call) if asked.caller else ((), None)
    if joined:
        return await _joined(darkroom, request, joined, asked)
    wish = await whole(darkroom, request)
    request = wish.request
    is_given = asked.request_id and not asked.caller
    if earlier := await darkroom.journal.by_request(asked.request_id) if is_given else ():
        # Its first input and seed win, and nothing that was sent is sent again.
        refuse_other_arguments(darkroom, request, earlier)
        plan = await _taken_up(darkroom, request, earlier, asked, is_join=False)
        return replace(plan, notes=(*plan.notes, *await changed_files(darkroom, earlier)))
    quoted = await quote(darkroom, wish)
    cheaper = partial(cheaper_way, darkroom, quoted.model, request)
    await check_limits(darkroom, quoted.wanted, max_usd=asked.max_usd, cheaper=cheaper, closest=quoted.closest)
    await darkroom.stores.default.check()
    resolved, read, notes = await _resolve_files(darkroom, quoted.parts)
    wish.refuse_other_images(read)
    notes = (*quoted.notes, *notes)
    if ":" in request.model and "version" not in darkroom.gateway.creates:
        notes = (*notes, f"gateway '{darkroom.gateway.name}' runs models by name only, so no version was asked for.")
    notes = (*notes, twin_words(darkroom, twin)) if twin else notes
    asked = replace(asked, request_id=asked.request_id or fresh_request_id())
    _refuse_what_json_has_not(resolved)
    intents = _intents(darkroom, request, quoted, resolved, read, asked)
    written = await darkroom.work.order(intents, asked.call)
    if written[0].request_id != asked.request_id:  # an equal call was quicker
        return await _joined(darkroom, request, written, asked)
    refuse_other_arguments(darkroom, request, written)  # another process may have been first with this request_id
    darkroom.options.at_crash_point(CrashPoint.INTENDED)
    kept = secrets_of(quoted.parts[0].input)
    return _Plan(intents=written, notes=notes, quoted=quoted, request=request, secrets=kept)


def _refuse_what_json_has_not(parts: Sequence[MappedInput]) -> None:
    """Raises: InvalidInput for NaN and infinity, which only Python's callers can give."""
    try:
        json.dumps([part.input for part in parts], allow_nan=False)
    except ValueError as error:
        words = "model_options holds NaN or an infinite number, which JSON does not have. Nothing was sent."
        raise InvalidInput(words, field="model_options") from error


def _intents(
    darkroom: Darkroom,
    request: ImageRequest,
    quoted: Quote,
    resolved: Sequence[MappedInput],
    read: tuple[ReadImage, ...],
    asked: _Asked,
) -> list[NewIntent]:
    """One for each prediction; `resolved` are their inputs as they are sent, `read` the images read for them."""
    model, call = quoted.model, asked.call
    return [
        NewIntent(
            request_id=asked.request_id,
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
            conversation=asked.conversation,
            wish=call.wish,
            caller=call.id or unnamed_caller(),
            called_at=call.begun_at,
            images_read=read,
            wanted=wanted_output(model, request, quoted.parts[number], read),
        )
        for number, (part, estimate) in enumerate(zip(resolved, quoted.estimates, strict=True))
    ]


async def _joined(darkroom: Darkroom, request: ImageRequest, earlier: Sequence[Intent], asked: _Asked) -> _Plan:
    """An equal call was never answered: this one waits for what that has started.

    What is not created yet is left alone where it may not be sent now. Raises: SpendingRefused, OutputError if that is
    all of it.
    """
    on_joined: Callable[[str], None] = asked.caller.on_joined if asked.caller else lambda name: None
    on_joined(earlier[0].request_id)
    try:
        return await _taken_up(darkroom, request, earlier, asked, is_join=True)
    except DarkroomError:
        on_joined(asked.request_id)  # its refusal is no answer to the earlier call
        raise


async def _taken_up(
    darkroom: Darkroom, request: ImageRequest, earlier: Sequence[Intent], asked: _Asked, *, is_join: bool
) -> _Plan:
    intents, left_alone = await _looked_for(darkroom, earlier, asked)
    unsent = _unsent(intents, left_alone)
    try:
        if unsent:  # like a new call; the claim itself looks at what is left of the day
            wanted = [(each.image_count, noted_estimate(each)) for each in unsent]
            await check_limits(darkroom, wanted, max_usd=asked.max_usd, with_day=False)
            await darkroom.stores.default.check()
    except (SpendingRefused, OutputError):
        if not is_join or len(unsent) == len(intents):
            raise
        left_alone, unsent = left_alone | {each.key for each in unsent}, ()
    became = _REST_IS_SENT if unsent else _NOTHING_NEW
    note = f"request_id '{earlier[0].request_id}' was used before; {became}."
    note = joined_words(asked.call, earlier, became) if is_join else note
    secrets = secrets_of(request.options)
    return _Plan(intents=intents, notes=(note,), left_alone=left_alone, is_free=not unsent, secrets=secrets)


async def _looked_for(
    darkroom: Darkroom, earlier: Sequence[Intent], asked: _Asked
) -> tuple[tuple[Intent, ...], frozenset[str]]:
    """The rows after a look for lost answers; where that takes too long, the keys of those that may not be sent now.

    Raises: GatewayUnreachable if those are all.
    """
    with anyio.move_on_after(asked.look_s):
        return await darkroom.work.settle_doubts(earlier), frozenset()
    unsent = _unsent(earlier)
    if len(unsent) < len(earlier):
        return tuple(earlier), frozenset(each.key for each in unsent)
    raise GatewayUnreachable(
        f"Gateway '{darkroom.gateway.name}' takes too long to list its predictions, and an earlier equal call may be "
        "among them. Nothing was sent. Try again later.",
        gateway=darkroom.gateway.name,
    )


def _unsent(intents: Sequence[Intent], left_alone: frozenset[str] = frozenset()) -> tuple[Intent, ...]:
    """What would be sent now."""
    return tuple(each for each in intents if each.may_be_sent and each.key not in left_alone)


def _too_slow(darkroom: Darkroom) -> GatewayUnreachable:
    return GatewayUnreachable(
        f"Nothing was created: reading or uploading the images, or asking gateway '{darkroom.gateway.name}', took "
        "too long. Try again with a longer wait_seconds, or with smaller images.",
        gateway=darkroom.gateway.name,
    )


async def _resolve_files(
    darkroom: Darkroom, parts: Sequence[MappedInput]
) -> tuple[list[MappedInput], tuple[ReadImage, ...], tuple[str, ...]]:
    """Put what the gateway accepts in place of image references, once for all parts; what was read, and the notes."""
    first = await darkroom.resolve(parts[0])
    files: dict[str, JsonValue] = {name: first.input[name] for name in parts[0].file_fields if name in first.input}
    resolved = [replace(part, input={**part.input, **files}) for part in parts]
    notes = [*parts[0].notes, *first.notes]
    if len(parts) > 1:
        notes.append(f"this model makes fewer images at once, so {len(parts)} predictions were created.")
    return resolved, first.read, tuple(dict.fromkeys(notes))
