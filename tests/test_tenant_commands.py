"""`darkroom-mcp tenant` as an administrator types it: what it does, what it says, and what it never shows."""

import hashlib
import json
import re
import secrets
from pathlib import Path

import pytest
from command_line import CommandLine
from postgres_server import PostgresServer
from team_rooms import ISSUER, KEY, MASTER, SECRET, Administrator, dump, open_directory

from darkroom_server.cli.commands import run

pytestmark = pytest.mark.anyio


@pytest.fixture
def admin(postgres: PostgresServer, tmp_path: Path) -> Administrator:
    return Administrator(postgres, tmp_path)


async def test_from_nothing_to_a_team_with_a_key_a_token_and_limits(
    admin: Administrator, postgres: PostgresServer
) -> None:
    assert "no tenant" in admin.does("list")
    assert "Next: darkroom-mcp tenant key acme" in admin.does("add", "acme", "--zone", "Europe/Berlin")
    words = ("key", "acme", "--gateway", "replicate", "--creates-per-minute", "60")
    assert "sealed and kept" in admin.does(*words, stdin=f"{KEY}\n{SECRET}\n")
    token = admin.run("token", "acme", "nightly", "--days", "30").out
    assert re.fullmatch(r"drk_[\w-]{43}", token)
    assert "Tenant 'acme' may spend $20.00 a day" in admin.does("limit", "acme", "--usd-per-day", "20")
    said = admin.does("limit", "acme", "--usd-per-day", "2.50", "--principal", ISSUER, "ada")
    assert "ada of" in said and "Nobody of that name was in tenant 'acme' yet" in said
    assert "yet" not in admin.does("limit", "acme", "--usd-per-day", "2.50", "--principal", ISSUER, "ada")
    [tenant] = json.loads(admin.run("list", "--json").out)["tenants"]
    assert (tenant["name"], tenant["zone"], tenant["usd_per_day"], tenant["tokens"]) == ("acme", "Europe/Berlin", 20, 1)
    [kept] = tenant["keys"]
    assert (kept["gateway"], kept["base_url"], kept["creates_per_minute"]) == ("replicate", None, 60)
    assert tenant["limits"] == [{"issuer": ISSUER, "subject": "ada", "usd_per_day": 2.5}]
    shown = admin.does("list")
    assert "Europe/Berlin" in shown and "replicate" in shown and "$2.50 a day for ada" in shown
    async with open_directory(postgres) as (directory, _):
        account = await directory.account_of(await directory.principal_of(ISSUER, "ada", {}))
        assert (account.api_key.reveal(), account.webhook_secret.reveal()) == (KEY, SECRET)
        assert await directory.machine(hashlib.sha256(token.encode()).digest()) == "acme/nightly"
        admin.does("token", "acme", "nightly", "--revoke")
        assert await directory.machine(hashlib.sha256(token.encode()).digest()) is None
    acts = postgres.execute("SELECT act, which FROM audit ORDER BY number")
    assert [act for act, _ in acts] == ["add tenant", "set key", "make token", *["set limit"] * 3, "revoke tokens"]
    assert all("darkroom_owner" in who for (who,) in postgres.execute("SELECT who FROM audit"))
    everything = admin.said + dump(postgres)
    assert everything.count(token) == 1 and not [each for each in (KEY, SECRET, MASTER[3:]) if each in everything]


def test_an_administrator_is_made_listed_and_ended_once(admin: Administrator, postgres: PostgresServer) -> None:
    admin.does("add", "acme")
    said = admin.does("admin", "acme", ISSUER, "ada")
    assert f"ada of {ISSUER} sees the whole tenant 'acme' on the page." in said and "Nobody of that name" in said
    assert "'ada' administers it already. Nothing was changed." in admin.refused("admin", "acme", ISSUER, "ada")
    assert f"acme: ada of {ISSUER} administers it on the page" in admin.does("list")
    [tenant] = json.loads(admin.run("list", "--json").out)["tenants"]
    assert tenant["administrators"] == [{"issuer": ISSUER, "subject": "ada"}]
    assert "Unknown tenant 'acne'. Closest: 'acme'." in admin.refused("admin", "acne", ISSUER, "ada")
    assert "neither may be empty" in admin.refused("admin", "acme", ISSUER, "")
    assert "no longer sees" in admin.does("admin", "acme", ISSUER, "ada", "--revoke")
    assert "'ada' does not administer it. Nothing was changed." in admin.refused(
        "admin", "acme", ISSUER, "ada", "--revoke"
    )
    assert "'zoe' does not administer it." in admin.refused("admin", "acme", ISSUER, "zoe", "--revoke")
    acts = [act for (act,) in postgres.execute("SELECT act FROM audit ORDER BY number")]
    assert acts == ["add tenant", "make administrator", "end administrator"]
    assert "zoe" not in dump(postgres)


async def test_keys_are_sealed_anew_after_a_rotation(admin: Administrator, postgres: PostgresServer) -> None:
    admin.does("add", "acme")
    admin.does("key", "acme", "--gateway", "replicate", stdin=f"{KEY}\n{SECRET}\n")
    new = f"k2:{secrets.token_hex(32)}"
    said = admin.refused("reseal", DARKROOM_MASTER_KEYS=new)
    assert "'k1', which is not in DARKROOM_MASTER_KEYS" in said
    another = {"DARKROOM_MASTER_KEYS": f"k1:{secrets.token_hex(32)}"}
    assert "is not the one that sealed it" in admin.refused("reseal", **another)
    said = admin.does("key", "acme", "--gateway", "deerapi", stdin="sk-another-key", **another)
    assert "A key that was kept before cannot be opened" in said
    postgres.execute("DELETE FROM gateway_accounts WHERE gateway = 'deerapi'")
    rotated = {"DARKROOM_MASTER_KEYS": f"{new},{MASTER}"}
    assert "1 of 1 accounts were sealed anew" in admin.does("reseal", **rotated)
    assert "0 of 1" in admin.does("reseal", **rotated)
    async with open_directory(postgres, master=new) as (directory, _):
        account = await directory.account_of(await directory.principal_of(ISSUER, "ada", {}))
        assert (account.api_key.reveal(), account.webhook_secret.reveal()) == (KEY, SECRET)


def test_who_adds_a_second_tenant_hears_that_log_ins_must_name_theirs_now(admin: Administrator) -> None:
    assert "DARKROOM_TENANT_CLAIM" not in admin.does("add", "acme")
    assert "2 tenants now: set DARKROOM_TENANT_CLAIM" in admin.does("add", "second")


def test_what_cannot_be_done_is_said_and_changes_nothing(admin: Administrator, postgres: PostgresServer) -> None:
    refused = admin.refused
    assert "There is none yet: `darkroom-mcp tenant add NAME`" in refused("limit", "acme", "--usd-per-day", "1")
    admin.does("add", "acme")
    before = dump(postgres)
    assert "'acme' exists already" in refused("add", "acme")
    assert "Closest: 'acme'" in refused("limit", "amce", "--usd-per-day", "1")
    assert "Closest: 'acme'" in refused("token", "acne", "x")
    assert "Closest: 'acme'" in refused("key", "acm", "--gateway", "replicate")
    assert "Closest: 'Europe/Berlin'" in refused("add", "b", "--zone", "Europe/Berln")
    for zone in ("europe/berlin", "Europe", "UTC+3", "CEST", ""):  # the database computes with most of these
        assert "Unknown time zone" in refused("add", "b", "--zone", zone)
    assert "cannot name a tenant" in refused("add", "a/b")
    assert "cannot name a tenant" in refused("add", "*")
    assert "cannot name a machine" in refused("token", "acme", "a/b")
    assert "--days 0 is not possible" in refused("token", "acme", "x", "--days", "0")
    assert "has no token for 'x'" in refused("token", "acme", "x", "--revoke")
    for amount in ("-1", "nan", "inf", "1e999", "much", "1,5"):
        assert f"--usd-per-day '{amount}' is not possible" in refused("limit", "acme", "--usd-per-day", amount)
    assert "ISSUER and SUBJECT" in refused("limit", "acme", "--usd-per-day", "1", "--principal", ISSUER, "")
    assert "Nobody with subject 'ada'" in refused("forget", ISSUER, "ada", "--yes")
    assert dump(postgres) == before


@pytest.mark.parametrize(
    ("words", "stdin", "said"),
    [
        (("--gateway", "replicate"), "", "No key came"),
        (("--gateway", "replicate"), "\n\n", "No key came"),
        (("--gateway", "replicat"), "k" * 20, "Unknown gateway 'replicat'. Closest: 'replicate'"),
        (("--gateway", "sandbox"), "k" * 20, "cannot serve a team"),
        (("--gateway", "custom"), "k" * 20, "--base-url"),
        (("--gateway", "custom", "--base-url", "http://example.com"), "k" * 20, "--base-url must start with https://"),
        (("--gateway", "custom", "--base-url", "https://a:b@example.com"), "k" * 20, "--base-url may not hold a user"),
        (("--gateway", "custom", "--base-url", "example.com"), "k" * 20, "--base-url must look like"),
        (("--gateway", "replicate", "--creates-per-minute", "0"), "k" * 20, "--creates-per-minute 0"),
        (("--gateway", "replicate", "--creates-per-minute", "-5"), "k" * 20, "--creates-per-minute -5"),
        (("--gateway", "replicate"), "kéy" * 8, "characters that no key has"),
        (("--gateway", "replicate"), f"{'k' * 20}\nno secret\n", "secret of webhooks"),
    ],
)
def test_a_key_that_cannot_be_kept_is_refused(
    admin: Administrator, postgres: PostgresServer, words: tuple[str, ...], stdin: str, said: str
) -> None:
    postgres.execute("INSERT INTO tenants (name) VALUES ('acme')")
    answer = admin.refused("key", "acme", *words, stdin=stdin)
    assert said in answer and "k" * 20 not in answer and "DARKROOM_BASE_URL" not in answer
    assert postgres.execute("SELECT count(*) FROM gateway_accounts") == [(0,)]


def test_settings_that_are_missing_are_named(admin: Administrator, postgres: PostgresServer) -> None:
    assert "DARKROOM_MASTER_KEYS is not set" in admin.refused("reseal", DARKROOM_MASTER_KEYS="")
    assert "DARKROOM_MIGRATE_URL is not set" in admin.refused("list", DARKROOM_MIGRATE_URL="")
    assert "DARKROOM_MIGRATE_URL is not set" in admin.refused(
        "list", DARKROOM_MIGRATE_URL="", DARKROOM_DATABASE_URL=postgres.app
    )
    for words in (("add", "acme"), ("list",), ("remove", "acme")):
        said = admin.run(*words, DARKROOM_MIGRATE_URL=postgres.app)
        assert said.code == 2 and "The role 'darkroom_app' does not own the tables" in said.err
    nowhere = "postgresql://darkroom_owner:Canary@127.0.0.1:9/none"
    said = admin.refused("list", DARKROOM_MIGRATE_URL=nowhere)
    assert "cannot be reached" in said and "Canary" not in said


def test_a_key_goes_in_by_a_pipe_of_a_real_process(admin: Administrator, tmp_path: Path) -> None:
    admin.does("add", "acme")
    line = CommandLine(tmp_path)
    words = ("tenant", "key", "acme", "--gateway", "replicate")
    done = line.run(*words, environ=admin.settings, stdin=f"{KEY}\n{SECRET}\n".encode())
    assert done.returncode == 0 and done.stdout == "" and "are sealed and kept" in " ".join(done.stderr.split())
    assert KEY not in done.stderr and SECRET not in done.stderr


@pytest.mark.parametrize(
    "command", ["add", "list", "key", "token", "limit", "admin", "reseal", "audit", "remove", "forget"]
)
def test_every_command_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tenant", command, "--help"]) == 0
    assert f"Example: darkroom-mcp tenant {command}" in " ".join(capsys.readouterr().out.split())


async def test_the_audit_tells_who_did_what_by_names_that_are_known(
    admin: Administrator, postgres: PostgresServer
) -> None:
    assert "Unknown tenant 'acme'" in admin.refused("audit", "acme")
    admin.does("add", "acme")
    admin.does("key", "acme", "--gateway", "replicate", stdin=f"{KEY}\n")
    async with open_directory(postgres) as (directory, _):
        ada = await directory.principal_of(ISSUER, "ada", {})
    admin.does("limit", "acme", "--usd-per-day", "1", "--principal", ISSUER, "ada")
    sent = "INSERT INTO audit (at, tenant, who, act, which) VALUES ({}, 'acme', '{}', 'create', 'k1')"
    postgres.execute(sent.format("now()", ada.hash))
    postgres.execute(sent.format("now() - interval '30 days'", ada.hash))
    postgres.execute(sent.format("now()", ""))
    acts = json.loads(admin.run("audit", "acme", "--json").out)["acts"]
    assert [act["act"] for act in acts] == ["create", "create", "set limit", "set key", "add tenant"]
    assert [act["who"] for act in acts[:2]] == [None, {"issuer": ISSUER, "subject": "ada"}]
    assert acts[2]["which"] == "ada" and "darkroom_owner" in acts[2]["who"]
    shown = admin.does("audit", "acme", "--limit", "2")
    assert "a person who was forgotten create k1" in shown and "ada create k1" in shown
    assert "There are more: these are the newest 2" in shown
    assert len(json.loads(admin.run("audit", "acme", "--json", "--since", "5w").out)["acts"]) == 6
    assert "is no moment" in admin.run("audit", "acme", "--since", "soon").err
