"""What a look-up tells of one prediction beside its state; what only the gateway said of it is made harmless."""

import json
from datetime import UTC

from pydantic import JsonValue

from darkroom.gateways import clean_words
from darkroom.journal import Intent
from darkroom.reports.amounts import local
from darkroom.secrets_in_inputs import masked_secrets
from darkroom.uris import shorten_data_uris

# An answer repeats at most this much of the call's arguments, and of one sentence about them.
LONGEST_REQUEST = 64_000
LONGEST_SENTENCE = 1_000


def details_of(intent: Intent) -> dict[str, JsonValue]:
    """What was sent, to whom and when; times are RFC 3339. Data URIs are shortened and secrets masked."""
    sent = masked_secrets({name: shorten_data_uris(value) for name, value in intent.input.items()})
    if intent.is_adopted:
        sent = {clean_words(name, 60): _inert(value) for name, value in sent.items()}
    return {
        "gateway": intent.gateway,
        "model": clean_words(intent.model, 200),
        "version": clean_words(intent.version or (intent.prediction.version if intent.prediction else ""), 200),
        "request_id": intent.request_id,
        "image_count": intent.image_count,
        "input": sent if len(json.dumps(sent)) <= LONGEST_REQUEST else {},
        "decided_at": _stamp(intent.intended_at),
        "sent_at": _stamp(intent.sent_at),
        "known_at": _stamp(intent.known_at),
        "ended_at": _stamp(intent.ended_at),
        "gateway_log_id": intent.gateway_request_id,
        "is_adopted": intent.is_adopted,
    }


def prompt_of(intent: Intent) -> str:
    """The prompt as it was asked for; of a prediction that was only looked up in the gateway's words, cleaned."""
    if intent.is_adopted:
        return clean_words(str(intent.input.get("prompt") or ""), LONGEST_REQUEST)
    return str(intent.request.get("prompt") or "")


def _inert(value: JsonValue) -> JsonValue:
    """What a gateway shows of an input that is not ours, without markup, links and what is hidden."""
    match value:
        case str():
            return clean_words(value, LONGEST_SENTENCE)
        case list():
            return [_inert(each) for each in value]
        case dict():
            return {clean_words(name, 60): _inert(each) for name, each in value.items()}
        case _:
            return value


def _stamp(moment_s: float | None) -> str | None:
    return None if moment_s is None else local(moment_s, UTC).isoformat(timespec="seconds")
