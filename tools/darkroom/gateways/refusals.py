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
from darkroom.gateways.envelopes import TOO_LONG, Refusal
from darkroom.gateways.faults import Fault, classify
from darkroom.gateways.keys import Key
from darkroom.gateways.profiles import Gateway
from darkroom.gateways.words import clean_words, quoted

_MESSAGE_AT_MOST = 300
_QUOTED_AT_MOST = 130  # characters of the gateway's own words inside a message; `reason` holds all of them
_ADDRESS_AT_MOST = 80

_Sentence = tuple[type[GatewayError], str]
_COMMON: dict[Fault, _Sentence] = {
    Fault.KEY: (
        KeyRefused,
        "{who} refused {key} (HTTP {status}){quote}. Ask the user to check it; a retry will not help.",
    ),
    Fault.CREDIT: (
        CreditExhausted,
        "{who} has no credit left for this account (HTTP {status}){quote}. "
        "Ask the user to top up; a retry will not help.",
    ),
}
_CREATE = _COMMON | {
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
    Fault.ADDRESS: (
        GatewayMisread,
        "{who} answered with {instead} instead of a prediction (HTTP {status}). Nothing was started. "
        "Ask the user to check the address {address}; a retry will not help.",
    ),
    Fault.BUSY: (GatewayBusy, "{who} is busy (HTTP {status}). Nothing was started. Try again{when}."),
    Fault.UNKNOWN: (
        CreateUnresolved,
        "Possibly created and billed: {who} gave no clear answer (HTTP {status}){quote}. "
        "Do not start it again before that is settled.",
    ),
}
_UNKNOWN_AT_WRONG_ADDRESS: _Sentence = (
    CreateUnresolved,
    "Possibly created and billed, although the address {address} is probably wrong: {who} answered with {instead} "
    "(HTTP {status}). Ask the user to check the address, and do not start it again before that is settled.",
)
_LOOK_UP = _COMMON | {
    Fault.REQUEST: (RequestRefused, "{who} refused '{subject}' (HTTP {status}){quote}. A retry will not help."),
    Fault.CONTENT: (RequestRefused, "{who} refused '{subject}' (HTTP {status}){quote}. A retry will not help."),
    Fault.MISSING: (RequestRefused, "{who} does not know '{subject}' (HTTP {status}){quote}."),
    Fault.BUSY: (GatewayBusy, "{who} is busy (HTTP {status}). Try again{when}."),
    Fault.UNKNOWN: (
        GatewayUnreachable,
        "{who} could not answer for '{subject}' (HTTP {status}){quote}. Try again{when}.",
    ),
}
_MISREAD: _Sentence = (
    GatewayMisread,
    "{who} answered for '{subject}' with {instead} that is not of the predictions format (HTTP {status}){quote}. "
    "Ask the user to check the address {address}.",
)
_LONG: _Sentence = (
    GatewayMisread,
    "{who} was asked for '{subject}'. " + TOO_LONG + " Look for it on the gateway's own site.",
)


def create_refused(refusal: Refusal, gateway: Gateway, key: Key, model: str) -> GatewayError:
    """The error for an answer to a create; only CreateUnresolved leaves open whether something was started."""
    fault = classify(refusal, gateway)
    is_doubly_odd = fault is Fault.UNKNOWN and refusal.instead
    return _error(_UNKNOWN_AT_WRONG_ADDRESS if is_doubly_odd else _CREATE[fault], refusal, gateway, key, model)


def look_up_refused(refusal: Refusal, gateway: Gateway, key: Key, subject: str) -> GatewayError:
    """The error for an answer to anything but a create."""
    if refusal.is_too_long:
        return _error(_LONG, refusal, gateway, key, subject)
    fault = classify(refusal, gateway)
    is_misread = refusal.status < 400 or fault is Fault.ADDRESS or (refusal.status == 404 and not refusal.is_missing)
    return _error(_MISREAD if is_misread else _LOOK_UP[fault], refusal, gateway, key, subject)


def create_unanswered(gateway: Gateway, words: str, *, is_unsent: bool) -> GatewayError:
    if is_unsent:
        return look_up_unanswered(gateway, words, "Nothing was started. ")
    return CreateUnresolved(
        f"Possibly created and billed: the request went to gateway '{gateway.name}', but {words}. "
        "Do not start it again before that is settled.",
        gateway=gateway.name,
    )


def look_up_unanswered(gateway: Gateway, words: str, consequence: str = "") -> GatewayUnreachable:
    return GatewayUnreachable(
        f"Gateway '{gateway.name}' at {gateway.origin} cannot be reached ({words}). {consequence}Try again later.",
        gateway=gateway.name,
    )


def not_offered(gateway: Gateway, what: str) -> RequestRefused:
    """For what the profile does not promise; nothing was sent."""
    return RequestRefused(f"Gateway '{gateway.name}' {what}. Nothing was sent.", gateway=gateway.name)


def _error(row: _Sentence, refusal: Refusal, gateway: Gateway, key: Key, subject: str) -> GatewayError:
    kind, sentence = row
    fields = {
        "who": f"Gateway '{gateway.name}'",
        "status": refusal.status,
        "key": f"the key from {key.variable}" if key.variable else "the call, for which no key is set",
        "instead": refusal.instead or "something",
        "address": gateway.base_url[:_ADDRESS_AT_MOST],
        "subject": clean_words(subject, 60),
        "when": "" if refusal.retry_after_s is None else f" in {refusal.retry_after_s:.0f} s",
    }
    room = _MESSAGE_AT_MOST - len(sentence.format(**fields, quote=': ""'))
    # The sentence brings its own full stop.
    said = "" if refusal.instead else quoted(refusal.reason.rstrip(". "), min(max(room, 0), _QUOTED_AT_MOST))
    error = kind(
        sentence.format(**fields, quote=f": {said}" if said else ""),
        gateway=gateway.name,
        status=refusal.status,
        reason=refusal.reason,
        retry_after_s=refusal.retry_after_s,
    )
    error.request_id = refusal.request_id
    return error
