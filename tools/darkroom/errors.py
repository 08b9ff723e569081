"""Every kind of refusal and failure, one kind per different next step.

    DarkroomError
    ├── InvalidRequest          nothing was sent: mend the arguments and call again
    │   ├── UnknownModel
    │   ├── InvalidInput
    │   └── UnknownPrediction
    ├── SettingsError           a DARKROOM_ variable or a model file is wrong: the person mends it
    ├── SpendingRefused         the person's own limit: nothing was sent
    ├── JournalError            the journal cannot be written: nothing was sent
    ├── DarkroomClosed          darkroom is closing, or opens again: nothing was sent, call once more
    ├── InternalFault           darkroom itself broke: look before any repeat
    ├── OutputError             an image could not be saved (the prediction itself is fine)
    │   └── OutputExpired       its link has died
    └── GatewayError            what the gateway, or the way to it, said
        ├── KeyRefused          401, 403: the person checks the key
        ├── CreditExhausted     402, empty quota: the person tops up
        ├── RequestRefused      400, 404, 405, 413, 422: this input, model or id is refused for good: mend it
        │   └── ContentRefused  moderation before anything was created: change the prompt
        ├── GatewayBusy         429 and nothing else: nothing was started, try again then
        ├── GatewayUnreachable  no connection, so that nothing was sent; or a look-up that failed: try later
        ├── GatewayMisread      a refusal or a look-up that is a page, a redirect, not JSON: check the address
        └── CreateUnresolved    everything else: possibly created and billed, never repeated by itself

What each status of a create means stands as a table in `gateways/faults.py`.

A message is written for the assistant: what happened, the fact with values quoted, what to do now and by whom. At most
300 characters, no key, no HTML.
"""

from typing import ClassVar, Literal

Billed = Literal["no", "maybe"]


class DarkroomError(Exception):
    """Base of all; `kind` is the stable code that reports carry, `billed` says if money may have been spent."""

    kind: ClassVar[str] = "error"
    billed: ClassVar[Billed] = "no"

    @property
    def message(self) -> str:
        """The sentence for the assistant."""
        return str(self)


class InvalidRequest(DarkroomError):
    """The arguments cannot be used as they are; nothing was sent."""

    kind = "invalid_request"


class UnknownModel(InvalidRequest):
    """No such model in the registry; the message names the closest ones."""

    kind = "unknown_model"


class InvalidInput(InvalidRequest):
    """One argument or option does not fit the model; `field` is its name as the caller gave it."""

    kind = "invalid_input"

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class UnknownPrediction(InvalidRequest):
    """Neither the journal nor the gateway knows this id."""

    kind = "unknown_prediction"


class SettingsError(DarkroomError):
    """A setting is wrong or missing; the message names the variable or the file, line and field."""

    kind = "settings"


class SpendingRefused(DarkroomError):
    """A limit that the person has set would be passed; the message says what is left."""

    kind = "spending_limit"


class JournalError(DarkroomError):
    """The journal cannot be opened or written, so nothing may be sent."""

    kind = "journal"


class DarkroomClosed(DarkroomError):
    """No Darkroom is open at this moment, so nothing was sent."""

    kind = "closed"


class InternalFault(DarkroomError):
    """Darkroom itself broke in the middle of a call; how far it had come is not known here."""

    kind = "internal_fault"
    billed = "maybe"


class OutputError(DarkroomError):
    """An image could not be fetched, checked or stored; `can_retry` where the next attempt may succeed."""

    kind = "output"

    def __init__(self, message: str, *, can_retry: bool = False) -> None:
        super().__init__(message)
        self.can_retry = can_retry


class OutputExpired(OutputError):
    """The link died before the image was saved."""

    kind = "output_expired"


class GatewayError(DarkroomError):
    """Something that the gateway answered, or that happened on the way to it.

    `gateway` is the profile's name, `status` the HTTP status if there was one, `reason` the gateway's words, cleaned.
    `request_id` is the gateway's own name of a create that failed, where it gave one.
    """

    kind = "gateway"
    request_id = ""

    def __init__(
        self,
        message: str,
        *,
        gateway: str,
        status: int | None = None,
        reason: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.gateway = gateway
        self.status = status
        self.reason = reason
        self.retry_after_s = retry_after_s


class KeyRefused(GatewayError):
    """The key is missing, wrong or not allowed here."""

    kind = "key_refused"


class CreditExhausted(GatewayError):
    """The account has no credit or quota left."""

    kind = "credit_exhausted"


class RequestRefused(GatewayError):
    """This input, model or id is refused for good; the same call will be refused again."""

    kind = "request_refused"


class ContentRefused(RequestRefused):
    """The prompt or an image was refused by moderation before anything was created."""

    kind = "content_refused"


class GatewayBusy(GatewayError):
    """HTTP 429; nothing was started. `retry_after_s` is the gateway's own time where it gave one, at most an hour."""

    kind = "gateway_busy"


class GatewayUnreachable(GatewayError):
    """A create of which no byte left, or a look-up that kept failing or took too long; nothing was started by it."""

    kind = "gateway_unreachable"


class GatewayMisread(GatewayError):
    """A refused create or a look-up got what is not of the predictions format: a page, a redirect, broken JSON."""

    kind = "gateway_misread"


class CreateUnresolved(GatewayError):
    """The create may have been executed and billed; only reconciliation settles it."""

    kind = "create_unresolved"
    billed = "maybe"
