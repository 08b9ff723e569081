"""The gateway's descriptions: asked for, remembered, and how long each answer holds."""

import hashlib
import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import anyio

from darkroom.errors import DarkroomError, GatewayError
from darkroom.gateways import PredictionClient
from darkroom.gateways.model_answers import MOST_DESCRIPTION_BYTES, NotTold, model_object
from darkroom.gateways.replies import Request
from darkroom.live_models.files import Files, Kept, pruned
from darkroom.predictions import mapping_in, text_in
from darkroom.registry import ModelRef
from darkroom.registry.live_schema import BadSchema, Description, describe

_FORMAT = 2  # of what is kept; what an earlier one has kept is asked for again
_DAY_S = 24 * 3600.0
_STALE_S = 30 * _DAY_S
_MISSING_S = 600.0
_MOST_REMEMBERED = 200
_ASKED_WITHIN_S = 4.5
_SECOND_WITHIN_S = 3.0
_NOT_DESCRIBED = "not-described"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_VERSION = re.compile(r"([0-9a-f]{64})?")


Answer = Description | NotTold


@dataclass(eq=False)
class Directory:
    """One for an open Darkroom. `account` names whose key is in use; `clock` gives seconds since 1970."""

    client: PredictionClient
    folder: Path
    account: str
    clock: Callable[[], float]
    _kept: dict[ModelRef, Kept] = field(default_factory=dict[ModelRef, Kept], init=False)
    _missing: dict[ModelRef, tuple[float, NotTold]] = field(
        default_factory=dict[ModelRef, tuple[float, NotTold]], init=False
    )
    _locks: dict[ModelRef, anyio.Lock] = field(default_factory=dict[ModelRef, anyio.Lock], init=False)
    _files: Files = field(init=False)

    def __post_init__(self) -> None:
        gateway = self.client.gateway
        whose = hashlib.sha256(f"{gateway.base_url} {self.account} {_FORMAT}".encode()).hexdigest()[:32]
        self._files = Files(self.folder / gateway.name, whose)

    @property
    def can_ask(self) -> bool:
        return self.client.gateway.has_models

    async def find(self, ref: ModelRef, *, is_fresh: bool = False, within_s: float = _ASKED_WITHIN_S) -> Answer:
        """What the gateway says of a model, one version of it, or a deployment; at most one question a day each.

        `is_fresh`: ask now, whatever was said before. Never raises for what the gateway does.
        """
        if not self.can_ask:
            return NotTold(words=f"gateway '{self.client.gateway.name}' does not describe its models")
        if not _NAME.fullmatch(ref.name) or not _VERSION.fullmatch(ref.version):
            return NotTold(words="that is no name of a model or of a version")
        if ref.is_deployment:
            ref = replace(ref, version="")  # what it runs is told by the gateway
        kept = await self._ask(ref, is_fresh, within_s)
        if isinstance(kept, NotTold):
            return kept
        if ref.is_deployment:
            return await self._find_released(ref, kept.body, within_s)
        body = {"latest_version": kept.body, "name": ref.name, "owner": ref.owner} if ref.version else kept.body
        try:
            found = describe(body, name=ref.full_name, today=f"{datetime.fromtimestamp(kept.at, UTC):%Y-%m-%d}")
        except BadSchema as error:
            return NotTold(words=str(error))
        return replace(found, is_old=self.clock() - kept.at >= _holds_s(ref))

    async def _find_released(self, ref: ModelRef, body: Mapping[str, object], within_s: float) -> Answer:
        """What a deployment runs."""
        release = mapping_in(body.get("current_release")) or {}
        try:
            model = ModelRef.parse(f"{text_in(release.get('model'))}:{text_in(release.get('version'))}")
        except DarkroomError:
            return NotTold(words="its release names no model")
        answer = await self.find(model, within_s=min(within_s, _SECOND_WITHIN_S))
        if isinstance(answer, NotTold):
            return NotTold(words=f"the model that it runs, '{model.full_name}', is not described")
        return replace(answer, model=answer.model.model_copy(update={"name": ref.full_name}), is_official=True)

    async def _ask(self, ref: ModelRef, is_fresh: bool, within_s: float) -> Kept | NotTold:
        """What is remembered while it holds, else the gateway's answer, else what is remembered though it is old."""
        async with self._locks.setdefault(ref, anyio.Lock()):
            now = self.clock()
            kept = self._kept.get(ref) or await self._files.read(_file(ref))
            if kept and not is_fresh and 0 <= now - kept.at < _holds_s(ref):
                self._remember(ref, kept)
                return kept
            said_at, missing = self._missing.get(ref, (-math.inf, NotTold(words="")))
            if not is_fresh and 0 <= now - said_at < _MISSING_S:
                return missing
            answer = await self._answer(ref, is_fresh, within_s)
            if not isinstance(answer, NotTold):
                found = Kept(at=self.clock(), body=pruned(answer))
                self._remember(ref, found)
                await self._files.write(_file(ref), found)
                return found
            if answer.is_missing:
                await self._forget(ref, answer)
            elif kept and 0 <= now - kept.at < _STALE_S:
                return kept
            return answer

    async def _answer(self, ref: ModelRef, is_fresh: bool, within_s: float) -> Mapping[str, object] | NotTold:
        """Ask the gateway, unless it has said within a day that it does not tell.

        One odd answer of a gateway that has described a model before says nothing of its others.
        """
        silent = await self._files.read(_NOT_DESCRIBED)
        if silent and not is_fresh and 0 <= self.clock() - silent.at < _DAY_S:
            return NotTold(words=text_in(silent.body.get("words")))
        version = f"/versions/{ref.version}" if ref.version else ""
        path = f"/v1/{'deployments' if ref.is_deployment else 'models'}/{ref.owner}/{ref.name}{version}"
        member = "openapi_schema" if version else "current_release" if ref.is_deployment else "latest_version"
        request = Request("GET", path, most_bytes=MOST_DESCRIPTION_BYTES)
        try:
            answer = model_object(await self.client.look(request, within_s=within_s), member)
        except GatewayError:
            return NotTold(words="it did not answer")
        has_told = bool(self._kept) or await self._files.has_descriptions()
        is_news = not has_told and not ref.is_deployment  # a gateway may have models and no deployments
        if isinstance(answer, NotTold) and answer.is_unserved and is_news:
            await self._files.write(_NOT_DESCRIBED, Kept(at=self.clock(), body={"words": answer.words}))
        return answer

    async def _forget(self, ref: ModelRef, missing: NotTold) -> None:
        self._kept.pop(ref, None)
        if len(self._missing) >= _MOST_REMEMBERED:
            self._missing.clear()
        self._missing[ref] = (self.clock(), missing)
        with suppress(OSError):
            await self._files.drop(_file(ref))

    def _remember(self, ref: ModelRef, kept: Kept) -> None:
        if ref not in self._kept and len(self._kept) >= _MOST_REMEMBERED:
            self._kept.clear()
            self._locks.clear()
        self._kept[ref] = kept


def _holds_s(ref: ModelRef) -> float:
    """For how long it is not asked again; what a version takes never changes."""
    return math.inf if ref.version else _DAY_S


def _file(ref: ModelRef) -> str:
    kind = ("deployments",) if ref.is_deployment else ()
    return "--".join((*kind, ref.owner, ref.name, *filter(None, [ref.version])))
