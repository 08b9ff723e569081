"""The gateway's descriptions: asked for, remembered, and how long each answer holds."""

import hashlib
import logging
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import anyio

from darkroom.errors import GatewayError
from darkroom.gateways import PredictionClient
from darkroom.gateways.model_answers import MOST_DESCRIPTION_BYTES, ModelAnswer, model_answer
from darkroom.gateways.replies import Request
from darkroom.live_models.files import Files, Kept
from darkroom.live_models.pruning import pruned
from darkroom.predictions import mapping_in, text_in
from darkroom.registry import ModelRef
from darkroom.registry.live_schema import BadSchema, Description, describe

log = logging.getLogger(__name__)

_DAY_S = 24 * 3600.0
_STALE_S = 30 * _DAY_S
_MISSING_S = 600.0
_MOST_REMEMBERED = 200
_ASKED_WITHIN_S = 4.5
_SECOND_WITHIN_S = 3.0
_NOT_DESCRIBED = "not-described"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_VERSION = re.compile(r"([0-9a-f]{64})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """`date` (YYYY-MM-DD) is the day on which the gateway said it; `is_old`: it could not be asked again now."""

    description: Description
    date: str
    is_old: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """The gateway says that it has no such model, version or deployment; `words` are its own, quoted."""

    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotTold:
    """Nothing is known of the model; `words` say why."""

    words: str


Answer = Found | Missing | NotTold


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """`member` is what the answer must have; `holds_s` how long it is not asked again."""

    path: str
    file: str
    member: str
    holds_s: float


@dataclass(eq=False)
class Directory:
    """One for an open Darkroom. `account` names whose key is in use; `clock` gives seconds since 1970."""

    client: PredictionClient
    folder: Path
    account: str
    clock: Callable[[], float]
    _kept: dict[str, Kept] = field(default_factory=dict[str, Kept], init=False)
    _missing: dict[str, tuple[float, str]] = field(default_factory=dict[str, tuple[float, str]], init=False)
    _locks: dict[str, anyio.Lock] = field(default_factory=dict[str, anyio.Lock], init=False)
    _files: Files = field(init=False)

    def __post_init__(self) -> None:
        gateway = self.client.gateway
        whose = hashlib.sha256(f"{gateway.base_url} {self.account}".encode()).hexdigest()[:32]
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
            return await self._find_deployment(ref, is_fresh, within_s)
        question = _version_question(ref) if ref.version else _model_question(ref)
        kept = await self._ask(question, is_fresh, within_s)
        if not isinstance(kept, Kept):
            return kept
        body = {"latest_version": kept.body, "name": ref.name, "owner": ref.owner} if ref.version else kept.body
        return self._described(body, ref.full_name, kept, question.holds_s)

    async def _find_deployment(self, ref: ModelRef, is_fresh: bool, within_s: float) -> Answer:
        path = f"/v1/deployments/{ref.owner}/{ref.name}"
        question = _Question(
            path=path, file=f"deployments--{ref.owner}--{ref.name}", member="current_release", holds_s=_DAY_S
        )
        kept = await self._ask(question, is_fresh, within_s)
        if not isinstance(kept, Kept):
            return kept
        release = mapping_in(kept.body.get("current_release")) or {}
        try:
            model = ModelRef.parse(f"{text_in(release.get('model'))}:{text_in(release.get('version'))}")
        except Exception:  # whatever stands where a name should
            return NotTold(words="its release names no model")
        answer = await self.find(model, within_s=min(within_s, _SECOND_WITHIN_S))
        if not isinstance(answer, Found):
            return NotTold(words=f"the model that it runs, '{model.full_name}', is not described")
        described = answer.description
        renamed = described.model.model_copy(update={"name": ref.full_name})
        return replace(answer, description=replace(described, model=renamed, is_official=True))

    def _described(self, body: Mapping[str, object], name: str, kept: Kept, holds_s: float) -> Answer:
        date = f"{datetime.fromtimestamp(kept.at, UTC):%Y-%m-%d}"
        try:
            description = describe(body, name=name, today=date)
        except BadSchema as error:
            return NotTold(words=str(error))
        return Found(description=description, date=date, is_old=self.clock() - kept.at >= holds_s)

    async def _ask(self, question: _Question, is_fresh: bool, within_s: float) -> Kept | Missing | NotTold:
        """What is remembered while it holds, else the gateway's answer, else what is remembered though it is old."""
        async with self._locks.setdefault(question.path, anyio.Lock()):
            now = self.clock()
            kept = self._kept.get(question.path) or await self._files.read(question.file)
            if kept and not is_fresh and 0 <= now - kept.at < question.holds_s:
                self._remember(question.path, kept)
                return kept
            said_at, words = self._missing.get(question.path, (0.0, ""))
            if words and not is_fresh and 0 <= now - said_at < _MISSING_S:
                return Missing(words=words)
            answer = await self._answer(question, is_fresh, within_s)
            if answer.body:
                return await self._keep(question, answer.body)
            if answer.is_missing:
                return await self._forget(question, answer.words)
            if kept and 0 <= now - kept.at < _STALE_S:
                return kept
            return NotTold(words=answer.words)

    async def _answer(self, question: _Question, is_fresh: bool, within_s: float) -> ModelAnswer:
        """Ask the gateway, unless it has said within a day that it does not tell.

        One odd answer of a gateway that has described a model before says nothing of its others.
        """
        silent = await self._files.read(_NOT_DESCRIBED)
        if silent and not is_fresh and 0 <= self.clock() - silent.at < _DAY_S:
            return ModelAnswer(words=text_in(silent.body.get("words")))
        request = Request("GET", question.path, most_bytes=MOST_DESCRIPTION_BYTES)
        try:
            answer = model_answer(await self.client.look(request, within_s=within_s), question.member)
        except GatewayError:
            return ModelAnswer(words="it did not answer")
        if answer.is_unserved and not (self._kept or await self._files.has_descriptions()):
            await self._files.write(_NOT_DESCRIBED, Kept(at=self.clock(), body={"words": answer.words}))
        return answer

    async def _keep(self, question: _Question, body: Mapping[str, object]) -> Kept:
        if question.member == "latest_version":
            body = pruned(body)
        elif question.member == "openapi_schema":
            body = mapping_in(pruned({"latest_version": body}).get("latest_version")) or {}
        else:
            release = mapping_in(body.get("current_release")) or {}
            body = {"current_release": {name: release.get(name) for name in ("model", "version")}}
        kept = Kept(at=self.clock(), body=body)
        self._remember(question.path, kept)
        await self._files.write(question.file, kept)
        return kept

    async def _forget(self, question: _Question, words: str) -> Missing:
        self._kept.pop(question.path, None)
        if len(self._missing) >= _MOST_REMEMBERED:
            self._missing.clear()
        self._missing[question.path] = (self.clock(), words)
        with suppress(OSError):
            await self._files.drop(question.file)
        return Missing(words=words)

    def _remember(self, path: str, kept: Kept) -> None:
        if path not in self._kept and len(self._kept) >= _MOST_REMEMBERED:
            self._kept.clear()
            self._locks.clear()
        self._kept[path] = kept


def _model_question(ref: ModelRef) -> _Question:
    path = f"/v1/models/{ref.owner}/{ref.name}"
    return _Question(path=path, file=f"{ref.owner}--{ref.name}", member="latest_version", holds_s=_DAY_S)


def _version_question(ref: ModelRef) -> _Question:
    path = f"/v1/models/{ref.owner}/{ref.name}/versions/{ref.version}"
    file = f"{ref.owner}--{ref.name}--{ref.version}"
    return _Question(path=path, file=file, member="openapi_schema", holds_s=float("inf"))
