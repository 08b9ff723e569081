"""Which answers have reached their host: only those are never joined by a retry, and only their previews were shown.

An answer counts once it has left (`wire`); the mark in the journal follows the writing, never goes before it. Between
the two this process remembers it, so that the next call of a host that has its answer is a wish of its own.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc
from mcp.server.context import ServerRequestContext

from darkroom.errors import DarkroomError
from darkroom_server.open_calls import OpenCall
from darkroom_server.opener import DarkroomOpener
from darkroom_server.wire import Departure, Stdio, exchange_of

if TYPE_CHECKING:
    from darkroom.reports import PredictionReport

log = logging.getLogger(__name__)

_MARK_S = 1.0
_SETTLE_S = 1.2
_MOST_SHOWN = 10_000


@dataclass(frozen=True, kw_only=True)
class Host:
    """The one host of this process, as far as there is one: whether it has hung up, and what it writes and reads.

    `conversation` names whose calls come by no HTTP.
    """

    is_leaving: Callable[[], bool] = lambda: False
    conversation: str = ""
    stdio: Stdio = field(default_factory=Stdio)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """What an answer answers: pairs of a request_id and the caller, "" for a look-up; and the predictions it shows."""

    marks: tuple[tuple[str, str], ...] = ()
    conversation: str = ""
    shown: frozenset[str] = frozenset()

    @classmethod
    def of(cls, report: "PredictionReport", call: OpenCall, *, conversation: str, has_previews: bool) -> "Answer":
        """Of this call where it has a caller; a look-up answers those calls of which it tells the end."""
        running = {row.request_id for row in report.intents if not row.has_ended}
        ended = {row.request_id for row in report.intents if row.request_id} - running
        marks = ((call.id, call.caller),) if call.caller else tuple((each, "") for each in sorted(ended))
        return cls(marks=marks, conversation=conversation, shown=pictured_in(report) if has_previews else frozenset())


class Answers:
    """Sees each answer off. `tasks` outlive the calls."""

    def __init__(self, opener: DarkroomOpener, tasks: anyio.abc.TaskGroup, host: Host) -> None:
        self._opener = opener
        self._tasks = tasks
        self._stdio = host.stdio
        self._under_way: set[Answer] = set()
        self._left: set[Answer] = set()
        self.given_up: dict[str, None] = {}
        self._is_done = anyio.Event()
        self._shown: dict[tuple[str, str], None] = {}

    def answered(self) -> frozenset[str]:
        """The request_ids whose answers have left and are not marked yet."""
        return frozenset(request_id for answer in self._left for request_id, _ in answer.marks)

    def has_shown(self, conversation: str, predictions: Iterable[str]) -> bool:
        """Whether the host has previews of all of these; never in a conversation that nobody knows."""
        return bool(conversation) and all((conversation, each) in self._shown for each in predictions)

    def watch(self, ctx: ServerRequestContext[Any, Any], call: OpenCall) -> None:
        """Let others join this call as soon as its connection is gone."""
        if exchange := exchange_of(ctx.request):
            exchange.when_lost(lambda: self._lose(call.id, call.caller))

    async def see_off(self, ctx: ServerRequestContext[Any, Any], answer: Answer) -> None:
        """The answer to this call is given to the SDK now. Where nobody sees it leave, it counts at once."""
        if not (answer.marks or answer.shown):
            return

        def lost() -> None:
            self._end(answer)
            for request_id, caller in answer.marks:
                self._lose(request_id, caller)

        departure = Departure(leave=lambda: self._leave(answer), written=lambda: self._mark(answer), lost=lost)
        self._under_way.add(answer)
        if exchange := exchange_of(ctx.request):
            exchange.expect(departure, self._tasks)
        elif self._stdio.is_served:
            self._stdio.expect(ctx.request_id, departure)
        else:
            self._leave(answer)
            await self._mark(answer)

    def give_up(self, caller: str) -> None:
        """Know at once that the host of this caller has given it up: its retry may be here before any row is."""
        if caller:
            self.given_up[caller] = None
            if len(self.given_up) > _MOST_SHOWN:
                del self.given_up[next(iter(self.given_up))]

    async def left(self, request_id: str, caller: str) -> None:
        """The host has given up this call."""
        self.give_up(caller)
        darkroom = self._opener.opened
        if not caller or darkroom is None:
            return
        with anyio.move_on_after(_MARK_S, shield=True):
            try:
                await darkroom.journal.answers.left(request_id, caller)
            except DarkroomError as error:
                log.warning("could not mark %s as given up: %s", request_id, error)

    async def settle(self) -> None:
        """Return when everything is marked that was answered, or hardly any time to leave is left."""
        with anyio.move_on_after(_SETTLE_S, shield=True):
            while self._under_way:
                await self._is_done.wait()

    def _lose(self, request_id: str, caller: str) -> None:
        self.give_up(caller)
        self._tasks.start_soon(self.left, request_id, caller)

    def _leave(self, answer: Answer) -> None:
        self._left.add(answer)
        if answer.conversation:
            self._shown |= {(answer.conversation, each): None for each in answer.shown}
            for oldest in list(self._shown)[: max(0, len(self._shown) - _MOST_SHOWN)]:
                del self._shown[oldest]

    async def _mark(self, answer: Answer) -> None:
        try:
            for request_id, caller in answer.marks:
                if darkroom := self._opener.opened:
                    await darkroom.journal.answers.delivered(request_id, caller)
        except DarkroomError as error:
            log.warning("could not mark an answer as delivered: %s", error)
        finally:
            self._end(answer)

    def _end(self, answer: Answer) -> None:
        self._under_way.discard(answer)
        self._left.discard(answer)
        self._is_done.set()
        self._is_done = anyio.Event()


def pictured_in(report: "PredictionReport") -> frozenset[str]:
    """The predictions of a report of which images are stored."""
    return frozenset(image.prediction_id for intent in report.intents for image in intent.images if image.file)
