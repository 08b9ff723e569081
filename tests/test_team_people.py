"""Two people of one team: each reaches everything of their own, and of the other's it is as if it were not there."""

import base64
import json
import subprocess
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from apps_host import HasApps
from call_results import report, text
from http_process import bare_environ
from issuer_server import Issuer, open_issuer
from mcp import Client, MCPError
from mcp.types import BlobResourceContents, TextResourceContents
from node_programs import node_command, node_environ
from PIL import Image
from postgres_server import PostgresServer
from team_server import GATEWAY_KEY, Team, open_team
from team_workers import seen
from test_inspector import INSPECTOR

from darkroom_server.team.administration import administering
from darkroom_server.team.tenants import principal_hash

pytestmark = pytest.mark.anyio
ERAS = ["auto", "legacy"]


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with open_issuer() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def team(running_postgres: PostgresServer, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    with open_team(running_postgres, issuer, tmp_path_factory.mktemp("team")) as team:
        yield team


def picture() -> str:
    """A small PNG as a data URI."""
    content = BytesIO()
    Image.new("RGB", (64, 64), "teal").save(content, "PNG")
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"


async def made_by(client: Client, **arguments: Any) -> dict[str, Any]:
    made = await client.call_tool("generate_image", {"prompt": "a lighthouse"} | arguments)
    assert text(made).startswith("Succeeded"), text(made)
    return report(made)


def get(team: Team, path: str, subject: str = "") -> httpx.Response:
    headers = {"Authorization": f"Bearer {team.token(subject)}"} if subject else {}
    return httpx.get(f"{team.origin}{path}", headers=headers, timeout=30)


def sent_to_gateway(team: Team, id: str) -> str:
    """The input as the gateway keeps it."""
    headers = {"Authorization": f"Bearer {GATEWAY_KEY}"}
    return str(httpx.get(f"{team.sandbox}/v1/predictions/{id}", headers=headers, timeout=30).json()["input"])


def by_token(team: Team, path: str, token: str) -> int:
    return httpx.get(f"{team.origin}{path}", headers={"Authorization": f"Bearer {token}"}, timeout=30).status_code


@pytest.mark.parametrize("mode", ERAS)
async def test_a_picture_is_reached_by_its_link_and_by_no_path(team: Team, mode: str) -> None:
    async with team.client("ada", mode) as ada:
        made = await ada.call_tool("generate_image", {"prompt": "a lighthouse"})
        listed = await ada.call_tool("get_prediction", {"id": "today"})
        found = await ada.call_tool("get_prediction", {"id": report(made)["id"]})
    link = report(made)["images"][0]["path"]
    assert link == f"{team.origin}/images/{report(made)['id']}/1"
    assert link in text(made) and link in text(listed) and link in text(found)
    assert "has to log in to see them" in text(made) and "may die" not in text(made)
    for answer in (made, listed, found):
        assert str(team.folder) not in f"{answer.model_dump_json()}"
        assert GATEWAY_KEY not in answer.model_dump_json()
    answer = get(team, link.removeprefix(team.origin), "ada")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
    assert len(answer.content) == report(made)["images"][0]["size_bytes"]
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_address_of_ones_own_picture_is_an_input_and_that_of_another_is_refused(team: Team) -> None:
    """The gateway cannot fetch it, so the picture itself is sent."""
    async with team.client("ada") as ada, team.client("bob") as bob:
        link = (await made_by(ada))["images"][0]["path"]
        edited = await made_by(ada, prompt="the same at night", images=[link])
        refused = await bob.call_tool("generate_image", {"prompt": "the same at night", "images": [link]})
    assert "data:image/" in sent_to_gateway(team, edited["id"])
    assert text(refused).startswith("Refused: ") and "is known here. Nothing was sent" in text(refused)


async def test_an_image_of_another_is_not_there(team: Team) -> None:
    async with team.client("ada") as ada:
        id = (await made_by(ada))["id"]
    unknown = get(team, "/images/unknown/1", "bob")
    for path in (f"/images/{id}/1", f"/images/{id}/2", f"/images/{id}/0", f"/images/{id}/x", "/images/%00/1"):
        foreign = get(team, path, "bob")
        assert (
            (foreign.status_code, foreign.content) == (unknown.status_code, unknown.content) == (404, foreign.content)
        )
    assert get(team, f"/images/{id}/1").status_code == 401
    assert "resource_metadata" in get(team, f"/images/{id}/1").headers["www-authenticate"]


@pytest.mark.parametrize("mode", ERAS)
async def test_nothing_of_another_is_there_by_any_name(team: Team, mode: str) -> None:
    async with team.client("ada", mode) as ada, team.client("bob", mode) as bob:
        made = await made_by(ada, prompt="a secret lighthouse", request_id=f"wish-{mode}")
        id, key = made["id"], made["predictions"][0]["key"]
        for name in (id, key, f"wish-{mode}", f"prediction:{id}", f"{id}/1"):
            for arguments in ({"id": name}, {"id": name, "cancel": True}):
                answer = text(await bob.call_tool("get_prediction", arguments))
                assert "secret" not in answer and "There is no prediction" in answer, answer
        for name in ("today", "recent", "find: secret"):
            assert "secret lighthouse" not in text(await bob.call_tool("get_prediction", {"id": name}))
        for arguments in ({"like": id}, {"like": f"wish-{mode}", "seed": 3}):
            assert "Succeeded" not in text(await bob.call_tool("generate_image", arguments))
        edited = await bob.call_tool("generate_image", {"prompt": "at night", "images": [f"prediction:{id}"]})
        assert edited.is_error and "no image 1 of a prediction" in text(edited)
        own = await bob.call_tool("generate_image", {"prompt": "a boat", "request_id": f"wish-{mode}"})
        assert report(own)["id"] != id and report(own)["prompt"] == "a boat"
        for uri in (f"prediction://{id}", f"prediction://{id}/images/1", f"prediction://{id}/images/1/preview"):
            with pytest.raises(MCPError):
                await bob.read_resource(uri)
        shown = (await ada.read_resource(f"prediction://{id}")).contents[0]
        assert isinstance(shown, TextResourceContents) and str(team.folder) not in shown.text
        assert isinstance((await ada.read_resource(f"prediction://{id}/images/1")).contents[0], BlobResourceContents)


async def test_a_picture_that_was_added_is_its_owners_alone(team: Team) -> None:
    async with team.client("ada", extensions=[HasApps()]) as ada, team.client("bob") as bob:
        added = await ada.call_tool("add_picture", {"picture": picture()})
        reference = text(added).split("picture: ")[1].split(" ")[0]
        assert await made_by(ada, images=[reference])
        refused = await bob.call_tool("generate_image", {"prompt": "x", "images": [reference]})
        assert refused.is_error and "no such picture" in text(refused)


async def test_a_machine_is_a_person_of_its_own_until_its_token_is_revoked(team: Team) -> None:
    with administering(team.server.owner) as administration:
        token = administration.new_token("acme", "robot", None)
    async with team.client(token=token) as robot:
        id = (await made_by(robot))["id"]
    assert get(team, f"/images/{id}/1", "ada").status_code == 404
    assert by_token(team, f"/images/{id}/1", token) == 200
    with administering(team.server.owner) as administration:
        assert administration.revoke_tokens("acme", "robot") == 1
    await seen(lambda: by_token(team, f"/images/{id}/1", token) == 401)  # as soon as the replica has heard of it


def test_the_inspector_works_with_the_token_of_a_machine(team: Team, tmp_path: Path) -> None:
    with administering(team.server.owner) as administration:
        token = administration.new_token("acme", "inspector", 1)

    def ask(era: str, *words: str) -> dict[str, Any]:
        at = ("--transport", "http", "--server-url", f"{team.origin}/mcp", "--header", f"Authorization: Bearer {token}")
        told = subprocess.run(
            node_command(INSPECTOR, "--cli", "--connect-timeout", "100000", *at, "--protocol-era", era, *words),
            cwd=tmp_path,
            env=node_environ(bare_environ(tmp_path)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert told.returncode == 0, told.stdout + told.stderr
        return json.loads(told.stdout)

    tools = ask("legacy", "--method", "tools/list", "--strict")["tools"]
    assert [tool["name"] for tool in tools][:3] == ["generate_image", "get_prediction", "list_models"]
    call = ("--method", "tools/call", "--tool-name", "generate_image")
    made = ask("modern", *call, "--tool-args-json", '{"prompt": "a lighthouse at dawn"}')
    assert made["content"][0]["text"].startswith("Succeeded: 1 image")


@pytest.mark.parametrize("path", ["/etc/hostname", "file:///etc/hostname", "~/x.png", "images/x.png"])
async def test_no_file_of_the_server_is_an_input(team: Team, path: str) -> None:
    async with team.client("ada") as ada:
        refused = await ada.call_tool("generate_image", {"prompt": "x", "images": [path]})
        assert refused.is_error and str(team.folder) not in text(refused), text(refused)


async def test_a_dropped_call_cancels_nothing_and_is_found_again(team: Team) -> None:
    """In both eras at the same time."""

    async def drop_and_ask(mode: str) -> None:
        name = f"dropped-{mode}"
        known = f"SELECT 1 FROM intents WHERE request_id = '{name}' AND state = 'known'"
        async with team.client("ada", mode) as ada, anyio.create_task_group() as tasks:
            call = {"prompt": "sandbox:slow=2 a fox", "request_id": name}
            tasks.start_soon(ada.call_tool, "generate_image", call)
            await seen(lambda: bool(team.server.execute(known)))
            tasks.cancel_scope.cancel()
        async with team.client("ada", mode) as ada:
            found = await ada.call_tool("get_prediction", {"id": name, "wait_seconds": 20})
            assert text(found).startswith("Succeeded"), text(found)

    async with anyio.create_task_group() as tasks:
        for mode in ERAS:
            tasks.start_soon(drop_and_ask, mode)


async def test_a_cancel_that_is_asked_for_cancels(team: Team) -> None:
    async with team.client("ada") as ada:
        slow = {"prompt": "sandbox:slow=400 a fox", "wait_seconds": 0, "request_id": "to-be-stopped"}
        await ada.call_tool("generate_image", slow)
        stopped = await ada.call_tool("get_prediction", {"id": "to-be-stopped", "cancel": True, "wait_seconds": 10})
        assert report(stopped)["status"] == "canceled", text(stopped)


async def test_the_files_lie_apart_by_tenant_and_person(team: Team) -> None:
    async with team.client("ada") as ada:
        await made_by(ada)
    places = {path.parent.relative_to(team.folder / "images") for path in (team.folder / "images").rglob("*.webp")}
    assert places and all(place.parts[0] == "acme" and len(place.parts) == 2 for place in places)
    assert not any(isinstance(place, Path) and "ada" in str(place) for place in places)


async def test_no_answer_names_a_folder_of_the_server(team: Team) -> None:
    place = team.folder / "images" / "acme"
    async with team.client("carol") as carol:
        await made_by(carol)
        for file in (place / principal_hash(team.issuer.url, "carol")).iterdir():
            if file.is_file():
                file.unlink()
        found = await carol.call_tool("get_prediction", {"id": "latest", "previews": True})
        again = await carol.call_tool(
            "generate_image", {"prompt": "x", "images": [f"prediction:{report(found)['id']}"]}
        )
        for answer in (found, again):
            assert str(team.folder) not in answer.model_dump_json(), text(answer)
        assert again.is_error and "no longer in '(a folder of the server)" in text(again), text(again)
