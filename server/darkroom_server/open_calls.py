"""The calls that wait, and why one of them was cancelled: by a person, or because the host gave up waiting.

Only a person's cancel reaches the gateway. Hosts cancel a call for many reasons, most often their own time-out, and the
prediction is then wanted as before: the retry that follows joins it. What they say stands in the reason of
`notifications/cancelled`. The SDK (2.3.0) ends the call without it and hands the notification to the middleware right
after, so the call waits for it. Words that a library puts there by itself say nothing of a person: "caller cancelled"
is what the Python SDK sends when a framework's own time-out cancels its task, "context canceled" is Go's. An
"AbortError" without a time-out in it is what a host such as Claude Code sends when a person presses Esc. In doubt the
prediction goes on; get_prediction can stop it.
"""

import hashlib
import logging
import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anyio
from mcp.server.context import ServerRequestContext
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from darkroom.errors import DarkroomError

if TYPE_CHECKING:
    from darkroom.darkroom import Darkroom
    from darkroom.journal import Intent

log = logging.getLogger(__name__)

_CANCEL_S = 1.0
_REASON_S = 0.5
_MOST_BEGUN = 10_000
# Compiled at the first cancel.
_NOBODY_STOPPED = (
    r"(?i)tim(e|ed|ing)[\s_-]*(d[\s_-]*)?out|time[\s_-]*limit|deadline|-32001|disconnect|hang[\s_-]*up|expire|etimedout"
    r"|(connection|transport|stream|socket|session)\W.*(clos|lost|reset|end|gone|terminat|abort|drop)"
    r"|(clos|lost|reset|end|terminat|abort|drop)\w*\W.*(connection|transport|stream|socket|session)"
    r"|connection[\s_-]*(clos|lost|reset|end|abort|drop)"
    r"|zeit(überschreitung|limit)|délai|tiempo.*agotado|tempo.*(esgotado|limite)|超时|逾时|タイムアウト"
)
# What a person may have stopped for as well, and says so then.
_PERSON = r"(?i)user|person|human|\b(i|esc|escape)\b|nutzer|utilisateur|usuári|用户|ユーザ"
_OF_THE_HOST = (
    r"(?i)too\s+long|\bno\s+(response|reply|answer)|respon[ds]ing|unresponsive|exceed|elapsed|time('s|\s+is)\s+up"
    r"|(time|duration).*(budget|used\s+up|max|limit|reached)|(max|limit|budget)\w*\s+(of\s+)?(time|duration|\d+\s*m?s\b)"
    r"|\b(epipe|econn\w+|enet\w+|ehost\w+)|broken\s+pipe|network|fetch\s+failed|shut(ting)?[\s_-]*down"
    r"|(server|client|host|process|program|app|application|worker)\b.*\b(clos|exit|end|quit|crash|terminat|gone|restart)"
    r"|retry|retries|retried|supersed|abandon|duplicate"
)
_LIBRARY = (
    r"(?is)((the\s+)?(caller|context|task|scope|future|coroutine|request|operation)\s+((was|is|has\s+been)\s+)?)?cancell?ed\.?"
    r"|([\w.]+\.)?cancell?ederror\b.*"
    r"|cancell?ed\s+(by|via)\s+(cancel\s+)?(scope|task)\b.*"
)
# Which call a host means: the session of handshake HTTP, "" elsewhere, and the id of the request.
_OnWire = tuple[str, str]


class OpenCall:
    """One call that waits for `id`. What was sent under it before `begun_at` (journal's clock) it must not cancel.

    `caller` names a call that brought no request_id, "" any other; `joins` changes its `id` to that of an earlier call.
    `others` are the calls that waited when it was cancelled; one that comes later only asks what became of it.
    """

    def __init__(self, id: str, on_wire: _OnWire, caller: str = "") -> None:
        self.id = id.strip().removeprefix("prediction:")
        self.caller = caller
        self.on_wire = on_wire
        self.begun_at = float("inf")
        self.others: list[OpenCall] = []
        self._reason = ""
        self._is_told = anyio.Event()

    def joins(self, request_id: str) -> None:
        """From now on it waits for what an earlier call has started, and may stop it as its own."""
        self.id, self.begun_at = request_id, 0.0

    def tell(self, reason: str, others: "list[OpenCall]") -> None:
        """Hear why the host cancels it, and who else waits at this moment."""
        self._reason, self.others = reason, others
        self._is_told.set()

    async def is_stopped(self) -> bool:
        """Whether it was cancelled for a reason of a person's; False where no reason comes, as after a disconnect."""
        with anyio.move_on_after(_REASON_S, shield=True):
            await self._is_told.wait()
        return is_of_a_person(self._reason)


class OpenCalls:
    """Every call of generate_image and get_prediction is among these while it waits."""

    def __init__(self) -> None:
        self._calls: list[OpenCall] = []
        self._begun: dict[str, None] = {}

    @property
    def are_there(self) -> bool:
        """Whether any call waits."""
        return bool(self._calls)

    @contextmanager
    def waiting(self, ctx: ServerRequestContext[Any, Any], id: str, caller: str = "") -> Generator[OpenCall]:
        """One more for as long as the block runs."""
        call = OpenCall(id, _on_wire(ctx, ctx.request_id), caller)
        self._calls.append(call)
        if caller:
            self._begun |= {id: None, caller: None}
            for oldest in list(self._begun)[:-_MOST_BEGUN]:
                del self._begun[oldest]
        try:
            yield call
        finally:
            self._calls.remove(call)

    def hear(self, ctx: ServerRequestContext[Any, Any]) -> "list[OpenCall]":
        """Tell the calls that a `notifications/cancelled` names why they are cancelled; gives them."""
        params = ctx.params or {}
        meant, reason = _on_wire(ctx, params.get("requestId")), params.get("reason")
        told = [call for call in self._calls if call.on_wire == meant]
        for call in told:
            call.tell(reason if isinstance(reason, str) else "", [each for each in self._calls if each is not call])
        return told

    async def cancel_started(self, darkroom: "Darkroom", call: OpenCall) -> None:
        """Cancel at the gateway what this call has started and no other call waits for; faults are logged.

        What is cancelled there is not joined any more. What another process has started goes on, and so does what a
        call of another process has joined: that may be waited for there.
        """
        if call.caller and call.id not in self._begun:
            return
        awaited = {each.id for each in call.others if each in self._calls}

        def is_ours_alone(row: "Intent") -> bool:
            is_taken_over = bool(call.caller) and row.caller not in self._begun
            return (
                not is_taken_over
                and (row.may_be_sent or (row.sent_at or 0.0) >= call.begun_at)
                and awaited.isdisjoint({call.id, row.key, row.prediction_id, "latest"})
            )

        with anyio.move_on_after(_CANCEL_S, shield=True):
            try:
                rows = [row for row in await darkroom.journal.by_request(call.id) if is_ours_alone(row)]
                if rows and darkroom.gateway.has_cancel:
                    await darkroom.journal.answers.delivered(call.id)
                await darkroom.work.cancel_all(rows)
            except DarkroomError as error:
                log.warning("could not cancel %s: %s", call.id, error)


def session_of(ctx: ServerRequestContext[Any, Any]) -> str:
    """The id of the session over handshake HTTP, which the SDK has checked; empty elsewhere."""
    if ctx.request is None or ctx.protocol_version not in HANDSHAKE_PROTOCOL_VERSIONS:
        return ""
    return ctx.request.headers.get("mcp-session-id", "")


def conversation_of(ctx: ServerRequestContext[Any, Any], of_process: str) -> str:
    """A name for it, empty where it is unknown; `of_process` is that of all calls that come by no HTTP.

    Whoever holds the id of a session may act in it, so only its hash is written down.
    """
    if ctx.request is None:
        return of_process
    session = session_of(ctx)
    return hashlib.sha256(session.encode()).hexdigest()[:16] if session else ""


def is_of_a_person(reason: str) -> bool:
    """Whether a host that gives this reason has stopped the work, and not only its waiting. In doubt it has not."""
    said = reason.strip()
    if not said or re.search(_NOBODY_STOPPED, said) or re.fullmatch(_LIBRARY, said):
        return False
    return bool(re.search(_PERSON, said)) or not re.search(_OF_THE_HOST, said)


def _on_wire(ctx: ServerRequestContext[Any, Any], request_id: object) -> _OnWire:
    return (session_of(ctx), str(request_id))
