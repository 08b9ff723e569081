"""`POST /hooks/{account}/{intent_key}`: a gateway says that a prediction has ended, signed with the account's secret.

The address names the intent, so that even a create whose answer was lost gets its prediction without a look at a list.
Nobody is believed before the signature is checked over the bytes as they came. A webhook that is lost, late, repeated
or out of order changes nothing but time: the workers look all the same, and an end stays an end.
"""

import base64
import binascii
import hmac
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from darkroom.errors import DarkroomError
from darkroom.gateways import Gateway, read_prediction
from darkroom.journal import Intent, Look
from darkroom.journal.database import EVERYONE
from darkroom.journal.postgres import Postgres
from darkroom.registry import ModelRegistry
from darkroom.settings import Settings
from darkroom_server.bodies import whole_body
from darkroom_server.team.sparing_log import SparingLog
from darkroom_server.team.team_journal import TeamJournal
from darkroom_server.team.tenants import Directory, GatewayAccount

log = logging.getLogger(__name__)

_MOST_BYTES = 1024 * 1024  # longer than any prediction of ours
_TOLERANCE_S = 300.0
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_STAMP = re.compile(r"[0-9]{1,11}")


def verified(body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: float) -> bool:
    """Whether one of the secrets has signed it less than five minutes ago; names of headers in lower case.

    By Standard Webhooks (https://www.standardwebhooks.com, as Replicate documents it, 2026-11-25): HMAC-SHA256 over
    `id.timestamp.body`, the key in base64 behind `whsec_`, one of several signatures behind `v1,`.
    """
    name, stamp, given = (headers.get(f"webhook-{part}", "") for part in ("id", "timestamp", "signature"))
    if not name or not _STAMP.fullmatch(stamp) or abs(now - int(stamp)) > _TOLERANCE_S:
        return False
    signed = f"{name}.{stamp}.".encode("utf-8", "replace") + body
    keys = [key for secret in secrets if (key := _key_of(secret))]
    wanted = [b"v1," + base64.b64encode(hmac.digest(key, signed, "sha256")) for key in keys]
    offered = [each.encode("utf-8", "replace") for each in given.split()]
    return True in [hmac.compare_digest(one, other) for one in wanted for other in offered]  # all, so that none is told


def _key_of(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        return b""


def is_told(settings: Settings, account: GatewayAccount, gateway: Gateway) -> bool:
    """Whether the account's gateway is asked for webhooks, and what it sends can be checked."""
    team = settings.team
    is_on = team is not None and team.webhooks == "on" and bool(team.public_url)
    return is_on and gateway.has_webhooks and bool(_key_of(account.webhook_secret.reveal()))


def webhooks(settings: Settings, account: GatewayAccount, gateway: Gateway) -> Callable[[Intent], str]:
    """The address for the end of each prediction of the account; "" where there are none."""
    team = settings.team
    if team is None or not is_told(settings, account, gateway):
        return lambda intent: ""
    return lambda intent: f"{team.public_url}/hooks/{account.id}/{intent.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """Takes webhooks in."""

    postgres: Postgres
    directory: Directory
    registry: ModelRegistry

    async def take(self, account_id: str, key: str, body: bytes, headers: Mapping[str, str]) -> int:
        """The status to answer with: 204 taken, 400 no prediction, 401 not signed by this account's gateway, 404 no
        such intent of it.

        Raises: DarkroomError where it cannot be taken now.
        """
        account = await self.directory.account(account_id) if _NAME.fullmatch(account_id) else None
        secrets = [account.webhook_secret.reveal()] if account else []
        if account is None or not verified(body, headers, secrets, self.postgres.clock()):
            return 401
        prediction = read_prediction(body)
        if prediction is None:
            return 400
        gateway = account.choice.gateway
        journal = TeamJournal(self.postgres, self.registry, gateway, account, EVERYONE)
        intent = await journal.find(key) if _NAME.fullmatch(key) else None
        if intent is None or intent.key != key or (intent.origin, intent.account) != (gateway.origin, account.id):
            return 404
        look = Look(now=self.postgres.clock(), link_lifetime_s=gateway.link_lifetime_s)
        await journal.mark_known(key, prediction, look)
        return 204


def hook_route(hooks: Callable[[], Hooks]) -> Route:
    """`hooks` gives what is open now. No log-in: the signature is the proof."""
    sparing = SparingLog(log)

    async def hook(request: Request) -> Response:
        try:
            body = await whole_body(request.stream(), _MOST_BYTES)
            if body is None:
                return Response(status_code=413)
            place = request.path_params
            status = await hooks().take(place["account"], place["key"], body, request.headers)
        except ClientDisconnect:
            return Response(status_code=400)
        except DarkroomError as error:
            sparing.warning("a webhook is taken when it is sent again: %s", error)
            return Response(status_code=503)
        if status == 401:
            sparing.warning(
                "a webhook for account %r was not signed by its gateway", request.path_params["account"][:64]
            )
        return Response(status_code=status)

    return Route("/hooks/{account}/{key}", hook, methods=["POST"])
