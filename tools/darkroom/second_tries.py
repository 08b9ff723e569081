"""A create that the gateway has refused because it has changed: asked what it takes now, and sent once more at most.

Nothing was carried out by a refusal. It is sent again only where nothing that the caller asked for changes: an input of
our own that is gone, a version that was replaced, a model that is run by its version after all.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from darkroom.darkroom import Budget, Darkroom
from darkroom.errors import DarkroomError, InvalidInput, JournalError, RequestRefused
from darkroom.journal import Intent
from darkroom.model_choice import closest_words, map_again
from darkroom.registry import ImageRequest, Model
from darkroom.reports import Quote
from darkroom.work.watch import Watched

_NO_SUCH_VERSION = re.compile(r"version does not exist|invalid version", re.IGNORECASE)
_NO_SUCH_MODEL = re.compile(r"model not found", re.IGNORECASE)
_Tried = tuple[Sequence[Watched], tuple[str, ...]]


async def second_tries(
    darkroom: Darkroom, request: ImageRequest, quoted: Quote, watched: Sequence[Watched], budget: Budget
) -> _Tried:
    """`watched` are the parts of a call that was just made for the first time, with what its budget leaves.

    Gives what is watched now, in the order of the parts, and what there is to say. What is not sent again is written
    down as refused. Raises nothing of darkroom's own.
    """
    notes: tuple[str, ...] = ()
    with suppress(DarkroomError):
        watched, notes = await _second_tries(darkroom, request, quoted, watched, replace(budget, may_be_mended=False))
    for each in watched:
        if each.problem and not each.is_being_sent:
            with suppress(JournalError):
                await darkroom.journal.answers.given_up(each.intent.key, each.problem.message)
    return watched, notes


async def _second_tries(
    darkroom: Darkroom, request: ImageRequest, quoted: Quote, watched: Sequence[Watched], budget: Budget
) -> _Tried:
    refused = [each for each in watched if isinstance(each.problem, RequestRefused)]
    if not refused or any(each.is_being_sent for each in watched):
        return watched, ()
    if not darkroom.gateway.has_models or not quoted.model.checked:
        is_unknown = getattr(refused[0].problem, "status", 0) == 404
        words = closest_words(darkroom, quoted.model) if is_unknown else ""
        return watched, (words,) if words else ()
    mended = await _mended(darkroom, request, quoted, refused[0])
    if isinstance(mended, str):
        return watched, (mended,) if mended else ()
    model, note = mended
    parts = map_again(model, request, [each.seed for each in quoted.parts])
    if len(parts) != len(watched):
        return watched, ()
    now: list[Watched] = []
    for each, part, first in zip(watched, parts, quoted.parts, strict=True):
        row = each.intent
        files = {name: row.input[name] for name in first.file_fields if name in row.input and name in part.input}
        version = model.version if model.run_by == "version" else ""
        is_amended = each in refused and await darkroom.journal.amend(
            row.key, version, {**part.input, **files}, part.seed
        )
        row = await darkroom.journal.find(row.key) if is_amended else None
        now.append(darkroom.work.start(row, budget) if row else each)
    return now, (note,)


async def _mended(
    darkroom: Darkroom, request: ImageRequest, quoted: Quote, refused: Watched
) -> tuple[Model, str] | str:
    """The model to send to once more, and what to say of that; else only what to say."""
    model, problem = quoted.model, refused.problem
    status, said = getattr(problem, "status", 0), getattr(problem, "reason", "")
    if status == 404 and model.is_live and model.run_by == "model" and model.version and _NO_SUCH_MODEL.search(said):
        return model.at_version(model.version).model_copy(update={"run_by": "version"}), (
            f"'{model.name}' is not run by its name, so it was sent once more by its version; nothing was made before."
        )
    is_old_version = bool(refused.intent.version) and bool(_NO_SUCH_VERSION.search(said)) and ":" not in request.model
    bad = frozenset(problem.invalid_fields) if isinstance(problem, RequestRefused) else frozenset[str]()
    if status != 422 or not (bad or is_old_version) or (is_old_version and not model.is_live):
        return ""
    from darkroom.live_models.second_opinion import today

    found = await today(darkroom.live, model, is_fresh=True)
    return _decided(request, quoted, found, refused.intent, bad) if found else ""


def _decided(
    request: ImageRequest, quoted: Quote, found: tuple[Model, str], row: Intent, bad: frozenset[str]
) -> tuple[Model, str] | str:
    model, date = found
    try:
        (first, *_) = map_again(model, request, [each.seed for each in quoted.parts])
    except InvalidInput as error:
        return f"The gateway's schema of {date} says: {error.message.removesuffix(' Nothing was sent.')}"
    except DarkroomError:
        return ""
    is_ours = bad <= quoted.parts[0].implied
    is_changed = (
        first.input.keys() != row.input.keys()
        or model.version != row.version
        or any(first.input[name] != row.input.get(name) for name in bad & first.input.keys())
    )
    if not is_ours and (gone := sorted(bad - model.inputs_by_name.keys())):
        return f"The gateway's schema of {date} has no input {', '.join(gone)}."
    if not is_ours or not is_changed:
        return ""
    what = f"without {', '.join(sorted(bad))}" if bad else f"by its newest version {model.version[:8]}"
    from darkroom.live_models.second_opinion import price_words

    words = f"'{model.name}' has changed, so it was sent once more {what}; nothing was made before."
    return model, " ".join((words, *(note[0].upper() + note[1:] for note in price_words(quoted.model, model))))
