"""What each fault on a real wire means for a create: which error, and whether the gateway had the whole request."""

import anyio
import pytest
from scripted_gateway import Answer, ScriptedGateway, gateway_at
from wire_fault_server import GOOD_ID, WireFaultServer, WireScript

from darkroom.errors import (
    CreateUnresolved,
    CreditExhausted,
    GatewayBusy,
    GatewayError,
    GatewayUnreachable,
    KeyRefused,
    RequestRefused,
)
from darkroom.gateways import Key, PredictionClient, Timeouts
from darkroom.gateways.faults import failure_kind
from darkroom.gateways.replies import fields_in_fragment
from darkroom.predictions import Prediction, PredictionStatus

pytestmark = pytest.mark.anyio

IMPATIENT = Timeouts(connect_s=0.1, write_s=0.1, read_s=0.1)
CANARY = "r8_canary0canary0canary0canary0"
LONG_PROMPT = "a kite over the dunes, " * 20_000  # longer than socket buffers, so that a reset comes in its middle


async def create_at(base_url: str, *, prompt: str = "a kite", timeouts: Timeouts | None = None) -> Prediction:
    with anyio.fail_after(20):
        async with PredictionClient(
            gateway_at(base_url), Key(CANARY, "REPLICATE_API_TOKEN"), timeouts=timeouts
        ) as client:
            return await client.create("acme/kite", "", {"prompt": prompt})


async def refusal_of(*answers: Answer) -> tuple[GatewayError, int]:
    """The error that a create gets for these answers, and how many requests it made."""
    async with ScriptedGateway(*answers) as server:
        with pytest.raises(GatewayError) as caught:
            await create_at(server.base_url)
        return caught.value, len(server.requests)


async def test_a_create_on_a_refused_connection_was_certainly_not_sent() -> None:
    async with ScriptedGateway() as server:
        closed_url = server.base_url
    with pytest.raises(GatewayUnreachable, match="Nothing was started") as caught:
        await create_at(closed_url)
    assert caught.value.billed == "no"


async def test_a_create_to_an_unknown_host_was_certainly_not_sent() -> None:
    with pytest.raises(GatewayUnreachable, match="Nothing was started"):
        await create_at("http://nowhere.invalid")


@pytest.mark.parametrize("script", ["rst_on_accept", "rst_mid_request"])
async def test_a_create_reset_before_its_end_counts_as_possibly_billed(script: WireScript) -> None:
    """The gateway had no whole request, but nobody on this side can know."""
    async with WireFaultServer(script) as server:
        with pytest.raises(CreateUnresolved):
            await create_at(server.base_url, prompt=LONG_PROMPT)
        assert (server.connections, server.whole_requests) == (1, 0)


@pytest.mark.parametrize(
    "script", ["rst_after_request", "fin_after_request", "half_headers", "half_body_before_id", "garbage"]
)
async def test_a_create_whose_answer_is_lost_counts_as_possibly_billed_and_is_posted_once(script: WireScript) -> None:
    async with WireFaultServer(script) as server:
        with pytest.raises(CreateUnresolved, match="Possibly created and billed") as caught:
            await create_at(server.base_url)
        assert (server.connections, server.whole_requests) == (1, 1)
        assert caught.value.billed == "maybe"


@pytest.mark.parametrize("script", ["silence", "dripping_headers"])
async def test_a_create_that_is_never_answered_counts_as_possibly_billed(script: WireScript) -> None:
    async with WireFaultServer(script) as server:
        with pytest.raises(CreateUnresolved):
            async with PredictionClient(gateway_at(server.base_url), Key(CANARY), timeouts=IMPATIENT) as client:
                with anyio.fail_after(60):
                    await client.create("acme/kite", "", {"prompt": "a kite"})
        assert server.whole_requests == 1


async def test_the_id_is_read_out_of_a_body_that_broke_off_after_it() -> None:
    async with WireFaultServer("half_body_after_id") as server:
        prediction = await create_at(server.base_url)
        assert (prediction.id, prediction.status) == (GOOD_ID, PredictionStatus.STARTING)
        assert server.whole_requests == 1


async def test_a_body_that_never_ends_still_gives_its_id() -> None:
    async with WireFaultServer("endless_body") as server:
        assert (await create_at(server.base_url, timeouts=IMPATIENT)).id == GOOD_ID


async def test_two_creates_never_share_a_connection_that_may_be_dead() -> None:
    async with (
        WireFaultServer("good_then_dropped") as server,
        PredictionClient(gateway_at(server.base_url), Key(CANARY)) as client,
    ):
        for _ in range(3):
            assert (await client.create("acme/kite", "", {"prompt": "a kite"})).id == GOOD_ID
        assert (server.connections, server.whole_requests) == (3, 3)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RequestRefused),
        (401, KeyRefused),
        (402, CreditExhausted),
        (403, KeyRefused),
        (404, RequestRefused),
        (413, RequestRefused),
        (422, RequestRefused),
    ],
)
async def test_a_refusal_is_final_and_nothing_was_billed(status: int, kind: type[GatewayError]) -> None:
    error, requests = await refusal_of(Answer({"detail": "no, sorry"}, status))
    assert type(error) is kind
    assert (error.billed, error.status, requests) == ("no", status, 1)


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (Answer({"detail": "slow down", "retry_after": 5}, 429, {"retry-after": "9"}), 5),
        (Answer({"detail": "slow down"}, 429, {"retry-after": "9"}), 9),
        (Answer({"detail": "slow down"}, 429, {"retry-after": "0"}), 0),
        (Answer({"detail": "Too fast. The limit resets in ~30s."}, 429), 30),
        (Answer({"detail": "Too fast. Available in 1 second."}, 429), 1),
        (
            Answer(
                {},
                429,
                {"date": "Sat, 21 Nov 2026 10:00:00 GMT", "retry-after": "Sat, 21 Nov 2026 10:00:12 GMT"},
            ),
            12,
        ),
    ],
)
async def test_a_busy_gateway_started_nothing_and_its_own_time_is_kept(answer: Answer, seconds: float) -> None:
    error, requests = await refusal_of(answer)
    assert isinstance(error, GatewayBusy)
    assert (error.retry_after_s, requests) == (seconds, 1)
    when = f"in {seconds} s" if seconds else "in a moment"
    assert f"Try again {when}" in error.message


async def test_a_429_without_a_time_is_busy_all_the_same() -> None:
    error, _ = await refusal_of(Answer({"detail": "slow down"}, 429))
    assert isinstance(error, GatewayBusy)
    assert error.retry_after_s is None


async def test_a_refused_key_names_the_gateway_and_the_variable() -> None:
    error, _ = await refusal_of(Answer({"title": "Unauthenticated", "detail": "wrong token"}, 401))
    assert "Gateway 'replicate' refused the key from REPLICATE_API_TOKEN (HTTP 401)" in error.message


async def test_a_quoted_sentence_and_ours_share_one_full_stop() -> None:
    error, _ = await refusal_of(Answer({"detail": "The sky is missing."}, 422))
    assert '(HTTP 422): "The sky is missing". Nothing was started' in error.message
    assert error.reason == "The sky is missing."


async def test_the_request_id_of_the_gateway_is_kept() -> None:
    error, _ = await refusal_of(Answer({"error": {"message": "no such field (request id: 20261121-7)"}}, 400))
    assert "(request id: 20261121-7)" in error.reason


async def test_a_long_refusal_stays_within_three_hundred_characters_and_keeps_the_next_step() -> None:
    error, _ = await refusal_of(Answer({"detail": "- input.steps: far too many\n" * 50}, 422))
    assert len(error.message) <= 300
    assert error.message.endswith("the same call will be refused again.")


async def test_a_key_that_the_gateway_echoes_never_reaches_an_error() -> None:
    error, _ = await refusal_of(Answer({"detail": f"invalid token {CANARY}, header Bearer {CANARY}"}, 401))
    assert CANARY not in error.message + error.reason + repr(error)


@pytest.mark.parametrize(
    ("body", "identifier"),
    [
        (b'{"id": "abcdefgh12345678", "sta', "abcdefgh12345678"),
        (b'{"created_at": "x", "id" :"abcdefgh12345678"', "abcdefgh12345678"),
        (b'{"input": {"id": "not-this-one-0"}, "st', ""),
        (b'{"prompt": "\\"id\\": \\"not-this-one-0\\"", "st', ""),
        (b'{"id": "abcdefgh123', ""),
        (b"\xff\xfe", ""),
        (b'{"n": 7, "id": "abcdefgh12345678", "logs": "' + b'\\"' * 500_000, "abcdefgh12345678"),
        (b'{"input": ' + b"[" * 500_000 + b'"id": "not-this-one-0"', ""),
    ],
)
async def test_only_a_whole_top_level_id_is_read_out_of_a_fragment(body: bytes, identifier: str) -> None:
    assert fields_in_fragment(body).get("id", "") == identifier


@pytest.mark.parametrize(
    ("error_text", "kind"),
    [
        ("Interrupted halfway, please retry (code: PA)", "transient"),
        ("Director: unexpected error (E9828)", "transient"),
        ("Director: unexpected error (E1001)", "too_large"),
        ("CUDA out of memory. Tried to allocate 20 GiB", "too_large"),
        ("The output was flagged as sensitive, please try again (E005) (a1B2c3D4e5)", "moderation"),
        ("NSFW output was found", "moderation"),
        ("width must be a multiple of 8", "other"),
        ("", "other"),
    ],
)
async def test_a_failed_prediction_is_told_apart_by_what_helps(error_text: str, kind: str) -> None:
    assert failure_kind(error_text) == kind
