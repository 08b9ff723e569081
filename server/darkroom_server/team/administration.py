"""What an administrator does to tenants, as the owner of the database: each act is one commit with its audit row."""

import getpass
import hashlib
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from darkroom.errors import InvalidRequest, JournalError
from darkroom.journal import Spending
from darkroom.journal.database import EVERYONE
from darkroom.journal.postgres import PostgresSession
from darkroom.journal.postgres_schema import connected
from darkroom.journal.postgres_words import in_words
from darkroom.spelling import closest_words
from darkroom_server.team.new_key import NewKey
from darkroom_server.team.outbox import CHANGED
from darkroom_server.team.quotas import spent_by_all
from darkroom_server.team.tenants import (
    MACHINES,
    TENANT_NAME,
    SealedPlace,
    is_subject,
    machine_subject,
    principal_hash,
)
from darkroom_server.team.vault import Vault

_TENANTS = """SELECT name, zone, usd_per_day, added_at,
    (SELECT count(*) FROM principals WHERE tenant = name) AS people,
    (SELECT count(*) FROM tokens WHERE tenant = name AND (expires_at IS NULL OR expires_at > now())) AS tokens
    FROM tenants ORDER BY name"""
_ACCOUNTS = """SELECT tenant, id, gateway, nullif(base_url, '') AS base_url, creates_per_minute, set_at,
    CASE WHEN issuer IS NOT NULL THEN json_build_object('issuer', issuer, 'subject', subject) END AS principal
    FROM gateway_accounts LEFT JOIN principals USING (tenant, principal) ORDER BY tenant, set_at DESC"""
_OWN_LIMITS = """SELECT tenant, issuer, subject, usd_per_day FROM principals WHERE usd_per_day IS NOT NULL
    ORDER BY tenant, issuer, subject"""
_ID = """INSERT INTO gateway_accounts (id, tenant, principal, gateway, base_url, sealed_key)
    VALUES (%s, %s, %s, %s, %s, '') ON CONFLICT (tenant, principal, gateway, base_url)
    DO UPDATE SET set_at = clock_timestamp() RETURNING id"""
_SEAL = """UPDATE gateway_accounts SET sealed_key = %s, sealed_secret = coalesce(%s, sealed_secret),
    creates_per_minute = coalesce(%s, creates_per_minute) WHERE id = %s"""
_PRINCIPAL = """INSERT INTO principals (tenant, principal, issuer, subject) VALUES (%s, %s, %s, %s)
    ON CONFLICT (tenant, principal) DO NOTHING"""
_TOKEN = """INSERT INTO tokens (sha256, tenant, subject, expires_at)
    VALUES (%s, %s, %s, now() + %s * interval '1 day')"""
_ADMINISTRATORS = """SELECT tenant, issuer, subject FROM administrators JOIN principals USING (tenant, principal)
    ORDER BY tenant, issuer, subject"""
_ADMIT = "INSERT INTO administrators (tenant, principal) VALUES (%s, %s) ON CONFLICT DO NOTHING"
_DISMISS = "DELETE FROM administrators WHERE tenant = %s AND principal = %s"
_AUDIT = "INSERT INTO audit (tenant, who, act, which) VALUES (%s, %s, %s, %s)"
_ACTS = """SELECT at, who, act, which, doer.issuer, doer.subject, whom.subject AS whom FROM audit
    LEFT JOIN principals AS doer ON doer.tenant = audit.tenant AND doer.principal = who
    LEFT JOIN principals AS whom ON whom.tenant = audit.tenant AND whom.principal = which
    WHERE audit.tenant = %s AND at >= to_timestamp(%s) ORDER BY number DESC LIMIT %s"""
_IS_OWNER = "SELECT pg_has_role(relowner, 'USAGE') AS is_owner FROM pg_class WHERE oid = to_regclass('tenants')"
_ENTER = """SELECT set_config('darkroom.tenant', %s, true), set_config('darkroom.principal', %s, true),
    extract(epoch FROM now())::float8 AS now_s,
    extract(epoch FROM date_trunc('day', now() AT TIME ZONE zone) AT TIME ZONE zone)::float8 AS day_began
    FROM tenants WHERE name = %s"""


@dataclass(frozen=True, slots=True)
class Person:
    """Who a limit or a key is for, by the issuer of their log-in and their subject there."""

    issuer: str
    subject: str


class Administration:
    """On one connection of the owner; opened by `administering`. Raises: InvalidRequest, JournalError.

    `notices` are sentences that the administrator should read after an act.
    """

    def __init__(self, connection: "psycopg.Connection[dict[str, Any]]") -> None:
        self.connection = connection
        self.notices: list[str] = []
        self._who = f"{_login_name()} as {connection.info.user}"

    def add(self, name: str, zone: str) -> None:
        """A new tenant, whose spending day is that of `zone`, a name of the IANA database."""
        if not TENANT_NAME.fullmatch(name):
            raise InvalidRequest(
                f"{name[:80]!r} cannot name a tenant. Allowed: up to 63 letters, digits, dots, '-' and '_', a letter "
                "or a digit first. It is the value of the claim DARKROOM_TENANT_CLAIM."
            )
        known = [row["name"] for row in self._rows("SELECT name FROM pg_timezone_names")]
        if zone not in known:
            raise InvalidRequest(
                f"Unknown time zone {zone[:60]!r}.{closest_words(zone, known)} Such as: Europe/Berlin, UTC."
            )
        inserted = "INSERT INTO tenants (name, zone) VALUES (%s, %s) ON CONFLICT DO NOTHING"
        with self.connection.transaction():
            if not self.connection.execute(inserted, (name, zone)).rowcount:
                raise InvalidRequest(f"Tenant '{name}' exists already. Nothing was changed.")
            self._note(name, "add tenant", name)

    def tenants(self) -> list[dict[str, Any]]:
        """Every tenant with what it has spent today, its accounts, its people's own limits and its administrators; no
        key is among them."""
        lists = {"keys": _ACCOUNTS, "limits": _OWN_LIMITS, "administrators": _ADMINISTRATORS}
        rows = {name: [(row.pop("tenant"), row) for row in self._rows(each)] for name, each in lists.items()}
        return [
            row
            | {"today": self._spent_today(row["name"])}
            | {name: [each for tenant, each in found if tenant == row["name"]] for name, found in rows.items()}
            for row in self._rows(_TENANTS)
        ]

    def check_tenant(self, tenant: str) -> None:
        """Raises: InvalidRequest where there is no such tenant."""
        names = [row["name"] for row in self._rows("SELECT name FROM tenants ORDER BY name")]
        if tenant not in names:
            none = " There is none yet: `darkroom-mcp tenant add NAME` adds one."
            hint = closest_words(tenant, names) if names else none
            raise InvalidRequest(f"Unknown tenant {tenant[:80]!r}.{hint}")

    def set_key(self, tenant: str, new: NewKey, vault: Vault, person: Person | None = None) -> str:
        """Seal a key for the team, or for one person; the id of its account."""
        choice, most = new.choice(), new.creates_per_minute
        base_url = choice.gateway.base_url if new.base_url else ""
        with self.connection.transaction():
            self.check_tenant(tenant)
            principal = self._noted(tenant, person) if person else ""
            place = (secrets.token_hex(8), tenant, principal, choice.gateway.name, base_url)
            (row,) = self._rows(_ID, *place)
            sealed = SealedPlace(tenant, row["id"])
            secret = vault.seal(new.secret, sealed.of_secret) if new.secret else None
            self.connection.execute(_SEAL, (vault.seal(choice.key.reveal(), sealed.of_key), secret, most, row["id"]))
            self._note(tenant, "set key", row["id"])
            others = self._rows("SELECT tenant, id, sealed_key FROM gateway_accounts WHERE id <> %s", row["id"])
        if any(not vault.opens(each["sealed_key"], SealedPlace(each["tenant"], each["id"]).of_key) for each in others):
            self.notices.append(
                "A key that was kept before cannot be opened with this DARKROOM_MASTER_KEYS. Is it that of the "
                "replicas and workers? Where it is not, they cannot open the new key either."
            )
        return row["id"]

    def new_token(self, tenant: str, name: str, days: int | None) -> str:
        """A token for a machine, valid for so many days (None: for ever). Only its hash is kept."""
        _check_machine(name)
        if days is not None and not 0 < days <= 36_500:
            raise InvalidRequest(f"--days {days} is not possible. Allowed: 1 to 36500.")
        token = f"drk_{secrets.token_urlsafe(32)}"
        with self.connection.transaction():
            self.check_tenant(tenant)
            values = (hashlib.sha256(token.encode()).digest(), tenant, name, days)
            self.connection.execute(_TOKEN, values)
            self._note(tenant, "make token", principal_hash(MACHINES, machine_subject(tenant, name)))
        return token

    def revoke_tokens(self, tenant: str, name: str) -> int:
        """Take all tokens of a machine away; how many there were."""
        _check_machine(name)
        with self.connection.transaction():
            self.check_tenant(tenant)
            statement = "DELETE FROM tokens WHERE tenant = %s AND subject = %s"
            if not (count := self.connection.execute(statement, (tenant, name)).rowcount):
                raise InvalidRequest(f"Tenant '{tenant}' has no token for {name!r}. Nothing was changed.")
            self._note(tenant, "revoke tokens", principal_hash(MACHINES, machine_subject(tenant, name)))
        return count

    def set_limit(self, tenant: str, usd_per_day: float | None, person: Person | None = None) -> None:
        """US dollars a day of the whole tenant, or of one person in it; None for no limit."""
        with self.connection.transaction():
            self.check_tenant(tenant)
            principal = self._noted(tenant, person) if person else ""
            table = "principals" if person else "tenants"
            where = "tenant = %s AND principal = %s" if person else "name = %s"
            values = (usd_per_day, tenant, principal) if person else (usd_per_day, tenant)
            self.connection.execute(f"UPDATE {table} SET usd_per_day = %s WHERE {where}".encode(), values)
            self._note(tenant, "set limit", principal or tenant)

    def set_administrator(self, tenant: str, person: Person, *, is_one: bool) -> None:
        """Let a person see the whole tenant on the page, or no longer."""
        with self.connection.transaction():
            self.check_tenant(tenant)
            principal = self._noted(tenant, person)
            statement = _ADMIT if is_one else _DISMISS
            if not self.connection.execute(statement, (tenant, principal)).rowcount:
                said = "administers it already" if is_one else "does not administer it"
                raise InvalidRequest(f"Tenant '{tenant}': {person.subject[:60]!r} {said}. Nothing was changed.")
            self._note(tenant, "make administrator" if is_one else "end administrator", principal)

    def reseal(self, vault: Vault) -> tuple[int, int]:
        """Seal all that an older master key has sealed with the newest; how many keys, and of how many.

        Raises: SettingsError where one of them does not open.
        """
        resealed = 0
        with self.connection.transaction():
            rows = self._rows("SELECT * FROM gateway_accounts ORDER BY tenant, id FOR UPDATE")
            for row in rows:
                place = SealedPlace(row["tenant"], row["id"])
                sealed = [(row["sealed_key"], place.of_key), (row["sealed_secret"], place.of_secret)]
                opened = [(each and vault.open(each, at), at) for each, at in sealed]  # or the names alone would tell
                if all(each is None or vault.is_newest(each) for each, _ in sealed):
                    continue
                anew = [each and vault.seal(each, at) for each, at in opened]
                self.connection.execute(_SEAL, (*anew, None, row["id"]))
                self._note(row["tenant"], "reseal", row["id"])
                resealed += 1
        return resealed, len(rows)

    def acts(self, tenant: str, since_s: float, limit: int) -> list[dict[str, Any]]:
        """What was done in the tenant since then (seconds since the epoch), newest first, persons by their subjects."""
        if not (acts := self._rows(_ACTS, tenant, since_s, limit)):
            self.check_tenant(tenant)  # of one that was removed, that alone is told
        return acts

    def note_erased(self, tenant: str, act: str) -> None:
        """That somebody, who is not kept, was forgotten or the tenant removed."""
        self._note(tenant, act, "")

    def _spent_today(self, tenant: str) -> Spending:
        with self.connection.transaction():
            (row,) = self._rows(_ENTER, tenant, EVERYONE, tenant)
            return spent_by_all(PostgresSession(self.connection, EVERYONE), row["day_began"], row["now_s"])

    def _noted(self, tenant: str, person: Person) -> str:
        """The hash of a person, who may never have been here yet."""
        subject = person.subject
        if person.issuer == MACHINES and not subject.startswith(f"{tenant}/"):
            subject = machine_subject(tenant, subject)
        if not (person.issuer and person.issuer.isprintable() and len(person.issuer) <= 2000 and is_subject(subject)):
            raise InvalidRequest("ISSUER and SUBJECT name a person: neither may be empty, long or unprintable.")
        hash = principal_hash(person.issuer, subject)
        if self.connection.execute(_PRINCIPAL, (tenant, hash, person.issuer, subject)).rowcount:
            self.notices.append(
                f"Nobody of that name was in tenant '{tenant}' yet. Issuer and subject must be exactly those of the "
                "log-in (`iss` and `sub`)."
            )
        return hash

    def _rows(self, statement: str, *values: object) -> list[dict[str, Any]]:
        return self.connection.execute(statement.encode(), values).fetchall()

    def _note(self, tenant: str, act: str, which: str) -> None:
        """In the commit of the act, with which every replica hears that it has to ask anew."""
        self.connection.execute(_AUDIT, (tenant, self._who, act, which))
        self.connection.execute("SELECT pg_notify(%s, '')", (CHANGED,))


@contextmanager
def administering(url: str) -> Generator[Administration]:
    """A connection to the database at this address, as its owner. Raises: JournalError."""
    with connected(url) as connection:
        connection.row_factory = dict_row
        try:
            _check_owner(connection)
            yield Administration(connection)
        except psycopg.Error as error:
            raise JournalError(in_words(error)) from error


def _check_owner(connection: "psycopg.Connection[dict[str, Any]]") -> None:
    """To another role the tables would look empty. Raises: JournalError."""
    row = connection.execute(_IS_OWNER).fetchone()
    if row and not row["is_owner"]:
        raise JournalError(
            f"The role '{connection.info.user}' does not own the tables, so nothing was done. DARKROOM_MIGRATE_URL "
            "must name the role that has run `darkroom-mcp migrate`."
        )


def _check_machine(name: str) -> None:
    if not is_subject(name) or "/" in name or " " in name:
        raise InvalidRequest(
            f"{name[:80]!r} cannot name a machine. Allowed: up to 255 characters without '/' and spaces."
        )


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container may have no entry for its user
        return "somebody"
