"""An authorization server as far as a resource server sees it: metadata and public keys, on loopback, with bad days."""

import json
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Issuer:
    """`keys` by their kid; `fetches` counts how often they were asked for; `is_down` answers 503, `is_garbled` no HTTP;
    `drips` is the part of an answer that comes by drops, "head" or "body".

    `places` are addresses that the metadata names besides. `grants` are the answers of the token endpoint by their
    code, each given once; `exchanged` the forms that came.
    """

    def __init__(self) -> None:
        self.url = ""
        self.keys: dict[str, SigningKey] = {
            "e": ec.generate_private_key(ec.SECP256R1()),
            "r": _rsa_key(),
        }
        self.fetches = 0
        self.is_down = self.is_garbled = False
        self.drips = ""
        self.document: bytes | None = None
        self.named = ""
        self.places: dict[str, str] = {}
        self.grants: dict[str, dict[str, Any]] = {}
        self.exchanged: list[dict[str, str]] = []

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Those of a good token; None takes one away."""
        now = int(time.time())
        claims = {"iss": self.url, "aud": "https://d.example/mcp", "sub": "ada", "exp": now + 300, "scope": "images"}
        return {name: value for name, value in (claims | changes).items() if value is not None}

    def token(
        self, kid: str = "e", *, key: SigningKey | None = None, headers: dict[str, Any] | None = None, **changes: Any
    ) -> str:
        """A token signed by one of the keys, or by another `key` under its name."""
        signing = key or self.keys[kid]
        algorithm = "ES256" if isinstance(signing, ec.EllipticCurvePrivateKey) else "RS256"
        return jwt.encode(
            self.claims(**changes), signing, algorithm, headers={"kid": kid, "typ": "at+jwt"} | (headers or {})
        )

    def answer(self, path: str) -> dict[str, Any] | None:
        if path == "/jwks":
            self.fetches += 1
            return {"keys": [public_jwk(key, kid) for kid, key in self.keys.items()]}
        if path == "/.well-known/openid-configuration":
            places = {"authorization_endpoint": "auth", "token_endpoint": "token", "end_session_endpoint": "end"}
            named = {name: f"{self.url}/{path}" for name, path in (places | {"jwks_uri": "jwks"}).items()}
            told = {"authorization_response_iss_parameter_supported": True}
            return {"issuer": self.named or self.url} | named | told | self.places
        return None

    def exchange(self, form: dict[str, str]) -> dict[str, Any]:
        """What the token endpoint answers; an unknown code, or one that was used, is no grant."""
        self.exchanged.append(form)
        return self.grants.pop(form.get("code", ""), {"error": "invalid_grant"})


@cache
def _rsa_key() -> rsa.RSAPrivateKey:
    """The same for all of a process: to find its primes takes longer than most tests."""
    return rsa.generate_private_key(65537, 2048)


def public_jwk(key: SigningKey, kid: str) -> dict[str, Any]:
    algorithm = jwt.get_algorithm_by_name("ES256" if isinstance(key, ec.EllipticCurvePrivateKey) else "RS256")
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, "use": "sig"}


@contextmanager
def open_issuer() -> Generator[Issuer]:
    """Serves while the block runs."""
    issuer = Issuer()

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = issuer.document if self.path == "/jwks" and issuer.document else None
            found = issuer.answer(self.path)
            self.tell(200 if body or found else 404, body or json.dumps(found).encode())

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            found = issuer.exchange({name: values[-1] for name, values in form.items()})
            self.tell(400 if "error" in found else 200, json.dumps(found).encode())

        def tell(self, status: int, body: bytes) -> None:
            if issuer.is_garbled:
                self.wfile.write(b"no answer\r\n\r\n")
                return
            head = f"HTTP/1.0 {503 if issuer.is_down else status} x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            drops = {"head": head + body, "body": body}.get(issuer.drips, b"")
            self.wfile.write((head + body).removesuffix(drops))
            for drop in drops:
                threading.Event().wait(0.05)
                self.wfile.write(bytes([drop]))

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    issuer.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
