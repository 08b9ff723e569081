"""What a host hears where its token cannot be checked: to try again, and never to log in anew."""

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from darkroom.errors import JournalError
from darkroom_server.team.issuer import IssuerUnreachable
from darkroom_server.team.middleware import TokenFaults

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("fault", [IssuerUnreachable("canary"), JournalError("canary: the database is away")])
async def test_a_token_that_cannot_be_checked_is_no_wrong_token(
    fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise fault

    transport = httpx.ASGITransport(app=TokenFaults(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://d.example") as http:
        answer = await http.post("/mcp")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "www-authenticate" not in answer.headers and "canary" not in answer.text
    assert f"a token could not be checked: {fault}" in caplog.text
