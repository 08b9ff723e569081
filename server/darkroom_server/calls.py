"""What is around a verb in one MCP call: opening, a deadline, progress, previews, notes, and what a cancel means.

An answer leaves by its deadline whatever the verb does: the verb runs in a task of the server, the call only waits for
it. What was sent belongs to the Darkroom and goes on.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.abc
from mcp.server.mcpserver import Context
from mcp.shared.jsonrpc_dispatcher import progress_token_from_params
from mcp.types import CallToolResult

from darkroom.errors import JournalError
from darkroom.request_ids import checked_request_id, fresh_request_id
from darkroom.settings import MOST_WAIT_S, Settings
from darkroom_server.answers import Answer, Answers, Host, pictured_in
from darkroom_server.content import AnswerShape, prediction_result
from darkroom_server.deadline import within
from darkroom_server.open_calls import OpenCall, OpenCalls, conversation_of
from darkroom_server.opener import DarkroomOpener
from darkroom_server.wire import exchange_of

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext

    from darkroom.darkroom import Darkroom, OnProgress
    from darkroom.outputs.preview import Preview
    from darkroom.registry import ImageRequest, ModelRegistry
    from darkroom.reports import PredictionReport, Quote

T = TypeVar("T")

# Everything besides the waiting itself: opening, uploads, fetching and previews.
ANSWER_WITHIN_S = 10.0
QUESTION_S = 5.0
_LONGEST_ID = 70
_CUT_WAIT = "wait_seconds {} was cut to {}, as many hosts end a call at about 60 s; DARKROOM_WAIT_SECONDS raises it."
_SHOWN_BEFORE = "its preview was shown before; get_prediction with previews=true shows it again."
Ctx = Context[Any, Any]
_Verb = Callable[["Darkroom", "OnProgress | None"], "Awaitable[PredictionReport]"]


class Calls:
    """What the tools share while the server runs. `tasks` outlives every call.

    `open_calls` are those that wait, `answers` what became of the answers.
    """

    def __init__(
        self,
        opener: DarkroomOpener,
        registry: "Callable[[], ModelRegistry]",
        settings: Settings,
        tasks: anyio.abc.TaskGroup,
        host: Host,
    ) -> None:
        self._opener = opener
        self.registry = registry
        self.settings = settings
        self._tasks = tasks
        self._host = host
        self.open_calls = OpenCalls()
        self.answers = Answers(opener, tasks, host)
        self._told: set[tuple[str, str]] = set()

    async def generate_image(
        self, ctx: Ctx, request: "ImageRequest", *, wait_s: int, request_id: str, max_usd: float
    ) -> CallToolResult:
        """Create and wait; a person's cancel also cancels at the gateway what this call has started.

        One without a request_id may join an equal one that was never answered.
        """
        from darkroom.generate_image import generate_image
        from darkroom.joining import Caller, fresh_caller_id

        given = checked_request_id(request_id)
        name, caller = given or fresh_request_id(), "" if given else fresh_caller_id()
        with self.open_calls.waiting(ctx.request_context, name, caller) as call:
            self.answers.watch(ctx.request_context, call)
            heard = Caller(
                id=caller,
                answered=self.answers.answered,
                on_joined=call.joins,
                left=self.answers.given_up,
                begun_s=self._begun_s(ctx),
            )

            async def verb(darkroom: "Darkroom", on_progress: "OnProgress | None") -> "PredictionReport":
                call.begun_at = darkroom.options.clock()
                return await generate_image(
                    darkroom,
                    request,
                    wait_s=self._wait_s(wait_s),
                    request_id=name,
                    max_usd=max_usd,
                    on_progress=on_progress,
                    conversation=self._conversation(ctx),
                    caller=heard if caller else None,
                )

            try:
                return await self._answer(ctx, "generate_image", call, wait_s, verb)
            except anyio.get_cancelled_exc_class():
                await self.answers.left(call.id, call.caller)
                if await self._is_stopped(call) and self._opener.opened:
                    await self.open_calls.cancel_started(self._opener.opened, call)
                raise

    def _begun_s(self, ctx: Ctx) -> float:
        """When the call arrived, on the monotonic clock."""
        exchange = exchange_of(ctx.request_context.request)
        return exchange.begun_s if exchange else self._host.stdio.arrival_s(ctx.request_context.request_id)

    async def _is_stopped(self, call: OpenCall) -> bool:
        """Whether a person has stopped it, and the host is still there: one that leaves cancels what is open."""
        return not self._host.is_leaving() and await call.is_stopped() and not self._host.is_leaving()

    def hear_cancel(self, ctx: "ServerRequestContext[Any, Any]") -> None:
        """Take in a `notifications/cancelled`: which call it means, and why."""
        for call in self.open_calls.hear(ctx):
            self.answers.give_up(call.caller)
        if ctx.request is None:
            self._host.stdio.lose((ctx.params or {}).get("requestId"))

    def _conversation(self, ctx: Ctx) -> str:
        return conversation_of(ctx.request_context, self._host.conversation)

    async def dry_run(self, request: "ImageRequest", *, request_id: str, max_usd: float) -> CallToolResult:
        """What generate_image would send and what that costs. Raises: DarkroomError."""
        from darkroom.dry_run import dry_run
        from darkroom.reports import with_notes

        name = checked_request_id(request_id)
        report = await self.in_darkroom(
            ANSWER_WITHIN_S, lambda darkroom: dry_run(darkroom, request, request_id=name, max_usd=max_usd)
        )
        if report is None:
            raise JournalError("The journal did not answer in time. Nothing was sent. Try again.")
        report = with_notes(report, self.news("generate_image"))
        return prediction_result(report, shape=AnswerShape(is_structured=self.settings.structured_output))

    async def get_prediction(
        self, ctx: Ctx, id: str, *, wait_s: int, cancel: bool, previews: bool, limit: int
    ) -> CallToolResult:
        """Find and wait, cancel, or list; a cancel of the call only ends the waiting.

        `previews`: also those that were shown before.
        """
        from darkroom.get_prediction import get_prediction

        async def verb(darkroom: "Darkroom", on_progress: "OnProgress | None") -> "PredictionReport":
            return await get_prediction(
                darkroom,
                id,
                wait_s=self._wait_s(wait_s),
                cancel=cancel,
                limit=limit,
                on_progress=on_progress,
                conversation=self._conversation(ctx),
            )

        with self.open_calls.waiting(ctx.request_context, id) as call:
            return await self._answer(ctx, "get_prediction", call, wait_s, verb, shows_again=previews)

    async def offer(self, request: "ImageRequest", request_id: str, max_usd: float) -> "Quote | None":
        """What a call with these arguments would send; None where that is nothing, or would be refused.

        Raises: DarkroomError where that cannot be found out.
        """
        from darkroom.dry_run import offer

        name = checked_request_id(request_id)

        async def ask(darkroom: "Darkroom") -> "list[Quote | None]":
            return [await offer(darkroom, request, request_id=name, max_usd=max_usd)]

        if (found := await self.in_darkroom(QUESTION_S, ask)) is None:
            raise JournalError("The journal did not answer in time. Nothing was sent. Try again.")
        return found[0]

    async def in_darkroom(self, limit_s: float, work: "Callable[[Darkroom], Awaitable[T]]") -> T | None:
        """What `work` gives with the open Darkroom, or None once `limit_s` seconds are over.

        Raises: DarkroomError, also where the Darkroom cannot be opened.
        """

        async def run() -> T:
            return await work(await self._opener.darkroom())

        return await within(self._tasks, limit_s, run)

    async def _answer(
        self,
        ctx: Ctx,
        tool: str,
        call: OpenCall,
        wait_s: int,
        verb: _Verb,
        *,
        shows_again: bool = False,
    ) -> CallToolResult:
        """The report of a verb as an answer, which leaves now. Raises: DarkroomError."""
        from darkroom.reports import overdue_report, with_notes, with_preview

        began_s = anyio.current_time()
        waited_s = self._wait_s(wait_s)
        limit_s = waited_s + ANSWER_WITHIN_S
        on_progress = _rising(ctx)

        report = await self.in_darkroom(limit_s, lambda darkroom: verb(darkroom, on_progress))
        if report is None:
            report = overdue_report(call.id[:_LONGEST_ID], limit_s, self.settings.wait_seconds)
        conversation, pictured = self._conversation(ctx), pictured_in(report)
        if not shows_again and pictured and self.answers.has_shown(conversation, pictured):
            preview, notes = None, [_SHOWN_BEFORE]
        else:
            preview, notes = await self._preview(report, began_s + limit_s)
        if wait_s > waited_s:
            notes.insert(0, _CUT_WAIT.format(wait_s, waited_s))
        report = with_notes(with_preview(report, preview.numbers if preview else ()), [*notes, *self.news(tool)])
        report.data["can_cancel"] = self.settings.choice.gateway.has_cancel
        has_previews = preview is not None and not report.picture
        answer = Answer.of(report, call, conversation=conversation, has_previews=has_previews)
        await self.answers.see_off(ctx.request_context, answer)
        return prediction_result(report, preview, self._shape(ctx))

    def _shape(self, ctx: Ctx) -> AnswerShape:
        """How this host gets its answers."""
        client = ctx.session.client_params
        return AnswerShape(
            is_structured=self.settings.structured_output,
            has_links=self.settings.resource_links,
            client=client.client_info.name if client else "",
        )

    def _wait_s(self, asked_s: int) -> int:
        """The seconds that a call may wait, where the host lives by the usual limits or by the person's own setting."""
        set_s = self.settings.wait_seconds
        return min(asked_s, max(MOST_WAIT_S, set_s)) if asked_s >= 0 else set_s

    def news(self, tool: str) -> list[str]:
        """What the journal warns of, once for each tool."""
        darkroom = self._opener.opened
        news = [each for each in (darkroom.journal.warnings if darkroom else ()) if (tool, each) not in self._told]
        self._told |= {(tool, each) for each in news}
        return news

    async def _preview(self, report: "PredictionReport", until_s: float) -> "tuple[Preview | None, list[str]]":
        """One small picture of the saved images that were asked for, and a note for each that cannot be shown."""
        images = [image for intent in report.intents for image in intent.images] if report.shows_images else []
        numbered = [each for each in enumerate(images, start=1) if report.picture in (0, each[0])]
        stored = {number: image.file for number, image in numbered if image.file}
        if not stored or self.settings.previews == "off":
            return None, []

        left_s, longest_px = until_s - anyio.current_time(), self.settings.preview_px
        made = await self.in_darkroom(left_s, lambda darkroom: darkroom.preview(stored, longest_px))
        if made is None:
            return None, []
        return made.preview, [f"image {each.number} cannot be shown: {each.reason}." for each in made.problems]


def _rising(ctx: Ctx) -> "OnProgress | None":
    """Progress notifications whose numbers only rise, as the protocol wants; the same words are not sent twice.

    None where the host wants none; only of what comes over HTTP it is known.
    """
    call = ctx.request_context
    if call.request is not None and progress_token_from_params(call.params) is None:
        return None
    last_percent, last_message = -1.0, ""

    async def report(percent: float, message: str) -> None:
        nonlocal last_percent, last_message
        if message == last_message and percent <= last_percent:
            return
        last_percent = percent if percent > last_percent else last_percent + 0.01
        last_message = message
        await ctx.report_progress(last_percent, 100, message)

    return report
