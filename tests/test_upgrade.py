"""A journal of darkroom 0.1.0 is taken over whole: nothing is lost or paid again, and what was open goes on."""

import sqlite3
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.types import TextContent
from pages import run_each
from pictures import picture
from scripted_gateway import Answer, RecordedRequest, ScriptedGateway

from darkroom.journal.migrations import APPLICATION_ID, released_steps
from darkroom.settings import Settings
from darkroom_server.app import create_server

pytestmark = pytest.mark.anyio
DUMP = (Path(__file__).parent / "journals" / "0.1.0.sql").read_text(encoding="utf-8")
OPEN, WANTED = "4e9ctx4r53kpwggh8hq1ha1042", "wanted0000000000000000000a"
FOUND = "found00000000000000000000a"
TIMES = ("intended_at", "sent_at", "known_at", "ended_at")
WEBP = picture("WEBP", size=(64, 48))


@dataclass(frozen=True)
class Home:
    """A home in which 0.1.0 has worked until a minute ago, at the gateway of that address."""

    folder: Path
    base_url: str

    @property
    def environ(self) -> dict[str, str]:
        return {
            "HOME": str(self.folder),
            "DARKROOM_DATA_DIR": str(self.folder / "data"),
            "DARKROOM_OUTPUT_DIR": str(self.folder / "images"),
            "DARKROOM_GATEWAY": "replicate",
            "DARKROOM_BASE_URL": self.base_url,
            "DARKROOM_API_KEY": "test",
        }

    def rows(self, table: str) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(self.folder / "data" / "journal.sqlite3")) as journal:
            journal.row_factory = sqlite3.Row
            return [dict(row) for row in journal.execute(f"SELECT * FROM {table} ORDER BY 1, 2")]


def home_of_010(folder: Path, base_url: str) -> Home:
    """The journal in its place, all its times moved to just now, and the files that it says are stored."""
    (folder / "data").mkdir()
    (folder / "images").mkdir()
    text = DUMP.replace("{images}", str(folder / "images")).replace("{gateway}", base_url)
    journal = sqlite3.connect(folder / "data" / "journal.sqlite3")
    journal.executescript(text.replace("{other}", "http://127.0.0.1:9"))
    [newest] = journal.execute("SELECT max(sent_at) FROM intents").fetchone()
    moved = time.time() - 60 - newest
    journal.execute(
        f"UPDATE intents SET lease_until = 0, {', '.join(f'{name} = {name} + ?' for name in TIMES)}", [moved] * 4
    )
    journal.execute("UPDATE images SET expires_at = expires_at + ?", [moved])
    for (location,) in journal.execute("SELECT location FROM images WHERE location <> ''"):
        Path(location).write_bytes(WEBP)
    journal.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    journal.execute("PRAGMA user_version = 1")
    journal.commit()
    journal.close()
    return Home(folder, base_url)


def prediction(id: str, prompt: str, seed: int, base_url: str) -> dict[str, Any]:
    """As Replicate tells it, just succeeded."""
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return {
        "id": id,
        "model": "black-forest-labs/flux-schnell",
        "version": "hidden",
        "status": "succeeded",
        "input": {"prompt": prompt, "seed": seed},
        "output": [f"{base_url}/delivery/{id}/out-0.webp"],
        "error": None,
        "logs": "",
        "metrics": {"predict_time": 0.5, "image_output_count": 1},
        "created_at": now,
        "started_at": now,
        "completed_at": now,
        "urls": {},
    }


@asynccontextmanager
async def upgraded(folder: Path) -> AsyncGenerator[tuple[Home, ScriptedGateway, Client]]:
    """Today's server in that home. The gateway has made what was open, and lists the create whose answer was lost."""
    async with ScriptedGateway() as gateway:
        known = {
            OPEN: prediction(OPEN, "sandbox:slow=600 a mountain lake", 17, gateway.base_url),
            WANTED: prediction(WANTED, "a pier at noon", 21, gateway.base_url),
            FOUND: prediction(FOUND, "a silent pond", 23, gateway.base_url),
        }

        def answer(request: RecordedRequest) -> Answer:
            name = request.path.partition("?")[0].rstrip("/").rpartition("/")[2]
            if request.path.startswith("/delivery/"):
                return Answer(WEBP, headers={"content-type": "image/webp"})
            if name == "predictions" and request.method == "GET":
                return Answer({"results": list(known.values()), "next": None, "previous": None})
            return Answer(known[name]) if name in known else Answer({"detail": "Not found."}, status=404)

        gateway.answer(answer)
        home = home_of_010(folder, gateway.base_url)
        with anyio.fail_after(60):
            async with Client(create_server(Settings.read(home.environ))) as client:
                yield home, gateway, client


async def told(client: Client, tool: str, **arguments: Any) -> str:
    answer = await client.call_tool(tool, arguments)
    [text] = [block.text for block in answer.content if isinstance(block, TextContent)]
    return text


async def test_every_row_and_image_is_still_there(tmp_path: Path) -> None:
    home = home_of_010(tmp_path, "http://127.0.0.1:9")
    before = home.rows("intents"), home.rows("images")
    [(code, words)] = await anyio.to_thread.run_sync(
        lambda: run_each([["history", "--json"]], tmp_path, environ=home.environ)
    )
    assert code == 0, words
    for old, new in zip(before, (home.rows("intents"), home.rows("images")), strict=True):
        for was, now in zip(old, new, strict=True):
            kept = set(was) - {"fingerprint", "lease_owner", "lease_until", "lease_token", "claimed_by"}
            assert {name: now[name] for name in kept} == {name: was[name] for name in kept}
    [format_, *_] = home.rows("writers")
    assert format_ == {"format": 1, "version": "0.1.0"} and len(home.rows("writers")) == len(released_steps())


async def test_what_was_open_goes_on_and_nothing_is_sent_again(tmp_path: Path) -> None:
    async with upgraded(tmp_path) as (home, gateway, client):
        [lost] = [row["request_id"] for row in home.rows("intents") if row["state"] == "sent"]
        for name in (OPEN, WANTED, lost):
            text = await told(client, "get_prediction", id=name, wait_seconds=20)
            assert text.startswith("Succeeded: 1 image"), text
        assert gateway.posts() == []
        states = {row["prediction_id"]: row["status"] for row in home.rows("intents") if row["state"] == "known"}
        assert states[OPEN] == states[WANTED] == states[FOUND] == "succeeded"
        assert {row["state"] for row in home.rows("images")} == {"stored"}
        saved = [Path(row["location"]) for row in home.rows("images")]
        assert len(saved) == 6 and all(path.is_file() for path in saved)


async def test_what_had_ended_is_told_as_it_was(tmp_path: Path) -> None:
    async with upgraded(tmp_path) as (_, gateway, client):
        first = await told(client, "get_prediction", id="cover-1")
        assert first.startswith("Succeeded: 1 image") and "a-lighthouse-at-dawn" in first
        assert (await told(client, "get_prediction", id="hw7thnvszwmabvbvrexah7yafr")).startswith("Succeeded: 2 images")
        assert "flagged as sensitive" in await told(client, "get_prediction", id="pjedvvpb8dejwapf003q0t2b68")
        assert "Canceled" in await told(client, "get_prediction", id="ke0bcccaj75qbmkvsy54yvvzxa")
        listed = await told(client, "get_prediction", id="recent", limit=20)
        prompts = (
            "lighthouse at dawn",
            "two boats",
            "a fox in snow",
            "a harbour",
            "mountain lake",
            "a pier",
            "a silent pond",
        )
        assert [prompt for prompt in prompts if prompt not in listed] == []
        assert gateway.posts() == []


async def test_a_request_id_of_then_gives_the_same_picture_and_is_not_paid_again(tmp_path: Path) -> None:
    async with upgraded(tmp_path) as (_, gateway, client):
        again = {"prompt": "a lighthouse at dawn", "seed": 7, "request_id": "cover-1"}
        text = await told(client, "generate_image", **again)
        assert text.startswith("Succeeded: 1 image") and "srqd0bnnzysqq7pgzm7rjh6ead" in text
        refused = await told(client, "generate_image", **again | {"prompt": "a harbour"})
        assert refused.startswith("Refused: request_id 'cover-1' stands for prediction")
        assert gateway.posts() == []


async def test_an_old_picture_can_be_varied(tmp_path: Path) -> None:
    async with upgraded(tmp_path) as (_, _, client):
        text = await told(client, "generate_image", like="cover-1", prompt="the same at night", dry_run=True)
        assert '"seed": 7' in text or '"seed":7' in text, text


async def test_the_command_line_shows_and_lists_what_was_made_then(tmp_path: Path) -> None:
    home = home_of_010(tmp_path, "http://127.0.0.1:9")
    second = str(tmp_path / "images" / "two-boats-hw7thnvszwma-2.webp")
    commands = [["show", "cover-1"], ["history", "--limit", "50"], ["show", second]]
    answers = await anyio.to_thread.run_sync(lambda: run_each(commands, tmp_path, environ=home.environ))
    assert [code for code, _ in answers] == [0, 0, 0], answers
    assert "a-lighthouse-at-dawn-srqd0bnnzysq-1.webp" in answers[0][1]
    assert all(word in answers[1][1] for word in ("refused", "failed", "canceled", "succeeded"))
    assert "two boats" in answers[2][1]
