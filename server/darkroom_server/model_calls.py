"""The calls of list_models: the registry alone, or what the gateway says of its models."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from mcp.types import CallToolResult

from darkroom.errors import DarkroomError, GatewayUnreachable
from darkroom_server.calls import ANSWER_WITHIN_S, QUESTION_S, Calls
from darkroom_server.content import model_result

if TYPE_CHECKING:
    from darkroom.darkroom import Darkroom
    from darkroom.registry import Sort
    from darkroom.reports import Limits, ModelReport


class ModelCalls:
    """Needs an open Darkroom only to say what is left of a limit, and for what is not in the registry."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def search_gateway(self, query: str, limit: int) -> CallToolResult:
        """What the gateway's own search finds. Raises: DarkroomError."""
        from darkroom.gateway_models import search_gateway

        return self._result(await self._asked(2 * ANSWER_WITHIN_S, partial(search_gateway, query=query, limit=limit)))

    async def list_models(
        self, *, query: str, task: str, model: str, sort: "Sort", max_usd: float, limit: int
    ) -> CallToolResult:
        """The registry in words; needs an open Darkroom to say what is left of a limit, or for what is not curated."""
        from darkroom.list_models import list_models

        settings, registry = self._calls.settings, self._calls.registry()
        own_limits = (settings.max_usd_per_call, settings.max_usd_per_day)
        # Those of a team stand in its database.
        has_limit = any(each is not None for each in own_limits) or "DARKROOM_DATABASE_URL" in settings.sources.texts
        limits = await self._limits() if has_limit and not settings.problem else None
        is_elsewhere = "/" in model and not registry.find(model) and not settings.problem
        if is_elsewhere and settings.choice.gateway.has_models:
            from darkroom.gateway_models import describe_model
            from darkroom.reports import Limits

            describe = partial(describe_model, name=model, limits=limits or Limits())
            return self._result(await self._asked(ANSWER_WITHIN_S, describe))
        report = list_models(
            registry, query=query, task=task, model=model, sort=sort, max_usd=max_usd, limit=limit, limits=limits
        )
        return self._result(report)

    def _result(self, report: "ModelReport") -> CallToolResult:
        report = report.with_problems(self._calls.news("list_models"))
        return model_result(report, is_structured=self._calls.settings.structured_output)

    async def _asked(self, limit_s: float, ask: "Callable[[Darkroom], Awaitable[ModelReport]]") -> "ModelReport":
        from darkroom.reports import refused_models

        late = GatewayUnreachable("The gateway did not answer in time. Try again later.", gateway="")
        return await self._calls.in_darkroom(limit_s, ask) or refused_models(late)

    async def _limits(self) -> "Limits | None":
        try:
            return await self._calls.in_darkroom(QUESTION_S, lambda darkroom: darkroom.limits())
        except DarkroomError:
            return None
