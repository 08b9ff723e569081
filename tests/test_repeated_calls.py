"""A request_id that was used before: what is asked, what is sent, and what a cancel may take away from whom."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

import anyio
import anyio.abc
import pytest
from call_results import text
from fault_gateway import FaultGateway
from fault_plan import Plan
from mcp import Client
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from mcp.types import CallToolResult, ElicitRequestParams, ElicitResult

from darkroom.settings import Settings
from darkroom_server.app import create_server

pytestmark = pytest.mark.anyio

Mode = Literal["auto", "legacy"]
DEAR = {"prompt": "a lighthouse", "model": "black-forest-labs/flux-1.1-pro", "request_id": "dear"}  # $0.04 an image
QUESTION = "Make 1 image with black-forest-labs/flux-1.1-pro for at most $0.04?"


@pytest.fixture(params=["auto", "legacy"])
def mode(request: pytest.FixtureRequest) -> Mode:
    return request.param


@pytest.fixture
async def gateway() -> AsyncGenerator[FaultGateway]:
    with anyio.fail_after(60):
        async with FaultGateway(Plan(born_done=1.0)) as gateway:
            yield gateway


class Person:
    """Says yes or no in the host's dialog, and remembers what was asked."""

    def __init__(self, *, agrees: bool) -> None:
        self.asked: list[str] = []
        self.agrees = agrees

    async def __call__(self, context: Any, params: ElicitRequestParams) -> ElicitResult:
        self.asked.append(params.message)
        return ElicitResult(action="accept", content={"confirmed": self.agrees})


@asynccontextmanager
async def session(
    gateway: FaultGateway, folder: Path, mode: Mode = "auto", person: Person | None = None, **variables: str
) -> AsyncGenerator[Client]:
    """One server with its host; all sessions of a test share journal and gateway."""
    environ = {
        "DARKROOM_GATEWAY": "replicate",
        "DARKROOM_BASE_URL": gateway.base_url,
        "DARKROOM_API_KEY": "r8_nobody",
        "DARKROOM_DATA_DIR": str(folder / "data"),
        "DARKROOM_OUTPUT_DIR": str(folder / "images"),
        "DARKROOM_PREVIEWS": "off",
    }
    async with Client(
        create_server(Settings.read(environ | variables)), mode=mode, elicitation_callback=person
    ) as client:
        yield client


async def generate(client: Client, **arguments: Any) -> str:
    return text(await client.call_tool("generate_image", arguments))


# The question


@pytest.mark.parametrize("fault", ["402", "504 before"])
async def test_a_repeat_that_would_send_what_was_not_created_is_asked_about(
    gateway: FaultGateway, tmp_path: Path, mode: Mode, fault: str
) -> None:
    gateway.plan = Plan(script=(fault,), born_done=1.0)
    async with session(gateway, tmp_path, mode) as client:
        await generate(client, **DEAR)
    person = Person(agrees=False)
    async with session(gateway, tmp_path, mode, person, DARKROOM_CONFIRM_USD="0.005") as client:
        refused = await generate(client, prompt="", request_id=" dear ", wait_seconds=0)
        assert "did not confirm" in refused and person.asked == [QUESTION]
        assert gateway.truth.creates == 1


async def test_a_repeat_is_sent_once_the_person_agrees(gateway: FaultGateway, tmp_path: Path, mode: Mode) -> None:
    gateway.plan = Plan(script=("402",), born_done=1.0)
    async with session(gateway, tmp_path, mode) as client:
        await generate(client, **DEAR)
    person = Person(agrees=True)
    async with session(gateway, tmp_path, mode, person, DARKROOM_CONFIRM_USD="0.005") as client:
        assert (await generate(client, **DEAR)).startswith("Succeeded")
    assert person.asked == [QUESTION] and len(gateway.truth.predictions) == 1


async def test_a_host_that_cannot_ask_does_not_send_a_repeat(gateway: FaultGateway, tmp_path: Path, mode: Mode) -> None:
    gateway.plan = Plan(script=("402",), born_done=1.0)
    async with session(gateway, tmp_path, mode) as client:
        await generate(client, **DEAR)
    async with session(gateway, tmp_path, mode, DARKROOM_CONFIRM_USD="0.005") as client:
        assert "cannot ask" in await generate(client, prompt="", request_id="dear")
    assert gateway.truth.creates == 1


async def test_a_repeat_of_what_was_created_is_not_asked_about(
    gateway: FaultGateway, tmp_path: Path, mode: Mode
) -> None:
    async with session(gateway, tmp_path, mode) as client:
        await generate(client, **DEAR)
    person = Person(agrees=False)
    async with session(gateway, tmp_path, mode, person, DARKROOM_CONFIRM_USD="0.005") as client:
        assert (await generate(client, **DEAR)).startswith("Succeeded")
    assert not person.asked and gateway.truth.creates == 1


# The name


@pytest.mark.parametrize("name", ["latest", " latest ", "prediction:abc", "   "])
async def test_a_request_id_that_could_not_be_found_again_is_refused(
    gateway: FaultGateway, tmp_path: Path, name: str
) -> None:
    async with session(gateway, tmp_path) as client:
        said = await generate(client, prompt="a fox", request_id=name)
    assert said.startswith("Refused: request_id") and "Choose another name" in said
    assert gateway.truth.creates == 0


async def test_a_request_id_is_found_again_whatever_white_space_stood_around_it(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    async with session(gateway, tmp_path) as client:
        await generate(client, prompt="a fox", request_id=" my fox ")
        for name in ("my fox", "my fox\n"):
            found = await client.call_tool("get_prediction", {"id": name})
            assert text(found).startswith("Succeeded")
        await generate(client, prompt="a fox", request_id="my fox")
    assert gateway.truth.creates == 1


# Cancelling: in process only the older era tells the server so, as a host does over stdio in both


def cancel_as_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the SDK's client give a person's reason instead of its own."""
    send = JSONRPCDispatcher._cancel_outbound  # pyright: ignore[reportPrivateUsage]  # there is no other way to say it

    async def say(dispatcher: Any, request_id: Any, _: str, related: Any) -> None:
        await send(dispatcher, request_id, "stopped by the user", related)

    monkeypatch.setattr(JSONRPCDispatcher, "_cancel_outbound", say)


class Call:
    """A call in a task of its own; `is_under_way` once the gateway has the prediction and the call waits for it."""

    def __init__(self, client: Client, tool: str, **arguments: Any) -> None:
        self._call = partial(client.call_tool, tool, arguments, progress_callback=self._hear)
        self._has_begun = anyio.Event()
        self._has_ended = anyio.Event()
        self._scope = anyio.CancelScope()
        self.result: CallToolResult | None = None

    async def start(self, tasks: anyio.abc.TaskGroup) -> "Call":
        tasks.start_soon(self._run)
        await self._has_begun.wait()
        return self

    async def cancel(self) -> None:
        self._scope.cancel()
        await self._has_ended.wait()

    async def _run(self) -> None:
        with self._scope:
            self.result = await self._call()
        self._has_ended.set()

    async def _hear(self, progress: float, total: float | None, message: str | None) -> None:
        if "processing" in (message or ""):
            self._has_begun.set()


async def _canceled_once(gateway: FaultGateway, is_canceled: Callable[[], Awaitable[bool]]) -> None:
    while not await is_canceled():
        assert len(gateway.truth.cancels) <= 1
    assert len(gateway.truth.cancels) == 1


async def _is_canceled(client: Client) -> bool:
    return text(await client.call_tool("get_prediction", {"id": "fox"})).startswith("Canceled")


@pytest.mark.parametrize("other", ["generate_image", "get_prediction"])
async def test_cancelling_one_of_two_calls_leaves_the_other_its_prediction(
    gateway: FaultGateway, tmp_path: Path, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the last one that waits may cancel at the gateway, so that in the end there was one cancel."""
    cancel_as_a_person(monkeypatch)
    gateway.plan = Plan(run_s=60)
    wish = {"prompt": "a fox", "request_id": "fox", "wait_seconds": 40}
    async with session(gateway, tmp_path, "legacy") as client, anyio.create_task_group() as tasks:
        first = await Call(client, "generate_image", **wish).start(tasks)
        waiting = wish if other == "generate_image" else {"id": gateway.truth.predictions[0].id, "wait_seconds": 40}
        second = await Call(client, other, **waiting).start(tasks)
        if other == "generate_image":
            await second.cancel()
            assert not await _is_canceled(client)
            await first.cancel()
            await _canceled_once(gateway, partial(_is_canceled, client))
        else:
            await first.cancel()
            assert not await _is_canceled(client) and not gateway.truth.cancels
            await second.cancel()
            assert not await _is_canceled(client) and not gateway.truth.cancels


async def test_cancelling_a_repeat_does_not_cancel_what_an_earlier_call_started(
    gateway: FaultGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancel_as_a_person(monkeypatch)
    gateway.plan = Plan(run_s=60)
    wish = {"prompt": "a fox", "request_id": "fox"}
    async with session(gateway, tmp_path, "legacy") as client, anyio.create_task_group() as tasks:
        assert (await generate(client, **wish, wait_seconds=0)).startswith("Still")
        repeat = await Call(client, "generate_image", **wish, wait_seconds=40).start(tasks)
        await repeat.cancel()
        assert not await _is_canceled(client)
        assert not gateway.truth.cancels
