"""The predictions API of one gateway: create, look up, cancel, list, upload.

Every address is base + path + id; no address that a gateway names is ever followed. A create goes over the wire exactly
once per call, and its error says what that means for the bill. Everything else may be repeated and is, within bounds.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

import anyio
from pydantic import JsonValue

from darkroom.errors import GatewayError, GatewayMisread, InvalidRequest, KeyRefused, UnknownPrediction
from darkroom.gateways import refusals
from darkroom.gateways.asgi import ASGIApp
from darkroom.gateways.creates import create_request
from darkroom.gateways.envelopes import (
    Refusal,
    id_in_fragment,
    listed_predictions,
    next_query,
    prediction_in,
    read_json,
    read_refusal,
    server_time,
    uploaded_address,
)
from darkroom.gateways.faults import Fault, classify
from darkroom.gateways.keys import Key
from darkroom.gateways.limits import Timeouts
from darkroom.gateways.profiles import Gateway
from darkroom.gateways.words import clean_words
from darkroom.predictions import ID_PATTERN, Prediction

if TYPE_CHECKING:
    from darkroom.gateways.wire import Reply, Wire

_RETRIED = frozenset({408, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
_FIRST_BACKOFF_S = 0.5
_FILE_NAME_LIMIT = 100  # the format allows 255 bytes
_PROBE_ID = "darkroomprobe00000000000000"

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """One page of predictions, newest first; an empty `next_cursor` is the end. `server_time` is the gateway's clock."""

    predictions: tuple[Prediction, ...]
    next_cursor: str
    server_time: datetime | None
    unreadable_count: int = 0
    is_broken_off: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayProbe:
    """What answered to a free call. `is_key_accepted` is None where the gateway did not come so far as to say."""

    has_answered: bool
    is_key_accepted: bool | None
    words: str
    account: str = ""


class PredictionClient:
    """Open it with `async with`; `app` answers in this process instead of the network (the embedded sandbox).

    `sleep` waits between repeated look-ups, in seconds; tests give one that does not.
    """

    def __init__(
        self,
        gateway: Gateway,
        key: Key,
        *,
        app: ASGIApp | None = None,
        timeouts: Timeouts | None = None,
        sleep: Sleep = anyio.sleep,
        rng: Random | None = None,
    ) -> None:
        self.gateway = gateway
        self._key = key
        self._app = app
        self._timeouts = timeouts or Timeouts()
        self._sleep = sleep
        self._rng = rng or Random()
        self._opened: Wire | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._opened is not None:
            await self._opened.aclose()

    async def create(
        self,
        model: str,
        version: str,
        input: Mapping[str, JsonValue],
        *,
        prefer_wait_s: int = 0,
        cancel_after_s: int = 0,
        intent_key: str = "",
    ) -> Prediction:
        """Start one prediction: exactly one attempt on the wire, never repeated here.

        `model` is "owner/name"; with a `version` it is run by that where the gateway can. `prefer_wait_s` (1..60) and
        `cancel_after_s` (5 or more) are sent only where the gateway honours them.

        Raises: GatewayBusy, GatewayUnreachable: certainly nothing started, may be sent again. KeyRefused,
            CreditExhausted, RequestRefused, ContentRefused, GatewayMisread: nothing started, refused for good.
            CreateUnresolved: possibly created and billed. InvalidInput: nothing was sent.
        """
        from darkroom.gateways.wire import WireFault

        request = create_request(
            self.gateway,
            model,
            version,
            input,
            prefer_wait_s=prefer_wait_s,
            cancel_after_s=cancel_after_s,
            intent_key=intent_key,
        )
        try:
            reply = await self._wire().exchange(
                "POST", request.path, body=request.body, headers=request.headers, is_create=True, hold_s=request.hold_s
            )
        except WireFault as fault:
            unsettled = refusals.create_unsent if fault.sent == "no" else refusals.create_unanswered
            raise unsettled(self.gateway, str(fault)) from fault
        prediction = _created(reply)
        if prediction is None:
            refusal = self._refusal(reply)
            raise refusals.create_refused(classify(refusal), refusal, self.gateway, self._key, model)
        if request.hold_s and prediction.output and not prediction.status.is_terminal:
            return await self._looked_at_again(prediction)
        return prediction

    async def get(self, prediction_id: str, *, attempts: int = 4, within_s: float = 20.0) -> Prediction:
        """The prediction as it is now; faults are retried, at most `attempts` looks and `within_s` of waiting in between.

        Raises: UnknownPrediction for a 404 or an impossible id; GatewayUnreachable, GatewayBusy when the retries are
            spent; KeyRefused, RequestRefused, GatewayMisread at once.
        """
        path = self._prediction_path(prediction_id)
        reply = await self._ask("GET", path, prediction_id, attempts=attempts, within_s=within_s)
        if reply.status < 300 and (found := prediction_in(read_json(reply.body), prediction_id)):
            return found
        refusal = self._refusal(reply)
        fault = classify(refusal)
        if fault is Fault.MISSING:
            raise UnknownPrediction(f"Gateway '{self.gateway.name}' knows no prediction '{prediction_id}' (HTTP 404).")
        raise self._look_up_error(fault, refusal, prediction_id)

    async def cancel(self, prediction_id: str) -> Prediction | None:
        """Ask the gateway to stop the prediction; its state afterwards, None where the gateway has no cancel.

        A prediction that has ended already comes back as it is. Raises: as `get`.
        """
        path = self._prediction_path(prediction_id) + "/cancel"
        reply = await self._ask("POST", path, prediction_id, attempts=2, within_s=5.0)
        if reply.status < 300 and (found := prediction_in(read_json(reply.body), prediction_id)):
            return found
        refusal = self._refusal(reply)
        fault = classify(refusal)
        has_none = fault in (Fault.MISSING, Fault.PAGE) or refusal.status in (405, 501)
        if has_none and not self.gateway.has_cancel:
            return None
        if fault is Fault.REQUEST or reply.status < 300 or refusal.status == 409:  # "cannot be canceled": it has ended
            return await self.get(prediction_id)
        if fault is Fault.MISSING:
            raise UnknownPrediction(f"Gateway '{self.gateway.name}' knows no prediction '{prediction_id}' (HTTP 404).")
        raise self._look_up_error(fault, refusal, prediction_id)

    async def list_page(self, cursor: str = "") -> ListPage:
        """The newest predictions, or the page that `cursor` (an earlier `next_cursor`) names.

        Raises: RequestRefused where the gateway has no list; else as `get`.
        """
        if not self.gateway.has_list:
            raise refusals.not_offered(self.gateway, "has no list of predictions")
        path = "/v1/predictions" + (f"?{cursor}" if cursor else "")
        reply = await self._ask("GET", path, "the list of predictions")
        decoded = read_json(reply.body)
        listed = listed_predictions(decoded) if reply.status < 300 else None
        if listed is None:
            raise self._look_up_error(None, self._refusal(reply), "the list of predictions")
        return ListPage(predictions=listed, next_cursor=next_query(decoded), server_time=server_time(reply.headers))

    async def upload(self, content: bytes, name: str, mime_type: str) -> str:
        """Hand a file to the gateway; the address that models of this gateway can read it from, for about a day.

        Raises: RequestRefused where the gateway takes no files, or not this one; else as `get`.
        """
        if not self.gateway.has_files:
            raise refusals.not_offered(self.gateway, "takes no files")
        file = (name[-_FILE_NAME_LIMIT:], content, mime_type)
        reply = await self._ask("POST", "/v1/files", "the file", file=file, attempts=2)
        address = uploaded_address(read_json(reply.body))
        if reply.status >= 300 or not address:
            raise self._look_up_error(None, self._refusal(reply), "the file")
        return address

    async def account(self) -> dict[str, JsonValue]:
        """Who the key belongs to, as the gateway says it. Raises: RequestRefused where it does not; else as `get`."""
        if not self.gateway.has_account:
            raise refusals.not_offered(self.gateway, "does not say whose key it is")
        reply = await self._ask("GET", "/v1/account", "the account", attempts=2)
        decoded = read_json(reply.body)
        if reply.status >= 300 or not isinstance(decoded, dict):
            raise self._look_up_error(None, self._refusal(reply), "the account")
        return cast("dict[str, JsonValue]", decoded)

    async def account_name(self) -> str:
        account = await self.account()
        return str(account.get("username") or "")

    async def probe(self) -> GatewayProbe:
        """What the gateway answers to a call that costs nothing: its account, else a look-up of an id that nobody has."""
        try:
            if self.gateway.has_account:
                account = await self.account()
                name = account.get("username") or account.get("name") or ""
                return GatewayProbe(
                    has_answered=True, is_key_accepted=True, words="key accepted", account=clean_words(str(name), 60)
                )
            await self.get(_PROBE_ID, attempts=1)
        except UnknownPrediction:
            return GatewayProbe(has_answered=True, is_key_accepted=True, words="key accepted (it knows no such id)")
        except KeyRefused as error:
            return GatewayProbe(has_answered=True, is_key_accepted=False, words=error.message)
        except GatewayError as error:
            return GatewayProbe(has_answered=error.status is not None, is_key_accepted=None, words=error.message)
        return GatewayProbe(has_answered=True, is_key_accepted=True, words="key accepted")

    def _wire(self) -> "Wire":
        """Opened at the first request: httpx and the certificates take a while, and a started server must not wait."""
        from darkroom.gateways.wire import Wire

        if self._opened is None:
            self._opened = Wire(self.gateway, self._key, app=self._app, timeouts=self._timeouts)
        return self._opened

    async def _ask(
        self,
        method: str,
        path: str,
        subject: str,
        *,
        file: tuple[str, bytes, str] | None = None,
        attempts: int = 4,
        within_s: float = 20.0,
    ) -> "Reply":
        """The first whole reply that is not worth another try; the gateway's own time is waited where it names one."""
        from darkroom.gateways.wire import WireFault

        waited_s = 0.0
        for attempt in range(1, attempts + 1):
            delay_s = _FIRST_BACKOFF_S * 2 ** (attempt - 1) * self._rng.uniform(0.9, 1.1)
            try:
                reply = await self._wire().exchange(method, path, file=file)
            except WireFault as fault:
                error: GatewayError = refusals.look_up_unanswered(self.gateway, str(fault))
                error.__cause__ = fault
            else:
                passing = self._passing_error(reply, subject)
                if passing is None:
                    return reply
                error = passing
                delay_s = max(delay_s, error.retry_after_s or 0.0)
            if attempt == attempts or waited_s + delay_s > within_s:
                raise error
            await self._sleep(delay_s)
            waited_s += delay_s
        raise AssertionError("attempts is at least 1")

    async def _looked_at_again(self, prediction: Prediction) -> Prediction:
        """Under `Prefer: wait` a body can say `processing` beside an output that is whole, or only half there."""
        try:
            return await self.get(prediction.id, attempts=1)
        except (GatewayError, InvalidRequest):
            return prediction

    def _prediction_path(self, prediction_id: str) -> str:
        if not ID_PATTERN.fullmatch(prediction_id):
            raise UnknownPrediction(f"'{prediction_id[:100]}' is not the id of a prediction.")
        return f"/v1/predictions/{prediction_id}"

    def _refusal(self, reply: "Reply") -> Refusal:
        return read_refusal(reply, is_replicate=self.gateway.name == "replicate")

    def _passing_error(self, reply: "Reply", subject: str) -> GatewayError | None:
        """The error of a reply that may be better the next time; None for one that stands."""
        if 200 <= reply.status < 300:
            return refusals.look_up_unanswered(self.gateway, "its answer broke off") if reply.is_cut else None
        if reply.status not in _RETRIED:
            return None
        refusal = self._refusal(reply)
        fault = classify(refusal)
        return self._look_up_error(fault, refusal, subject) if fault in (Fault.AMBIGUOUS, Fault.BUSY) else None

    def _look_up_error(self, fault: Fault | None, refusal: Refusal, subject: str) -> GatewayError:
        """A success that cannot be read is a misread address; everything else goes by its fault."""
        if refusal.status < 300:
            return GatewayMisread(
                f"Gateway '{self.gateway.name}' answered for '{subject}' with something that is not of the predictions "
                f"format. Ask the user to check the address {self.gateway.base_url}.",
                gateway=self.gateway.name,
                status=refusal.http_status,
                reason=refusal.reason,
            )
        return refusals.look_up_refused(fault or classify(refusal), refusal, self.gateway, self._key, subject)


def _created(reply: "Reply") -> Prediction | None:
    """The prediction that a create made, also out of a body that broke off after its id."""
    if not 200 <= reply.status < 300:
        return None
    if found := prediction_in(read_json(reply.body)):
        return found
    identifier = id_in_fragment(reply.body)
    return Prediction(id=identifier) if identifier and read_json(reply.body) is None else None
