"""One recognisable key through every door: afterwards it lies nowhere, and only the gateway's origin ever saw it."""

import json
import logging
import os
import traceback
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import anyio
import anyio.abc
import pytest
from anyio import to_thread
from anyio.streams.buffered import BufferedByteReceiveStream
from forking_program import INTERPRETER, darkroom_command, run_darkroom
from pictures import noise, picture
from scripted_gateway import Answer, RecordedRequest, ScriptedGateway
from wire_fault_server import WireFaultServer, WireScript

from darkroom.errors import DarkroomError
from darkroom.gateways import PredictionClient, Timeouts, choose_gateway
from darkroom.gateways.keys import Key
from darkroom.gateways.wire import without_key

pytestmark = pytest.mark.anyio

# The shapes that gateways give their keys, and one that no pattern knows.
WAYS = {
    "REPLICATE_API_TOKEN": "r8_Canary0canary1canary2canary3canary4",
    "COMETAPI_KEY": "sk-Canary5canary6canary7canary8canary9",
    "DARKROOM_API_KEY": "Canary/a/canary+b+canary_c_canary",
}
SHORTEST_TRACE = 10  # characters of a key that count as a trace of it
ID = "canary0000canary000000{:04d}"
MODEL = "black-forest-labs/flux-schnell"
IMPATIENT = Timeouts(connect_s=0.1, write_s=0.1, read_s=0.1)
PATIENT = Timeouts(connect_s=20, write_s=20, read_s=20)
SCRIPTS: tuple[WireScript, ...] = get_args(WireScript)


def traces(key: str, content: str | bytes) -> list[str]:
    """Parts of the key in the content, also where JSON has escaped it."""
    text = content if isinstance(content, str) else content.decode("utf-8", "replace")
    text = text.lower()
    text += text.replace("\\/", "/")
    parts = {key[start : start + SHORTEST_TRACE].lower() for start in range(len(key) - SHORTEST_TRACE + 1)}
    return [part for part in parts if part in text]


def escaped(key: str) -> str:
    """The key as JSON may spell it."""
    return "".join(f"\\u{ord(letter):04x}" for letter in key)


# What a gateway says back: each gets the Authorization header and the key.
_OK = {"id": ID.format(0), "status": "succeeded"}
ECHOES: dict[str, Callable[[str, str], Answer]] = {
    "detail": lambda header, key: Answer({"detail": f"Invalid token {key}"}, 401),
    "title": lambda header, key: Answer({"title": header, "detail": header, "status": 403}, 403),
    "new-api": lambda header, key: Answer({"error": {"message": f"无效的令牌 {key}", "type": key, "code": key}}, 401),
    "param": lambda header, key: Answer(
        {"error": {"message": header, "param": key, "code": "bad_response_status_code"}}, 500
    ),
    "list": lambda header, key: Answer({"detail": [{"loc": ["header"], "msg": header, "input": key}]}, 422),
    "plain": lambda header, key: Answer(f"Unauthorized: {header}", 401, {"content-type": "text/plain"}),
    "page": lambda header, key: Answer(f"<html><body>{header}</body></html>", 502, {"content-type": "text/html"}),
    "debug page": lambda header, key: Answer(f"Traceback\n  headers={{'Authorization': '{header}'}}", 500),
    "under 200": lambda header, key: Answer({"error": header, "code": 401, "message": key}),
    "quota": lambda header, key: Answer({"error": {"message": header, "code": "insufficient_user_quota"}}, 403),
    "busy": lambda header, key: Answer({"detail": header, "retry_after": 3000}, 429, {"retry-after": key}),
    "escaped": lambda header, key: Answer(f'{{"detail": "token {escaped(key)} is wrong"}}', 401),
    "slashes": lambda header, key: Answer(json.dumps({"detail": header}).replace("/", "\\/"), 401),
    "escaped and cut": lambda header, key: Answer(f'{{"detail": "token {escaped(key)}", "x": ', 401),
    "cut": lambda header, key: Answer(f'{{"detail": "{header[:-3]}', 401),
    "redirect": lambda header, key: Answer("", 302, {"location": f"/login?token={key}"}),
    "cookie": lambda header, key: Answer({"detail": "no"}, 400, {"set-cookie": f"t={key}", "www-authenticate": header}),
    "failed": lambda header, key: Answer({**_OK, "status": "failed", "error": header, "logs": f"{key}\n{header}"}, 201),
    "failed, escaped": lambda header, key: Answer(
        f'{{"id": "{ID.format(0)}", "status": "failed", "error": "{escaped(key)}", "logs": "{escaped(header)}"}}', 201
    ),
    "succeeded": lambda header, key: Answer(
        {**_OK, "model": key, "version": key, "input": {"key": key, key: header}, "output": [f"https://x.test/{key}.png"]},
        201,
    ),
    "id": lambda header, key: Answer({"id": key, "status": "starting"}, 201),
    "wrapped": lambda header, key: Answer({"data": {"task_id": ID.format(0), "error": {"message": header}}}),
    "page of a list": lambda header, key: Answer({"results": [{**_OK, "error": header}], "next": f"https://x.test/?t={key}"}),
    "account": lambda header, key: Answer({"type": "user", "username": key, "github_url": header}),
    "file": lambda header, key: Answer({"id": "x", "urls": {"get": f"https://x.test/{key}"}}, 201),
}  # fmt: skip


@asynccontextmanager
async def client_with(variable: str, base_url: str, timeouts: Timeouts = IMPATIENT) -> AsyncGenerator[PredictionClient]:
    """The client that this variable alone gives, but with its gateway at `base_url`."""
    named = {"DARKROOM_GATEWAY": "replicate"} if variable == "DARKROOM_API_KEY" else {}
    choice = choose_gateway({variable: WAYS[variable], **named})
    gateway = replace(choice.gateway, base_url=base_url, has_list=True, has_files=True, has_account=True)
    with anyio.fail_after(120):
        async with PredictionClient(gateway, choice.key, timeouts=timeouts, sleep=no_sleep) as client:
            yield client


async def no_sleep(delay_s: float) -> None:
    pass


async def everything_said(client: PredictionClient) -> str:
    """What each call gives or raises, with its causes and the client itself."""
    said = [repr(client.__dict__)]
    calls = (
        client.create("acme/kite", "", {"prompt": "a kite"}, prefer_wait_s=1, cancel_after_s=60, intent_key="k"),
        client.get(ID.format(0), attempts=1),
        client.cancel(ID.format(0)),
        client.list_page(),
        client.upload(b"x", "x.png", "image/png"),
        client.account_name(),
        client.probe(),
    )
    for call in calls:
        try:
            said.append(repr(await call))
        except DarkroomError as error:
            said += [*traceback.format_exception(error), repr(error.__dict__), repr(error)]
    return "\n".join(said)


async def test_no_wire_fault_brings_the_key_out(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "darkroom")
    said: list[str] = []

    async def suffer(script: WireScript, variable: str) -> None:
        async with WireFaultServer(script) as server, client_with(variable, server.base_url) as client:
            said.append(await everything_said(client))

    async with anyio.create_task_group() as tasks:
        for script in SCRIPTS:
            for variable in WAYS:
                tasks.start_soon(suffer, script, variable)
    assert len(said) == len(SCRIPTS) * len(WAYS)
    logged = [record.getMessage() for record in caplog.records if record.name.startswith("darkroom")]
    for key in WAYS.values():
        assert traces(key, "\n".join([*said, *logged])) == []


@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("variable", WAYS)
async def test_no_answer_that_echoes_the_key_brings_it_out(
    variable: str, echo: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "darkroom")
    key = WAYS[variable]

    def respond(request: RecordedRequest) -> Answer:
        assert request.headers["authorization"] == f"Bearer {key}"
        return ECHOES[echo](request.headers["authorization"], key)

    async with ScriptedGateway(respond) as server, client_with(variable, server.base_url, PATIENT) as client:
        said = await everything_said(client)
        assert len(server.requests) >= 7
    logged = [record.getMessage() for record in caplog.records if record.name.startswith("darkroom")]
    assert logged
    assert traces(key, "\n".join([said, *logged])) == []


def test_the_key_is_taken_out_in_each_of_its_spellings() -> None:
    key = Key(WAYS["DARKROOM_API_KEY"])
    secret = key.reveal()
    assert without_key(f'{{"a": "{secret}"}}'.encode(), key) == b'{"a": "[key]"}'
    assert (
        without_key(f'{{"a": "{escaped(secret)}", "b": "\\u00fc"}}'.encode(), key)
        == '{"a": "[key]", "b": "ü"}'.encode()
    )
    assert without_key(b'{"a": "' + secret.replace("/", "\\/").encode() + b'"', key) == b'{"a": "[key]"'
    assert without_key(f"Bearer {secret[:20]}".encode(), key) == b"Bearer [key]"
    assert without_key(b'{"a": "\\u00e9 \\/"}', key) == b'{"a": "\\u00e9 \\/"}'
    assert without_key(b"abc", Key("abc")) == b"abc"


# Through the whole program


class EchoingGateway(ScriptedGateway):
    """Echoes the key wherever it can, and names addresses of `evil_url` wherever an address may stand.

    The prompt says how a create is answered: "ok", "later", or a name of ECHOES.
    """

    def __init__(self, evil_url: str) -> None:
        super().__init__(self._respond)
        self._evil_url = evil_url
        self._prompts: list[str] = []

    def _respond(self, request: RecordedRequest) -> Answer:
        header = request.headers.get("authorization", "")
        key = header.removeprefix("Bearer ")
        if request.path.startswith("/out/"):
            return Answer(picture(), headers={"content-type": "image/png"})
        if request.path.endswith("/files"):
            return Answer({"id": "f", "urls": {"get": f"{self._evil_url}/files/{key}"}}, 201)
        if request.path.endswith("/account"):
            return Answer({"type": "user", "username": f"{header} {self._evil_url}"})
        if request.path.partition("?")[0].endswith("/v1/predictions") and request.method == "GET":
            return Answer({"results": [], "next": f"{self._evil_url}/v1/predictions?cursor=1"})
        if request.method == "POST" and not request.path.endswith("/cancel"):
            self._prompts.append(request.json()["input"]["prompt"])
            if echo := ECHOES.get(self._prompts[-1]):
                return echo(header, key)
            return Answer(self._prediction(len(self._prompts) - 1, header, key), 201)
        digits = request.path.removesuffix("/cancel")[-4:]
        number = int(digits) if digits.isdecimal() else 0
        if number >= len(self._prompts):
            return Answer({"detail": f"none for {header}"}, 404)
        return Answer(self._prediction(number, header, key))

    def _prediction(self, number: int, header: str, key: str) -> dict[str, Any]:
        is_done = self._prompts[number] == "ok"
        name = ID.format(number)
        return {
            "id": name,
            "status": "succeeded" if is_done else "processing",
            "model": f"acme/{key}",
            "input": {"prompt": header, "key": key},
            "output": [f"{self.base_url}/out/kite.png", f"{self._evil_url}/{key}.png"] if is_done else None,
            "error": header,
            "logs": f"{header}\n50%|█████     | 1/2 [00:01]",
            "urls": dict.fromkeys(("get", "cancel", "stream", "web"), f"{self._evil_url}/{name}"),
        }


def environ_for(folder: Path, **variables: str) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("DARKROOM_")}
    folders = {"DARKROOM_DATA_DIR": str(folder / "data"), "DARKROOM_OUTPUT_DIR": str(folder / "images")}
    return kept | folders | {"HOME": str(folder), "DARKROOM_LOG_LEVEL": "DEBUG"} | variables


def traces_in_files(key: str, folder: Path) -> dict[str, list[str]]:
    """Every file under the folder that holds a part of the key, in its content or its name."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".sqlite3" for path in files)
    found = {str(path): traces(key, path.read_bytes() + str(path).encode()) for path in files}
    return {path: parts for path, parts in found.items() if parts}


class Session:
    """The stdio server in a process of its own; `said` is every byte of its stdout and stderr."""

    def __init__(self, process: anyio.abc.Process, tasks: anyio.abc.TaskGroup) -> None:
        assert process.stdin and process.stdout and process.stderr
        self.process = process
        self.said = bytearray()
        self._stdin = process.stdin
        self._lines = BufferedByteReceiveStream(process.stdout)
        self._number = 0
        self._has_ended = anyio.Event()
        tasks.start_soon(self._listen, process.stderr)

    async def _listen(self, stderr: anyio.abc.ByteReceiveStream) -> None:
        async for chunk in stderr:
            self.said += chunk
        self._has_ended.set()

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The answer to one request; what comes before it is only kept."""
        self._number += 1
        await self.tell(method, id=self._number, **params)
        while True:
            line = await self._lines.receive_until(b"\n", 10_000_000)
            self.said += line + b"\n"
            message = json.loads(line)
            if message.get("id") == self._number:
                return message

    async def tell(self, method: str, *, id: int | None = None, **params: Any) -> None:
        message = {"jsonrpc": "2.0", "method": method, "params": params} | ({} if id is None else {"id": id})
        await self._stdin.send(json.dumps(message).encode() + b"\n")

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        answer = await self.ask("tools/call", name=tool, arguments=arguments, _meta={"progressToken": self._number})
        return answer["result"]

    async def leave(self) -> None:
        await self._stdin.aclose()
        await self.process.wait()
        await self._has_ended.wait()


@asynccontextmanager
async def open_session(environ: Mapping[str, str], command: Sequence[str] = ()) -> AsyncGenerator[Session]:
    """With a `command`, that is run in place of a fork."""
    with anyio.fail_after(240):  # far more than it takes on a busy machine
        async with (
            await anyio.open_process(command or darkroom_command(environ), env=environ) as process,
            anyio.create_task_group() as tasks,
        ):
            session = Session(process, tasks)
            client = {"name": "test", "version": "1"}
            await session.ask("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo=client)
            await session.tell("notifications/initialized")
            yield session
            await session.leave()


async def use_every_tool(session: Session, folder: Path) -> None:
    (folder / "images").mkdir()
    (folder / "images" / "mine.png").write_bytes(noise(size=(400, 400)))
    await session.ask("tools/list")
    prompts = [*(each for each in ECHOES if each != "busy"), "ok", "later"]
    for number, prompt in enumerate(prompts):
        await session.call("generate_image", prompt=prompt, model=MODEL, wait_seconds=0, request_id=f"r{number}")
    edit = {
        "prompt": "ok",
        "model": "black-forest-labs/flux-kontext-pro",
        "images": [str(folder / "images" / "mine.png")],
    }
    await session.call("generate_image", wait_seconds=1, **edit)
    ok, later = (ID.format(prompts.index(each)) for each in ("ok", "later"))
    for name in (ok, later, ID.format(9999), "latest", "r1"):
        await session.call("get_prediction", id=name, wait_seconds=1)
    await session.call("get_prediction", id=later, cancel=True)
    await session.call("list_models", model=MODEL)
    for uri in (f"prediction://{ok}", f"prediction://{ok}/images/1", "models://registry"):
        await session.ask("resources/read", uri=uri)
    await session.ask("prompts/list")
    await session.call("generate_image", prompt="busy", model=MODEL, wait_seconds=0)  # from now on others have to wait


@pytest.mark.parametrize("gateway_name", ["replicate", "cometapi"])
async def test_every_tool_over_stdio_leaves_no_trace_of_the_key(tmp_path: Path, gateway_name: str) -> None:
    key = WAYS["DARKROOM_API_KEY"]
    async with ScriptedGateway() as evil, EchoingGateway(evil.base_url) as gateway:
        environ = environ_for(
            tmp_path, DARKROOM_GATEWAY=gateway_name, DARKROOM_BASE_URL=gateway.base_url, DARKROOM_API_KEY=key
        )
        # A fork has the arguments of the program that it left.
        async with open_session(environ, INTERPRETER if gateway_name == "replicate" else ()) as session:
            await use_every_tool(session, tmp_path)
            assert traces_in_files(key, tmp_path) == {}  # with the journal's -wal
            assert (tmp_path / "data" / "journal.sqlite3-wal").exists()
            assert traces(key, arguments_of(session.process.pid)) == []
        assert evil.connections == 0
    assert b"DEBUG darkroom.gateways.wire" in session.said
    assert traces(key, bytes(session.said)) == []
    assert traces_in_files(key, tmp_path) == {}
    if gateway_name == "replicate":
        assert {"/v1/files", "/v1/predictions?cursor=1"} <= {request.path for request in gateway.requests}
    sent = [(request.path.startswith("/out/"), "authorization" in request.headers) for request in gateway.requests]
    assert set(sent) == {(True, False), (False, True)}


def arguments_of(pid: int) -> str:
    """What `ps` shows of a process, empty where there is no /proc."""
    path = Path(f"/proc/{pid}/cmdline")
    return path.read_bytes().replace(b"\0", b" ").decode() if path.exists() else ""


@pytest.mark.parametrize("variable", ["REPLICATE_API_TOKEN", "COMETAPI_KEY"])
async def test_the_key_of_a_profile_goes_to_no_proxy_and_no_other_address(tmp_path: Path, variable: str) -> None:
    key = WAYS[variable]
    name = choose_gateway({variable: key}).gateway.name
    refuse = Answer("no", 407)
    async with ScriptedGateway(refuse) as proxy, ScriptedGateway() as other:
        known = environ_for(tmp_path, **{variable: key}, HTTPS_PROXY=proxy.base_url, NO_PROXY="")
        async with open_session(known) as far:
            refused = await far.call("generate_image", prompt="a kite", wait_seconds=0)
            assert refused["isError"]
            assert "proxy" in json.dumps(refused)
        async with open_session(known | {"DARKROOM_GATEWAY": name, "DARKROOM_BASE_URL": other.base_url}) as near:
            assert (await near.call("generate_image", prompt="a kite"))["isError"]
        assert other.connections == 0
    assert proxy.requests
    assert {request.method for request in proxy.requests} == {"CONNECT"}
    assert all("authorization" not in request.headers for request in proxy.requests)
    assert traces(key, bytes(far.said + near.said)) == []
    assert traces_in_files(key, tmp_path) == {}


async def test_no_command_leaves_a_trace_of_the_key(tmp_path: Path) -> None:
    key = WAYS["DARKROOM_API_KEY"]
    async with ScriptedGateway() as evil, EchoingGateway(evil.base_url) as gateway:
        environ = environ_for(
            tmp_path, DARKROOM_GATEWAY="replicate", DARKROOM_BASE_URL=gateway.base_url, DARKROOM_API_KEY=key
        )
        commands = (
            ("generate", "ok", "--model", MODEL, "--json", "--wait", "0"),
            ("generate", "detail", "--model", MODEL),
            ("generate", "later", "--model", MODEL, "--json", "--wait", "0"),
            ("show", ID.format(0), "--json"),
            ("cancel", ID.format(2), "--json"),
            ("history", "--json"),
            ("doctor",),
        )
        for words in commands:
            done = await to_thread.run_sync(partial(run_darkroom, words, environ, tmp_path))
            assert done.stdout or done.stderr
            assert traces(key, done.stdout + done.stderr) == []
            assert "Traceback" not in done.stderr
        assert evil.connections == 0
    assert len(gateway.posts()) >= 3
    assert traces_in_files(key, tmp_path) == {}
