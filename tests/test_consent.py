"""Asking the person before a costly call, in both protocol eras; a sandbox stands in for a paid gateway."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import anyio
import httpx
import pytest
from mcp import Client
from mcp.types import ElicitRequestParams, ElicitResult, TextContent
from sandbox_server import sandbox_server

from darkroom.settings import Settings
from darkroom_server.app import create_server

pytestmark = pytest.mark.anyio

Mode = Literal["auto", "legacy"]
DEAR = {"prompt": "a lighthouse", "model": "black-forest-labs/flux-1.1-pro"}  # $0.04 an image
CHEAP = {"prompt": "a lighthouse", "model": "black-forest-labs/flux-schnell"}  # $0.003


@pytest.fixture(params=["auto", "legacy"])
def mode(request: pytest.FixtureRequest) -> Mode:
    return request.param


class Person:
    """Answers the host's dialog with `action`, and remembers what was asked."""

    def __init__(self, action: Literal["accept", "decline", "cancel"], *, confirmed: bool = True) -> None:
        self.asked: list[str] = []
        self._action: Literal["accept", "decline", "cancel"] = action
        self._content: dict[str, str | int | float | bool | list[str] | None] | None = (
            {"confirmed": confirmed} if action == "accept" else None
        )

    async def __call__(self, context: Any, params: ElicitRequestParams) -> ElicitResult:
        self.asked.append(params.message)
        return ElicitResult(action=self._action, content=self._content)


@asynccontextmanager
async def client_of(folder: Path, mode: Mode, person: Person | None) -> AsyncGenerator[tuple[Client, str]]:
    """A client of a server whose paid gateway is a sandbox on loopback; gives the sandbox's address too."""
    with anyio.fail_after(60):
        async with sandbox_server() as origin:
            settings = Settings.read(
                {
                    "DARKROOM_GATEWAY": "replicate",
                    "DARKROOM_BASE_URL": origin,
                    "DARKROOM_API_KEY": "r8_nobody",
                    "DARKROOM_DATA_DIR": str(folder / "data"),
                    "DARKROOM_OUTPUT_DIR": str(folder / "pictures"),
                    "DARKROOM_CONFIRM_USD": "0.01",
                }
            )
            async with Client(create_server(settings), mode=mode, elicitation_callback=person) as client:
                yield client, origin


async def said(client: Client, arguments: dict[str, Any]) -> tuple[bool, str]:
    result = await client.call_tool("generate_image", arguments)
    assert isinstance(result.content[0], TextContent)
    return result.is_error, result.content[0].text


async def creates(origin: str) -> int:
    async with httpx.AsyncClient() as http:
        return len((await http.get(f"{origin}/v1/predictions")).json()["results"])


async def test_a_costly_call_is_made_once_the_person_agrees(tmp_path: Path, mode: Mode) -> None:
    person = Person("accept")
    async with client_of(tmp_path, mode, person) as (client, origin):
        is_error, text = await said(client, DEAR)
        assert not is_error and text.startswith("Succeeded")
        assert person.asked == ["Make 1 image with black-forest-labs/flux-1.1-pro for at most $0.04?"]
        assert await creates(origin) == 1


@pytest.mark.parametrize("person", [Person("decline"), Person("cancel"), Person("accept", confirmed=False)])
async def test_a_costly_call_that_the_person_does_not_want_sends_nothing(
    tmp_path: Path, mode: Mode, person: Person
) -> None:
    async with client_of(tmp_path, mode, person) as (client, origin):
        is_error, text = await said(client, DEAR)
        assert is_error and "did not confirm" in text and "Nothing was sent" in text
        assert await creates(origin) == 0


async def test_a_cheap_call_is_not_asked_about(tmp_path: Path, mode: Mode) -> None:
    person = Person("decline")
    async with client_of(tmp_path, mode, person) as (client, origin):
        is_error, _ = await said(client, CHEAP)
        assert not is_error and not person.asked
        assert await creates(origin) == 1


async def test_several_cheap_images_add_up(tmp_path: Path, mode: Mode) -> None:
    person = Person("accept")
    async with client_of(tmp_path, mode, person) as (client, _):
        await said(client, {**CHEAP, "count": 4})
        assert person.asked == ["Make 4 images with black-forest-labs/flux-schnell for at most $0.012?"]


async def test_a_host_that_cannot_ask_is_told_how_the_person_can_confirm(tmp_path: Path, mode: Mode) -> None:
    async with client_of(tmp_path, mode, None) as (client, origin):
        is_error, text = await said(client, DEAR)
        assert is_error and "DARKROOM_CONFIRM_USD" in text and "cannot ask" in text
        assert await creates(origin) == 0


async def test_a_bad_input_is_refused_in_its_own_words_without_a_question(tmp_path: Path, mode: Mode) -> None:
    person = Person("accept")
    async with client_of(tmp_path, mode, person) as (client, _):
        is_error, text = await said(client, {**DEAR, "model_options": {"guidanc": 3}})
        assert is_error and "guidanc" in text and not person.asked
