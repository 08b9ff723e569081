"""get_prediction: finds a prediction again, after any interruption, and waits on or cancels it if asked; or lists many.

The journal answers first: also after a restart, and after the links have died. What it does not know is asked of the
gateway and taken into the journal.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

import anyio

from darkroom import cancelling
from darkroom.darkroom import CALL_GRACE_S, IMAGES_GRACE_S, Darkroom, OnProgress
from darkroom.errors import DarkroomError, InvalidInput, JournalError, UnknownPrediction
from darkroom.failures import repeated_failure
from darkroom.images import ImageState
from darkroom.joining import may_be_queued_elsewhere
from darkroom.journal import Intent, IntentState, NewIntent
from darkroom.list_predictions import list_predictions
from darkroom.predictions import Prediction
from darkroom.reports import (
    AnswerFacts,
    DayLimit,
    PredictionReport,
    Whose,
    look_up_refusal,
    of_picture,
    output_notes,
    prediction_report,
    wanted_end,
)
from darkroom.request_ids import is_latest, is_list, numbered
from darkroom.work.receipts import price_of
from darkroom.work.watch import Watched

# Shorter ones of a gateway are found in the journal only: a word is no question to a gateway.
_ID_OF_A_GATEWAY = re.compile(r"[A-Za-z0-9_-]{8,64}")
_LOOK_S = 15.0
_RECORDS_S = 1.0


async def get_prediction(
    darkroom: Darkroom,
    id: str,
    *,
    wait_s: float = 0.0,
    cancel: bool = False,
    limit: int = 10,
    on_progress: OnProgress | None = None,
    conversation: str | None = None,
) -> PredictionReport:
    """Report on a prediction by its id, an intent's key, a request_id or "latest"; wait at most `wait_s` s for its end.

    "ID/3" means the third picture of it, which is then shown alone. The answer comes within 10 s more, whatever
    happens. `cancel` asks the gateway to stop it first. "recent", "today", "yesterday", a date and "find: words" give a
    list of `limit` predictions at most, from the journal alone.

    `conversation` is who asks ("": nobody knows): a "latest" of another one is only named, and not waited for. None is
    the person, to whom all conversations belong. A DarkroomError becomes a report.
    """
    started_s = darkroom.options.monotonic()
    until_s, end_s = started_s + wait_s, started_s + wait_s + CALL_GRACE_S
    notes, open_keys = tuple[str, ...](), frozenset[str]()
    try:
        if is_list(id):
            return await _listed(darkroom, id, limit, cancel=cancel)
        id, number = await _numbered(darkroom, id)
        found = await find(darkroom, id, within_s=wait_s + CALL_GRACE_S, conversation=conversation or "")
        whose = _whose(id, found, conversation)
        if number and cancel:
            raise InvalidInput(f"A cancel stops a whole prediction: give '{id[:70]}' alone.", field="id")
        if whose != "own":
            _refuse_to_cancel(found, cancel=cancel)
            return await report_on(darkroom, found, [], started_s, is_look_up=True, whose=whose)
        with anyio.move_on_after(end_s - darkroom.options.monotonic()):
            found = await darkroom.work.settle_doubts(found)
        if cancel:
            open_keys = frozenset(each.key for each in found if not each.has_ended)
            notes = await cancelling.cancel(darkroom, found)
            notes = (*notes, *await cancelling.others_running(darkroom, found, conversation or ""))
        watched = [each for intent in found if (each := await _watched(darkroom, intent))]
    except DarkroomError as error:
        return look_up_refusal(error)
    await darkroom.waiting.for_first_look(watched, until_s=min(max(until_s, started_s + _LOOK_S), end_s))
    await darkroom.waiting.for_end(watched, until_s=until_s, on_progress=on_progress)
    await darkroom.waiting.for_images(watched, until_s=min(until_s + IMAGES_GRACE_S, end_s))
    report = await report_on(darkroom, found, watched, started_s, notes, is_look_up=True, canceled=open_keys)
    return of_picture(report, number) if number else wanted_end(report) if cancel else report


async def _numbered(darkroom: Darkroom, id: str) -> tuple[str, int]:
    """The id and the number of the picture that is meant, 0 for all; a request_id may itself end like a number."""
    name, number = numbered(id)
    return (id, 0) if number and await darkroom.journal.by_request(id.strip()) else (name, number)


async def _listed(darkroom: Darkroom, id: str, limit: int, *, cancel: bool) -> PredictionReport:
    if cancel:
        raise InvalidInput(f"'{id.strip()[:40]}' names a list. To cancel, give the id of one prediction.", field="id")
    return await list_predictions(darkroom, id, limit)


def _whose(id: str, found: Sequence[Intent], conversation: str | None) -> Whose:
    if not is_latest(id) or conversation is None or (conversation and found[0].conversation == conversation):
        return "own"
    return "other" if conversation else "unknown"


def _refuse_to_cancel(found: Sequence[Intent], *, cancel: bool) -> None:
    if cancel:
        raise InvalidInput(
            f"Nothing was canceled: the newest prediction, '{found[0].handle}', was not surely started in this "
            "conversation. If the user means it, give its id.",
            field="id",
        )


async def find(darkroom: Darkroom, id: str, *, within_s: float, conversation: str = "") -> tuple[Intent, ...]:
    """The journal's rows for an id, a key, a request_id (all its parts) or "latest".

    A foreign id is looked up at the gateway, at most `within_s` seconds, and written down.

    Raises: UnknownPrediction, GatewayError, JournalError.
    """
    if is_latest(id):
        newest = await darkroom.journal.latest(conversation)
        if newest is None:
            raise UnknownPrediction("There is no prediction yet. Call generate_image to make one.")
        return await darkroom.journal.by_request(newest.request_id) or (newest,)
    id = id.strip().removeprefix("prediction:")
    if row := await darkroom.journal.find(id):
        return (row,)
    if parts := await darkroom.journal.by_request(id):
        return parts
    if not _ID_OF_A_GATEWAY.fullmatch(id):
        raise UnknownPrediction(
            f"{id[:70]!r} is no prediction id. Use the id from generate_image's answer, 'latest', 'today', or "
            "'find: words of the prompt'."
        )
    if not darkroom.work.is_open_to_foreign_ids:
        raise UnknownPrediction(f"There is no prediction '{id}' of yours here. Use an id from generate_image's answer.")
    return (await _adopt(darkroom, await darkroom.client.get(id, within_s=within_s)),)


async def _adopt(darkroom: Darkroom, prediction: Prediction) -> Intent:
    """The row of a prediction that was not ordered here."""
    price = price_of(darkroom.registry, darkroom.gateway, prediction)
    place = NewIntent(
        gateway=darkroom.gateway.name,
        origin=darkroom.gateway.origin,
        account=darkroom.account.id,
        output_place=darkroom.stores.default.place,
        model=prediction.model,
        input={},
        estimate_usd=price.most_usd,
        has_bound=price.is_bound,
    )
    return await darkroom.work.adopt(prediction, place)


async def _watched(darkroom: Darkroom, intent: Intent) -> Watched | None:
    if any(image.state is ImageState.REFUSED for image in intent.images):
        await darkroom.journal.want_again(intent.prediction_id)
        intent = await darkroom.journal.find(intent.key) or intent
    return darkroom.work.watch(intent) if _is_open(darkroom, intent) else darkroom.work.watched(intent)


def _is_open(darkroom: Darkroom, intent: Intent) -> bool:
    """True while the gateway may still have news of it, or images of it that are not stored yet."""
    is_ours = intent.state is IntentState.KNOWN and intent.origin == darkroom.gateway.origin
    return is_ours and not _is_home(intent)


def _is_home(intent: Intent) -> bool:
    """True once nothing can change any more: it has ended, and its images are saved or lost."""
    return intent.has_ended and all(image.state is not ImageState.WANTED for image in intent.images)


async def report_on(
    darkroom: Darkroom,
    found: Sequence[Intent],
    watched: Sequence[Watched],
    started_s: float,
    notes: Sequence[str] = (),
    *,
    is_look_up: bool = False,
    free_call: str = "",
    whose: Whose = "own",
    canceled: frozenset[str] = frozenset(),
    is_new: bool = False,
) -> PredictionReport:
    """The report on rows of the journal as they stand now; `started_s` is when the call began (monotonic clock).

    `free_call` names a call other than a look-up that has cost nothing itself; `canceled` are the keys of those that
    this call was to stop. `is_new`: the only row was written by this call, which has not waited since.
    """
    seen, now_s = {each.intent.key: each for each in watched}, darkroom.options.clock()
    rows, day = await _standing(darkroom, found, seen, is_new=is_new)
    rows = await darkroom.with_links(rows)
    unattended = "" if all(map(_is_home, rows)) else await darkroom.options.unattended()
    alone = (unattended,) if unattended else ()
    facts = AnswerFacts(
        gateway=darkroom.gateway,
        notes=(*notes, *_notes(darkroom, rows, seen), *alone, *darkroom.take_notices()),
        is_unattended=bool(unattended),
        idle=frozenset(
            row.key for row in rows if darkroom.work.watched(row) is None and not may_be_queued_elsewhere(row, now_s)
        ),
        waited_s=darkroom.options.monotonic() - started_s,
        now_s=now_s,
        zone=darkroom.options.zone,
        errors={key: each.problem for key, each in seen.items() if each.problem},
        percents=darkroom.waiting.percents(watched),
        day=day,
        wait_s=darkroom.options.wait_s,
        is_look_up=is_look_up,
        free_call="this look-up" if is_look_up else free_call,
        records=await _records(darkroom, rows) if is_look_up and not darkroom.options.links else {},
        links_words=darkroom.options.links.words(darkroom.options.output_dir) if darkroom.options.links else "",
        conversation=whose,
        canceled=canceled,
        typical_s=darkroom.registry.typical_s(rows[0].model),
        repeated=await repeated_failure(darkroom, rows),
        sandbox_hint="" if any(row.origin != darkroom.gateway.origin for row in rows) else darkroom.sandbox_hint,
    )
    return prediction_report(rows, facts)


async def _records(darkroom: Darkroom, rows: Sequence[Intent]) -> dict[str, str]:
    """The sidecars of the saved images, by the location of the image, as far as they can be read in a moment."""
    records: dict[str, str] = {}
    with anyio.move_on_after(_RECORDS_S):
        for file in [image.file for row in rows for image in row.images if image.file]:
            with suppress(DarkroomError):
                if record := await darkroom.stores.holding(file).sidecar_of(file):
                    records[file.location] = record
    return records


async def _standing(
    darkroom: Darkroom, found: Sequence[Intent], seen: Mapping[str, Watched], *, is_new: bool
) -> tuple[list[Intent], DayLimit | None]:
    """The rows as they stand, or as they were last seen: what was paid is told even when the journal cannot be read."""
    alone = seen.get(found[0].key) if len(found) == 1 else None
    if alone and alone.is_settled and not alone.problem and _is_home(alone.intent) and darkroom.day_limit() is None:
        return [alone.intent], None  # it was read a moment ago, when its last image was noted
    rows, day = {key: each.intent for key, each in seen.items()}, None
    runs = is_new and all(row.state is IntentState.KNOWN and row.ended_at is None for row in rows.values())
    limit = darkroom.day_limit()
    with suppress(JournalError):
        if not runs or (limit and limit.is_set):  # else nothing is there to read that is not known
            rows, day = await darkroom.standing([intent.key for intent in found])
    return [rows.get(intent.key, intent) for intent in found], day


def _notes(darkroom: Darkroom, rows: Sequence[Intent], seen: Mapping[str, Watched]) -> Iterator[str]:
    if foreign := next((row for row in rows if row.origin != darkroom.gateway.origin and not _is_home(row)), None):
        yield f"it was made through gateway '{foreign.gateway}', not the one in use now; this is what was noted then."
    yield from output_notes(rows)
    for row in rows:
        if row.possible:
            ids = ", ".join(f"'{each}'" for each in row.possible[:5])
            yield f"the gateway's list shows what may be it: {ids}. get_prediction with that id shows it; ask the user."
        watched = seen.get(row.key)
        if watched and watched.note:
            yield watched.note
        if watched and watched.problem and _is_open(darkroom, row):
            yield f"the last look at the gateway failed: {watched.problem.message}"
        elif row.problem:
            yield row.problem
