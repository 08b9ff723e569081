"""How a create is put on the wire: which address, which body, which headers this gateway understands."""

import json
import re
from collections.abc import Mapping

from pydantic import JsonValue

from darkroom.errors import InvalidInput
from darkroom.gateways import faults
from darkroom.gateways.profiles import Gateway
from darkroom.gateways.replies import Request

_MODEL_NAME = re.compile(r"(?:deployments/)?[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
_LONGEST_HOLD_S = 60
_SHORTEST_CANCEL_AFTER_S = 5


def create_request(
    gateway: Gateway,
    model: str,
    version: str,
    input: Mapping[str, JsonValue],
    prefer_wait_s: int,
    cancel_after_s: int,
    intent_key: str,
    webhook: str = "",
) -> Request:
    """Address `model` ("owner/name") the way the gateway can: by its path, by `version`, or in the body.

    Raises: InvalidInput for a name that is no name or an input that is not JSON; RequestRefused where the gateway
        cannot run this kind of model. Nothing is sent by either.
    """
    path, fields = _addressed(gateway, model, version)
    if webhook and gateway.has_webhooks:
        fields = {**fields, "webhook": webhook, "webhook_events_filter": ["completed"]}
    hold_s = min(prefer_wait_s, _LONGEST_HOLD_S) if gateway.honours_prefer else 0
    headers: dict[str, str] = {}
    if hold_s > 0:
        headers["Prefer"] = f"wait={hold_s}"
    if gateway.honours_cancel_after and cancel_after_s >= _SHORTEST_CANCEL_AFTER_S:
        headers["Cancel-After"] = f"{cancel_after_s}s"
    if intent_key:
        headers["Idempotency-Key"] = intent_key  # no gateway is known to honour it; it does no harm
    try:
        body = json.dumps({**fields, "input": dict(input)}, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput("The input cannot be written as JSON. Nothing was sent.", field="model_options") from error
    return Request("POST", path, body=body, headers=headers, hold_s=max(hold_s, 0), is_create=True)


def _addressed(gateway: Gateway, model: str, version: str) -> tuple[str, dict[str, JsonValue]]:
    if not _MODEL_NAME.fullmatch(model):
        raise InvalidInput(f"Model '{model[:100]}' is not of the form owner/name. Nothing was sent.", field="model")
    if model.count("/") == 2:
        if "deployment" not in gateway.creates:
            raise faults.not_offered(gateway, f"runs no deployments, so not '{model[:100]}'")
        return f"/v1/{model}/predictions", {}
    if version and "version" in gateway.creates:
        return "/v1/predictions", {"version": version}
    if not version and "model-path" in gateway.creates:
        return f"/v1/models/{model}/predictions", {}
    if "model-body" in gateway.creates:
        return "/v1/predictions", {"model": model}
    raise faults.not_offered(gateway, f"cannot run '{model}' by {'version' if version else 'name'}")
