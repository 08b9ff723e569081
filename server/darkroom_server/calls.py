"""One MCP call around a verb: settings faults in words, progress, previews in time, and what a cancel means."""

import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

import anyio
from mcp.server.mcpserver import Context
from mcp.types import CallToolResult

from darkroom.errors import DarkroomError
from darkroom_server.content import REPORT_KEY, model_result, prediction_result, refusal
from darkroom_server.keeper import RoomKeeper
from darkroom_server.settings import Settings

if TYPE_CHECKING:
    from darkroom.darkroom import Darkroom, OnProgress
    from darkroom.outputs.preview import Preview, PreviewProblem
    from darkroom.registry import ImageRequest, ModelRegistry
    from darkroom.reports import PredictionReport

log = logging.getLogger(__name__)

# Hosts end a call at about 60 s (TypeScript SDK: 60 000 ms, checked 2026-11-20); an answer leaves before that.
_LEAVE_BY_S = 54.0
_CANCEL_S = 1.5
_Verb = Callable[["Darkroom", "OnProgress"], "Awaitable[PredictionReport]"]


class Calls:
    """What the tools share. `is_leaving` is true once the host has hung up: then nothing is canceled at the gateway."""

    def __init__(
        self,
        keeper: RoomKeeper,
        registry: "Callable[[], ModelRegistry]",
        settings: Settings,
        is_leaving: Callable[[], bool],
    ) -> None:
        self._keeper = keeper
        self._settings = settings
        self._is_leaving = is_leaving
        self._registry = registry

    async def generate_image(
        self, ctx: Context[Any, Any], request: "ImageRequest", *, wait_s: float, request_id: str
    ) -> CallToolResult:
        """Create and wait; a person's cancel also cancels at the gateway."""
        from darkroom.generate_image import generate_image

        name = request_id or f"auto-{secrets.token_hex(6)}"
        started_s = anyio.current_time()
        try:
            return await self._answer(
                ctx,
                lambda room, on_progress: generate_image(
                    room, request, wait_s=wait_s, request_id=name, on_progress=on_progress, caller=name
                ),
                wait_s,
            )
        except anyio.get_cancelled_exc_class():
            # A cancel this late is the host's time limit, not the person; the prediction goes on.
            if anyio.current_time() - started_s < _LEAVE_BY_S and not self._is_leaving():
                await self._cancel_request(name)
            raise

    async def cancel_prediction(self, id: str) -> CallToolResult:
        """Ask the gateway to stop it, and report what became of it; an end that was asked for is no error."""
        from darkroom.cancel_prediction import cancel_prediction

        result = await self._answer(None, lambda room, _: cancel_prediction(room, id), 0)
        status = (result.meta or {}).get(REPORT_KEY, {}).get("status")
        return result.model_copy(update={"is_error": False}) if status in ("canceled", "aborted") else result

    async def get_prediction(self, ctx: Context[Any, Any], id: str, *, wait_s: float) -> CallToolResult:
        """Find and wait; a cancel only ends the waiting."""
        from darkroom.get_prediction import get_prediction

        return await self._answer(
            ctx,
            lambda room, on_progress: get_prediction(room, id, wait_s=wait_s, on_progress=on_progress),
            wait_s,
        )

    def list_models(self, *, query: str, task: str, model: str, limit: int) -> CallToolResult:
        """The registry in words and data; needs no open Darkroom."""
        from darkroom.list_models import list_models

        return model_result(list_models(self._registry(), query=query, task=task, model=model, limit=limit))

    def refused(self, error: DarkroomError) -> CallToolResult:
        """The answer to a call that is not carried out."""
        return refusal(error, is_structured=self._settings.structured_output)

    async def _answer(self, ctx: Context[Any, Any] | None, verb: _Verb, wait_s: float) -> CallToolResult:
        leave_by_s = anyio.current_time() + max(_LEAVE_BY_S, wait_s + 5)
        if self._settings.problem:
            return self.refused(self._settings.problem)
        try:
            room = await self._keeper.room()
        except DarkroomError as error:
            return self.refused(error)
        from darkroom.reports import with_notes

        report = await verb(room, _rising(ctx))
        previews: dict[int, Preview] = {}
        if self._settings.previews == "on":
            previews, notes = await self._previews(room, report, leave_by_s)
            report = with_notes(report, notes)
        report.data["can_cancel"] = self._settings.cancel_tool and room.gateway.has_cancel
        return prediction_result(report, previews, is_structured=self._settings.structured_output)

    async def _previews(
        self, room: "Darkroom", report: "PredictionReport", leave_by_s: float
    ) -> "tuple[dict[int, Preview], list[str]]":
        """Small pictures by image number, as far as time allows, and a note for each picture that cannot be shown."""
        from darkroom.outputs.preview import Preview

        images = [image for intent in report.intents for image in intent.images]
        stored = {number: image.file for number, image in enumerate(images, start=1) if image.file}
        made: Sequence[Preview | PreviewProblem] = ()
        if stored:
            with anyio.move_on_after(max(leave_by_s - anyio.current_time(), 0)):
                made = await room.previews(list(stored.values()))
        numbers = list(stored)
        shown = {numbers[each.index]: each for each in made if isinstance(each, Preview)}
        problems = [each for each in made if not isinstance(each, Preview) and each.is_fault]
        return shown, [f"image {numbers[each.index]} cannot be shown: {each.reason.rstrip('.')}." for each in problems]

    async def _cancel_request(self, request_id: str) -> None:
        with anyio.move_on_after(_CANCEL_S, shield=True):
            try:
                await (await self._keeper.room()).work.cancel_call(request_id)
            except DarkroomError as error:
                log.warning("could not cancel %s: %s", request_id, error)


def _rising(ctx: Context[Any, Any] | None) -> "OnProgress":
    """Progress notifications whose numbers only rise, as the protocol wants; the same words are not sent twice."""
    last_percent, last_message = -1.0, ""

    async def report(percent: float, message: str) -> None:
        nonlocal last_percent, last_message
        if message == last_message and percent <= last_percent:
            return
        last_percent = percent if percent > last_percent else last_percent + 0.01
        last_message = message
        if ctx:
            await ctx.report_progress(last_percent, 100, message)

    return report
