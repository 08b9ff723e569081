"""Who asks, to which tenant they belong, and whose gateway key pays."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from darkroom.errors import AccessRefused, SettingsError
from darkroom.gateways import GatewayChoice, Key, choose_gateway
from darkroom.journal import Rate
from darkroom.journal.database import EVERYONE
from darkroom.journal.postgres import NOBODY, Postgres
from darkroom_server.team.vault import Vault

MACHINES = "darkroom"
"""The issuer of machine tokens; their subject is `tenant/name`."""
TENANT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_LONGEST_SUBJECT = 255  # OpenID Connect Core 1.0, section 2, on `sub`

_IS_KNOWN = "SELECT 1 FROM principals"  # row-level security shows their own row alone
_ADD = """INSERT INTO principals (tenant, principal, issuer, subject) VALUES (?, ?, ?, ?)
    ON CONFLICT (tenant, principal) DO NOTHING"""
# A person's own key comes before the team's; of several the one that was set last.
_WHOSE = "WHERE principal IN ('', ?) ORDER BY principal <> '' DESC, set_at DESC, id LIMIT 1"
_ACCOUNTS = "SELECT gateway_accounts.*, zone FROM gateway_accounts JOIN tenants ON name = tenant"
_CALLER = f"""SELECT ARRAY(SELECT tenant_names()) AS names, EXISTS ({_IS_KNOWN}) AS is_known, account.*
    FROM (SELECT 1) AS one LEFT JOIN ({_ACCOUNTS} {_WHOSE}) AS account ON true"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who asks. `hash` names them in rows and in the paths of objects."""

    tenant: str
    issuer: str = field(repr=False)
    subject: str = field(repr=False)
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayAccount:
    """A key at a gateway, opened just now; `principal` is whose own it is, "" for the team's.

    `base_url` is "" for the gateway's own address, `creates_per_minute` None for what the gateway documents. `zone`
    is the tenant's, a name of the IANA database.
    """

    id: str
    tenant: str
    principal: str
    gateway: str
    base_url: str
    api_key: Key
    webhook_secret: Key
    creates_per_minute: int | None
    zone: str

    @property
    def choice(self) -> GatewayChoice:
        """The gateway at its address with this key. Raises: SettingsError."""
        return replace(chosen(self.gateway, self.base_url, self.api_key.reveal()), key=self.api_key)

    @property
    def rate(self) -> Rate | None:
        """Creates that are never more than `creates_per_minute` in any 60 s, a tenth of them at once."""
        if (most := self.creates_per_minute) is None:
            return None
        burst = max(1, most // 10)
        return Rate(per_minute=max(most - burst, 0.5), burst=burst)


class Directory:
    """What the tables say of tenants, persons and accounts, asked as the role of the app or of a worker.

    `tenant_claim` is the claim that names the tenant, "" for the only tenant.
    """

    def __init__(self, postgres: Postgres, vault: Vault, tenant_claim: str = "") -> None:
        self._postgres = postgres
        self._vault = vault
        self._tenant_claim = tenant_claim
        self._only = NOBODY  # the only tenant, as it was last seen

    async def principal_of(self, issuer: str, subject: str, claims: Mapping[str, Any]) -> Principal:
        """Who this is; noted at the first sight.

        Raises: AccessRefused where they belong to no tenant; JournalError.
        """
        return (await self._seen(issuer, subject, claims))[0]

    async def caller_of(self, issuer: str, subject: str, claims: Mapping[str, Any]) -> tuple[Principal, GatewayAccount]:
        """Who this is, and the account that pays. Raises: as `principal_of` and `account_of`."""
        principal, row = await self._seen(issuer, subject, claims)
        return principal, self._paying(principal, row)

    async def knows(self, principal: Principal) -> bool:
        """Whether they were here, and are not forgotten. Raises: JournalError."""
        return (await self._row(principal.tenant, principal.hash))["is_known"]

    async def account_of(self, principal: Principal) -> GatewayAccount:
        """The account that pays for this person's predictions.

        Raises: SettingsError where there is none or its key cannot be opened; JournalError.
        """
        return self._paying(principal, await self._row(principal.tenant, principal.hash))

    async def account(self, id: str) -> GatewayAccount | None:
        """The account with this id, whatever its tenant. Raises: SettingsError, JournalError."""
        places = await self._open_to_all("SELECT * FROM account_places() WHERE id = ?", id)
        if not places:
            return None
        database = self._postgres.database(places[0]["tenant"], EVERYONE)
        row = await database.read(lambda session: session.execute(f"{_ACCOUNTS} WHERE id = ?", (id,)).fetchone())
        return self._opened(row) if row else None

    async def machine(self, sha256: bytes) -> str | None:
        """The subject `tenant/name` of the machine whose token has this hash; None for an unknown or expired one."""
        rows = await self._open_to_all("SELECT * FROM token_owner(?)", sha256)
        return machine_subject(rows[0]["tenant"], rows[0]["subject"]) if rows else None

    async def _seen(self, issuer: str, subject: str, claims: Mapping[str, Any]) -> tuple[Principal, Any]:
        """Who this is, and their row. It is looked for where they say that they belong, before that is checked."""
        if not is_subject(subject):
            raise AccessRefused("The log-in names nobody that can be served (its `sub` is empty, too long or unclear).")
        hash = principal_hash(issuer, subject)
        wanted = subject.partition("/")[0] if issuer == MACHINES else claims.get(self._tenant_claim)
        place = wanted if isinstance(wanted, str) and TENANT_NAME.fullmatch(wanted) else self._only
        row = await self._row(place, hash)
        tenant = self._tenant_in(row["names"], wanted, is_claimed=bool(self._tenant_claim) or issuer == MACHINES)
        if tenant != place:
            self._only, row = tenant, await self._row(tenant, hash)
        principal = Principal(tenant=tenant, issuer=issuer, subject=subject, hash=hash)
        if not row["is_known"]:
            database = self._postgres.database(tenant, hash)
            await database.write(lambda session: session.execute(_ADD, (tenant, hash, issuer, subject)).rowcount)
        return principal, row

    async def _row(self, tenant: str, hash: str) -> Any:
        """The account that pays, with the names of all tenants and whether the person is known."""
        database = self._postgres.database(tenant, hash)
        return await database.read(lambda session: session.execute(_CALLER, (hash,)).fetchone())

    def _paying(self, principal: Principal, row: Any) -> GatewayAccount:
        if row["id"] is None:
            raise SettingsError(
                f"Tenant '{principal.tenant}' has no key of a gateway, so nothing was sent. An administrator sets one: "
                f"`darkroom-mcp tenant key {principal.tenant} --gateway GATEWAY`."
            )
        return self._opened(row)

    def _tenant_in(self, names: Sequence[str], wanted: object, *, is_claimed: bool) -> str:
        if not is_claimed:
            wanted = names[0] if len(names) == 1 else None
        if wanted in names:
            return str(wanted)
        named = f"claim {self._tenant_claim!r} names none" if self._tenant_claim else "DARKROOM_TENANT_CLAIM is not set"
        known = f" ({named}, and there are {len(names)} tenants)" if wanted is None else ""
        raise AccessRefused(
            f"You are logged in, but you belong to no tenant of this darkroom{known}. Nothing was sent. Ask the "
            "administrator to add yours."
        )

    async def _open_to_all(self, statement: str, *values: object) -> list[Any]:
        """Rows of the functions that need no tenant."""
        return await self._postgres.of_nobody.read(lambda session: session.execute(statement, values).fetchall())

    def _opened(self, row: Mapping[str, Any]) -> GatewayAccount:
        place = SealedPlace(row["tenant"], row["id"])
        secret = row["sealed_secret"]
        source = f"tenant '{row['tenant']}', which an administrator sets by `darkroom-mcp tenant key`"
        return GatewayAccount(
            id=row["id"],
            tenant=row["tenant"],
            principal=row["principal"],
            gateway=row["gateway"],
            base_url=row["base_url"],
            api_key=Key(self._vault.open(bytes(row["sealed_key"]), place.of_key), source),
            webhook_secret=Key(self._vault.open(bytes(secret), place.of_secret) if secret else ""),
            creates_per_minute=row["creates_per_minute"],
            zone=row["zone"],
        )


@dataclass(frozen=True, slots=True)
class SealedPlace:
    """The row of an account, to which its key and its secret are sealed."""

    tenant: str
    id: str

    @property
    def of_key(self) -> str:
        return f"gateway_accounts/{self.tenant}/{self.id}/key"

    @property
    def of_secret(self) -> str:
        return f"gateway_accounts/{self.tenant}/{self.id}/secret"


def is_subject(text: str) -> bool:
    """Whether an issuer may name a person so."""
    return 0 < len(text) <= _LONGEST_SUBJECT and text.isprintable()


def principal_hash(issuer: str, subject: str) -> str:
    """32 hex digits that name a person in rows and paths."""
    return hashlib.sha256(json.dumps([issuer, subject]).encode()).hexdigest()[:32]


def machine_subject(tenant: str, name: str) -> str:
    """The subject of a machine's tokens: unique over all tenants."""
    return f"{tenant}/{name}"


def chosen(gateway: str, base_url: str, key: str) -> GatewayChoice:
    """Raises: SettingsError where there is no such gateway, or its address or the key cannot be used."""
    return choose_gateway({"DARKROOM_GATEWAY": gateway, "DARKROOM_BASE_URL": base_url, "DARKROOM_API_KEY": key})


def zone_of(name: str) -> ZoneInfo | None:
    """None, which is this computer's own, where the computer does not know the zone."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
