"""A team behind Caddy, with the Caddyfile that we ship: what a host sees while replicas come and go."""

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import httpx
import httpx2
import pytest
from caddy_server import adapted, behind_caddy, needs_caddy, proxying
from call_results import text
from fault_plan import Plan
from free_ports import free_port
from gateway_process import gateway_process
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from postgres_server import PostgresServer
from quick_replica import QuickReplica
from team_workers import MODEL, Team, seen

from darkroom_server.team.administration import administering

pytestmark = [pytest.mark.anyio, needs_caddy]
UNTIL_TOLD = Plan(run_s=600.0)  # until the gateway ends all


@dataclass
class Fleet:
    """Two replicas behind Caddy at `origin`, and a worker; each replica can be started again on its port."""

    team: Team
    origin: str
    token: str
    start: Callable[[int], QuickReplica]
    replicas: list[QuickReplica]

    @asynccontextmanager
    async def host(self, mode: str = "auto") -> AsyncGenerator[Client]:
        headers = {"Authorization": f"Bearer {self.token}"}
        async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
            transport = streamable_http_client(f"{self.origin}/mcp", http_client=http)
            async with Client(transport, mode=mode) as client:
                yield client

    def made(self) -> int:
        return len(self.team.gateway.truth().predictions)


def port_of(replica: QuickReplica) -> int:
    return int(replica.origin.rpartition(":")[2])


def call_of(prompt: str, **more: Any) -> dict[str, Any]:
    return {"prompt": prompt, "model": MODEL, "wait_seconds": 30} | more


@pytest.fixture(scope="module")
def fleet(running_postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    running_postgres.empty()
    front, *ports = (free_port() for _ in range(3))
    with gateway_process(UNTIL_TOLD) as gateway, behind_caddy(folder, front, ports) as origin:
        team = Team(running_postgres, gateway, folder)
        team.found()
        with administering(running_postgres.owner) as administration:
            token = administration.new_token("acme", "host", None)
        variables = team.environ(running_postgres.app) | {
            "DARKROOM_PUBLIC_URL": origin,
            "DARKROOM_OAUTH_ISSUER": "http://127.0.0.1:9/none",
        }

        def start(port: int) -> QuickReplica:
            return QuickReplica(folder, "--port", str(port), **variables).__enter__()

        fleet = Fleet(team, origin, token, start, [start(port) for port in ports])
        team.start("worker")
        try:
            yield fleet
        finally:
            team.end()
            for each in fleet.replicas:
                each.__exit__(None, None, None)


def test_the_caddyfile_serves_its_host_repeats_no_post_and_keeps_no_connection() -> None:
    config = adapted("darkroom.example.com")
    proxy = proxying(config)
    assert "retry_match" not in proxy["load_balancing"]
    assert proxy["transport"]["keep_alive"] == {"enabled": False}
    (server,) = config["apps"]["http"]["servers"].values()
    assert server["listen"] == [":443"] and server["routes"][0]["match"] == [{"host": ["darkroom.example.com"]}]


async def test_replicas_are_replaced_one_by_one_and_no_host_sees_it(fleet: Fleet) -> None:
    answers: list[str] = []
    is_over, before = anyio.Event(), fleet.made()
    fleet.team.gateway.follow(Plan(run_s=0.5))

    async def keep_asking(mode: str) -> None:
        while not is_over.is_set():
            number = len(answers)
            async with fleet.host(mode) as host:
                made = await host.call_tool("generate_image", call_of(f"{mode} {number} {anyio.current_time()}"))
                answers.append(text(made))

    with anyio.fail_after(300):
        async with anyio.create_task_group() as tasks:
            for mode in ("auto", "legacy"):
                for _ in range(2):
                    tasks.start_soon(keep_asking, mode)
            for at, leaving in enumerate(fleet.replicas):
                ready = len(answers)
                await seen(lambda ready=ready: len(answers) > ready)
                code, said = await anyio.to_thread.run_sync(leaving.terminate)
                assert (code, said) == (0, "")
                fleet.replicas[at] = fleet.start(port_of(leaving))
            await seen(lambda: len(answers) >= 8)
            is_over.set()
    assert [each for each in answers if not each.startswith("Succeeded")] == []
    assert fleet.made() == before + len(answers)
    await fleet.team.all_home(fleet.made())
    assert fleet.team.lost_and_twice() == (set(), [])
    fleet.team.gateway.follow(UNTIL_TOLD)


async def test_a_call_whose_host_hung_up_is_joined_by_its_retry(fleet: Fleet) -> None:
    before = fleet.made()
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {fleet.token}"}) as http:
        params = {"name": "generate_image", "arguments": call_of("a fox that is asked for twice")}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        accept = {"Accept": "application/json, text/event-stream"}
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: http.post(f"{fleet.origin}/mcp", json=body, headers=accept, timeout=60))
            await seen(lambda: fleet.made() > before)
            tasks.cancel_scope.cancel()
    left = "SELECT 1 FROM intents WHERE is_left = 1"
    await seen(lambda: bool(fleet.team.postgres.execute(left)))
    fleet.team.gateway.end_all()
    async with fleet.host() as host:
        joined = text(await host.call_tool("generate_image", call_of("a fox that is asked for twice")))
    assert joined.startswith("Succeeded") and "this joined the call" in joined, joined
    assert fleet.made() == before + 1


async def test_a_call_whose_replica_was_killed_is_sent_to_no_other(fleet: Fleet) -> None:
    before = fleet.made()
    headers = {"Authorization": f"Bearer {fleet.token}", "Accept": "application/json, text/event-stream"}
    params = {"name": "generate_image", "arguments": call_of("a killed fox", request_id="killed")}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    said: list[str] = []

    async def ask() -> None:
        async with httpx.AsyncClient(headers=headers, timeout=60) as http:
            try:
                said.append((await http.post(f"{fleet.origin}/mcp", json=body)).text)
            except httpx.HTTPError as error:
                said.append(type(error).__name__)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await seen(lambda: fleet.made() > before)
        for replica in fleet.replicas:
            replica.__exit__(None, None, None)
    assert "Succeeded" not in said[0]
    fleet.team.gateway.end_all()
    fleet.replicas[:1] = [fleet.start(port_of(fleet.replicas[0]))]
    async with fleet.host() as host:
        made = text(await host.call_tool("generate_image", call_of("a killed fox", request_id="killed")))
    assert made.startswith("Succeeded"), made
    assert fleet.made() == before + 1
    fleet.replicas[1:] = [fleet.start(port_of(fleet.replicas[1]))]


async def test_signs_of_life_come_while_a_call_waits(fleet: Fleet) -> None:
    """The prediction ends once one was heard: had they been held back until the end, it would not have ended."""

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        if fleet.made() > before:
            fleet.team.gateway.end_all()

    before = fleet.made()
    async with fleet.host("legacy") as host:
        made = await host.call_tool("generate_image", call_of("a slow fox"), progress_callback=hear)
    assert text(made).startswith("Succeeded"), text(made)
