"""get_prediction: finds a prediction again, after any interruption, and waits on if asked.

The journal answers first: also after a restart, and after the links have died. What it does not know is asked of the
gateway and taken into the journal.
"""

from collections.abc import Iterator, Mapping, Sequence

from darkroom.darkroom import PICTURES_GRACE_S, Darkroom, OnProgress
from darkroom.errors import DarkroomError, UnknownPrediction
from darkroom.images import ImageState
from darkroom.journal import Intent, IntentState
from darkroom.predictions import ID_PATTERN
from darkroom.reports import AnswerFacts, PredictionReport, prediction_report, refusal_report
from darkroom.work.watch import Following

_LOOK_S = 15.0


async def get_prediction(
    room: Darkroom, id: str, *, wait_s: float = 0.0, on_progress: OnProgress | None = None
) -> PredictionReport:
    """Report on a prediction by its id, an intent's key, a request_id or "latest"; wait at most `wait_s` s for its end.

    A DarkroomError becomes a report.
    """
    started_s = room.options.monotonic()
    try:
        found = await room.work.settle_doubts(await find(room, id))
    except DarkroomError as error:
        return refusal_report(error)
    followings = [following for intent in found if (following := _following(room, intent))]
    until_s = started_s + wait_s
    await room.waiting.for_first_look(followings, until_s=max(until_s, started_s + _LOOK_S))
    await room.waiting.for_end(followings, until_s=until_s, on_progress=on_progress)
    await room.waiting.for_pictures(followings, until_s=until_s + PICTURES_GRACE_S)
    return await report_on(room, found, followings, started_s)


async def find(room: Darkroom, id: str) -> tuple[Intent, ...]:
    """The journal's rows for an id, a key, a request_id (all its parts) or "latest".

    A foreign id is looked up at the gateway and written down.

    Raises: UnknownPrediction, GatewayError, JournalError.
    """
    id = id.strip().removeprefix("prediction:")
    if id == "latest":
        newest = await room.journal.latest()
        if newest is None:
            raise UnknownPrediction("There is no prediction yet. Call generate_image to make one.")
        return await room.journal.by_request(newest.request_id) or (newest,)
    if row := await room.journal.find(id):
        return (row,)
    if parts := await room.journal.by_request(id):
        return parts
    if not ID_PATTERN.fullmatch(id):
        raise UnknownPrediction(
            f"{id[:70]!r} is no prediction id. Use the id from generate_image's answer, or 'latest'."
        )
    prediction = await room.client.get(id)
    return (await room.journal.record(prediction, gateway=room.gateway.name, origin=room.gateway.origin),)


def _following(room: Darkroom, intent: Intent) -> Following | None:
    return room.work.follow(intent) if _is_open(room, intent) else room.work.following(intent)


def _is_open(room: Darkroom, intent: Intent) -> bool:
    """True while the gateway may still have news of it, or images of it that are not home yet."""
    if intent.state is not IntentState.KNOWN or intent.origin != room.gateway.origin:
        return False
    is_running = intent.prediction is None or not intent.prediction.status.is_terminal
    return is_running or any(image.state is ImageState.WANTED for image in intent.images)


async def report_on(
    room: Darkroom,
    found: Sequence[Intent],
    followings: Sequence[Following],
    started_s: float,
    notes: Sequence[str] = (),
) -> PredictionReport:
    """The report on rows of the journal as they stand now; `started_s` is when the call began (monotonic clock)."""
    rows = [await room.journal.find(intent.key) or intent for intent in found]
    problems = {following.intent.key: following.problem for following in followings if following.problem}
    facts = AnswerFacts(
        gateway=room.gateway,
        notes=(*notes, *_notes(room, rows, problems)),
        idle=frozenset(row.key for row in rows if room.work.following(row) is None),
        waited_s=room.options.monotonic() - started_s,
        now_s=room.options.clock(),
        errors=problems,
        percents=room.waiting.percents(followings),
        sandbox_hint=room.sandbox_hint,
    )
    return prediction_report(rows, facts)


def _notes(room: Darkroom, rows: Sequence[Intent], problems: Mapping[str, DarkroomError]) -> Iterator[str]:
    if foreign := next((row for row in rows if row.origin != room.gateway.origin), None):
        yield f"it was made through gateway '{foreign.gateway}', not the one in use now; this is what was noted then."
    for row in rows:
        if row.key in problems and _is_open(room, row):
            yield f"the last look at the gateway failed: {problems[row.key].message}"
