"""The predictions API of one gateway: create, look up, cancel, list, upload.

Every address is base + path + id; no address that a gateway names is ever followed. A create goes over the wire exactly
once per call, and its error says what that means for the bill. Everything else may be repeated and is, within bounds.
No call takes longer than its `within_s` seconds, and no answer raises anything but the errors that are named here.
"""

import logging
from collections.abc import Awaitable, Callable, Container, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Self, TypeVar

import anyio
from pydantic import JsonValue

from darkroom.errors import GatewayError, GatewayMisread, InvalidRequest, RequestRefused, UnknownPrediction
from darkroom.gateways import envelopes, faults, token_log
from darkroom.gateways.creates import create_request
from darkroom.gateways.envelopes import Refusal
from darkroom.gateways.keys import Key
from darkroom.gateways.list_pages import ListPage, list_page
from darkroom.gateways.profiles import Gateway
from darkroom.gateways.replies import Reply, Request
from darkroom.gateways.route import Timeouts
from darkroom.gateways.token_log import TokenLog, TokenUsage
from darkroom.gateways.wire import Wire, WireFault
from darkroom.predictions import ID_PATTERN, Prediction, id_at_gateway

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_FILE_NAME_LIMIT = 100  # the format allows 255 bytes
_FIRST_BACKOFF_S = 0.5
_PROBE_ID = "darkroomprobe00000000000000"

Sleep = Callable[[float], Awaitable[None]]
_Found = TypeVar("_Found")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayProbe:
    """What answered to a free call. `is_key_accepted` is False also where the gateway did not come so far as to say."""

    is_key_accepted: bool
    words: str
    account: str = ""
    error: GatewayError | None = None


class PredictionClient:
    """Open it with `async with`; `app` answers in this process instead of the network (the embedded sandbox).

    `sleep` waits between repeated look-ups, in seconds; tests give one that does not.
    """

    def __init__(
        self,
        gateway: Gateway,
        key: Key,
        *,
        app: "ASGIApp | None" = None,
        timeouts: Timeouts | None = None,
        sleep: Sleep = anyio.sleep,
        rng: Random | None = None,
    ) -> None:
        self.gateway, self._key = gateway, key
        self._wire = Wire(gateway, key, app=app, timeouts=timeouts or Timeouts())
        self._sleep, self._rng = sleep, rng or Random()

    @property
    def is_simulated(self) -> bool:
        """Whether the gateway is the sandbox, or has answered from this machine that it is one."""
        return self._wire.is_simulated

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._wire.aclose()

    async def create(
        self,
        model: str,
        version: str,
        input: Mapping[str, JsonValue],
        *,
        prefer_wait_s: int = 0,
        cancel_after_s: int = 0,
        intent_key: str = "",
        image_count: int = 0,
        webhook: str = "",
        within_s: float = 120.0,
    ) -> Prediction:
        """Start one prediction: exactly one attempt on the wire, never repeated here.

        `model` is "owner/name"; with a `version` it is run by that where the gateway can. `prefer_wait_s` (1..60),
        `cancel_after_s` (5 or more) and `webhook`, the address to which the prediction is posted at its end, are sent
        only where the gateway honours them. A held answer that says `processing` beside `image_count` whole outputs is
        the end; with fewer, or 0, it is looked at once more.

        Raises: GatewayBusy, GatewayUnreachable: certainly nothing started, may be sent again. KeyRefused,
            CreditExhausted, RequestRefused, ContentRefused, GatewayMisread: nothing started, refused for good.
            CreateUnresolved: possibly created and billed. InvalidInput: nothing was sent.
        """
        began_at = anyio.current_time()
        ends_at = began_at + within_s
        request = create_request(
            self.gateway, model, version, input, prefer_wait_s, cancel_after_s, intent_key, webhook
        )
        try:
            reply = await self._wire.exchange(request, ends_at)
        except WireFault as fault:
            raise faults.create_unanswered(self.gateway, str(fault), is_unsent=fault.is_unsent) from fault
        prediction = self._created(reply, model, intent_key)
        # Under `Prefer: wait` a body can say `processing` beside an output that is whole, or only half there.
        if request.hold_s and prediction.output and not prediction.status.is_terminal:
            if envelopes.is_whole(prediction, image_count):
                return envelopes.ended(prediction, anyio.current_time() - began_at)
            with suppress(GatewayError, InvalidRequest):
                seen = await self.get(prediction.id, attempts=1, within_s=ends_at - anyio.current_time())
                return replace(seen, request_id=prediction.request_id)
        return prediction

    async def get(self, prediction_id: str, *, attempts: int = 4, within_s: float = 60.0) -> Prediction:
        """The prediction as it is now; a fault that may pass is asked again, with at most `attempts` looks.

        Raises: UnknownPrediction where the gateway says that it has none of that id (a 404 that is no page), and for an
            impossible id; GatewayUnreachable, GatewayBusy when attempts or time are spent; KeyRefused, RequestRefused,
            GatewayMisread at once.
        """
        request = Request("GET", _prediction_path(prediction_id))
        read = partial(envelopes.seen_prediction, known_id=prediction_id)
        return await self._ask(request, prediction_id, read, attempts=attempts, within_s=within_s)

    async def cancel(self, prediction_id: str, *, within_s: float = 20.0) -> Prediction | None:
        """Ask the gateway to stop the prediction; its state afterwards, None where the gateway has no cancel.

        A prediction that has ended already comes back as it is. Raises: as `get`.
        """
        ends_at = anyio.current_time() + within_s
        request = Request("POST", _prediction_path(prediction_id) + "/cancel")
        read = partial(envelopes.seen_prediction, known_id=prediction_id)
        try:
            return await self._ask(request, prediction_id, read, attempts=2, within_s=within_s)
        except (GatewayError, UnknownPrediction) as error:
            status = error.status if isinstance(error, GatewayError) else 404
            is_unserved = status in (404, 405, 501) or isinstance(error, GatewayMisread)
            if is_unserved and not self.gateway.has_cancel:
                return None
            # "cannot be canceled": it has ended.
            if not isinstance(error, RequestRefused) and status not in (200, 201, 202, 204, 409):
                raise
        return await self.get(prediction_id, within_s=ends_at - anyio.current_time())

    async def list_page(
        self, cursor: str = "", *, wanted: Container[str] | None = None, within_s: float = 20.0
    ) -> ListPage:
        """The newest predictions, or the page that `cursor` (an earlier `next_cursor`) names.

        With `wanted` only predictions of these ids are read, and of those that still run only the id.

        Raises: RequestRefused where the gateway has no list; else as `get`.
        """
        if not self.gateway.has_list:
            raise faults.not_offered(self.gateway, "has no list of predictions")
        request = Request("GET", "/v1/predictions" + (f"?{cursor}" if cursor else ""))
        read = partial(list_page, wanted=wanted)
        return await self._ask(request, "the list of predictions", read, attempts=4, within_s=within_s)

    async def upload(self, content: bytes, name: str, mime_type: str, *, within_s: float = 60.0) -> str:
        """Hand a file to the gateway; the address that models of this gateway can read it from, for about a day.

        Raises: RequestRefused where the gateway takes no files, or not this one; else as `get`.
        """
        if not self.gateway.has_files:
            raise faults.not_offered(self.gateway, "takes no files")
        request = Request("POST", "/v1/files", file=(name[-_FILE_NAME_LIMIT:], content, mime_type))
        return await self._ask(request, "the file", envelopes.uploaded_address, attempts=2, within_s=within_s)

    async def account_name(self, *, within_s: float = 10.0) -> str:
        """`user/ada`: the same each time, at most 60 characters; empty where the gateway does not say whose key it is.

        Raises: GatewayError where it could not be asked now.
        """
        if not self.gateway.has_account:
            return ""
        request = Request("GET", "/v1/account")
        return await self._ask(request, "the account", envelopes.account_name, attempts=2, within_s=within_s)

    async def token_usage(self, *, within_s: float = 10.0) -> TokenUsage | None:
        """What the key may still spend, asked once; None where the gateway does not tell. Raises: GatewayError."""
        return await self._ask_at_root(token_log.USAGE_PATH, token_log.token_usage, within_s)

    async def token_log(self, *, within_s: float = 30.0) -> TokenLog | None:
        """What was taken for calls of the key, asked once; None where no log is kept. Raises: GatewayError."""
        return await self._ask_at_root(token_log.LOG_PATH, token_log.token_log, within_s)

    async def look(self, request: Request, *, within_s: float) -> Reply:
        """What is answered to a question that costs nothing and is asked once. Raises: GatewayUnreachable."""
        try:
            return await self._wire.exchange(request, anyio.current_time() + within_s)
        except WireFault as fault:
            raise faults.look_up_unanswered(self.gateway, str(fault)) from fault

    async def probe(self, *, within_s: float = 20.0) -> GatewayProbe:
        """What the gateway answers to a call that costs nothing: its account, else a look at an id that nobody has."""
        try:
            if not self.gateway.has_account:
                await self.get(_PROBE_ID, attempts=1, within_s=within_s)
            account = await self.account_name(within_s=within_s)
            return GatewayProbe(is_key_accepted=True, words="key accepted", account=account)
        except UnknownPrediction:
            return GatewayProbe(is_key_accepted=True, words="key accepted (it knows no such id)")
        except GatewayError as error:
            return GatewayProbe(is_key_accepted=False, words=error.message, error=error)

    async def _ask_at_root(self, path: str, read: Callable[[Reply], _Found | None], within_s: float) -> _Found | None:
        reply = await self.look(Request("GET", path, is_at_root=True), within_s=within_s)
        if (found := read(reply)) is not None or token_log.is_unserved(reply):
            return found
        raise token_log.not_told(self.gateway, reply) or faults.look_up_refused(
            self._refusal_in(reply), self.gateway, self._key, "the log of this key"
        )

    async def _ask(
        self, request: Request, subject: str, read: Callable[[Reply], _Found | None], *, attempts: int, within_s: float
    ) -> _Found:
        """What `read` finds in the first answer that a repeat would not better. `subject`: a prediction's id, or words.

        `within_s` bounds all of it. Where the gateway names a time, that long is waited, or not at all.

        Raises: GatewayUnreachable, GatewayBusy for the last fault that may pass; else the error of an answer that
            stands: UnknownPrediction where the gateway itself does not know the id.
        """
        ends_at = anyio.current_time() + within_s
        for attempt in range(1, attempts + 1):
            answer = await self._once(request, subject, read, ends_at)
            if not isinstance(answer, GatewayError):
                return answer
            backoff_s = _FIRST_BACKOFF_S * 2 ** (attempt - 1) * self._rng.uniform(0.9, 1.1)
            delay_s = max(backoff_s, answer.retry_after_s or 0.0)
            if attempt == attempts or delay_s >= ends_at - anyio.current_time():
                raise answer
            await self._sleep(delay_s)
        raise AssertionError("attempts is at least 1")

    async def _once(
        self, request: Request, subject: str, read: Callable[[Reply], _Found | None], ends_at: float
    ) -> _Found | GatewayError:
        """What was found, or the error of a fault that may pass."""
        try:
            reply = await self._wire.exchange(request, ends_at)
            if 200 <= reply.status < 300 and (found := read(reply)) is not None:
                return found
            refusal = self._refusal_in(reply)
        except WireFault as fault:
            error = faults.look_up_unanswered(self.gateway, str(fault))
            error.__cause__ = fault
            return error
        except Exception:
            logger.exception("an answer of gateway %s could not be read", self.gateway.name)
            return faults.look_up_unanswered(self.gateway, "its answer could not be read")
        if reply.is_cut and not reply.is_too_long and (reply.status < 300 or reply.status == 404):
            return faults.look_up_unanswered(self.gateway, "its answer broke off")
        if refusal.is_missing and ID_PATTERN.fullmatch(id_at_gateway(subject)):
            raise UnknownPrediction(f"Gateway '{self.gateway.name}' knows no prediction '{subject}' (HTTP 404).")
        error = faults.look_up_refused(refusal, self.gateway, self._key, subject)
        may_pass = refusal.status in (408, 429) or (refusal.status >= 500 and refusal.status != 501)
        if may_pass and faults.classify(refusal, self.gateway) in ("busy", "unknown"):
            return error
        raise error

    def _refusal_in(self, reply: Reply) -> Refusal:
        is_replicate = self.gateway.name == "replicate"
        return envelopes.read_refusal(reply, is_replicate=is_replicate, has_given_json=self._wire.has_given_json)

    def _created(self, reply: Reply, model: str, intent_key: str) -> Prediction:
        """The prediction in the answer to a create, else its error; an answer that cannot be read may be a paid one."""
        try:
            if prediction := envelopes.created_prediction(reply, intent_key):
                return prediction
            error = faults.create_refused(self._refusal_in(reply), self.gateway, self._key, model)
        except Exception as fault:
            logger.exception("the answer to a create could not be read")
            if reply.status < 300 and (prediction := envelopes.identified_prediction(reply.body)):
                return prediction
            raise faults.create_unanswered(self.gateway, "its answer could not be read", is_unsent=False) from fault
        raise error


def _prediction_path(prediction_id: str) -> str:
    if not ID_PATTERN.fullmatch(identifier := id_at_gateway(prediction_id)):
        raise UnknownPrediction(f"'{prediction_id[:100]}' is not the id of a prediction.")
    return f"/v1/predictions/{identifier}"
