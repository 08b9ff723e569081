"""What each answer to a create means, status by status on a real socket: created, refused, busy, or unknown."""

import json
from collections import Counter
from collections.abc import Iterable

import anyio
import pytest
from scripted_gateway import Answer, RecordedRequest, ScriptedGateway, gateway_at

from darkroom.errors import (
    ContentRefused,
    CreateUnresolved,
    CreditExhausted,
    DarkroomError,
    GatewayBusy,
    GatewayError,
    GatewayMisread,
    KeyRefused,
    RequestRefused,
)
from darkroom.gateways import Key, PredictionClient, Timeouts

pytestmark = pytest.mark.anyio

ID = "creates0creates0creates001"
PAGE = "<!DOCTYPE html><html><head><title>Welcome</title></head></html>"
VARNISH_PAGE = f'<?xml version="1.0" encoding="utf-8"?>\n{PAGE}'
IMPATIENT = Timeouts(connect_s=5, write_s=5, read_s=0.3)
EVERY_STATUS = range(100, 600)
REFUSED = {400, 401, 402, 403, 404, 405, 413, 422}
CLOSE = {"connection": "close"}
# A body that is no prediction, in each form in which one can come.
BODIES: dict[str, tuple[str, dict[str, str]]] = {
    "JSON": ('{"detail": "odd"}', {}),
    "a page": (VARNISH_PAGE, {"content-type": "text/html", "retry-after": "0"}),
    "nothing": ("", {}),
    "cut": ('{"detail": "od', {"content-length": "1000"}),
}
STARTED = f'{{"id": "{ID}", "status": "starting"}}'


async def outcome(client: PredictionClient, name: str) -> GatewayError | str:
    """The error of a create that is named by its key, or the id that it gave."""
    try:
        return (await client.create("acme/kite", "", {"prompt": "a kite"}, intent_key=name)).id
    except GatewayError as error:
        return error


async def outcomes(
    body: str, headers: dict[str, str], statuses: Iterable[int]
) -> tuple[dict[int, GatewayError | str], Counter[int]]:
    """What a create comes to under each status, and how often it went over the wire."""

    def answer(request: RecordedRequest) -> Answer:
        return Answer(body, int(request.headers["idempotency-key"]), {**headers, **CLOSE})

    found: dict[int, GatewayError | str] = {}
    async with (
        ScriptedGateway(answer) as server,
        PredictionClient(gateway_at(server.base_url), Key("r8_key0key0key0"), timeouts=IMPATIENT) as client,
    ):
        limiter = anyio.CapacityLimiter(20)

        async def run(status: int) -> None:
            async with limiter:
                found[status] = await outcome(client, str(status))

        async with anyio.create_task_group() as tasks:
            for status in statuses:
                tasks.start_soon(run, status)
        with anyio.fail_after(60):
            await server.heard(len(found))
    return found, Counter(int(request.headers["idempotency-key"]) for request in server.requests)


async def refusal_of(answer: Answer, gateway: str = "replicate") -> GatewayError:
    async with (
        ScriptedGateway(answer) as server,
        PredictionClient(gateway_at(server.base_url, gateway), Key("r8_key0key0key0")) as client,
    ):
        found = await outcome(client, "once")
    assert isinstance(found, GatewayError)
    assert len(server.requests) == 1
    assert len(found.message) <= 300
    return found


@pytest.mark.parametrize("form", BODIES)
async def test_only_a_refusal_is_called_one_and_every_other_status_may_have_created(form: str) -> None:
    found, posts = await outcomes(*BODIES[form], EVERY_STATUS)
    assert posts == dict.fromkeys(EVERY_STATUS, 1)
    for status, error in found.items():
        assert isinstance(error, GatewayError), status
        if status == 429:
            assert type(error) is GatewayBusy
        elif status in REFUSED:
            assert error.billed == "no", status
            assert not isinstance(error, GatewayBusy), status
        else:
            assert type(error) is CreateUnresolved, status
            assert "Possibly created and billed" in error.message


async def test_a_prediction_that_runs_is_created_under_every_status() -> None:
    statuses = [*range(200, 305), 400, 402, 404, 409, 422, 429, 500, 503, 599]
    found, posts = await outcomes(STARTED, {}, statuses)
    assert posts == dict.fromkeys(statuses, 1)
    # These have no body.
    assert {status for status, given in found.items() if given != ID} == {204, 304}
    assert type(found[204]) is type(found[304]) is CreateUnresolved


@pytest.mark.parametrize("status", ["failed", "canceled", "error", "odd", 422, None])
async def test_an_id_in_a_refusal_makes_no_prediction_of_it(status: object) -> None:
    body = json.dumps({"id": ID, "status": status, "detail": "no such input"})
    found, _ = await outcomes(body, {}, [402, 422, 429, 500])
    assert [type(found[each]) for each in (402, 422, 429, 500)] == [
        CreditExhausted,
        RequestRefused,
        GatewayBusy,
        CreateUnresolved,
    ]


@pytest.mark.parametrize(
    "said", [{"error": "insufficient balance"}, {"detail": "rate limited"}, {"error": {"code": 7}}]
)
async def test_a_refusal_that_says_why_is_one_though_it_has_an_id_and_a_status(said: dict[str, object]) -> None:
    body = json.dumps({"id": ID, "status": "starting", **said})
    found, _ = await outcomes(body, {}, [402, 422, 429, 500])
    assert [type(found[each]) for each in (402, 422, 429)] == [CreditExhausted, RequestRefused, GatewayBusy]
    assert found[500] == ID


@pytest.mark.parametrize("body", ['{"code": 402, "data": {"id": 3}}', '{"id": 1, "code": 402, "message": "no credit"}'])
async def test_a_small_number_alone_is_no_id(body: str) -> None:
    found, _ = await outcomes(body, {}, [200])
    assert type(found[200]) is CreateUnresolved


async def test_a_list_beside_an_error_is_no_output() -> None:
    body = '{"error": {"message": "no credit"}, "data": [{"url": "https://b.example/help"}]}'
    found, _ = await outcomes(body, {}, [200])
    assert type(found[200]) is not str


LOCATION = {"location": f"https://api.example/v1/predictions/{ID}"}


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ("", LOCATION, 202),
        ("", LOCATION, 303),
        ('{"sta', {**LOCATION, "content-length": "900"}, 201),
        ('{"status": "starting"}', LOCATION, 201),
        (f'{{"status": "starting", "urls": {{"get": "https://api.example/v1/predictions/{ID}"}}}}', {}, 201),
        (f'{{"id": null, "input": {{}}, "urls": {{"get": "/v1/predictions/{ID}/"}}}}', {}, 200),
    ],
)
async def test_an_id_that_stands_only_in_the_address_is_found_there(
    body: str, headers: dict[str, str], status: int
) -> None:
    found, posts = await outcomes(body, headers, [status])
    assert (found[status], posts[status]) == (ID, 1)


@pytest.mark.parametrize(
    "address", ["https://api.example/login?next=/v1/predictions/new", "/v1/models/a/b/predictions"]
)
@pytest.mark.parametrize("status", [201, 303, 307])
async def test_an_address_of_something_else_names_no_prediction(address: str, status: int) -> None:
    found, _ = await outcomes("", {"location": address}, [status])
    assert type(found[status]) is CreateUnresolved


@pytest.mark.parametrize(
    "body",
    [
        {"created": 1, "data": [{"url": "https://b.example/1.png"}]},
        {"created": 1, "data": [{"b64_json": "iVBORw0KGgo" + "A" * 200}]},
        {"status": "succeeded", "output": ["https://b.example/1.png"]},
    ],
)
async def test_outputs_without_any_id_are_a_success_under_the_name_of_the_call(body: object) -> None:
    async with (
        ScriptedGateway(Answer(body)) as server,
        PredictionClient(gateway_at(server.base_url), Key("r8_key0key0key0")) as client,
    ):
        made = await client.create("acme/kite", "", {}, intent_key="1k16dyxpgf3sf8x6cqzhq9j04j")
    assert (made.id, made.status, len(made.output)) == ("1k16dyxpgf3sf8x6cqzhq9j04j", "succeeded", 1)


@pytest.mark.parametrize("retry_after", ["0", "5", "-1", "1" * 400, "soon", "\u0663", "Sat, 21 Nov 99999 10:00:00 GMT"])
async def test_a_503_with_a_time_may_have_created_all_the_same(retry_after: str) -> None:
    answer = Answer({"detail": "no worker; resets in 2s"}, 503, {"retry-after": retry_after})
    assert type(await refusal_of(answer)) is CreateUnresolved


@pytest.mark.parametrize("status", [200, 201, 302, 408, 409, 500, 503, 504, 524])
async def test_a_page_that_may_hide_a_create_says_that_the_address_is_probably_wrong(status: int) -> None:
    error = await refusal_of(Answer(PAGE, status, {"content-type": "text/html"}))
    assert type(error) is CreateUnresolved
    sentence = error.message.split(". ")[0]
    assert "Possibly created and billed" in sentence
    assert "http://127.0.0.1" in sentence
    assert "probably wrong" in error.message
    assert ("a redirect" if status == 302 else "a web page") in error.message


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_an_empty_redirect_is_called_one(status: int) -> None:
    error = await refusal_of(Answer("", status, {"location": "https://www.example.com/"}))
    assert "a redirect" in error.message


@pytest.mark.parametrize("status", [200, 302, 503])
async def test_an_address_that_has_given_json_before_is_not_called_wrong(status: int) -> None:
    async with (
        ScriptedGateway(Answer({"detail": "no"}, 422), Answer(PAGE, status)) as server,
        PredictionClient(gateway_at(server.base_url), Key("r8_key0key0key0")) as client,
    ):
        await outcome(client, "first")
        error = await outcome(client, "second")
    assert type(error) is CreateUnresolved
    assert "wrong" not in error.message
    if status == 200:
        assert "answered with a web page instead of a prediction (HTTP 200)" in error.message
        assert "The user should check DARKROOM_BASE_URL, or a proxy" in error.message


@pytest.mark.parametrize("status", [403, 404, 405])
async def test_a_page_under_a_refusal_started_nothing_and_is_a_wrong_address(status: int) -> None:
    error = await refusal_of(Answer(PAGE, status, {"content-type": "text/html"}))
    assert type(error) is GatewayMisread
    assert "Nothing was started" in error.message
    assert "check the address http://127.0.0.1" in error.message


async def test_a_path_that_a_reseller_does_not_serve_is_a_wrong_address_and_no_missing_model() -> None:
    error = await refusal_of(Answer({"error": {"message": "Invalid URL (POST /v1/models)", "code": ""}}, 404), "custom")
    assert type(error) is GatewayMisread
    assert "check the address" in error.message


@pytest.mark.parametrize(
    ("gateway", "status", "code", "kind"),
    [
        ("cometapi", 500, "invalid_request", RequestRefused),
        ("cometapi", 503, "invalid_request", CreateUnresolved),
        ("cometapi", 500, "insufficient_quota", CreateUnresolved),
        ("replicate", 500, "invalid_request", CreateUnresolved),
        ("deerapi", 500, "insufficient_user_quota", CreateUnresolved),
        ("deerapi", 503, "model_not_found", CreateUnresolved),
        ("deerapi", 503, "token_concurrency_limit_reached", CreateUnresolved),
        ("deerapi", 500, "sensitive_words_detected", CreateUnresolved),
        ("deerapi", 409, "invalid_request", CreateUnresolved),
        ("deerapi", 200, "invalid_api_key", CreateUnresolved),
        ("deerapi", 429, "token_concurrency_limit_reached", GatewayBusy),
        ("deerapi", 429, "anything", GatewayBusy),
        ("deerapi", 429, "insufficient_quota", CreditExhausted),
        ("deerapi", 403, "insufficient_user_quota", CreditExhausted),
        ("deerapi", 400, "access_denied", KeyRefused),
        ("deerapi", 400, "sensitive_words_detected", ContentRefused),
        ("deerapi", 403, "anything", KeyRefused),
        ("deerapi", 400, "anything", RequestRefused),
        ("deerapi", 400, "model_not_found", RequestRefused),
    ],
)
async def test_a_code_is_a_refusal_only_where_the_status_is_one_or_the_gateway_documents_it(
    gateway: str, status: int, code: str, kind: type[GatewayError]
) -> None:
    body = {"error": {"message": "no, sorry", "type": "new_api_error", "param": "", "code": code}}
    assert type(await refusal_of(Answer(body, status), gateway)) is kind


@pytest.mark.parametrize(
    ("status", "upstream", "kind"),
    [
        (422, "422", RequestRefused),
        (429, "429", GatewayBusy),
        (400, "422", RequestRefused),
        (400, "x", RequestRefused),
        (500, "422", CreateUnresolved),
        (500, "400", CreateUnresolved),
        (400, "504", CreateUnresolved),
        (429, "500", CreateUnresolved),
    ],
)
async def test_what_a_reseller_says_of_its_own_gateway_can_only_raise_a_doubt(
    status: int, upstream: str, kind: type[GatewayError]
) -> None:
    error = {"message": "no", "type": "upstream_error", "param": upstream, "code": "bad_response_status_code"}
    assert type(await refusal_of(Answer({"error": error}, status), "deerapi")) is kind


@pytest.mark.parametrize(
    "body",
    [
        {"code": 401, "message": "who are you"},
        {"code": 402, "message": "top up", "data": None},
        {"error": {"message": "who are you", "code": 401}},
        {"error": {"message": "no quota", "code": "insufficient_quota"}},
        {"code": 200, "result": {"status": "failed", "error": "odd"}},
        {"status": 422, "title": "Input validation failed"},
        {"id": "request0of0the0gateway", "error": {"message": "odd"}},
        ["a", "list"],
        {},
        "not json",
        "",
    ],
)
async def test_an_error_inside_a_success_may_have_created(body: object) -> None:
    assert type(await refusal_of(Answer(body, 200), "deerapi")) is CreateUnresolved


async def test_a_wrapped_prediction_is_created() -> None:
    body = {"code": 200, "result": {"task_id": ID, "status": "starting"}}
    async with (
        ScriptedGateway(Answer(body)) as server,
        PredictionClient(gateway_at(server.base_url), Key("r8_key0key0key0")) as client,
    ):
        assert await outcome(client, "once") == ID


async def test_a_proxy_page_under_429_is_busy_for_as_long_as_it_says() -> None:
    error = await refusal_of(Answer(PAGE, 429, {"content-type": "text/html", "retry-after": "7"}))
    assert type(error) is GatewayBusy
    assert error.retry_after_s == 7


@pytest.mark.parametrize(
    ("header", "longest_s"), [("9" * 400, 3600), ("99999", 3600), ("-5", None), ("\u00e9", None), ("1e999", None)]
)
async def test_the_time_of_a_429_is_bounded(header: str, longest_s: float | None) -> None:
    error = await refusal_of(Answer({"detail": "slow down"}, 429, {"retry-after": header}))
    assert isinstance(error, DarkroomError)
    assert error.retry_after_s == longest_s
