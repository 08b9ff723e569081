"""Each gateway's own way of answering, met through its profile over a socket. Bodies are ours, of documented shapes."""

from typing import Any

import anyio
import pytest
from scripted_gateway import Answer, ScriptedGateway, gateway_at

from darkroom.errors import CreateUnresolved, CreditExhausted, GatewayError, KeyRefused, RequestRefused
from darkroom.gateways import Key, PredictionClient
from darkroom.predictions import Prediction, PredictionStatus

pytestmark = pytest.mark.anyio

ID = "h7k2lighthouse4dawn9fog3x1"
PNG = "data:image/png;base64,iVBORw0KGgo="
LINK = "https://replicate.delivery/xezq/fog/out-0.webp"
REMOTE = f"https://api.replicate.com/v1/predictions/{ID}"
URLS = {"get": REMOTE, "cancel": f"{REMOTE}/cancel", "stream": "https://stream.replicate.com/v1/files/fog"}
INPUT = {"prompt": "a lighthouse in fog", "seed": 7}
PROBLEM: dict[str, Any] = {"title": "Wrong input", "detail": "- input: a sky is wanted\n", "status": 422}

# name, answer to the create, answer to the look-up
DIALECTS: list[tuple[str, Any, Any]] = [
    (
        "replicate",
        Answer(
            {
                "id": ID,
                "model": "acme/lighthouse",
                "version": "hidden",
                "input": INPUT,
                "logs": "",
                "output": None,
                "data_removed": False,
                "error": None,
                "source": "api",
                "status": "starting",
                "created_at": "2026-11-20T07:00:00.98Z",
                "urls": {**URLS, "web": f"https://replicate.com/p/{ID}"},
            },
            201,
        ),
        {
            "id": ID,
            "status": "succeeded",
            "output": [LINK],
            "metrics": {"image_count": 1, "predict_time": 1.5, "total_time": 1.6},
            "created_at": "2026-11-20T07:00:00.98Z",
            "started_at": "2026-11-20T07:00:00.5Z",
            "completed_at": "2026-11-20T07:00:02.580000001Z",
        },
    ),
    (
        "cometapi",
        Answer(
            {
                "id": ID,
                "model": "acme/lighthouse",
                "version": "hidden",
                "input": INPUT,
                "status": "starting",
                "urls": URLS,
            }
        ),
        {"id": ID, "status": "succeeded", "output": [LINK], "metrics": {"image_count": 1, "predict_time": 1.5}},
    ),
    (
        "deerapi",
        Answer({"id": ID, "model": "acme/lighthouse-internal", "status": "starting", "input": INPUT, "urls": URLS}),
        {"id": ID, "model": "acme/lighthouse-internal", "status": "succeeded", "output": LINK, "urls": URLS},
    ),
    (
        "openai-hk",
        Answer(
            {
                "id": ID,
                "version": "dp-0123456789abcdef0123456789abcdef",
                "logs": "",
                "status": "starting",
                "error": None,
            }
        ),
        {
            "id": ID,
            "version": "dp-0123456789abcdef0123456789abcdef",
            "status": "succeeded",
            "output": [LINK],
            "logs": "ok",
        },
    ),
    (
        "key4u",
        Answer({"id": ID, "input": INPUT, "status": "starting", "created_at": "2026-11-20T07:00:00.566Z"}),
        {"id": ID, "status": "succeeded", "output": LINK, "started_at": "2026-11-20T07:00:01.584470194Z"},
    ),
    (
        "aimanyi",
        Answer({"id": ID, "version": "hidden", "error": None, "status": "processing", "metrics": {}}),
        {"created": 1763622000, "data": [{"url": LINK}]},
    ),
    (
        "custom",  # a new-api relay: its own id, little else
        Answer({"id": "task_fog", "status": "starting"}),
        {"id": "task_fog", "status": "SUCCEEDED", "output": {"image": LINK}, "error": ""},
    ),
    (
        "custom",  # wrapped, with spellings of its own
        Answer({"code": "success", "data": {"task_id": ID, "status": "QUEUED"}}),
        {"code": 200, "result": {"task_id": ID, "status": "completed", "output": [LINK], "logs": None}, "message": {}},
    ),
    (
        "custom",  # the body of the look-up has no id; the key comes twice
        Answer(f'{{"id": "{ID}", "model": "a/b", "model": "c/d", "status": "starting"}}'),
        {"status": "succeeded", "output": LINK, "error": "", "created_at": "2026-11-20T07:00:00.094000"},
    ),
]


async def created(gateway: str, answer: Answer) -> Prediction:
    async with (
        ScriptedGateway(answer) as server,
        PredictionClient(gateway_at(server.base_url, gateway), Key("sk-key")) as client,
    ):
        with anyio.fail_after(20):
            return await client.create("acme/lighthouse", "", {"prompt": "a lighthouse in fog"})


@pytest.mark.parametrize(("name", "create", "look"), DIALECTS)
async def test_each_dialect_is_read_from_its_create_to_its_image(name: str, create: Answer, look: Any) -> None:
    async with (
        ScriptedGateway(create, Answer(look)) as server,
        PredictionClient(gateway_at(server.base_url + "/replicate", name), Key("sk-key")) as client,
    ):
        with anyio.fail_after(20):
            started = await client.create("acme/lighthouse", "", {"prompt": "a lighthouse in fog"})
            done = await client.get(started.id)
    assert not started.status.is_terminal
    assert (done.id, done.status, done.output, done.error) == (started.id, PredictionStatus.SUCCEEDED, (LINK,), "")
    assert [request.path for request in server.requests] == [
        "/replicate/v1/models/acme/lighthouse/predictions",
        f"/replicate/v1/predictions/{started.id}",
    ]


async def test_a_held_answer_may_carry_its_image_as_a_data_uri() -> None:
    prediction = await created("custom", Answer({"id": ID, "status": "processing", "output": [PNG]}, 201))
    assert prediction.output == (PNG,)


async def test_a_wrapped_failure_is_read_as_a_failed_prediction() -> None:
    body: dict[str, Any] = {
        "code": 200,
        "result": {"task_id": ID, "status": "failed", "error": "flagged as sensitive (E005)", "output": []},
    }
    prediction = await created("custom", Answer(body))
    assert (prediction.id, prediction.status) == (ID, PredictionStatus.FAILED)
    assert prediction.error == "flagged as sensitive (E005)"


def failed(message: str, code: str | None = None, kind: str = "new_api_error") -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "code": code}}


@pytest.mark.parametrize(
    ("name", "answer", "kind", "reason"),
    [
        (
            "replicate",
            Answer(PROBLEM, 422, {"content-type": "application/problem+json"}),
            RequestRefused,
            "- input: a sky is wanted",
        ),
        ("replicate", Answer({"title": "Unauthenticated"}, 401), KeyRefused, "Unauthenticated"),
        ("deerapi", Answer(failed("令牌无效 (request id: 7)"), 401), KeyRefused, "令牌无效 (request id: 7)"),
        ("cometapi", Answer(failed("no model", "", "comet_api_error"), 400), RequestRefused, "no model"),
        ("cometapi", Answer(failed("bad size", "invalid_request"), 500), RequestRefused, "bad size"),
        ("aimanyi", Answer({"code": "task_failed", "message": "try later"}, 500), CreateUnresolved, "try later"),
        ("custom", Answer({"error": "plain words"}, 400), RequestRefused, "plain words"),
        ("custom", Answer({"detail": [{"loc": ["body"], "msg": "is missing"}]}, 422), RequestRefused, "is missing"),
        ("custom", Answer({"message": "nothing here"}, 404), RequestRefused, "nothing here"),
        ("custom", Answer("upstream said no", 400, {"content-type": "text/plain"}), RequestRefused, "upstream said no"),
    ],
)
async def test_each_error_envelope_keeps_the_gateways_own_reason(
    name: str, answer: Answer, kind: type[GatewayError], reason: str
) -> None:
    with pytest.raises(GatewayError) as caught:
        await created(name, answer)
    assert type(caught.value) is kind
    assert caught.value.reason == reason
    assert f"'{name}'" in caught.value.message


NO_CREDIT = {
    "title": "Insufficient credit",
    "detail": "Your credit is used up. Buy more at https://replicate.com/account/billing now. Then wait.",
    "status": 402,
}


async def test_billing_advice_of_replicate_is_not_repeated_for_another_gateway() -> None:
    with pytest.raises(CreditExhausted) as caught:
        await created("deerapi", Answer(NO_CREDIT, 402))
    assert caught.value.reason == "Your credit is used up. Then wait."
    with pytest.raises(CreditExhausted, match="replicate.com"):
        await created("replicate", Answer(NO_CREDIT, 402))


async def test_a_model_that_the_gateway_does_not_serve_is_named() -> None:
    with pytest.raises(RequestRefused, match="'cometapi' does not serve 'acme/lighthouse'"):
        await created("cometapi", Answer({"error": {"message": "not found"}}, 404))
