"""What a hostile gateway can try, seen from where the assistant, the person and the disk are."""

import gzip
import os
import re
import stat
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
import systems
from call_results import text
from hostile_words import HOSTILE_WORDS, MARKER, clickable_in, hidden_in, unquoted
from mcp import Client
from mcp.types import CallToolResult, ImageContent, ResourceLink
from pictures import SVG, bomb, picture
from scripted_gateway import Answer, RecordedRequest, ScriptedGateway, gateway_at

from darkroom.errors import CreateUnresolved, OutputError
from darkroom.gateways import Key, OutputFetcher, PredictionClient, Timeouts, clean_words, quoted
from darkroom.settings import Settings
from darkroom_server.app import create_server
from darkroom_server.cli.commands import run

pytestmark = pytest.mark.anyio

ID = "threat000000000000000{:05d}"
MODEL = "black-forest-labs/flux-schnell"
FLAT = b'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 2"'  # so that few pixels are drawn
Body = dict[str, Any]
ENVELOPES: dict[str, Callable[[str], Any]] = {
    "detail": lambda words: {"detail": words},
    "title": lambda words: {"title": words, "status": 422},
    "error": lambda words: {"error": {"message": words, "code": "bad", "type": words}},
    "list": lambda words: {"detail": [{"msg": words}, words]},
    "plain": lambda words: words.encode("utf-8", "replace"),
}


class HostileGateway(ScriptedGateway):
    """Answers with a prediction that has `fields`, or refuses creates with `refusal`; serves `picture`."""

    def __init__(self) -> None:
        super().__init__(self._respond)
        self.fields: Body = {}
        self.refusal: Answer | None = None
        self.picture = Answer(picture(), headers={"content-type": "image/png"})
        self._made = 0

    @property
    def id(self) -> str:
        """Of the newest prediction."""
        return ID.format(self._made)

    def _respond(self, request: RecordedRequest) -> Answer:
        if request.path.startswith("/out/"):
            return self.picture
        if request.method == "POST" and self.refusal:
            return self.refusal
        self._made += request.method == "POST"
        body = {"id": self.id, "status": "failed", "model": MODEL, **self.fields}
        return Answer(body, 201 if request.method == "POST" else 200)


@pytest.fixture
async def gateway() -> AsyncGenerator[HostileGateway]:
    async with HostileGateway() as gateway:
        yield gateway


@asynccontextmanager
async def open_client(gateway: ScriptedGateway, folder: Path) -> AsyncGenerator[Client]:
    environ = {
        "DARKROOM_BASE_URL": gateway.base_url,
        "DARKROOM_DATA_DIR": str(folder / "data"),
        "DARKROOM_OUTPUT_DIR": str(folder / "pictures"),
    }
    with anyio.fail_after(60):
        async with Client(create_server(Settings.read(environ))) as client:
            yield client


@pytest.fixture
async def client(gateway: HostileGateway, tmp_path: Path) -> AsyncGenerator[Client]:
    async with open_client(gateway, tmp_path) as client:
        yield client


async def generate(client: Client, **arguments: Any) -> CallToolResult:
    return await client.call_tool("generate_image", {"prompt": "a kite", "model": MODEL, **arguments})


def report(result: CallToolResult) -> Body:
    assert result.meta
    return result.meta["darkroom/report"]


def assert_inert(result: CallToolResult, own_url: str) -> None:
    """Nothing hidden, nothing to click, and hostile words only between quotation marks and in fields of their own."""
    words = text(result)
    assert len(words) <= 1_200
    assert MARKER not in unquoted(words)
    for said in (words, *texts_in(report(result))):
        assert not hidden_in(said)
        assert not clickable_in(said.replace(own_url, ""))


def texts_in(value: Any) -> list[str]:
    """Every text in a JSON value, names included."""
    if isinstance(value, dict):
        parts = cast("dict[str, Any]", value)
        return [found for name, part in parts.items() for found in (name, *texts_in(part))]
    if isinstance(value, list):
        return [found for part in cast("list[Any]", value) for found in texts_in(part)]
    return [value] if isinstance(value, str) else []


# Words


@pytest.mark.parametrize("words", HOSTILE_WORDS)
def test_hostile_words_come_out_visible_short_and_inside_their_quotation_marks(words: str) -> None:
    cleaned, inside = clean_words(words), quoted(words)
    assert MARKER in cleaned
    assert len(cleaned) <= 300
    assert not hidden_in(cleaned)
    assert not clickable_in(cleaned)
    assert re.fullmatch(r'"[^"\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}\n]+"', inside)


async def test_the_error_of_a_prediction_is_data_for_the_assistant(client: Client, gateway: HostileGateway) -> None:
    for words in HOSTILE_WORDS:
        gateway.fields = {"error": words, "logs": words, "urls": {"get": words}, "input": {"prompt": words}}
        made = await generate(client)
        assert made.is_error
        assert MARKER in text(made)
        assert MARKER in report(made)["predictions"][0]["error"]
        for result in (made, await client.call_tool("get_prediction", {"id": gateway.id})):
            assert_inert(result, gateway.base_url)


async def test_the_logs_of_a_prediction_reach_nobody(client: Client, gateway: HostileGateway) -> None:
    short = [words for words in HOSTILE_WORDS if len(words) < 1_000]
    for words in (short[0], "\n".join(short), *({*HOSTILE_WORDS} - {*short})):
        gateway.fields = {"logs": words, "error": "out of memory"}
        assert MARKER not in (await generate(client)).model_dump_json()


@pytest.mark.parametrize("envelope", ENVELOPES)
async def test_the_reason_of_a_refusal_is_data_for_the_assistant(
    client: Client, gateway: HostileGateway, envelope: str
) -> None:
    # Plain text may look like much else. What comes out of JSON is cleaned alike: each word goes in one kind of it.
    kinds = [name for name in ENVELOPES if name != "plain"]
    sent = HOSTILE_WORDS if envelope == "plain" else HOSTILE_WORDS[kinds.index(envelope) :: len(kinds)]
    for number, words in enumerate(sent):
        gateway.refusal = Answer(ENVELOPES[envelope](words), (400, 401, 402, 422)[number % 4])
        result = await generate(client)
        assert result.is_error
        assert_inert(result, gateway.base_url)


async def test_a_foreign_prediction_brings_no_words_into_the_answer(client: Client, gateway: HostileGateway) -> None:
    for number, words in enumerate(HOSTILE_WORDS):
        foreign = f"foreign00000000000000{number:03d}"
        fields: Body = {
            "error": words,
            "logs": words,
            "model": words,
            "version": words,
            "input": {"prompt": words, words: 1},
        }
        gateway.fields = {"id": foreign, **fields}
        result = await client.call_tool("get_prediction", {"id": foreign})
        assert foreign in text(result)
        assert_inert(result, gateway.base_url)


async def test_nothing_that_a_gateway_says_changes_the_tools(client: Client, gateway: HostileGateway) -> None:
    before = await client.list_tools()
    gateway.fields = {"error": HOSTILE_WORDS[0], "model": HOSTILE_WORDS[0], "tools": [{"name": "evil"}]}
    await generate(client)
    assert await client.list_tools() == before


async def test_the_name_of_an_account_is_cleaned_for_the_terminal(gateway: HostileGateway) -> None:
    for words in HOSTILE_WORDS:
        gateway.answer(Answer({"type": "user", "username": words}))
        async with PredictionClient(gateway_at(gateway.base_url), Key("r8_key0key0key0")) as client:
            account = (await client.probe()).account
        assert len(account) <= 60
        assert not hidden_in(account)


# Addresses


async def test_a_hostile_output_address_is_one_word_and_is_not_fetched(client: Client, gateway: HostileGateway) -> None:
    async with ScriptedGateway(Answer(picture())) as evil:
        starts = (evil.base_url, f"HTTPS://127.0.0.1:{evil.port}")
        addresses = [f"{starts[number % 2]}/{words[:300]}" for number, words in enumerate(HOSTILE_WORDS)]
        gateway.fields = {"status": "succeeded", "output": addresses}
        result = await generate(client, wait_seconds=0)
        for line in text(result).splitlines():
            assert not hidden_in(line)
            assert not line.lstrip().startswith((MARKER, "System", "Human", "#"))
        links = [block.uri for block in result.content if isinstance(block, ResourceLink)]
        urls = [image["url"] for image in report(result)["images"]]
        assert len(urls) == len(addresses)
        for uri in [*links, *urls]:
            assert re.fullmatch(r"https?://[!-~]*", uri)
            assert not set('"<>\\^`{|}') & set(uri)
        assert evil.connections == 0


@pytest.mark.parametrize(
    "words", [f'x"{MARKER}', f"x'{MARKER}", "x" * 300, f"{{{MARKER}}}", "\u0430\u0440\u0440\u04cf\u0435"]
)
async def test_the_name_of_a_refused_host_is_short_and_plain(words: str) -> None:
    gateway = replace(gateway_at("https://images.example.com", "replicate"), output_hosts=("replicate.delivery",))
    async with OutputFetcher(gateway) as fetcher:
        with pytest.raises(OutputError) as caught:
            async with fetcher.open(f"https://{words}.evil.test/kite.png"):
                pass
    assert caught.value.message.count("'") in (2, 4)
    assert caught.value.message.isascii()
    assert '"' not in caught.value.message
    assert len(caught.value.message) <= 300


@pytest.mark.parametrize(
    "identifier", ["../../etc/passwd", "..\\..\\x.png", "/abs/olute", "a" * 65, "id\nnew line", "", 7.5, None]
)
async def test_a_prediction_with_a_hostile_id_is_refused_and_writes_nothing(
    client: Client, gateway: HostileGateway, tmp_path: Path, identifier: Any
) -> None:
    output = [gateway.base_url + "/out/kite.png"]
    gateway.answer(Answer({"id": identifier, "status": "succeeded", "output": output}, 201))
    result = await generate(client)
    assert report(result)["outcome"] == "unresolved"
    assert len(gateway.requests) == 1
    assert list((tmp_path / "pictures").iterdir()) == []


@pytest.mark.parametrize(
    "prompt", ["../../../x", "/etc/passwd", "C:\\x", "a\0b", "con", ".", "~root", "\u202e", "$(x)`x`|x"]
)
async def test_no_prompt_and_no_file_name_of_a_gateway_leads_out_of_the_folder(
    client: Client, gateway: HostileGateway, tmp_path: Path, prompt: str
) -> None:
    address = gateway.base_url + "/out/..%2f..%2f..%2fevil.sh"
    gateway.fields = {"status": "succeeded", "output": [address]}
    named = 'attachment; filename="../../../evil.sh"'
    gateway.picture = Answer(picture(), headers={"content-type": "text/x-sh", "content-disposition": named})
    result = await generate(client, prompt=prompt)
    (image,) = report(result)["images"]
    path = Path(image["path"])
    assert path.parent == tmp_path / "pictures"
    assert re.fullmatch(r"[a-z0-9.-]+\.png", path.name)
    names = {found.name for found in tmp_path.rglob("*")}
    assert not any("evil" in name for name in names)


# Pictures


@cache
def packed_zeros() -> bytes:
    """50 MB in 49 kB."""
    return gzip.compress(bytes(50_000_000))


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "zstd", "gzip,identity", "x-unknown"])
async def test_what_is_packed_without_bounds_is_not_unpacked(encoding: str) -> None:
    content = gzip.compress(packed_zeros())
    async with ScriptedGateway(Answer(content, headers={"content-encoding": encoding})) as server:
        near = gateway_at(server.base_url, "custom")
        with anyio.fail_after(20):
            async with OutputFetcher(near) as fetcher:
                with pytest.raises(OutputError, match="no bounds"):
                    async with fetcher.open(server.base_url + "/kite.png"):
                        pass
            async with PredictionClient(near, Key(), timeouts=Timeouts(read_s=5)) as client:
                with pytest.raises(CreateUnresolved):
                    await client.create("acme/kite", "", {})


async def test_an_image_that_unpacks_beyond_the_limit_is_not_taken() -> None:
    content = packed_zeros()
    assert len(content) < 100_000
    async with (
        ScriptedGateway(Answer(content, headers={"content-encoding": "gzip"})) as server,
        OutputFetcher(gateway_at(server.base_url, "custom"), max_bytes=1_000_000) as fetcher,
    ):
        with pytest.raises(OutputError, match="larger than"):
            async with fetcher.open(server.base_url + "/kite.png") as chunks:
                assert sum([len(chunk) async for chunk in chunks]) <= 1_000_000


async def test_a_bomb_comes_home_and_is_not_decoded(client: Client, gateway: HostileGateway) -> None:
    gateway.fields = {"status": "succeeded", "output": [gateway.base_url + "/out/kite.png"]}
    gateway.picture = Answer(bomb(16_000, 11_000))
    result = await generate(client)
    assert report(result)["images"][0]["width"] == 16_000
    assert not any(isinstance(block, ImageContent) for block in result.content)


@pytest.mark.parametrize(
    ("content", "claimed", "extension"),
    [
        (picture() + b"<html><script>alert(1)</script></html>", "text/html", ".png"),
        (picture("JPEG") + b"PK\x03\x04", "application/zip", ".jpg"),
        (b'<?xml version="1.0"?><!-- <html> -->' + SVG, "image/png", ".svg"),
    ],
)
async def test_the_content_alone_decides_what_a_file_is(
    client: Client, gateway: HostileGateway, content: bytes, claimed: str, extension: str
) -> None:
    gateway.fields = {"status": "succeeded", "output": [gateway.base_url + "/out/kite.exe"]}
    gateway.picture = Answer(content, headers={"content-type": claimed})
    result = await generate(client)
    (image,) = report(result)["images"]
    assert Path(image["path"]).suffix == extension
    assert image["mime_type"] != claimed
    for block in result.content:
        if isinstance(block, ImageContent):
            assert block.mime_type in ("image/jpeg", "image/png", "image/webp")
        if isinstance(block, ResourceLink):
            assert block.mime_type == image["mime_type"]


@pytest.mark.parametrize(
    "content",
    [
        b"<svg %s onload='alert(1)'><script>alert(1)</script></svg>" % FLAT,
        b"<svg %s><foreignObject><iframe src='file:///etc/passwd'/></foreignObject></svg>" % FLAT,
        b"<!DOCTYPE svg [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><svg %s>&x;</svg>" % FLAT,
    ],
)
async def test_a_drawing_is_saved_as_it_is_and_shown_only_as_pixels(
    client: Client, gateway: HostileGateway, content: bytes
) -> None:
    gateway.fields = {"status": "succeeded", "output": [gateway.base_url + "/out/kite.svg"]}
    gateway.picture = Answer(content)
    result = await generate(client)
    assert Path(report(result)["images"][0]["path"]).read_bytes() == content
    pictures = [block.mime_type for block in result.content if isinstance(block, ImageContent)]
    assert pictures == ["image/webp"]
    shown = result.model_dump_json()
    assert "onload" not in shown and "<svg" not in shown


@pytest.mark.parametrize(
    "content", [b"<!doctype html><script>alert(1)</script>", b"\x7fELF\x02\x01", b"#!/bin/sh\nid\n"]
)
async def test_what_is_no_picture_is_not_kept(
    client: Client, gateway: HostileGateway, tmp_path: Path, content: bytes
) -> None:
    gateway.fields = {"status": "succeeded", "output": [gateway.base_url + "/out/kite.png"]}
    gateway.picture = Answer(content, headers={"content-type": "image/png"})
    result = await generate(client)
    assert report(result)["images"][0]["path"] == ""
    assert list((tmp_path / "pictures").iterdir()) == []


# This machine


@systems.mode_bits
async def test_what_remembers_prompts_is_private(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        environ = {"DARKROOM_DATA_DIR": str(tmp_path / "data"), "DARKROOM_OUTPUT_DIR": str(tmp_path / "pictures")}
        with anyio.fail_after(60):
            async with Client(create_server(Settings.read(environ))) as client:
                await client.call_tool("generate_image", {"prompt": "a kite"})
                modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").iterdir()}
                assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    finally:
        os.umask(previous)
    assert {"journal.sqlite3", "journal.sqlite3-wal", "sandbox.sqlite3"} <= set(modes)
    assert set(modes.values()) == {0o600}


def test_no_command_takes_a_key_as_an_argument(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands in argv, every user of the machine can read. `sandbox --key` is a made-up one for its own clients."""
    monkeypatch.setenv("COLUMNS", "200")
    takers: set[str] = set()
    for command in ("generate", "show", "history", "cancel", "models", "doctor", "sandbox", "install", "serve"):
        assert run([command, "--help"]) == 0
        shown = capsys.readouterr().out
        assert "--help" in shown
        if re.search(r"--\S*(key|token|secret|password)", shown):
            takers.add(command)
    assert takers == {"sandbox"}


def test_a_key_in_the_wrong_variable_is_not_shown() -> None:
    for variable in (
        "DARKROOM_GATEWAY",
        "DARKROOM_WAIT_SECONDS",
        "DARKROOM_LOG_LEVEL",
        "DARKROOM_R8_KEY",
        "DARKROOM_BASE_URL",
    ):
        for key in ("r8_canary0canary0canary0", "sk-canary0canary0canary0"):
            problem = Settings.read_or_problem({variable: key}).problem
            assert problem is not None
            assert "canary" not in problem.message.lower()
            assert variable in problem.message
