"""Messages that JSON parsers refuse or that are far too long: each is answered in words, and the server goes on.

They are written by hand, because a client of the SDK cannot send them.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from http_process import HttpProcess
from stdio_host import HELLO, Host

HALF = r"a \ud83d fox"
STRANGE = {
    "half a character": f'"{HALF}"',
    "half a character at the end": r'"a fox \uD83D"',
    "300 levels": "[" * 300 + "]" * 300,
    "120 levels": '{"a":' * 120 + "1" + "}" * 120,
    "50,000 levels": "[" * 50_000 + "]" * 50_000,
    "a number without end": "9" * 5_000,
    "a number beyond every float": "1e999",
    "no number": "NaN",
    "half a character as a name": r'{"\udc00": 1}',
    "too many values": "[" + "1," * 60_000 + "1]",
}
PLACES = {
    "generate_image": '{{"name": "generate_image", "arguments": {{"prompt": "a fox", "model_options": {{"x": {}}}}}}}',
    "prompt": '{{"name": "generate_image", "arguments": {{"prompt": {}}}}}',
    "get_prediction": '{{"name": "get_prediction", "arguments": {{"id": {}}}}}',
    "list_models": '{{"name": "list_models", "arguments": {{"query": {}}}}}',
    "no such tool": '{{"name": "paint", "arguments": {{"x": {}}}}}',
    "a name": '{{"name": {}, "arguments": {{}}}}',
}
OTHERS = {
    "prompts/get": '{{"name": "poster", "arguments": {{"text": {}}}}}',
    "resources/read": '{{"uri": {}}}',
    "completion/complete": (
        '{{"ref": {{"type": "ref/prompt", "name": "poster"}}, "argument": {{"name": "x", "value": {}}}}}'
    ),
}
LONG = "x" * 5_000_000
MODERN = "2026-07-28"
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


class Stdio:
    """Raw messages over stdin and stdout, in the older protocol."""

    is_modern = False

    def __init__(self, host: Host) -> None:
        self._host = host
        host.greet()

    def ask(self, method: str, params: str) -> Any:
        self._host.stdin.write(_message(method, params).encode() + b"\n")
        self._host.stdin.flush()
        return self._host.receive()


class Http:
    """Raw messages over HTTP, in either protocol."""

    def __init__(self, server: HttpProcess, era: str) -> None:
        self._url = server.url
        self.is_modern = era == "modern"
        self._headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
        if not self.is_modern:
            answer = self._post(_message("initialize", json.dumps(HELLO)), {})
            self._headers |= {"Mcp-Session-Id": answer.headers["mcp-session-id"], "MCP-Protocol-Version": "2025-11-25"}
            self._post('{"jsonrpc": "2.0", "method": "notifications/initialized"}', {})

    def ask(self, method: str, params: str) -> Any:
        headers: dict[str, str] = {}
        if self.is_modern:
            params = params[:-1] + f', "_meta": {json.dumps(ENVELOPE)}}}'
            headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": method, "Mcp-Name": _name(method, params)}
        answer = self._post(_message(method, params), headers)
        data = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
        return json.loads(data[-1] if data else answer.text)

    def _post(self, message: str, headers: dict[str, str]) -> httpx.Response:
        return self.post(message.encode(), headers)

    def post(self, content: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
        return httpx.post(self._url, content=content, headers=self._headers | (headers or {}), timeout=30)


def _message(method: str, params: str) -> str:
    return f'{{"jsonrpc": "2.0", "id": 7, "method": "{method}", "params": {params}}}'


def _name(method: str, params: str) -> str:
    """What the header repeats; only a name that is plain text can stand there."""
    return {"prompts/get": "poster"}.get(method) or params.partition('"name": "')[2].partition('"')[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("strange")


@pytest.fixture(scope="module", params=["stdio", "legacy", "modern"])
def line(request: pytest.FixtureRequest, folder: Path) -> Iterator[Stdio | Http]:
    if request.param == "stdio":
        host = Host(folder)
        try:
            yield Stdio(host)
        finally:
            host.close()
        return
    with HttpProcess(folder) as server:
        yield Http(server, request.param)


def words(result: dict[str, Any]) -> str:
    content = cast("list[dict[str, str]]", result["content"])
    return content[0]["text"]


@pytest.mark.parametrize("value", STRANGE.values(), ids=STRANGE)
def test_a_tool_call_with_a_strange_value_is_refused_in_words(line: Stdio | Http, value: str) -> None:
    for tool, place in PLACES.items():
        if line.is_modern and tool == "a name":
            continue  # a name stands in a header too, which cannot carry these
        answer = line.ask("tools/call", place.format(value))
        assert answer["id"] == 7
        if "error" in answer:
            assert tool == "a name" and answer["error"]["message"]
        else:
            assert answer["result"]["isError"], tool
            assert len(words(answer["result"])) < 1_000
            assert tool in ("no such tool", "a name") or "cannot be used" in words(answer["result"])


@pytest.mark.parametrize("value", STRANGE.values(), ids=STRANGE)
@pytest.mark.parametrize("method", OTHERS)
def test_any_other_request_with_a_strange_value_is_answered_by_an_error_in_words(
    line: Stdio | Http, method: str, value: str
) -> None:
    if line.is_modern and method == "resources/read":
        return  # its address stands in a header too, which cannot carry these
    answer = line.ask(method, OTHERS[method].format(value))
    assert answer["id"] == 7
    assert len(answer["error"]["message"]) < 300
    assert "cannot be answered" in answer["error"]["message"]


def test_a_body_that_is_no_utf_8_is_refused_as_it_came(line: Stdio | Http) -> None:
    if isinstance(line, Http):
        assert line.post(_message("ping", '{"x": "@"}').encode().replace(b"@", b"\xff")).status_code == 400


def test_a_whole_character_written_as_two_halves_is_no_strange_value(line: Stdio | Http) -> None:
    answer = line.ask("tools/call", PLACES["list_models"].format(r'"text in image \ud83e\udd8a"'))
    assert not answer["result"]["isError"]


@pytest.mark.parametrize("argument", ["prompt", "negative_prompt", "model", "aspect_ratio", "output_format", "mask"])
def test_an_argument_of_megabytes_is_not_repeated_in_the_answer(line: Stdio | Http, argument: str) -> None:
    arguments = {"prompt": "a fox", argument: LONG}
    answer = line.ask("tools/call", json.dumps({"name": "generate_image", "arguments": arguments}))
    assert answer["result"]["isError"]
    assert f"{argument} has 5,000,000 characters; at most 32,000 are taken" in words(answer["result"])
    assert len(json.dumps(answer)) < 5_000


@pytest.mark.parametrize("beginning", ["data:image/png;base64,", "data:"])
def test_options_of_megabytes_are_not_repeated_in_the_answer(line: Stdio | Http, beginning: str) -> None:
    arguments = {
        "prompt": "a fox",
        "model": "acme/kite",
        "model_options": {"x": beginning + LONG, **{f"o{n}": "y" * 30_000 for n in range(9)}},
    }
    answer = line.ask(
        "tools/call", json.dumps({"name": "generate_image", "arguments": {**arguments, "wait_seconds": 0}})
    )
    assert len(json.dumps(answer)) < 100_000


@pytest.mark.parametrize("method", OTHERS)
def test_a_text_of_megabytes_in_any_other_request_is_not_repeated_in_the_answer(
    line: Stdio | Http, method: str
) -> None:
    if line.is_modern and method == "resources/read":
        return
    answer = line.ask(method, OTHERS[method].format(f'"{LONG},"'))
    assert len(json.dumps(answer)) < 5_000


@pytest.mark.parametrize("written", ["two in a line", "a list", "a list of one", "a list in lines of one"])
def test_each_of_several_messages_in_one_line_is_answered(folder: Path, written: str) -> None:
    host = Host(folder)
    try:
        host.greet()
        pings = [f'{{"jsonrpc": "2.0", "id": {number}, "method": "ping"}}' for number in (7, 8)]
        pings = pings[:1] if written == "a list of one" else pings
        line = " ".join(pings) if written == "two in a line" else f"[{', '.join(pings)}]"
        host.stdin.write((f"[{pings[0]}] [{pings[1]}]" if "lines of one" in written else line).encode() + b"\n")
        host.stdin.flush()
        assert sorted(host.receive()["id"] for _ in pings) == [7, 8][: len(pings)]
    finally:
        host.close()


def test_arguments_that_are_an_object_as_a_text_are_read(line: Stdio | Http) -> None:
    for arguments, words_of_it in {
        json.dumps({"query": "poster"}): 'models for "poster"',
        "{}": "models",
        "": "models",
        '["poster"]': "arguments is a text that holds no JSON object",
        "poster": "arguments is a text that holds no JSON object",
    }.items():
        answer = line.ask("tools/call", json.dumps({"name": "list_models", "arguments": arguments}))
        assert words_of_it in words(answer["result"])
        assert bool(answer["result"]["isError"]) is ("no JSON object" in words_of_it)
