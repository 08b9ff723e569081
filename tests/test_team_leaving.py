"""How a replica leaves: it says so, serves on for a moment, and lets the calls end that wait."""

import signal
from collections.abc import Iterator

import anyio
import httpx
import pytest
from call_results import text
from http_process import HttpProcess
from postgres_server import PostgresServer
from quick_replica import QuickReplica
from team_server import Team, open_issued_team
from team_workers import seen

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def team(running_postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    with open_issued_team(running_postgres, tmp_path_factory.mktemp("team"), replica=QuickReplica) as team:
        yield team


async def test_calls_that_wait_end_and_no_more_are_sent_here(team: Team) -> None:
    answers: list[str] = []

    async def wait(mode: str) -> None:
        async with team.client("ada", mode) as client:
            made = await client.call_tool(
                "generate_image", {"prompt": "sandbox:slow=4 a fox", "request_id": mode, "wait_seconds": 40}
            )
            answers.append(text(made))

    async with httpx.AsyncClient(timeout=30) as http, anyio.create_task_group() as tasks:
        tasks.start_soon(wait, "auto")
        tasks.start_soon(wait, "legacy")
        await seen(lambda: len(team.server.execute("SELECT 1 FROM intents WHERE state = 'known'")) == 2)
        team.replica.signal(signal.SIGTERM)
        with anyio.fail_after(4):
            while (ready := await http.get(f"{team.origin}/ready")).status_code == 200:
                pass
        assert ready.json() == {"ready": False, "missing": ["leaving"]}
        assert ready.headers["connection"] == "close"
        # A balancer that has not looked yet is still served.
        asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        accept = "application/json, text/event-stream"
        headers = {"Authorization": f"Bearer {team.token('ada')}", "Accept": accept}
        late = await http.post(f"{team.origin}/mcp", json=asked, headers=headers)
        assert late.status_code == 200 and "generate_image" in late.text
    assert [answer.startswith("Succeeded") for answer in answers] == [True, True], answers
    assert team.replica.end() == (0, "")


def test_a_replica_without_its_settings_says_which(running_postgres: PostgresServer, team: Team) -> None:
    given = {"DARKROOM_DATABASE_URL": running_postgres.app, "DARKROOM_MASTER_KEYS": f"k1:{'0' * 64}"}
    for variables, words in (
        (given, "DARKROOM_PUBLIC_URL is not set"),
        (given | {"DARKROOM_PUBLIC_URL": "https://d.example"}, "DARKROOM_OAUTH_ISSUER is not set"),
        ({"DARKROOM_DATABASE_URL": running_postgres.superuser}, "superuser"),
        ({"DARKROOM_DATABASE_URL": "postgresql://app@127.0.0.1:9/x"}, "database"),
    ):
        with pytest.raises(AssertionError, match=words), HttpProcess(team.folder, **variables):
            pass
