"""A call that asks again for what an earlier one has ordered, because its answer never arrived, joins that one.

Frameworks repeat a call whose time is up, in silence. Each repeat would be paid for, so equal arguments without a
request_id join: nothing is created, and the answer says so. What counts as equal is what the caller gave, before a
model, a seed or anything else was filled in; a file of this computer counts by its content. How long to wait and how
much it may cost make no other wish. `darkroom.journal.answers` holds the rule.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from anyio import to_thread

from darkroom.darkroom import Darkroom
from darkroom.errors import InvalidInput
from darkroom.journal import Call, Intent
from darkroom.registry import ImageRequest
from darkroom.reports.amounts import seconds
from darkroom.secrets_in_inputs import masked_secrets
from darkroom.uris import scheme_of

NO_CALL = Call(id="", wish="", origin="", account="", begun_at=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whose answer is marked as delivered once it is: its own random name.

    `answered` gives the request_ids whose answers are on their way out; `on_joined` hears the request_id of the
    earlier call that was joined.
    """

    id: str
    answered: Callable[[], frozenset[str]]
    on_joined: Callable[[str], None]


async def call_of(darkroom: Darkroom, request: ImageRequest, caller: Caller | None, begun_s: float) -> Call:
    """The call as its retries are told by it; `begun_s` on the monotonic clock. Without a caller it joins none."""
    if caller is None:
        return NO_CALL
    return Call(
        id=caller.id,
        wish=await wish_of(darkroom, request),
        origin=darkroom.gateway.origin,
        account=darkroom.account.id,
        begun_at=darkroom.steady_clock(begun_s),
        answered=caller.answered(),
    )


async def wish_of(darkroom: Darkroom, request: ImageRequest) -> str:
    """A hash of the arguments as they were given, with the content of files in it and without secrets."""
    given: dict[str, Any] = {item.name: getattr(request, item.name) for item in fields(request)}
    given["options"] = masked_secrets(dict(request.options))
    given["contents"] = [await _content(darkroom, each) for each in (*request.images, request.mask)]
    return hashlib.sha256(json.dumps(given, sort_keys=True, default=str).encode()).hexdigest()


def joined_words(call: Call, earlier: Sequence[Intent], became: str) -> str:
    """What the answer says about it."""
    ago_s = max(0.0, call.begun_at - earlier[0].called_at)
    return (
        f"this joined the call of {seconds(ago_s)} ago, whose answer had not arrived: {became}. For another "
        "picture change the seed or give a request_id."
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
