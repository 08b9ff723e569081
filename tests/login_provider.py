"""oidc-provider as the authorization server of a team, and a person's browser that logs in there."""

import base64
import hashlib
import re
import subprocess
import urllib.parse
from collections.abc import Generator
from contextlib import contextmanager

import httpx
from issuer_server import Issuer
from node_programs import NODE_MODULES, node_command
from team_server import Team

VERIFIER = "v" * 43


@contextmanager
def open_provider(resource: str) -> Generator[Issuer]:
    """Serves while the block runs, with tokens for this resource."""
    issuer, command = Issuer(), node_command("./authorization_server.mjs", str(NODE_MODULES), resource)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout
            issuer.url = process.stdout.readline().strip()
            yield issuer
        finally:
            process.kill()


async def log_in(url: str, person: str, redirect: str) -> dict[str, str]:
    """Play the person's browser; gives what comes back to the host, which waits at `redirect`."""
    async with httpx.AsyncClient(timeout=30) as browser:
        answer = await browser.get(url)
        for _ in range(14):
            if answer.status_code in (302, 303):
                to = urllib.parse.urljoin(str(answer.url), answer.headers["location"])
                if to.startswith(redirect):
                    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(to).query))
                answer = await browser.get(to)
                continue
            prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
            action = re.search(r'action="([^"]+)"', answer.text)
            assert prompt and action, answer.text[:400]
            form = {"prompt": prompt[1]} | ({"login": person, "password": "x"} if prompt[1] == "login" else {})
            answer = await browser.post(urllib.parse.urljoin(str(answer.url), action[1]), data=form)
    raise AssertionError("the log-in has no end")


async def token_of(team: Team, person: str) -> str:
    """An access token of this person, as the client of the page gets it."""
    redirect = f"{team.origin}/callback"
    common = {"client_id": "page", "redirect_uri": redirect, "resource": f"{team.origin}/mcp"}
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
    asked = common | {"response_type": "code", "scope": "images", "code_challenge": challenge}
    asked |= {"code_challenge_method": "S256", "state": "s"}
    came = await log_in(f"{team.issuer.url}/auth?{urllib.parse.urlencode(asked)}", person, redirect)
    form = common | {"grant_type": "authorization_code", "code": came["code"], "code_verifier": VERIFIER}
    async with httpx.AsyncClient() as http:
        return str((await http.post(f"{team.issuer.url}/token", data=form)).json()["access_token"])
