"""What a gateway refused, turned into our errors: one table of sentences for creates, one for everything else."""

from darkroom.errors import (
    ContentRefused,
    CreateUnresolved,
    CreditExhausted,
    GatewayBusy,
    GatewayError,
    GatewayMisread,
    GatewayUnreachable,
    KeyRefused,
    RequestRefused,
)
from darkroom.gateways.envelopes import Refusal
from darkroom.gateways.faults import Fault
from darkroom.gateways.keys import Key
from darkroom.gateways.profiles import Gateway
from darkroom.gateways.words import clean_words, quoted

_QUOTED_AT_MOST = 130  # characters of the gateway's own words inside a message; `reason` holds all of them

_Sentences = dict[Fault, tuple[type[GatewayError], str]]
_COMMON: _Sentences = {
    Fault.KEY: (
        KeyRefused,
        "{who} refused {key} (HTTP {status}){quote}. Ask the user to check it; a retry will not help.",
    ),
    Fault.CREDIT: (
        CreditExhausted,
        "{who} has no credit left for this account (HTTP {status}){quote}. Ask the user to top up; a retry will not help.",
    ),
    Fault.PAGE: (
        GatewayMisread,
        "{who} answered with {page} instead of a prediction (HTTP {status}). "
        "Ask the user to check the address {address}; a retry will not help.",
    ),
}
_CREATE: _Sentences = _COMMON | {
    Fault.REQUEST: (
        RequestRefused,
        "{who} refused the request (HTTP {status}){quote}. Nothing was started; the same call will be refused again.",
    ),
    Fault.CONTENT: (
        ContentRefused,
        "{who} refused the content (HTTP {status}){quote}. Nothing was started. Change the prompt or the image.",
    ),
    Fault.MISSING: (
        RequestRefused,
        "{who} does not serve '{subject}' (HTTP {status}){quote}. Nothing was started. Choose another model.",
    ),
    Fault.BUSY: (GatewayBusy, "{who} is busy (HTTP {status}). Nothing was started. Try again{when}."),
    Fault.AMBIGUOUS: (
        CreateUnresolved,
        "Possibly created and billed: {who} gave no clear answer (HTTP {status}){quote}. "
        "Do not start it again before that is settled.",
    ),
}
_LOOK_UP: _Sentences = _COMMON | {
    Fault.REQUEST: (RequestRefused, "{who} refused '{subject}' (HTTP {status}){quote}. A retry will not help."),
    Fault.CONTENT: (RequestRefused, "{who} refused '{subject}' (HTTP {status}){quote}. A retry will not help."),
    Fault.MISSING: (RequestRefused, "{who} does not know '{subject}' (HTTP {status}){quote}."),
    Fault.BUSY: (GatewayBusy, "{who} is busy (HTTP {status}). Try again{when}."),
    Fault.AMBIGUOUS: (
        GatewayUnreachable,
        "{who} could not answer for '{subject}' (HTTP {status}){quote}. Try again{when}.",
    ),
}


def create_refused(fault: Fault, refusal: Refusal, gateway: Gateway, key: Key, model: str) -> GatewayError:
    """The error for an answer to a create; only CreateUnresolved leaves open whether something was started."""
    return _error(_CREATE[fault], refusal, gateway, key, model)


def look_up_refused(fault: Fault, refusal: Refusal, gateway: Gateway, key: Key, subject: str) -> GatewayError:
    """The error for an answer to anything but a create."""
    return _error(_LOOK_UP[fault], refusal, gateway, key, subject)


def create_unsent(gateway: Gateway, words: str) -> GatewayUnreachable:
    return GatewayUnreachable(
        f"Gateway '{gateway.name}' at {gateway.origin} cannot be reached ({words}). Nothing was started. Try again later.",
        gateway=gateway.name,
    )


def create_unanswered(gateway: Gateway, words: str) -> CreateUnresolved:
    return CreateUnresolved(
        f"Possibly created and billed: the request went to gateway '{gateway.name}', but {words}. "
        "Do not start it again before that is settled.",
        gateway=gateway.name,
    )


def look_up_unanswered(gateway: Gateway, words: str) -> GatewayUnreachable:
    return GatewayUnreachable(
        f"Gateway '{gateway.name}' at {gateway.origin} cannot be reached ({words}). Try again later.",
        gateway=gateway.name,
    )


def not_offered(gateway: Gateway, what: str) -> RequestRefused:
    """For what the profile does not promise; nothing was sent."""
    return RequestRefused(f"Gateway '{gateway.name}' {what}. Nothing was sent.", gateway=gateway.name)


def _error(
    row: tuple[type[GatewayError], str], refusal: Refusal, gateway: Gateway, key: Key, subject: str
) -> GatewayError:
    kind, sentence = row
    said = quoted(refusal.reason.rstrip(". "), _QUOTED_AT_MOST)  # the sentence brings its own full stop
    message = sentence.format(
        who=f"Gateway '{gateway.name}'",
        status=refusal.http_status,
        quote=f": {said}" if said and not refusal.is_page else "",
        key=f"the key from {key.variable}" if key.variable else "the call, for which no key is set",
        page="a redirect" if 300 <= refusal.http_status < 400 else "a web page",
        address=gateway.base_url,
        subject=clean_words(subject, 60),
        when="" if refusal.retry_after_s is None else f" in {refusal.retry_after_s:.0f} s",
    )
    return kind(
        message,
        gateway=gateway.name,
        status=refusal.http_status,
        reason=refusal.reason,
        retry_after_s=refusal.retry_after_s,
    )
