"""get_prediction: finds a prediction again, after any interruption, and waits on if asked.

The journal answers first: also after a restart, and after the links have died. What it does not know is asked of the
gateway and taken into the journal.
"""

from collections.abc import Iterator, Mapping, Sequence

import anyio

from darkroom.darkroom import CALL_GRACE_S, IMAGES_GRACE_S, Darkroom, OnProgress
from darkroom.errors import DarkroomError, JournalError, UnknownPrediction
from darkroom.images import ImageState
from darkroom.journal import Intent, IntentState
from darkroom.predictions import ID_PATTERN
from darkroom.reports import AnswerFacts, DayLimit, PredictionReport, output_notes, prediction_report, refusal_report
from darkroom.work.watch import Watched

_LOOK_S = 15.0


async def get_prediction(
    darkroom: Darkroom,
    id: str,
    *,
    wait_s: float = 0.0,
    on_progress: OnProgress | None = None,
    conversation: str = "",
) -> PredictionReport:
    """Report on a prediction by its id, an intent's key, a request_id or "latest"; wait at most `wait_s` s for its end.

    The answer comes within 10 s more, whatever happens. "latest" is of `conversation` where that has one. A
    DarkroomError becomes a report.
    """
    started_s = darkroom.options.monotonic()
    until_s, end_s = started_s + wait_s, started_s + wait_s + CALL_GRACE_S
    try:
        found = await find(darkroom, id, within_s=wait_s + CALL_GRACE_S, conversation=conversation)
        with anyio.move_on_after(end_s - darkroom.options.monotonic()):
            found = await darkroom.work.settle_doubts(found)
        watched = [each for intent in found if (each := await _watched(darkroom, intent))]
    except DarkroomError as error:
        return refusal_report(error)
    await darkroom.waiting.for_first_look(watched, until_s=min(max(until_s, started_s + _LOOK_S), end_s))
    await darkroom.waiting.for_end(watched, until_s=until_s, on_progress=on_progress)
    await darkroom.waiting.for_images(watched, until_s=min(until_s + IMAGES_GRACE_S, end_s))
    return await report_on(darkroom, found, watched, started_s)


async def find(darkroom: Darkroom, id: str, *, within_s: float, conversation: str = "") -> tuple[Intent, ...]:
    """The journal's rows for an id, a key, a request_id (all its parts) or "latest".

    A foreign id is looked up at the gateway, at most `within_s` seconds, and written down.

    Raises: UnknownPrediction, GatewayError, JournalError.
    """
    id = id.strip().removeprefix("prediction:")
    if id == "latest":
        newest = await darkroom.journal.latest(conversation)
        if newest is None:
            raise UnknownPrediction("There is no prediction yet. Call generate_image to make one.")
        return await darkroom.journal.by_request(newest.request_id) or (newest,)
    if row := await darkroom.journal.find(id):
        return (row,)
    if parts := await darkroom.journal.by_request(id):
        return parts
    if not ID_PATTERN.fullmatch(id):
        raise UnknownPrediction(
            f"{id[:70]!r} is no prediction id. Use the id from generate_image's answer, or 'latest'."
        )
    prediction = await darkroom.client.get(id, within_s=within_s)
    return (await darkroom.work.adopt(prediction, darkroom.stores.default.place),)


async def _watched(darkroom: Darkroom, intent: Intent) -> Watched | None:
    if any(image.state is ImageState.REFUSED for image in intent.images):
        await darkroom.journal.want_again(intent.prediction_id)
        intent = await darkroom.journal.find(intent.key) or intent
    return darkroom.work.watch(intent) if _is_open(darkroom, intent) else darkroom.work.watched(intent)


def _is_open(darkroom: Darkroom, intent: Intent) -> bool:
    """True while the gateway may still have news of it, or images of it that are not stored yet."""
    if intent.state is not IntentState.KNOWN or intent.origin != darkroom.gateway.origin:
        return False
    is_running = intent.prediction is None or not intent.prediction.status.is_terminal
    return is_running or any(image.state is ImageState.WANTED for image in intent.images)


async def report_on(
    darkroom: Darkroom,
    found: Sequence[Intent],
    watched: Sequence[Watched],
    started_s: float,
    notes: Sequence[str] = (),
) -> PredictionReport:
    """The report on rows of the journal as they stand now; `started_s` is when the call began (monotonic clock)."""
    seen = {each.intent.key: each for each in watched}
    rows = [await _row(darkroom, intent, seen) for intent in found]
    facts = AnswerFacts(
        gateway=darkroom.gateway,
        notes=(*notes, *_notes(darkroom, rows, seen), *darkroom.take_notices()),
        idle=frozenset(row.key for row in rows if darkroom.work.watched(row) is None),
        waited_s=darkroom.options.monotonic() - started_s,
        now_s=darkroom.options.clock(),
        errors={key: each.problem for key, each in seen.items() if each.problem},
        percents=darkroom.waiting.percents(watched),
        day=await _day(darkroom),
        sandbox_hint="" if any(row.origin != darkroom.gateway.origin for row in rows) else darkroom.sandbox_hint,
    )
    return prediction_report(rows, facts)


async def _row(darkroom: Darkroom, intent: Intent, seen: Mapping[str, Watched]) -> Intent:
    """The row as it stands, or as it was last seen: what was paid is told even when the journal cannot be read."""
    try:
        return await darkroom.journal.find(intent.key) or intent
    except JournalError:
        return seen[intent.key].intent if intent.key in seen else intent


async def _day(darkroom: Darkroom) -> DayLimit | None:
    try:
        return await darkroom.day()
    except JournalError:
        return None


def _notes(darkroom: Darkroom, rows: Sequence[Intent], seen: Mapping[str, Watched]) -> Iterator[str]:
    if foreign := next((row for row in rows if row.origin != darkroom.gateway.origin), None):
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
