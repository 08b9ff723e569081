"""A call that asks again for what an earlier one has ordered, because its answer never arrived, joins that one.

Frameworks repeat a call whose time is up, in silence. Each repeat would be paid for, so equal arguments without a
request_id join: nothing is created, and the answer says so. What counts as equal is what the caller gave, before a
model, a seed or anything else was filled in; a file of this computer counts by its content. How long to wait and how
much it may cost make no other wish. `darkroom.journal.answers` holds the rule.
"""

import hashlib
import json
import secrets
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, fields
from typing import Any

from anyio import to_thread

from darkroom.darkroom import Darkroom
from darkroom.errors import InvalidInput
from darkroom.journal import Call, Intent, IntentState
from darkroom.processes import has_died, own_name
from darkroom.registry import ImageRequest
from darkroom.reports.amounts import seconds
from darkroom.secrets_in_inputs import masked_secrets
from darkroom.uris import scheme_of, texts_in
from darkroom.work.create_rate import PATIENCE_S

_OF_PROCESS = "#"
_PREPARED_WITHIN_S = 60.0
NO_CALL = Call(id="", wish="", origin="", account="", begun_at=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whose answer is marked as delivered once it is: its own random name, best by `fresh_caller_id`.

    `answered` gives the request_ids whose answers are on their way out, `left` holds the ids of callers whose hosts
    have given them up; `on_joined` hears the request_id of the call that it waits for from now on. The call arrived at
    `begun_s` on the monotonic clock (None: just now).
    """

    id: str
    answered: Callable[[], frozenset[str]]
    on_joined: Callable[[str], None]
    left: Container[str] = frozenset[str]()
    begun_s: float | None = None


@dataclass(frozen=True, slots=True)
class _GivenUp(Container[str]):
    """Callers that their hosts have given up, as `told`, and those whose process died before it could tell."""

    told: Container[str]

    def __contains__(self, caller: object) -> bool:
        name = str(caller)
        return name in self.told or has_died(name.partition(_OF_PROCESS)[0])


def fresh_caller_id() -> str:
    """A random name that also says whose process it is."""
    return f"{own_name()}{_OF_PROCESS}{secrets.token_hex(8)}"


def unnamed_caller() -> str:
    """Of a call that no retry is told by: only whose process it is."""
    return f"{own_name()}{_OF_PROCESS}"


def may_be_queued_elsewhere(row: Intent, now_s: float) -> bool:
    """Whether another process may be about to send it: one that is not known to have died wrote it down lately."""
    process = row.caller.partition(_OF_PROCESS)[0]
    is_other = bool(process) and process != own_name() and not has_died(process)
    return row.state is IntentState.INTENT and is_other and now_s - row.intended_at < PATIENCE_S


async def call_of(darkroom: Darkroom, request: ImageRequest, caller: Caller | None, begun_s: float) -> Call:
    """The call as its retries are told by it; `begun_s` on the monotonic clock. Without a caller it joins none."""
    if caller is None:
        return NO_CALL
    return Call(
        id=caller.id,
        wish=await wish_of(darkroom, request),
        origin=darkroom.gateway.origin,
        account=darkroom.account.id,
        begun_at=darkroom.steady_clock(begun_s if caller.begun_s is None else caller.begun_s),
        answered=caller.answered(),
        left=_GivenUp(caller.left),
    )


async def wish_of(darkroom: Darkroom, request: ImageRequest) -> str:
    """A hash of the arguments as they were given, of the content of files, and of the settings that stand in for them.

    Secrets are in it as keyed hashes.
    """
    given: dict[str, Any] = {item.name: getattr(request, item.name) for item in fields(request)}
    options = dict(request.options)
    given["options"] = masked_secrets(options, lambda secret: darkroom.account.sealed(json.dumps(secret)))
    references = (*request.images, request.mask, *texts_in(masked_secrets(options)))
    given["contents"] = [await _content(darkroom, each) for each in references]
    given["default_model"] = "" if request.model else darkroom.options.default_model
    given["output_place"] = darkroom.stores.default.place
    return hashlib.sha256(json.dumps(given, sort_keys=True, default=str).encode()).hexdigest()


def joined_words(call: Call, earlier: Sequence[Intent], became: str) -> str:
    """What the answer says about it."""
    first = earlier[0]  # whose clock of calls may have stood still while the computer slept
    ages = [age for at in (first.called_at, first.intended_at) if (age := call.begun_at - at) >= 0]
    ago_s = max((age for age in ages if age - min(ages) < _PREPARED_WITHIN_S), default=0.0)
    return (
        f"this joined the call of {seconds(ago_s)} ago, whose answer had not arrived: {became}. For another "
        "picture change the seed or give a request_id."
    )


def twin_words(darkroom: Darkroom, twin: Intent) -> str:
    """What the answer says of an equal call whose answer was delivered, and whose prediction still runs."""
    stop = f"; to stop one: get_prediction(id='{twin.prediction_id}', cancel=true)"
    return (
        f"'{twin.prediction_id}' with the same arguments still runs; this is a second one, paid for as well"
        f"{stop if darkroom.gateway.has_cancel else ''}."
    )


async def _content(darkroom: Darkroom, reference: str) -> str:
    """Of a file that may be read; what may not be is refused later, in words."""
    if not reference or scheme_of(reference) not in ("", "file"):
        return ""
    from darkroom.outputs.input_images import MAX_INPUT_BYTES
    from darkroom.outputs.local_files import read_local

    def read() -> str:
        folders = darkroom.options.input_dirs
        content = read_local(reference, folders, field="", label="", limit_bytes=MAX_INPUT_BYTES)
        return hashlib.sha256(content).hexdigest()

    try:
        return await to_thread.run_sync(read)
    except InvalidInput:
        return ""
