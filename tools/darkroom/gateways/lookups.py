"""Everything but a create: calls that may be repeated, and are, within a number of attempts and a time."""

import logging
from collections.abc import Awaitable, Callable
from random import Random
from typing import TypeVar

import anyio

from darkroom.errors import GatewayError, UnknownPrediction
from darkroom.gateways import refusals
from darkroom.gateways.envelopes import Refusal, read_refusal
from darkroom.gateways.faults import Fault, classify
from darkroom.gateways.keys import Key
from darkroom.gateways.profiles import Gateway
from darkroom.gateways.replies import Reply
from darkroom.gateways.wire import File, Wire, WireFault

_FIRST_BACKOFF_S = 0.5

Sleep = Callable[[float], Awaitable[None]]
_Found = TypeVar("_Found")

logger = logging.getLogger(__name__)


class LookUps:
    """Asks the gateway until an answer stands; `sleep` waits between the attempts, in seconds."""

    def __init__(self, wire: Wire, gateway: Gateway, key: Key, *, sleep: Sleep, rng: Random) -> None:
        self._wire = wire
        self._gateway = gateway
        self._key = key
        self._sleep = sleep
        self._rng = rng

    async def ask(
        self,
        method: str,
        path: str,
        subject: str,
        read: Callable[[Reply], _Found | None],
        *,
        within_s: float,
        attempts: int = 4,
        file: File | None = None,
    ) -> _Found:
        """What `read` finds in the first answer that a repeat would not better.

        `within_s` bounds all of it. Where the gateway names a time, that long is waited, or not at all.

        Raises: GatewayUnreachable, GatewayBusy for the last fault that may pass; else the error of an answer that stands:
            UnknownPrediction where the gateway itself does not know it.
        """
        ends_at = anyio.current_time() + within_s
        for attempt in range(1, attempts + 1):
            answer = await self._once(method, path, subject, read, ends_at, file)
            if not isinstance(answer, GatewayError):
                return answer
            delay_s = _FIRST_BACKOFF_S * 2 ** (attempt - 1) * self._rng.uniform(0.9, 1.1)
            delay_s = max(delay_s, answer.retry_after_s or 0.0)
            if attempt == attempts or delay_s >= ends_at - anyio.current_time():
                raise answer
            await self._sleep(delay_s)
        raise AssertionError("attempts is at least 1")

    def refusal_in(self, reply: Reply) -> Refusal:
        is_replicate = self._gateway.name == "replicate"
        return read_refusal(reply, is_replicate=is_replicate, has_given_json=self._wire.has_given_json)

    async def _once(
        self,
        method: str,
        path: str,
        subject: str,
        read: Callable[[Reply], _Found | None],
        ends_at: float,
        file: File | None,
    ) -> _Found | GatewayError:
        """What was found, or the error of a fault that may pass."""
        try:
            reply = await self._wire.exchange(method, path, file=file, ends_at=ends_at)
            if 200 <= reply.status < 300 and (found := read(reply)) is not None:
                return found
            refusal = self.refusal_in(reply)
        except WireFault as fault:
            error = refusals.unanswered(self._gateway, str(fault))
            error.__cause__ = fault
            return error
        except Exception:
            logger.exception("an answer of gateway %s could not be read", self._gateway.name)
            return refusals.unanswered(self._gateway, "its answer could not be read")
        if reply.is_cut and not reply.is_too_long and (reply.status < 300 or reply.status == 404):
            return refusals.unanswered(self._gateway, "its answer broke off")
        if refusal.is_missing and subject in path:
            raise UnknownPrediction(f"Gateway '{self._gateway.name}' knows no prediction '{subject}' (HTTP 404).")
        error = refusals.look_up_refused(refusal, self._gateway, self._key, subject)
        if _may_pass(refusal.status) and classify(refusal, self._gateway) in (Fault.BUSY, Fault.UNKNOWN):
            return error
        raise error


def _may_pass(status: int) -> bool:
    return status in (408, 429) or (status >= 500 and status != 501)
