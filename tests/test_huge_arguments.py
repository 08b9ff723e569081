"""Arguments of megabytes: the call is answered in words, and the server goes on answering everybody else meanwhile."""

from collections.abc import AsyncGenerator, Iterator
from typing import Any

import anyio
import httpx
import pytest
from http_process import HttpProcess
from mcp import Client
from mcp.types import TextContent

from darkroom.registry import ModelRegistry
from darkroom.spelling import closest

pytestmark = pytest.mark.anyio

_HUGE = 2_000_000
_LONG = 30_000  # what the border lets pass
_ARGUMENTS: list[tuple[str, dict[str, Any], str]] = [
    ("list_models", {"query": "ab " * (_HUGE // 3)}, "at most 32,000 are taken"),
    ("list_models", {"query": "ab " * (_LONG // 3)}, "at most 1,000 are searched"),
    ("list_models", {"query": "a" * _LONG}, "at most 1,000 are searched"),
    ("list_models", {"model": "flux" * (_LONG // 4)}, "Unknown model 'flux"),
    ("list_models", {"e" * _LONG: ""}, "Unknown argument 'eee"),
    ("generate_image", {"prompt": "a fox", "model": "flux-" * (_LONG // 5)}, "Unknown model 'flux-"),
    ("generate_image", {"prompt": "a fox", "model": "a/" + "e" * _LONG}, "is not a model name"),
    ("generate_image", {"prompt": "a fox", "aspect_ratio": "16" + " " * _LONG}, "is not width:height"),
    (
        "generate_image",
        {"prompt": "a fox", "model_options": {"go_fast" * (_LONG // 7): True}},
        "has no option 'go_fast",
    ),
    ("generate_image", {"prompt": "a fox", "model_options": {"output_format": "p" * _LONG}}, "Allowed: webp, jpg, png"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpProcess]:
    with HttpProcess(tmp_path_factory.mktemp("huge")) as process:
        yield process


@pytest.fixture
async def client(server: HttpProcess) -> AsyncGenerator[Client]:
    with anyio.fail_after(60):  # the first of these took minutes, in which nobody else was answered
        async with Client(server.url) as client:
            yield client


@pytest.mark.parametrize(("tool", "arguments", "words"), _ARGUMENTS, ids=range(len(_ARGUMENTS)))
async def test_a_huge_argument_is_refused_in_words_while_others_are_answered(
    server: HttpProcess, client: Client, tool: str, arguments: dict[str, Any], words: str
) -> None:
    answers: list[str] = []

    async def call() -> None:
        result = await client.call_tool(tool, arguments)
        assert result.is_error and isinstance(result.content[0], TextContent)
        answers.append(result.content[0].text)

    async with anyio.create_task_group() as tasks, httpx.AsyncClient(timeout=30) as watcher:
        tasks.start_soon(call)
        assert (await watcher.get(f"{server.origin}/health")).json()["ok"]
        assert (await client.list_tools()).tools
    assert words in answers[0]
    assert len(answers[0]) < 500


def test_a_query_of_the_longest_length_is_searched() -> None:
    registry = ModelRegistry.load()
    longest = "flux " * 199 + "fast "
    assert len(longest) == 1000
    assert registry.search(longest)[0] in registry.search("flux fast")


def test_nothing_is_close_to_a_word_of_megabytes() -> None:
    assert closest("flux" * 500_000, ["flux", "fast"]) == []
    assert closest("flox", ["flux", "fast"]) == ["flux"]
