"""No answer, however odd, raises anything but the errors that the client names, or brings in what cannot be kept."""

import asyncio
import gzip
import json
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from odd_answers import ID, ODD_ANSWERS, RawAnswer, nested
from pydantic import JsonValue
from rounds import rounds
from scripted_gateway import Answer, ScriptedGateway, gateway_at

from darkroom.errors import CreateUnresolved, GatewayError, GatewayMisread, UnknownPrediction
from darkroom.gateways import Key, PredictionClient, Timeouts
from darkroom.gateways.list_pages import ListPage
from darkroom.predictions import Prediction, PredictionStatus, parse_prediction

pytestmark = pytest.mark.anyio

SECRET = "sk-canary0canary0canary0"
IMPATIENT = Timeouts(connect_s=2, write_s=2, read_s=2)
REFUSED = {400, 401, 402, 403, 404, 405, 413, 422}
SUCCEEDED = f'{{"id": "{ID}", "status": "succeeded"}}'
CLOSE = {"connection": "close"}


async def no_sleep(delay_s: float) -> None:
    pass


@asynccontextmanager
async def client_of(answer: Answer, *, timeouts: Timeouts = IMPATIENT) -> AsyncGenerator[PredictionClient]:
    with anyio.fail_after(60):
        async with (
            ScriptedGateway(answer) as server,
            PredictionClient(
                gateway_at(server.base_url), Key(SECRET, "KEY"), timeouts=timeouts, sleep=no_sleep
            ) as client,
        ):
            yield client


async def seen(body: Any, **headers: str) -> Prediction:
    """The prediction of a look-up that is answered with this body."""
    async with client_of(Answer(body, 200, headers)) as client:
        return await client.get(ID, attempts=1)


def assert_can_be_written_down(prediction: Prediction) -> None:
    """As the journal does it: JSON in UTF-8, dates that can be computed with, numbers that are some."""
    text = json.dumps(asdict(prediction), allow_nan=False, default=str, ensure_ascii=False)
    text.encode()
    assert "\0" not in text
    for moment in (prediction.created_at, prediction.started_at, prediction.completed_at):
        if moment:
            assert (moment + timedelta(days=1)).timestamp() > moment.timestamp() > 0
    assert len(prediction.output) <= 100
    assert depth_of(prediction.input) <= 101


def depth_of(value: JsonValue) -> int:
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return 1 + max((depth_of(each) for each in inner), default=0)


async def outcome(call: Awaitable[Any], *kinds: type[Exception]) -> Any:
    try:
        return await call
    except kinds as error:
        return error


def assert_created_or_told(answer: RawAnswer, created: Any) -> None:
    """Created is only what names an id, under an error only where it runs or has succeeded; a doubt is never hidden."""
    if isinstance(created, Prediction):
        is_packed = answer.headers.get("content-encoding") == "gzip" and answer.body.startswith(b"\x1f\x8b")
        body = gzip.decompress(answer.body) if is_packed else answer.body
        named = body.replace(b"\0", b"").decode("latin-1")  # without the zeros of UTF-16 and UTF-32
        assert created.id and created.id in named + answer.headers.get("location", "")
        assert 200 <= answer.status < 300 or created.status in ("starting", "processing", "succeeded")
    elif answer.status not in REFUSED | {429}:
        assert type(created) is CreateUnresolved


async def survive(client: PredictionClient, answer: RawAnswer) -> None:
    create = client.create("acme/kite", "", {"prompt": "a kite"}, prefer_wait_s=1)
    created = await outcome(create, GatewayError)
    assert_created_or_told(answer, created)
    found = await outcome(client.get(ID, attempts=1), GatewayError, UnknownPrediction)
    canceled = await outcome(client.cancel(ID), GatewayError, UnknownPrediction)
    listed = await outcome(client.list_page(), GatewayError)
    name = await outcome(client.account_name(), GatewayError)
    await outcome(client.upload(b"x", "x.png", "image/png"), GatewayError)
    probe = await client.probe()
    many = (
        [*listed.predictions, created, found, canceled] if isinstance(listed, ListPage) else [created, found, canceled]
    )
    for prediction in many:
        if isinstance(prediction, Prediction):
            assert_can_be_written_down(prediction)
    assert isinstance(name, GatewayError) or (len(name) <= 60 and name.isprintable())
    assert len(probe.words) <= 300
    for error in many:
        if isinstance(error, GatewayError):
            assert len(error.message) <= 300
            assert error.message.isprintable()


def test_no_answer_raises_anything_but_the_errors_that_are_named() -> None:
    with asyncio.Runner() as runner:
        # No shrinking: it would take minutes, and the answers are short enough to be read.
        @settings(
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            max_examples=rounds(40),
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        @given(ODD_ANSWERS)
        @example(RawAnswer(SUCCEEDED.encode("utf-8-sig"), 301, CLOSE))
        @example(RawAnswer(SUCCEEDED.encode("utf-16"), 599, CLOSE))
        @example(RawAnswer(SUCCEEDED.encode(), 422, CLOSE))
        @example(RawAnswer(b"", 303, CLOSE | {"location": f"/v1/predictions/{ID}"}))
        def play(answer: RawAnswer) -> None:
            async def one() -> None:
                async with client_of(answer) as client:
                    await survive(client, answer)

            runner.run(one())

        play()


@pytest.mark.parametrize(
    "stamp",
    [
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00+14:00",
        "1999-12-31T23:59:59Z",
        "2101-01-01T00:00:00Z",
        10**12,
        1e300,
        True,
    ],
)
async def test_a_date_that_cannot_be_computed_with_is_left_out(stamp: Any) -> None:
    prediction = await seen({"id": ID, "status": "succeeded", "created_at": stamp, "completed_at": stamp})
    assert (prediction.created_at, prediction.completed_at) == (None, None)
    assert prediction.status is PredictionStatus.SUCCEEDED


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400", "-1", "9" * 5000, "true", str(2**53 + 1), '"7"', "[7]"])
async def test_a_number_that_is_none_is_left_out_and_the_rest_is_read(number: str) -> None:
    metrics = f'{{"predict_time": {number}, "image_count": {number}, "total_time": 9}}'
    prediction = await seen(
        f'{{"id": "{ID}", "status": "succeeded", "metrics": {metrics}, "input": {{"seed": {number}}}}}'
    )
    assert (prediction.metrics.predict_s, prediction.metrics.image_count) == (None, None)
    assert prediction.metrics.total_s == 9
    assert_can_be_written_down(prediction)


@pytest.mark.parametrize("levels", [99, 700, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
async def test_what_is_nested_without_end_is_cut_and_the_rest_is_read(levels: int, opening: str, closing: str) -> None:
    deep = nested(opening, closing, levels)
    echo = f'{{"prompt": "a \\"kite\\" [", "deep": {deep}}}'
    output = '["https://replicate.delivery/kite.png"]'
    body = f'{{"id": "{ID}", "input": {echo}, "output": {output}, "status": "succeeded"}}'
    prediction = await seen(body)
    assert (prediction.status, prediction.output) == ("succeeded", ("https://replicate.delivery/kite.png",))
    assert prediction.input["prompt"] == 'a "kite" ['
    assert_can_be_written_down(prediction)


async def test_an_output_that_is_nested_or_endless_gives_its_first_hundred_addresses() -> None:
    address = "https://replicate.delivery/kite.png"
    assert (await seen({"id": ID, "output": [address] * 300})).output == (address,) * 100
    assert (await seen({"id": ID, "output": ["https://a.example/" + "x" * 70_000, address]})).output == (address,)
    assert (await seen(f'{{"id": "{ID}", "output": {nested("[", "]", 700, json.dumps(address))}}}')).output == ()


async def test_long_words_are_cut() -> None:
    long = "x" * 1_000_000
    prediction = await seen(
        {"id": ID, "model": long, "version": long, "status": long, "error": long, "logs": long + "end"}
    )
    assert (prediction.model, prediction.version, prediction.status) == ("", "", "unknown")
    assert len(prediction.error) <= 5_000
    assert len(prediction.logs) <= 100_000
    assert prediction.logs.endswith("end")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
async def test_json_is_read_in_each_of_its_encodings_and_never_shows_the_key(encoding: str) -> None:
    body = json.dumps({"id": ID, "status": "failed", "error": f"é {SECRET}"}, ensure_ascii=False)
    assert (await seen(body.encode(encoding))).error == "é [key]"


async def test_half_a_character_does_not_come_in() -> None:
    escaped = (
        b'{"id": "%s", "status": "failed", "logs": "whole \\ud83d\\ude00 half \\ud83d", "error": "\\udc00"}'
        % ID.encode()
    )
    prediction = await seen(escaped)
    assert prediction.logs == "whole \N{GRINNING FACE} half \N{REPLACEMENT CHARACTER}"
    assert prediction.error.encode()
    assert (await seen(b'{"id": "%s", "logs": "\xed\xa0\xbd \xff"}' % ID.encode())).logs.encode()


async def test_of_a_key_that_comes_twice_the_last_one_counts() -> None:
    prediction = await seen(
        f'{{"id": "{ID}", "status": "starting", "model": "a/b", "model": "c/d", "status": "failed"}}'
    )
    assert (prediction.model, prediction.status) == ("c/d", "failed")


@pytest.mark.parametrize(
    "body",
    [{"status": "error", "message": "try later"}, {"status": "failed", "code": 500}, {"error": "odd"}, {"status": 404}],
)
async def test_an_error_body_under_a_success_is_no_failed_prediction(body: dict[str, Any]) -> None:
    with pytest.raises(GatewayMisread):
        await seen(body)


async def test_a_bomb_is_not_unpacked_beyond_the_bound() -> None:
    async with client_of(Answer(gzip.compress(bytes(70_000_000), 1), 201, {"content-encoding": "gzip"})) as client:
        with pytest.raises(CreateUnresolved):
            await client.create("acme/kite", "", {"prompt": "a kite"})


@pytest.mark.parametrize("part", ["[],", '"",', "{},", "1,"])
async def test_a_body_of_a_million_parts_is_not_read(part: str) -> None:
    body = f'{{"id": "{ID}", "status": "succeeded", "output": [{part * 1_100_000}1]}}'
    with pytest.raises(GatewayMisread):
        await seen(body)
    async with client_of(Answer(body, 201)) as client:
        assert (await client.create("acme/kite", "", {"prompt": "a kite"})).id == ID


# Lists


async def listed(page: Any) -> ListPage:
    async with client_of(Answer(page)) as client:
        return await client.list_page()


@pytest.mark.parametrize("following", [None, "", False])
async def test_a_list_without_a_next_page_was_read_to_its_end(following: Any) -> None:
    page = await listed({"results": [{"id": ID}], "next": following})
    assert (page.next_cursor, page.is_broken_off) == ("", False)


@pytest.mark.parametrize(
    "following",
    [
        "https://a.example/?cursor=\x01",
        "?" + "c" * 70_000,
        "?\u00e9",
        "? ",
        "no query",
        "https://a.example/?",
        7,
        ["?x"],
        {"a": 1},
    ],
)
async def test_a_next_page_whose_address_cannot_be_used_breaks_the_list_off(following: Any) -> None:
    page = await listed({"results": [{"id": ID}], "next": following})
    assert (page.next_cursor, page.is_broken_off, len(page.predictions)) == ("", True, 1)


async def test_items_that_cannot_be_read_are_counted() -> None:
    items: list[Any] = [{"id": ID}, {"broken": 1}, 7, None, [], {"id": "a.b"}, {"id": ID, "input": {"deep": 1}}]
    page = await listed({"results": items})
    assert (len(page.predictions), page.unreadable_count) == (2, 5)


async def test_an_odd_cursor_of_the_caller_is_a_gateway_error() -> None:
    async with client_of(Answer({"results": []})) as client:
        for cursor in ("\x01", "c" * 70_000, "\ud83d", "a b", "\r\nX: y"):
            await outcome(client.list_page(cursor), GatewayError)


# Sizes


def prediction_with_images(count: int, size_bytes: int, *, status_first: bool = False) -> bytes:
    images = b",".join([b'"data:image/png;base64,' + b"A" * (size_bytes * 4 // 3) + b'"'] * count)
    head = b'"status": "succeeded", ' if status_first else b""
    tail = b"" if status_first else b', "status": "succeeded"'
    return b'{"id": "%s", %s"output": [%s]%s}' % (ID.encode(), head, images, tail)


async def test_four_images_of_nine_megabytes_come_whole() -> None:
    prediction = await seen(prediction_with_images(4, 9_000_000))
    assert prediction.status is PredictionStatus.SUCCEEDED
    assert [len(uri) for uri in prediction.output] == [12_000_022] * 4


@pytest.mark.parametrize("status_first", [True, False])
async def test_an_answer_with_more_images_than_can_be_read_ends_with_clear_words(status_first: bool) -> None:
    prediction = await seen(prediction_with_images(6, 9_000_000, status_first=status_first))
    assert prediction.status is PredictionStatus.SUCCEEDED
    assert "longer than 64 MiB" in prediction.error


async def test_an_answer_beyond_the_bound_is_asked_for_once_and_says_so() -> None:
    endless_logs = b'{"id": "%s", "output": null, "logs": "%s", "status": "processing"}' % (
        ID.encode(),
        b"x" * 68_000_000,
    )
    async with (
        ScriptedGateway(Answer(endless_logs)) as server,
        PredictionClient(gateway_at(server.base_url), Key(SECRET), sleep=no_sleep) as client,
    ):
        with pytest.raises(GatewayMisread, match="longer than 64 MiB"):
            await client.get(ID)
        assert len(server.requests) == 1
        assert (await client.create("acme/kite", "", {"prompt": "a kite"})).id == ID


# The reader itself


def test_the_reader_takes_what_no_json_holds() -> None:
    body: dict[str, Any] = {"id": ID, "status": 10**5000, "input": {"deep": [], "set": {1}, 7: "x", "bytes": b"x"}}
    deep: list[Any] = body["input"]["deep"]
    for _ in range(5000):
        deep.append([])
        deep = deep[0]
    body["output"] = body["error"] = body["logs"] = body["metrics"] = body["input"]["deep"]
    assert_can_be_written_down(parse_prediction(body))
