"""What is kept of a gateway's descriptions: as little as the rules need, read by nobody else, asked for once."""

import json
from pathlib import Path
from typing import Any

import anyio
import pytest
from described_gateway import PAGE, PAINTER, Described, planned
from hypothesis import given
from hypothesis import strategies as st
from live_bodies import URI_LIST, live_body, picture, text, whole
from open_rooms import room_at
from test_live_schema_hostile import HOSTILE, NAMES, NODES, VALUES

from darkroom.gateways import Key
from darkroom.live_models.files import pruned
from darkroom.registry.live_schema import BadSchema, Description, describe

RICH = live_body(
    {
        "prompt": text(),
        "title": text("The title"),
        "properties": picture(),
        "style": {"$ref": "#/components/schemas/s"},
    },
    schemas={"s": {"allOf": [{"$ref": "#/components/schemas/t"}]}, "t": {"type": "string", "enum": ["a", "b"]}},
    output=URI_LIST,
    example=["https://example.com/a.webp?x=1", "https://example.com/b"],
    is_official=False,
    run_count=3,
)


VECTOR = live_body({"prompt": text()}, example="data:image/svg+xml;base64,PHN2Zy8+")


def read(body: Any) -> Description | str:
    try:
        return describe(body)
    except BadSchema as error:
        return str(error)


@pytest.mark.parametrize("body", [RICH, VECTOR, PAINTER, *HOSTILE.values()])
def test_what_is_kept_reads_as_the_whole_did(body: dict[str, Any]):
    assert read(json.loads(json.dumps(pruned(body)))) == read(body)


@given(st.dictionaries(NAMES, NODES, max_size=6), st.one_of(NODES, VALUES))
def test_whatever_is_kept_reads_as_the_whole_did(inputs: dict[str, Any], output: object):
    body = live_body(inputs, output=output)
    assert read(pruned(body)) == read(body)


def test_of_a_large_object_only_the_schema_is_kept():
    body = {**RICH, "readme": "x" * 10**6, "cover_image_url": "https://example.com/c.png"}
    assert len(json.dumps(pruned(body))) < 2_000


@pytest.mark.anyio
async def test_many_calls_at_once_ask_once(tmp_path: Path):
    async with Described() as gateway, room_at(gateway, tmp_path) as room, anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(planned, room, "ada/painter")
    assert gateway.looks == ["/v1/models/ada/painter"]


@pytest.mark.anyio
async def test_another_account_asks_for_itself(tmp_path: Path):
    async with Described() as gateway:
        for key in ("room-key-0123456789", "other-key-0123456789"):
            async with room_at(gateway, tmp_path, key=Key(key)) as room:
                await planned(room, "ada/painter")
        assert len(gateway.looks) == 2


@pytest.mark.anyio
async def test_a_folder_that_cannot_be_written_costs_only_questions(tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "live-models").write_text("in the way")
    async with Described() as gateway, room_at(gateway, tmp_path) as room:
        for _ in range(2):
            assert "described it on" in (await planned(room, "ada/painter")).text
        assert len(gateway.looks) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"at": 1e999}', b"[" * 5000, b'{"at": 1, "body": 2}'])
async def test_a_damaged_file_is_asked_for_again(content: bytes, tmp_path: Path):
    folder = tmp_path / "data" / "live-models" / "replicate"
    folder.mkdir(parents=True)
    (folder / "ada--painter.json").write_bytes(content)
    async with Described() as gateway, room_at(gateway, tmp_path) as room:
        assert "described it on" in (await planned(room, "ada/painter")).text
        assert len(gateway.looks) == 1


@pytest.mark.anyio
async def test_one_odd_answer_says_nothing_of_a_gateway_that_has_described_a_model(tmp_path: Path):
    other = live_body({"prompt": text(), "steps": whole()})
    async with Described(**{"ada/odd": PAGE, "ada/other": other}) as gateway, room_at(gateway, tmp_path) as room:
        for name in ("ada/painter", "ada/odd", "ada/other"):
            report = await planned(room, name)
        assert gateway.looks[-1] == "/v1/models/ada/other"
        assert "described it on" in report.text
