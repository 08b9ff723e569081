"""The predictions API of one gateway: create, look up, cancel, list, upload.

Every address is base + path + id; no address that a gateway names is ever followed. A create goes over the wire exactly
once per call, and its error says what that means for the bill. Everything else may be repeated and is, within bounds.
No call takes longer than its `within_s` seconds, and no answer raises anything but the errors that are named here.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from random import Random
from types import TracebackType
from typing import Self

import anyio
from pydantic import JsonValue

from darkroom.errors import (
    GatewayError,
    GatewayMisread,
    InvalidRequest,
    KeyRefused,
    RequestRefused,
    UnknownPrediction,
)
from darkroom.gateways import envelopes, refusals
from darkroom.gateways.asgi import ASGIApp
from darkroom.gateways.creates import CreateRequest, create_request
from darkroom.gateways.envelopes import ListPage
from darkroom.gateways.keys import Key
from darkroom.gateways.limits import Timeouts
from darkroom.gateways.lookups import LookUps, Sleep
from darkroom.gateways.profiles import Gateway
from darkroom.gateways.replies import Reply
from darkroom.gateways.wire import Wire, WireFault
from darkroom.predictions import ID_PATTERN, Prediction

_FILE_NAME_LIMIT = 100  # the format allows 255 bytes
_PROBE_ID = "darkroomprobe00000000000000"

logger = logging.getLogger(__name__)


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
        self._wire = Wire(gateway, key, app=app, timeouts=timeouts or Timeouts())
        self._looks = LookUps(self._wire, gateway, key, sleep=sleep, rng=rng or Random())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
        within_s: float = 120.0,
    ) -> Prediction:
        """Start one prediction: exactly one attempt on the wire, never repeated here.

        `model` is "owner/name"; with a `version` it is run by that where the gateway can. `prefer_wait_s` (1..60) and
        `cancel_after_s` (5 or more) are sent only where the gateway honours them.

        Raises: GatewayBusy, GatewayUnreachable: certainly nothing started, may be sent again. KeyRefused,
            CreditExhausted, RequestRefused, ContentRefused, GatewayMisread: nothing started, refused for good.
            CreateUnresolved: possibly created and billed. InvalidInput: nothing was sent.
        """
        ends_at = anyio.current_time() + within_s
        request = create_request(
            self.gateway,
            model,
            version,
            input,
            prefer_wait_s=prefer_wait_s,
            cancel_after_s=cancel_after_s,
            intent_key=intent_key,
        )
        prediction = self._created(await self._sent(request, ends_at), model)
        if request.hold_s and prediction.output and not prediction.status.is_terminal:
            return await self._looked_at_again(prediction, ends_at - anyio.current_time())
        return prediction

    async def get(self, prediction_id: str, *, attempts: int = 4, within_s: float = 60.0) -> Prediction:
        """The prediction as it is now; a fault that may pass is asked again, with at most `attempts` looks.

        Raises: UnknownPrediction where the gateway says that it has none of that id (a 404 that is no page), and for an
            impossible id; GatewayUnreachable, GatewayBusy when attempts or time are spent; KeyRefused, RequestRefused,
            GatewayMisread at once.
        """
        path = self._prediction_path(prediction_id)
        read = partial(envelopes.seen_prediction, known_id=prediction_id)
        return await self._looks.ask("GET", path, prediction_id, read, attempts=attempts, within_s=within_s)

    async def cancel(self, prediction_id: str, *, within_s: float = 20.0) -> Prediction | None:
        """Ask the gateway to stop the prediction; its state afterwards, None where the gateway has no cancel.

        A prediction that has ended already comes back as it is. Raises: as `get`.
        """
        ends_at = anyio.current_time() + within_s
        path = self._prediction_path(prediction_id) + "/cancel"
        read = partial(envelopes.seen_prediction, known_id=prediction_id)
        try:
            return await self._looks.ask("POST", path, prediction_id, read, attempts=2, within_s=within_s)
        except (GatewayError, UnknownPrediction) as error:
            status = error.status if isinstance(error, GatewayError) else 404
            is_unserved = status in (404, 405, 501) or isinstance(error, GatewayMisread)
            if is_unserved and not self.gateway.has_cancel:
                return None
            # "cannot be canceled": it has ended.
            if not isinstance(error, RequestRefused) and status not in (200, 201, 202, 204, 409):
                raise
        return await self.get(prediction_id, within_s=ends_at - anyio.current_time())

    async def list_page(self, cursor: str = "", *, within_s: float = 60.0) -> ListPage:
        """The newest predictions, or the page that `cursor` (an earlier `next_cursor`) names.

        Raises: RequestRefused where the gateway has no list; else as `get`.
        """
        if not self.gateway.has_list:
            raise refusals.not_offered(self.gateway, "has no list of predictions")
        path = "/v1/predictions" + (f"?{cursor}" if cursor else "")
        return await self._looks.ask("GET", path, "the list of predictions", envelopes.list_page, within_s=within_s)

    async def upload(self, content: bytes, name: str, mime_type: str, *, within_s: float = 60.0) -> str:
        """Hand a file to the gateway; the address that models of this gateway can read it from, for about a day.

        Raises: RequestRefused where the gateway takes no files, or not this one; else as `get`.
        """
        if not self.gateway.has_files:
            raise refusals.not_offered(self.gateway, "takes no files")
        file = (name[-_FILE_NAME_LIMIT:], content, mime_type)
        read = envelopes.uploaded_address
        return await self._looks.ask("POST", "/v1/files", "the file", read, attempts=2, within_s=within_s, file=file)

    async def account(self, *, within_s: float = 10.0) -> dict[str, JsonValue]:
        """Who the key belongs to, as the gateway says it. Raises: RequestRefused where it does not; else as `get`."""
        if not self.gateway.has_account:
            raise refusals.not_offered(self.gateway, "does not say whose key it is")
        read = envelopes.account_in
        return await self._looks.ask("GET", "/v1/account", "the account", read, attempts=2, within_s=within_s)

    async def account_name(self, *, within_s: float = 10.0) -> str:
        """`user/ada`: the same each time, at most 60 characters; empty where the gateway does not say whose key it is.

        Raises: GatewayError where it could not be asked now.
        """
        return envelopes.account_name(await self.account(within_s=within_s)) if self.gateway.has_account else ""

    async def probe(self, *, within_s: float = 20.0) -> GatewayProbe:
        """What the gateway answers to a call that costs nothing: its account, else a look-up of an id that nobody has."""
        try:
            if self.gateway.has_account:
                account = await self.account_name(within_s=within_s)
                return GatewayProbe(has_answered=True, is_key_accepted=True, words="key accepted", account=account)
            await self.get(_PROBE_ID, attempts=1, within_s=within_s)
        except UnknownPrediction:
            return GatewayProbe(has_answered=True, is_key_accepted=True, words="key accepted (it knows no such id)")
        except KeyRefused as error:
            return GatewayProbe(has_answered=True, is_key_accepted=False, words=error.message)
        except GatewayError as error:
            return GatewayProbe(has_answered=error.status is not None, is_key_accepted=None, words=error.message)
        return GatewayProbe(has_answered=True, is_key_accepted=True, words="key accepted")

    async def _sent(self, request: CreateRequest, ends_at: float) -> Reply:
        try:
            return await self._wire.exchange(
                "POST",
                request.path,
                ends_at=ends_at,
                hold_s=request.hold_s,
                is_create=True,
                body=request.body,
                headers=request.headers,
            )
        except WireFault as fault:
            unsettled = refusals.create_unsent if fault.is_unsent else refusals.create_unanswered
            raise unsettled(self.gateway, str(fault)) from fault

    def _created(self, reply: Reply, model: str) -> Prediction:
        """The prediction in the answer to a create, else its error; an answer that cannot be read may be a paid one."""
        try:
            if prediction := envelopes.created_prediction(reply):
                return prediction
            error = refusals.create_refused(self._looks.refusal_in(reply), self.gateway, self._key, model)
        except Exception as unforeseen:
            logger.exception("the answer to a create could not be read")
            if reply.status < 300 and (prediction := envelopes.identified_prediction(reply.body)):
                return prediction
            raise refusals.create_unanswered(self.gateway, "its answer could not be read") from unforeseen
        raise error

    async def _looked_at_again(self, prediction: Prediction, within_s: float) -> Prediction:
        """Under `Prefer: wait` a body can say `processing` beside an output that is whole, or only half there."""
        try:
            return await self.get(prediction.id, attempts=1, within_s=within_s)
        except (GatewayError, InvalidRequest):
            return prediction

    def _prediction_path(self, prediction_id: str) -> str:
        if not ID_PATTERN.fullmatch(prediction_id):
            raise UnknownPrediction(f"'{prediction_id[:100]}' is not the id of a prediction.")
        return f"/v1/predictions/{prediction_id}"
