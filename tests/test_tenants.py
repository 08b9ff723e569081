"""Who belongs to which tenant, and whose key pays: asked by a replica, on a real PostgreSQL."""

import hashlib

import pytest
from postgres_server import PostgresServer
from team_rooms import ISSUER, KEY, MASTER, SECRET, open_directory

from darkroom.errors import AccessRefused, JournalError, SettingsError
from darkroom_server.team.administration import Person, administering
from darkroom_server.team.new_key import NewKey
from darkroom_server.team.tenants import MACHINES, TENANT_NAME, principal_hash
from darkroom_server.team.vault import Vault

pytestmark = pytest.mark.anyio
TEAM = NewKey(gateway="replicate", base_url="", key=KEY, secret=SECRET, creates_per_minute=60)
OWN = NewKey(gateway="deerapi", base_url="https://own.example.com", key="sk-own-own-own", secret="")


def add(server: PostgresServer, *names: str) -> None:
    with administering(server.owner) as administration:
        for name in names:
            administration.add(name, "UTC")


def keep(server: PostgresServer, tenant: str, new: NewKey, person: Person | None = None) -> str:
    with administering(server.owner) as administration:
        return administration.set_key(tenant, new, Vault.read(MASTER), person)


async def test_the_only_tenant_is_everybodys(postgres: PostgresServer) -> None:
    add(postgres, "acme")
    async with open_directory(postgres) as (directory, _):
        ada = await directory.principal_of(ISSUER, "ada", {})
        assert ada.tenant == "acme" and ada.hash == principal_hash(ISSUER, "ada")
        assert await directory.principal_of(ISSUER, "ada", {}) == ada
    assert postgres.execute("SELECT tenant, issuer, subject FROM principals") == [("acme", ISSUER, "ada")]
    assert "ada" not in repr(ada) and ISSUER not in repr(ada)


async def test_of_several_tenants_the_claim_names_one(postgres: PostgresServer) -> None:
    add(postgres, "acme", "globex")
    async with open_directory(postgres, claim="org") as (directory, _):
        assert (await directory.principal_of(ISSUER, "ada", {"org": "globex"})).tenant == "globex"
        for claims in ({}, {"org": "initech"}, {"org": None}, {"org": ["acme"]}, {"org": "*"}, {"org": ""}):
            with pytest.raises(AccessRefused, match="you belong to no tenant") as refused:
                await directory.principal_of(ISSUER, "ada", claims)
            assert "acme" not in refused.value.message
    async with open_directory(postgres) as (directory, _):
        with pytest.raises(AccessRefused, match="DARKROOM_TENANT_CLAIM is not set, and there are 2 tenants"):
            await directory.principal_of(ISSUER, "ada", {"org": "acme"})


@pytest.mark.parametrize("subject", ["", "x" * 256, "a\0b", "a\nb"])
async def test_a_subject_that_names_nobody_is_refused(postgres: PostgresServer, subject: str) -> None:
    add(postgres, "acme")
    async with open_directory(postgres) as (directory, _):
        with pytest.raises(AccessRefused):
            await directory.principal_of(ISSUER, subject, {})


async def test_the_teams_key_is_everybodys_until_they_have_their_own(postgres: PostgresServer) -> None:
    add(postgres, "acme", "globex")
    keep(postgres, "acme", TEAM)
    async with open_directory(postgres, claim="org") as (directory, _):
        ada = await directory.principal_of(ISSUER, "ada", {"org": "acme"})
        bob = await directory.principal_of(ISSUER, "bob", {"org": "acme"})
        eve = await directory.principal_of(ISSUER, "eve", {"org": "globex"})
        team = await directory.account_of(ada)
        assert (team.api_key.reveal(), team.webhook_secret.reveal(), team.principal) == (KEY, SECRET, "")
        assert team.choice.gateway.origin == "https://api.replicate.com" and team.choice.key.reveal() == KEY
        assert KEY not in repr(team) and SECRET not in repr(team)
        keep(postgres, "acme", OWN, Person(ISSUER, "ada"))
        own = await directory.account_of(ada)
        assert own.api_key.reveal() == OWN.key and own.choice.gateway.origin == "https://own.example.com"
        assert await directory.account_of(bob) == team
        with pytest.raises(SettingsError, match="Tenant 'globex' has no key of a gateway"):
            await directory.account_of(eve)


async def test_the_key_that_was_set_last_is_used_and_the_others_are_kept(postgres: PostgresServer) -> None:
    add(postgres, "acme")
    first = keep(postgres, "acme", TEAM)
    other = keep(postgres, "acme", NewKey(gateway="cometapi", base_url="", key="sk-comet", secret=""))
    async with open_directory(postgres) as (directory, _):
        ada = await directory.principal_of(ISSUER, "ada", {})
        assert (await directory.account_of(ada)).id == other
        again = keep(postgres, "acme", NewKey(gateway="replicate", base_url="", key="r8_new_new_new", secret=""))
        team = await directory.account_of(ada)
        assert (team.id, team.api_key.reveal()) == (first, "r8_new_new_new") and again == first
        assert team.webhook_secret.reveal() == SECRET and team.creates_per_minute == 60
        kept = await directory.account(other)
        assert kept and kept.api_key.reveal() == "sk-comet" and await directory.account("nothing") is None


async def test_a_sealed_key_in_another_row_does_not_open(postgres: PostgresServer) -> None:
    add(postgres, "acme", "globex")
    keep(postgres, "acme", TEAM)
    keep(postgres, "globex", NewKey(gateway="replicate", base_url="", key="r8_globex_globex", secret=""))
    postgres.execute(
        "UPDATE gateway_accounts SET sealed_key = (SELECT sealed_key FROM gateway_accounts WHERE tenant = 'acme')"
    )
    async with open_directory(postgres, claim="org") as (directory, _):
        eve = await directory.principal_of(ISSUER, "eve", {"org": "globex"})
        with pytest.raises(SettingsError, match="moved from another row"):
            await directory.account_of(eve)
        ada = await directory.principal_of(ISSUER, "ada", {"org": "acme"})
        assert (await directory.account_of(ada)).api_key.reveal() == KEY
    postgres.execute("UPDATE gateway_accounts SET sealed_key = sealed_secret WHERE tenant = 'acme'")
    async with open_directory(postgres, claim="org") as (directory, _):
        with pytest.raises(SettingsError, match="moved from another row"):
            await directory.account_of(ada)


async def test_a_machine_is_known_by_the_hash_of_its_token(postgres: PostgresServer) -> None:
    add(postgres, "acme", "globex")
    with administering(postgres.owner) as administration:
        token = administration.new_token("globex", "nightly", None)
        gone = administration.new_token("globex", "weekly", 1)
    postgres.execute("UPDATE tokens SET expires_at = now() - interval '1 second' WHERE subject = 'weekly'")
    async with open_directory(postgres, claim="org") as (directory, _):
        assert await directory.machine(hashlib.sha256(token.encode()).digest()) == "globex/nightly"
        assert await directory.machine(hashlib.sha256(gone.encode()).digest()) is None
        assert await directory.machine(token.encode()) is None
        machine = await directory.principal_of(MACHINES, "globex/nightly", {})
        assert machine.tenant == "globex"
        with pytest.raises(AccessRefused):
            await directory.principal_of(MACHINES, "initech/nightly", {})


async def test_row_level_security_hides_what_is_anothers(postgres: PostgresServer) -> None:
    add(postgres, "acme", "globex")
    keep(postgres, "acme", TEAM)
    keep(postgres, "acme", OWN, Person(ISSUER, "ada"))
    tables = ("tenants", "principals", "gateway_accounts", "forgotten_spending")
    for role in ("darkroom_app", "darkroom_worker"):
        for table in tables:
            assert postgres.execute(f"SELECT count(*) FROM {table}", role=role) == [(0,)]
        for statement in (
            "SELECT * FROM tokens",
            "SELECT * FROM audit",
            "UPDATE audit SET who = ''",
            "DELETE FROM audit",
            "UPDATE tenants SET usd_per_day = NULL",
            "UPDATE principals SET usd_per_day = NULL",
            "UPDATE gateway_accounts SET tenant = 'globex'",
            "INSERT INTO tokens VALUES ('\\x00', 'acme', 'x')",
        ):
            with pytest.raises(Exception, match="permission denied"):
                postgres.execute(statement, role=role)
    async with open_directory(postgres, claim="org") as (_, opened):
        bob = opened.database("acme", principal_hash(ISSUER, "bob"))
        rows = await bob.read(lambda session: session.execute("SELECT gateway FROM gateway_accounts").fetchall())
        assert [row["gateway"] for row in rows] == ["replicate"]
        with pytest.raises(JournalError):
            await bob.write(
                lambda session: session.execute(
                    "INSERT INTO audit (tenant, who, act, which) VALUES (?, ?, ?, ?)", ("globex", "x", "y", "z")
                )
            )


@pytest.mark.parametrize(
    ("name", "is_one"), [("acme", True), ("acme.com", True), ("A-1_b", True), ("", False), ("*", False), ("a/b", False)]
)
def test_names_of_tenants_fit_into_paths(name: str, is_one: bool) -> None:
    assert bool(TENANT_NAME.fullmatch(name)) == is_one


@pytest.mark.parametrize("most", [1, 2, 9, 10, 600])
async def test_the_rate_of_an_account_is_never_more_than_was_said(postgres: PostgresServer, most: int) -> None:
    add(postgres, "acme")
    keep(postgres, "acme", NewKey(gateway="replicate", base_url="", key=KEY, secret="", creates_per_minute=most))
    async with open_directory(postgres) as (directory, _):
        rate = (await directory.account_of(await directory.principal_of(ISSUER, "ada", {}))).rate
    assert rate and rate.burst >= 1 and int(rate.per_minute) + rate.burst <= most
