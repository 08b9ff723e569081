"""Every kind of refusal and failure, one kind per different next step.

    DarkroomError
    ├── InvalidRequest          nothing was sent: mend the arguments and call again
    │   ├── UnknownModel
    │   ├── InvalidInput
    │   └── UnknownPrediction
    ├── SettingsError           a DARKROOM_ variable or a model file is wrong: the person mends it
    ├── AccessRefused           who asks belongs to no tenant: an administrator mends it
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

    def __init_subclass__(cls, *, kind: str, billed: Billed = "no") -> None:
        cls.kind, cls.billed = kind, billed

    @property
    def message(self) -> str:
        """The sentence for the assistant."""
        return str(self)


class InvalidRequest(DarkroomError, kind="invalid_request"):
    """The arguments cannot be used as they are; nothing was sent."""


class UnknownModel(InvalidRequest, kind="unknown_model"):
    """No such model in the registry; the message names the closest ones."""


class InvalidInput(InvalidRequest, kind="invalid_input"):
    """One argument or option does not fit the model; `field` is its name as the caller gave it."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class UnknownPrediction(InvalidRequest, kind="unknown_prediction"):
    """Neither the journal nor the gateway knows this id."""


class SettingsError(DarkroomError, kind="settings"):
    """A setting is wrong or missing; the message names the variable or the file, line and field."""


class AccessRefused(DarkroomError, kind="access_refused"):
    """Who is logged in may not use this darkroom; nothing was sent."""


class SpendingRefused(DarkroomError, kind="spending_limit"):
    """A limit that the person has set would be passed; the message says what is left."""


class JournalError(DarkroomError, kind="journal"):
    """The journal cannot be opened or written, so nothing may be sent."""


class DarkroomClosed(DarkroomError, kind="closed"):
    """No Darkroom is open at this moment, so nothing was sent."""


class InternalFault(DarkroomError, kind="internal_fault", billed="maybe"):
    """Darkroom itself broke in the middle of a call; how far it had come is not known here."""


class OutputError(DarkroomError, kind="output"):
    """An image could not be fetched, checked or stored; `can_retry` where the next attempt may succeed."""

    def __init__(self, message: str, *, can_retry: bool = False) -> None:
        super().__init__(message)
        self.can_retry = can_retry


class OutputExpired(OutputError, kind="output_expired"):
    """The link died before the image was saved."""


class GatewayError(DarkroomError, kind="gateway"):
    """Something that the gateway answered, or that happened on the way to it.

    `gateway` is the profile's name, `status` the HTTP status if there was one, `reason` the gateway's words, cleaned.
    `request_id` is the gateway's own name of a create that failed, where it gave one; `invalid_fields` are the inputs
    that it named as wrong.
    """

    request_id = ""
    invalid_fields: tuple[str, ...] = ()

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
        self.gateway, self.status, self.reason, self.retry_after_s = gateway, status, reason, retry_after_s


class KeyRefused(GatewayError, kind="key_refused"):
    """The key is missing, wrong or not allowed here."""


class CreditExhausted(GatewayError, kind="credit_exhausted"):
    """The account has no credit or quota left."""


class RequestRefused(GatewayError, kind="request_refused"):
    """This input, model or id is refused for good; the same call will be refused again."""


class ContentRefused(RequestRefused, kind="content_refused"):
    """The prompt or an image was refused by moderation before anything was created."""


class GatewayBusy(GatewayError, kind="gateway_busy"):
    """HTTP 429; nothing was started. `retry_after_s` is the gateway's own time where it gave one, at most an hour."""


class GatewayUnreachable(GatewayError, kind="gateway_unreachable"):
    """A create of which no byte left, or a look-up that kept failing or took too long; nothing was started by it."""


class GatewayMisread(GatewayError, kind="gateway_misread"):
    """A refused create or a look-up got what is not of the predictions format: a page, a redirect, broken JSON."""


class CreateUnresolved(GatewayError, kind="create_unresolved", billed="maybe"):
    """The create may have been executed and billed; only reconciliation settles it."""
