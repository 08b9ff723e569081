"""The predictions API over a real socket: what is sent, what is read, what is repeated, and where the key goes."""

import json
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import anyio
import pytest
from scripted_gateway import Answer, ScriptedGateway, gateway_at
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from wire_fault_server import WireFaultServer, WireScript

from darkroom.errors import (
    CreateUnresolved,
    DarkroomError,
    GatewayBusy,
    GatewayMisread,
    GatewayUnreachable,
    InvalidInput,
    KeyRefused,
    RequestRefused,
    UnknownPrediction,
)
from darkroom.gateways import Key, PredictionClient, Timeouts, load_gateways
from darkroom.predictions import PredictionStatus

pytestmark = pytest.mark.anyio

CANARY = "r8_canary0canary0canary0canary0"
ID = "kite0000kite0000kite000001"
STARTING = {"id": ID, "status": "starting", "output": None}
DONE = {"id": ID, "status": "succeeded", "output": ["https://replicate.delivery/kite.png"]}
HTML = Answer("<!doctype html><html>Welcome</html>", 200, {"content-type": "text/html"})


class Naps:
    """Counts the seconds that the client would have slept."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, delay_s: float) -> None:
        self.seconds.append(delay_s)


@asynccontextmanager
async def client_of(
    server: ScriptedGateway | WireFaultServer, name: str = "replicate", *, sleep: Naps | None = None
) -> AsyncGenerator[PredictionClient]:
    client = PredictionClient(
        gateway_at(server.base_url, name),
        Key(CANARY, "REPLICATE_API_TOKEN"),
        timeouts=Timeouts(connect_s=2, write_s=2, read_s=2),
        sleep=sleep or Naps(),
        rng=Random(1),
    )
    with anyio.fail_after(20):
        async with client:
            yield client


async def test_a_create_goes_to_the_path_of_the_model_with_key_and_input() -> None:
    async with ScriptedGateway(Answer(STARTING, 201)) as server, client_of(server) as client:
        prediction = await client.create("acme/kite", "", {"prompt": "a kite", "seed": 7})
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/v1/models/acme/kite/predictions")
    assert request.json() == {"input": {"prompt": "a kite", "seed": 7}}
    assert request.headers["authorization"] == f"Bearer {CANARY}"
    assert request.headers["content-type"] == "application/json"
    assert "prefer" not in request.headers
    assert (prediction.id, prediction.status) == (ID, PredictionStatus.STARTING)


async def test_a_create_by_version_names_it_in_the_body() -> None:
    version = "0f" * 32
    async with ScriptedGateway(Answer(STARTING, 201)) as server, client_of(server) as client:
        await client.create("acme/kite", version, {"prompt": "a kite"})
    assert server.requests[0].path == "/v1/predictions"
    assert server.requests[0].json() == {"version": version, "input": {"prompt": "a kite"}}


@pytest.mark.parametrize("name", ["aimanyi", "cometapi"])
async def test_a_gateway_without_versions_is_given_the_model_in_the_body(name: str) -> None:
    async with ScriptedGateway(Answer(STARTING)) as server, client_of(server, name) as client:
        await client.create("acme/kite", "0f" * 32, {"prompt": "a kite"})
    assert server.requests[0].path == "/v1/predictions"
    assert server.requests[0].json() == {"model": "acme/kite", "input": {"prompt": "a kite"}}


async def test_wishes_are_sent_where_the_gateway_honours_them() -> None:
    async with ScriptedGateway(Answer(STARTING, 201)) as server, client_of(server) as client:
        await client.create("acme/kite", "", {}, prefer_wait_s=5, cancel_after_s=120, intent_key="intent-1")
        await client.create("acme/kite", "", {}, prefer_wait_s=500)
    first, second = (request.headers for request in server.requests)
    assert (first["prefer"], first["cancel-after"], first["idempotency-key"]) == ("wait=5", "120s", "intent-1")
    assert second["prefer"] == "wait=60"


async def test_wishes_are_kept_back_where_nobody_documents_them() -> None:
    async with ScriptedGateway(Answer(STARTING)) as server, client_of(server, "cometapi") as client:
        await client.create("acme/kite", "", {}, prefer_wait_s=5, cancel_after_s=120)
    assert not {"prefer", "cancel-after"} & server.requests[0].headers.keys()


@pytest.mark.parametrize(
    "model", ["kite", "acme/", "../../v1/account", "acme/kite/x", "acme/kite?x=1", "acme/ki te", ""]
)
async def test_a_model_that_is_no_name_is_never_sent(model: str) -> None:
    async with ScriptedGateway() as server, client_of(server) as client:
        with pytest.raises(InvalidInput, match="owner/name"):
            await client.create(model, "", {})
    assert server.requests == []


async def test_an_input_that_is_not_json_is_never_sent() -> None:
    async with ScriptedGateway() as server, client_of(server) as client:
        with pytest.raises(InvalidInput, match="JSON"):
            await client.create("acme/kite", "", {"guidance": float("nan")})
    assert server.requests == []


async def test_a_held_answer_that_says_processing_beside_an_output_is_looked_up_once_more() -> None:
    early = {**DONE, "status": "processing"}
    async with ScriptedGateway(Answer(early, 201), Answer(DONE)) as server, client_of(server) as client:
        prediction = await client.create("acme/kite", "", {}, prefer_wait_s=5)
    assert [(request.method, request.path) for request in server.requests][1:] == [("GET", f"/v1/predictions/{ID}")]
    assert prediction.status is PredictionStatus.SUCCEEDED


@pytest.mark.parametrize(
    ("output", "image_count", "looks"),
    [
        (["https://replicate.delivery/a/out-0.webp"], 1, 0),
        ("https://replicate.delivery/a/out-0.JPG?sig=1", 1, 0),
        (["https://replicate.delivery/a/out-0.webp"] * 2, 2, 0),
        (["https://replicate.delivery/a/out-0.webp"], 2, 1),
        (["https://replicate.delivery/a/out-0.webp"] * 2, 1, 1),
        (["https://replicate.delivery/a/out-0.we"], 1, 1),
        (["https://replicate.delivery/a/out-0.webp", "https://replicate.deliv"], 2, 1),
        (["data:image/png;base64,iVBORw0KGgo"], 1, 1),
        (["https://replicate.delivery/a/out-0.webp"], 0, 1),
    ],
)
async def test_a_held_answer_with_all_outputs_whole_is_the_end(output: Any, image_count: int, looks: int) -> None:
    early: dict[str, Any] = {**DONE, "status": "processing", "output": output, "metrics": {}, "completed_at": None}
    async with ScriptedGateway(Answer(early, 201), Answer(DONE)) as server, client_of(server) as client:
        prediction = await client.create("acme/kite", "", {}, prefer_wait_s=5, image_count=image_count)
    assert prediction.status is PredictionStatus.SUCCEEDED and prediction.id == ID
    assert len(server.requests) == 1 + looks
    assert looks or (prediction.metrics.counts["image_output_count"] == image_count and prediction.metrics.total_s)


async def test_a_held_answer_that_is_cut_at_any_byte_names_its_prediction_or_is_in_doubt() -> None:
    output = ["https://replicate.delivery/a/out-0.webp", "https://replicate.delivery/a/out-1.webp"]
    body = {"id": ID, "model": "acme/kite", "output": output, "status": "processing"}
    content = json.dumps(body).encode()
    for kept in range(len(content)):
        cut = Answer(content[:kept], 201, {"content-length": str(len(content)), "connection": "close"})
        async with ScriptedGateway(cut, Answer(DONE)) as server, client_of(server) as client:
            try:
                prediction = await client.create("acme/kite", "", {}, prefer_wait_s=5, image_count=2)
            except CreateUnresolved:
                continue
            assert (prediction.id, prediction.output) == (ID, ())
            assert not prediction.status.is_terminal and len(server.posts()) == 1


async def test_a_second_look_that_fails_does_not_lose_the_create() -> None:
    early = {**DONE, "status": "processing"}
    async with ScriptedGateway(Answer(early, 201), Answer({}, 500)) as server, client_of(server) as client:
        prediction = await client.create("acme/kite", "", {}, prefer_wait_s=5)
    assert (prediction.id, prediction.status) == (ID, PredictionStatus.PROCESSING)
    assert len(server.posts()) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 520, 524])
async def test_a_look_is_repeated_after_a_passing_fault(status: int) -> None:
    naps = Naps()
    async with ScriptedGateway(Answer({}, status), Answer(DONE)) as server, client_of(server, sleep=naps) as client:
        assert (await client.get(ID)).status is PredictionStatus.SUCCEEDED
    assert (len(server.requests), len(naps.seconds)) == (2, 1)


async def test_a_look_waits_as_long_as_the_gateway_says() -> None:
    naps = Naps()
    busy = Answer({"detail": "Too fast. Resets in ~7s."}, 429)
    async with ScriptedGateway(busy, Answer(DONE)) as server, client_of(server, sleep=naps) as client:
        await client.get(ID)
    assert naps.seconds == [7]


async def test_a_look_gives_up_at_once_where_the_gateway_wants_more_time_than_there_is() -> None:
    naps = Naps()
    busy = Answer({"retry_after": 60}, 429)
    async with ScriptedGateway(busy) as server, client_of(server, sleep=naps) as client:
        with pytest.raises(GatewayBusy, match="in 60 s") as caught:
            await client.get(ID, within_s=20)
    assert (caught.value.retry_after_s, naps.seconds, len(server.requests)) == (60, [], 1)


async def test_a_look_is_repeated_a_bounded_number_of_times() -> None:
    async with ScriptedGateway(Answer({"detail": "down"}, 502)) as server, client_of(server) as client:
        with pytest.raises(GatewayUnreachable, match="502"):
            await client.get(ID, attempts=3)
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer({"detail": "no"}, 401), KeyRefused),
        (Answer({"detail": "no"}, 404), UnknownPrediction),
        (Answer("", 404), UnknownPrediction),
        (Answer("404 page not found", 404, {"content-type": "text/plain"}), GatewayMisread),
        (Answer({"error": {"message": "Invalid URL (GET /v1/predictions/x)"}}, 404), GatewayMisread),
        (Answer({"detail": "no"}, 422), RequestRefused),
        (Answer("", 302, {"location": "http://127.0.0.1:1/"}), GatewayMisread),
        (HTML, GatewayMisread),
        (Answer("<html>not here</html>", 404), GatewayMisread),
        (Answer(["a"]), GatewayMisread),
        (Answer({"hello": "world"}), GatewayMisread),
    ],
)
async def test_a_look_that_is_refused_for_good_is_not_repeated(answer: Answer, kind: type[DarkroomError]) -> None:
    async with ScriptedGateway(answer) as server, client_of(server) as client:
        with pytest.raises(kind):
            await client.get(ID)
    assert len(server.requests) == 1


async def test_a_page_is_no_word_on_a_prediction_also_where_the_address_has_given_json_before() -> None:
    page = Answer("<html>not here</html>", 404)
    async with ScriptedGateway(Answer(DONE), page) as server, client_of(server) as client:
        await client.get(ID)
        with pytest.raises(GatewayMisread):
            await client.get(ID)


async def test_a_404_that_broke_off_is_asked_again() -> None:
    cut = Answer('{"detail": "not fo', 404, {"content-length": "100", "connection": "close"})
    async with ScriptedGateway(cut, Answer(DONE)) as server, client_of(server) as client:
        assert (await client.get(ID)).status is PredictionStatus.SUCCEEDED


async def test_a_code_that_the_gateway_documents_as_a_refusal_ends_a_look_at_once() -> None:
    refused = Answer({"error": {"message": "no", "code": "invalid_request"}}, 500)
    async with ScriptedGateway(refused) as server, client_of(server, "cometapi") as client:
        with pytest.raises(RequestRefused):
            await client.get(ID)
    assert len(server.requests) == 1


SLOW: tuple[WireScript, ...] = ("silence", "dripping_headers", "endless_body")


@pytest.mark.parametrize("script", SLOW)
async def test_no_look_takes_longer_than_it_may(script: WireScript) -> None:
    async with (
        WireFaultServer(script) as server,
        PredictionClient(gateway_at(server.base_url), Key(CANARY)) as client,
    ):
        with anyio.fail_after(20):
            for look in (
                client.get(ID, within_s=0.1),
                client.list_page(within_s=0.1),
                client.account_name(within_s=0.1),
            ):
                with pytest.raises(GatewayUnreachable):
                    await look
            with pytest.raises(GatewayUnreachable):
                await client.cancel(ID, within_s=0.1)
            with pytest.raises(GatewayUnreachable):
                await client.upload(b"x" * 1000, "x.png", "image/png", within_s=0.1)
            assert not (await client.probe(within_s=0.1)).is_key_accepted


@pytest.mark.parametrize("script", ["silence", "dripping_headers"])
async def test_a_create_that_takes_longer_than_it_may_is_possibly_created(script: WireScript) -> None:
    async with (
        WireFaultServer(script) as server,
        PredictionClient(gateway_at(server.base_url), Key(CANARY)) as client,
    ):
        with anyio.fail_after(20), pytest.raises(CreateUnresolved):
            await client.create("acme/kite", "", {}, within_s=0.5)
        assert server.whole_requests == 1


async def test_a_create_whose_time_was_over_before_it_began_was_certainly_not_sent() -> None:
    async with ScriptedGateway() as server, client_of(server) as client:
        with pytest.raises(GatewayUnreachable, match="Nothing was started"):
            await client.create("acme/kite", "", {}, within_s=0)
        assert server.connections == 0


async def test_a_create_that_never_came_beyond_the_handshake_was_certainly_not_sent() -> None:
    async with WireFaultServer("silence") as server:
        secure = gateway_at(server.base_url.replace("http:", "https:"))
        async with PredictionClient(secure, Key(CANARY)) as client:
            with anyio.fail_after(20), pytest.raises(GatewayUnreachable, match="Nothing was started"):
                await client.create("acme/kite", "", {}, within_s=0.5)


async def test_an_endless_second_look_does_not_lose_the_create() -> None:
    early = Answer({**DONE, "status": "processing"}, 201)
    endless = Answer("", 200, {"content-length": "100"})
    async with ScriptedGateway(early, endless) as server, client_of(server) as client:
        with anyio.fail_after(20):
            assert (await client.create("acme/kite", "", {}, prefer_wait_s=5, within_s=1)).id == ID


async def test_a_look_on_a_broken_connection_is_repeated() -> None:
    async with WireFaultServer("half_body_after_id") as server, client_of(server) as client:
        with pytest.raises(GatewayUnreachable, match="broke off"):
            await client.get(ID, attempts=3)
        assert server.whole_requests == 3


@pytest.mark.parametrize("identifier", ["", "a.b", "a/../../../x", "a" * 65, "kite0000kite0000?x=1", "kite 000 kite"])
async def test_an_id_that_is_none_is_never_sent(identifier: str) -> None:
    async with ScriptedGateway() as server, client_of(server) as client:
        for ask in (client.get, client.cancel):
            with pytest.raises(UnknownPrediction):
                await ask(identifier)
    assert server.requests == []


async def test_a_cancel_gives_the_state_afterwards() -> None:
    canceled = {"id": ID, "status": "canceled", "logs": None, "output": None}
    async with ScriptedGateway(Answer(canceled)) as server, client_of(server) as client:
        prediction = await client.cancel(ID)
    assert (server.requests[0].method, server.requests[0].path) == ("POST", f"/v1/predictions/{ID}/cancel")
    assert prediction is not None
    assert prediction.status is PredictionStatus.CANCELED


@pytest.mark.parametrize(
    "answer", [Answer({}, 404), Answer({}, 405), HTML, Answer("", 301), Answer("<html></html>", 404)]
)
async def test_a_cancel_that_a_gateway_does_not_have_is_no_error(answer: Answer) -> None:
    async with ScriptedGateway(answer) as server, client_of(server, "deerapi") as client:
        assert await client.cancel(ID) is None


async def test_a_cancel_that_a_gateway_promises_and_does_not_know_is_an_error() -> None:
    async with ScriptedGateway(Answer({"detail": "none"}, 404)) as server, client_of(server) as client:
        with pytest.raises(UnknownPrediction):
            await client.cancel(ID)


@pytest.mark.parametrize("status", [400, 409, 422])
async def test_a_cancel_of_an_ended_prediction_gives_its_end(status: int) -> None:
    refused = Answer({"detail": "cannot be canceled"}, status)
    async with ScriptedGateway(refused, Answer(DONE)) as server, client_of(server) as client:
        prediction = await client.cancel(ID)
    assert prediction is not None
    assert prediction.status is PredictionStatus.SUCCEEDED


async def test_a_list_is_paged_by_the_query_of_next_and_never_by_its_host() -> None:
    async with ScriptedGateway() as evil:
        page = {"results": [DONE, {"broken": 1}, STARTING], "next": f"{evil.base_url}/steal?cursor=abc%3D#x"}
        last: dict[str, object] = {"results": [], "next": None}
        dated = Answer(page, headers={"date": "Sat, 21 Nov 2026 10:00:00 GMT"})
        async with ScriptedGateway(dated, Answer(last)) as server, client_of(server) as client:
            first = await client.list_page()
            second = await client.list_page(first.next_cursor)
        assert evil.connections == 0
    assert [request.path for request in server.requests] == ["/v1/predictions", "/v1/predictions?cursor=abc%3D"]
    assert [prediction.status for prediction in first.predictions] == ["succeeded", "starting"]
    assert first.server_time is not None
    assert first.server_time.hour == 10
    assert (second.predictions, second.next_cursor) == ((), "")


async def test_what_a_gateway_does_not_offer_is_refused_without_a_request() -> None:
    async with ScriptedGateway() as server, client_of(server, "cometapi") as client:
        for call in (client.list_page(), client.upload(b"x", "x.png", "image/png")):
            with pytest.raises(RequestRefused, match="Nothing was sent"):
                await call
    assert server.requests == []


async def test_an_upload_sends_one_named_part_and_gives_the_address() -> None:
    address = "https://api.replicate.com/v1/files/kite"
    async with (
        ScriptedGateway(Answer({"id": "kite", "urls": {"get": address}}, 201)) as server,
        client_of(server) as client,
    ):
        assert await client.upload(b"\x89PNG kite", "kite.png", "image/png") == address
    (request,) = server.requests
    assert request.headers["content-type"].startswith("multipart/form-data")
    assert b'name="content"; filename="kite.png"' in request.body
    assert b"\x89PNG kite" in request.body


async def test_an_upload_that_is_too_large_is_refused() -> None:
    async with ScriptedGateway(Answer({"detail": "too big"}, 413)) as server, client_of(server) as client:
        with pytest.raises(RequestRefused, match="too big"):
            await client.upload(b"x", "x.png", "image/png")


@pytest.mark.parametrize(
    ("name", "answer", "is_accepted"),
    [
        ("replicate", Answer({"type": "user", "username": "ada"}), True),
        ("replicate", Answer({"detail": "no"}, 401), False),
        ("cometapi", Answer({"error": {"message": "no such task"}}, 404), True),
        ("cometapi", Answer({"error": {"message": "bad key"}}, 401), False),
        ("cometapi", HTML, False),
    ],
)
async def test_a_probe_tells_if_the_key_is_accepted(name: str, answer: Answer, is_accepted: bool) -> None:
    async with ScriptedGateway(answer) as server, client_of(server, name) as client:
        probe = await client.probe()
    assert probe.is_key_accepted is is_accepted
    assert server.posts() == []


@pytest.mark.parametrize(
    ("name", "body", "account"),
    [
        ("replicate", {"type": "user", "username": "ada", "name": "Ada L."}, "user/ada"),
        ("replicate", {"type": "organization", "username": "acme"}, "organization/acme"),
        ("replicate", {"username": "ada\u202e\n"}, "/ada"),
        ("replicate", {"username": 7}, ""),
        ("replicate", {"type": "user"}, ""),
        ("cometapi", {"type": "user", "username": "ada"}, ""),
    ],
)
async def test_the_name_of_the_account_is_the_same_each_time(name: str, body: dict[str, object], account: str) -> None:
    async with ScriptedGateway(Answer(body)) as server, client_of(server, name) as client:
        assert [await client.account_name(), await client.account_name()] == [account, account]


async def test_an_account_that_cannot_be_asked_now_is_an_error_and_no_empty_name() -> None:
    async with ScriptedGateway(Answer({}, 503)) as server, client_of(server) as client:
        with pytest.raises(GatewayUnreachable):
            await client.account_name()


async def test_a_probe_of_a_silent_address_says_that_it_cannot_be_reached() -> None:
    async with ScriptedGateway() as server:
        pass
    async with client_of(server) as client:
        probe = await client.probe()
    assert not probe.is_key_accepted
    assert "cannot be reached" in probe.words


async def test_addresses_that_a_prediction_names_are_never_followed() -> None:
    async with ScriptedGateway() as evil:
        urls = {
            "get": f"{evil.base_url}/v1/predictions/{ID}",
            "cancel": f"{evil.base_url}/cancel",
            "stream": evil.base_url,
        }
        async with ScriptedGateway(Answer({**STARTING, "urls": urls})) as server, client_of(server) as client:
            await client.create("acme/kite", "", {})
            await client.get(ID)
            await client.cancel(ID)
        assert evil.connections == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_call_follows_a_redirect_with_the_key(status: int) -> None:
    async with ScriptedGateway() as evil:
        async with (
            ScriptedGateway(Answer("", status, {"location": evil.base_url})) as server,
            client_of(server) as client,
        ):
            for call in (client.get(ID), client.cancel(ID), client.list_page(), client.account_name()):
                with pytest.raises(GatewayMisread):
                    await call
        assert evil.connections == 0


async def test_the_key_is_in_no_log_line_and_no_error_whatever_happens(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echo = Answer({"detail": f"token {CANARY} is wrong"}, 401)
    seen: list[str] = []
    answers = (echo, Answer({"detail": CANARY}, 500), Answer(f"<html>{CANARY}</html>", 404), Answer(f"{CANARY}", 201))
    for answer in answers:
        async with ScriptedGateway(answer) as server, client_of(server) as client:
            for call in (client.create("acme/kite", "", {"prompt": "a kite"}), client.get(ID), client.cancel(ID)):
                try:
                    seen.append(repr(await call))
                except DarkroomError as error:
                    seen += [error.message, repr(error.__dict__), repr(error.__cause__)]
            seen.append(repr(client.__dict__))
    seen += [record.getMessage() for record in caplog.records]
    assert caplog.records
    assert all(CANARY not in text for text in seen)


async def test_without_a_key_no_authorization_is_sent() -> None:
    async with (
        ScriptedGateway(Answer(STARTING)) as server,
        PredictionClient(gateway_at(server.base_url, "custom"), Key()) as client,
    ):
        await client.create("acme/kite", "", {})
    assert "authorization" not in server.requests[0].headers


async def test_looks_share_a_connection() -> None:
    async with ScriptedGateway(Answer(STARTING)) as server, client_of(server) as client:
        for _ in range(3):
            await client.get(ID)
        assert (len(server.requests), server.connections) == (3, 1)


async def test_the_embedded_gateway_is_asked_in_this_process() -> None:
    async def answer(request: Request) -> JSONResponse:
        return JSONResponse({**STARTING, "input": (await request.json())["input"]}, 201)

    app = Starlette(routes=[Route("/v1/models/acme/kite/predictions", answer, methods=["POST"])])
    async with PredictionClient(load_gateways()["sandbox"], Key(), app=app) as client:
        prediction = await client.create("acme/kite", "", {"prompt": "a kite"})
    assert (prediction.id, prediction.input) == (ID, {"prompt": "a kite"})
