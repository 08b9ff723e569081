"""Which tokens are taken: the issuer's own for this server, and machines'; none that is forged, and none is lost."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from issuer_server import Issuer, open_issuer, public_jwk

from darkroom.team_settings import TeamSettings
from darkroom_server.team.issuer import Issuer as AskedIssuer
from darkroom_server.team.issuer import IssuerUnreachable
from darkroom_server.team.tokens import TokenVerifier

pytestmark = pytest.mark.anyio

OTHER = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def shared() -> Iterator[Issuer]:
    with open_issuer() as issuer:
        yield issuer


@pytest.fixture
def issuer(shared: Issuer) -> Issuer:
    shared.is_down, shared.is_garbled, shared.document, shared.named, shared.fetches = False, False, None, "", 0
    shared.places.clear()
    shared.drips = ""
    return shared


async def machine(digest: bytes) -> str | None:
    return "robot" if digest == hashlib.sha256(b"drk_robot").digest() else None


def verifier(issuer: Issuer, *, fresh_s: float = 300, again_s: float = 30, **settings: str) -> TokenVerifier:
    given = {"DARKROOM_PUBLIC_URL": "https://d.example", "DARKROOM_OAUTH_ISSUER": issuer.url} | settings
    return TokenVerifier(TeamSettings.read(given), machine, fresh_s=fresh_s, again_s=again_s)


def encoded(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def unsigned(issuer: Issuer, signature: str = "", **header: Any) -> str:
    return f"{encoded(header)}.{encoded(issuer.claims())}.{signature}"


def signed_by_public_key(issuer: Issuer) -> str:
    """What a checker takes that lets the token choose the algorithm."""
    pem = issuer.keys["r"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    body = unsigned(issuer, alg="HS256", kid="r").removesuffix(".")
    signature = hmac.new(pem, body.encode(), hashlib.sha256).digest()
    return f"{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


FORGED: dict[str, Callable[[Issuer], str]] = {
    "no algorithm": lambda issuer: unsigned(issuer, alg="none"),
    "no algorithm, a known key": lambda issuer: unsigned(issuer, alg="None", kid="e"),
    "signed with the public key": signed_by_public_key,
    "for somebody else": lambda issuer: issuer.token(aud="https://other.example/mcp"),
    "for nobody": lambda issuer: issuer.token(aud=None),
    "for an address below": lambda issuer: issuer.token(aud="https://d.example/mcp/x"),
    "expired": lambda issuer: issuer.token(exp=issuer.claims()["exp"] - 400),
    "without an end": lambda issuer: issuer.token(exp=None),
    "with an end of no time": lambda issuer: issuer.token(exp="soon"),
    "not yet": lambda issuer: issuer.token(nbf=issuer.claims()["exp"] + 900),
    "of another issuer": lambda issuer: issuer.token(iss="https://evil.example"),
    "by another key of the same name": lambda issuer: issuer.token(key=OTHER),
    "by the key that it brings": lambda issuer: issuer.token("zz", key=OTHER, headers={"jwk": public_jwk(OTHER, "zz")}),
    "by an unknown key": lambda issuer: issuer.token("unknown", key=OTHER),
    "by a key without a name": lambda issuer: issuer.token(key=OTHER, headers={"kid": ""}),
    "of nobody": lambda issuer: issuer.token(sub=None),
    "of an empty name": lambda issuer: issuer.token(sub=""),
    "of a name with a NUL": lambda issuer: issuer.token(sub="a\0b"),
    "of an endless name": lambda issuer: issuer.token(sub="a" * 300),
    "to log in, not to call": lambda issuer: issuer.token(aud="client-id", nonce="n", scope=None),
    "a changed signature": lambda issuer: issuer.token()[:-8] + "AAAAAAAA",
    "no token": lambda issuer: "a.b.c",
    "nothing": lambda issuer: "",
    "five parts": lambda issuer: "a.b.c.d.e",
    "endless": lambda issuer: "A" * 100_000,
    "no text": lambda issuer: "\udcff.\0.é",
    "a header a thousand levels deep": lambda issuer: (
        base64.urlsafe_b64encode(b'{"kid":' + b"[" * 5000).decode().rstrip("=") + ".e30.AA"
    ),
    "an unknown machine": lambda issuer: "drk_somebody",
}


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_token_is_refused(name: str, issuer: Issuer) -> None:
    assert await verifier(issuer).verify_token(FORGED[name](issuer)) is None


MENDABLE: dict[str, Callable[[Issuer], str]] = {
    "issued for 'api://other' and not for 'https://d.example/mcp'": lambda issuer: issuer.token(aud="api://other"),
    "DARKROOM_OAUTH_ISSUER says": lambda issuer: issuer.token(iss=f"{issuer.url}/"),
    "is no JWT": lambda issuer: "opaque-canary-token",
}


@pytest.mark.parametrize("words", MENDABLE)
async def test_the_log_says_once_what_the_authorization_server_does_differently(
    words: str, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    ours, token = verifier(issuer), MENDABLE[words](issuer)
    for _ in range(3):
        assert await ours.verify_token(token) is None
    assert caplog.text.count(words) == 1
    assert token[-20:] not in caplog.text


async def test_a_token_by_another_key_writes_nothing_of_its_own_into_the_log(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    assert await verifier(issuer).verify_token(issuer.token(aud="forged-words", key=OTHER)) is None
    assert "forged-words" not in caplog.text


@pytest.mark.parametrize("kid", ["e", "r"])
async def test_a_token_of_the_issuer_names_its_person_and_does_not_go_on(kid: str, issuer: Issuer) -> None:
    access = await verifier(issuer).verify_token(issuer.token(kid, client_id="host", azp="other"))
    assert access
    assert (access.subject, access.claims, access.client_id) == ("ada", {"iss": issuer.url}, "host")
    assert (access.scopes, access.resource, access.token) == (["images"], "https://d.example/mcp", "")


@pytest.mark.parametrize("claim", [{"scp": ["images", "other"]}, {"scp": "images other"}, {"scope": "images other"}])
async def test_scopes_are_read_as_issuers_write_them(claim: dict[str, Any], issuer: Issuer) -> None:
    access = await verifier(issuer).verify_token(issuer.token("e", **({"scope": None} | claim)))
    assert access and access.scopes == ["images", "other"]


async def test_an_audience_of_its_own_can_be_set(issuer: Issuer) -> None:
    own = verifier(issuer, DARKROOM_OAUTH_AUDIENCE="api://darkroom", DARKROOM_TENANT_CLAIM="org")
    assert await own.verify_token(issuer.token()) is None
    access = await own.verify_token(issuer.token(aud=["api://darkroom", "x"], org="acme"))
    assert access and access.claims == {"iss": issuer.url, "org": "acme"}


async def test_the_token_of_a_machine_is_known_by_its_hash(issuer: Issuer) -> None:
    access = await verifier(issuer).verify_token("drk_robot")
    assert access
    assert (access.subject, access.claims, access.scopes) == ("robot", {"iss": "darkroom"}, ["images"])
    assert issuer.fetches == 0


async def test_many_at_once_fetch_the_keys_once(issuer: Issuer) -> None:
    checks, token = verifier(issuer), issuer.token()
    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(checks.verify_token, token)
    assert issuer.fetches == 1


async def test_a_flood_of_unknown_keys_fetches_nothing(issuer: Issuer) -> None:
    checks = verifier(issuer)
    assert await checks.verify_token(issuer.token())
    for number in range(100):
        assert await checks.verify_token(issuer.token(f"x{number}", key=OTHER)) is None
    assert issuer.fetches == 1


async def test_a_new_key_of_the_issuer_is_taken_and_the_old_one_stays(issuer: Issuer) -> None:
    checks, old = verifier(issuer, again_s=0), issuer.token()
    assert await checks.verify_token(old)
    issuer.keys["new"] = ec.generate_private_key(ec.SECP256R1())
    try:
        assert await checks.verify_token(issuer.token("new"))
        assert await checks.verify_token(old)
    finally:
        del issuer.keys["new"]


@pytest.mark.parametrize("trouble", ["is_down", "is_garbled"])
async def test_known_keys_serve_on_while_the_issuer_is_away(issuer: Issuer, trouble: str) -> None:
    checks = verifier(issuer, fresh_s=1e-9, again_s=0)
    assert await checks.verify_token(issuer.token())
    setattr(issuer, trouble, True)
    assert await checks.verify_token(issuer.token())
    assert await checks.verify_token(issuer.token("unknown", key=OTHER)) is None


@pytest.mark.parametrize("document", [b"<html>", b"[]", b'{"keys": []}', b'{"keys": [{"kty": "?"}]}'])
async def test_known_keys_serve_on_while_the_issuer_gives_no_keys(document: bytes, issuer: Issuer) -> None:
    checks = verifier(issuer, fresh_s=1e-9, again_s=0)
    assert await checks.verify_token(issuer.token())
    issuer.document = document
    assert await checks.verify_token(issuer.token())
    with pytest.raises(IssuerUnreachable):
        await verifier(issuer).verify_token(issuer.token())


@pytest.mark.parametrize("trouble", ["is_down", "is_garbled"])
async def test_without_any_key_a_token_is_neither_right_nor_wrong(issuer: Issuer, trouble: str) -> None:
    setattr(issuer, trouble, True)
    checks = verifier(issuer)
    for _ in range(2):
        with pytest.raises(IssuerUnreachable):
            await checks.verify_token(issuer.token())
    assert await checks.verify_token("drk_robot")


@pytest.mark.parametrize("place", ["http://d.example/auth", "https://[", "https://d.example/\r\nX: y", "https://d.é/"])
def test_an_address_that_no_browser_can_be_sent_to_is_not_taken(issuer: Issuer, place: str) -> None:
    issuer.places["end_session_endpoint"] = place
    with pytest.raises(IssuerUnreachable, match="end_session_endpoint"):
        AskedIssuer(issuer.url).address("end_session_endpoint")


async def test_metadata_of_another_issuer_is_not_taken(issuer: Issuer, caplog: pytest.LogCaptureFixture) -> None:
    issuer.named = "https://login.example/"
    with pytest.raises(IssuerUnreachable):
        await verifier(issuer).verify_token(issuer.token())
    assert "its metadata names 'https://login.example/', not what DARKROOM_OAUTH_ISSUER says" in caplog.text


@pytest.mark.parametrize("part", ["head", "body"])
def test_an_answer_that_comes_by_drops_is_not_waited_for(issuer: Issuer, part: str) -> None:
    patient, asked = AskedIssuer(issuer.url), AskedIssuer(issuer.url, within_s=0.2)
    assert patient.exchange({"code": "none"}) == (400, {"error": "invalid_grant"})
    assert asked.address("token_endpoint")
    issuer.drips = part
    with pytest.raises(IssuerUnreachable, match="TimeoutError"):
        asked.exchange({"code": "none"})
    with pytest.raises(TimeoutError):
        asked.document(f"{issuer.url}/jwks")
    with pytest.raises(IssuerUnreachable):
        AskedIssuer(issuer.url, within_s=0.2).address("jwks_uri")
