"""The calls of list_models: the registry alone, or what the gateway says of its models."""

from typing import TYPE_CHECKING

from mcp.types import CallToolResult

from darkroom.errors import DarkroomError
from darkroom_server.calls import ANSWER_WITHIN_S, QUESTION_S, Calls
from darkroom_server.content import model_result

if TYPE_CHECKING:
    from darkroom.registry import Sort
    from darkroom.reports import Limits, ModelReport


class ModelCalls:
    """Needs an open Darkroom only to say what is left of a limit, and for what is not in the registry."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def search_gateway(self, query: str, limit: int) -> CallToolResult:
        """What the gateway's own search finds. Raises: DarkroomError."""
        from darkroom.gateway_models import search_gateway

        report = await self._calls.in_darkroom(
            2 * ANSWER_WITHIN_S, lambda darkroom: search_gateway(darkroom, query, limit)
        )
        return self._result(report or _no_answer())

    async def _described(self, model: str, limits: "Limits | None") -> "ModelReport | None":
        """A model that only the gateway may know; None where the registry has it, or nothing can be asked."""
        if "/" not in model or self._calls.registry().find(model) or self._calls.settings.problem:
            return None
        if not self._calls.settings.choice.gateway.has_models:
            return None
        from darkroom.gateway_models import describe_model
        from darkroom.reports import Limits

        shown = limits or Limits()
        report = await self._calls.in_darkroom(ANSWER_WITHIN_S, lambda darkroom: describe_model(darkroom, model, shown))
        return report or _no_answer()

    def _result(self, report: "ModelReport") -> CallToolResult:
        report = report.with_problems(self._calls.news("list_models"))
        return model_result(report, is_structured=self._calls.settings.structured_output)

    async def list_models(
        self, *, query: str, task: str, model: str, sort: "Sort", max_usd: float, limit: int
    ) -> CallToolResult:
        """The registry in words; needs an open Darkroom to say what is left of a limit, or for what is not curated."""
        from darkroom.list_models import list_models

        settings = self._calls.settings
        own_limits = (settings.max_usd_per_call, settings.max_usd_per_day)
        # Those of a team stand in its database.
        has_limit = any(each is not None for each in own_limits) or "DARKROOM_DATABASE_URL" in settings.sources.texts
        limits = await self._limits() if has_limit and not settings.problem else None
        if described := await self._described(model, limits):
            return self._result(described)
        report = list_models(
            self._calls.registry(),
            query=query,
            task=task,
            model=model,
            sort=sort,
            max_usd=max_usd,
            limit=limit,
            limits=limits,
        )
        return self._result(report)

    async def _limits(self) -> "Limits | None":
        try:
            return await self._calls.in_darkroom(QUESTION_S, lambda darkroom: darkroom.limits())
        except DarkroomError:
            return None


def _no_answer() -> "ModelReport":
    from darkroom.errors import GatewayUnreachable
    from darkroom.reports import refused_models

    return refused_models(GatewayUnreachable("The gateway did not answer in time. Try again later.", gateway=""))
