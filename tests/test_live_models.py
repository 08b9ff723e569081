"""A model that nobody curated, on a gateway that describes its models: looked up once a day, checked, and run."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from described_gateway import PAGE, PAINTER, Described, made, planned
from live_bodies import VERSION, live_body, picture, text, whole
from open_rooms import NoonClock, room_at
from scripted_gateway import Answer, ScriptedGateway

pytestmark = pytest.mark.anyio

DAY_S = 24 * 3600.0


async def test_an_uncurated_model_is_looked_up_once_a_day_and_said_to_be_uncurated(tmp_path: Path):
    clock = NoonClock()
    async with Described() as gateway:
        for _ in range(2):  # the second process reads the file of the first
            async with room_at(gateway, tmp_path, clock=clock) as room:
                for _ in range(2):
                    report = await planned(room, "ada/painter")
                    assert "'ada/painter' is not in the registry: gateway 'replicate' described it on" in report.text
                    assert "Its price is unknown." in report.text
                    assert report.data["inputs"] == [{"prompt": "a lighthouse", "num_outputs": 1}]
        assert gateway.looks == ["/v1/models/ada/painter"]
        clock.move(DAY_S + 1)
        async with room_at(gateway, tmp_path, clock=clock) as room:
            await planned(room, "ada/painter")
        assert gateway.looks == ["/v1/models/ada/painter"] * 2


async def test_a_curated_model_is_never_looked_up_while_its_file_fits(tmp_path: Path):
    async with Described() as gateway, room_at(gateway, tmp_path) as room:
        await made(room, "black-forest-labs/flux-schnell", aspect_ratio="16:9")
        assert gateway.looks == ["/v1/models/black-forest-labs/flux-schnell/predictions"]


async def test_a_typo_is_refused_with_the_closest_names_before_anything_is_sent(tmp_path: Path):
    async with Described() as gateway, room_at(gateway, tmp_path) as room:
        for _ in range(2):
            report = await made(room, "black-forest-labs/flux-schnel")
            assert report.is_error
            assert "Closest: 'black-forest-labs/flux-schnell'" in report.text
        assert (gateway.creates, len(gateway.looks)) == ([], 1)


@pytest.mark.parametrize(
    "answer",
    [
        PAGE,
        Answer({"detail": "Not found."}, 404),
        Answer({"error": {"message": "The model 'ada/painter' does not exist", "code": "model_not_found"}}, 404),
        Answer({"id": "ada/painter", "object": "model"}),
        Answer({"detail": "no"}, 500),
        Answer({**PAINTER, "latest_version": None}),
        Answer({**PAINTER, "latest_version": {"id": VERSION, "openapi_schema": {"components": []}}}),
        Answer("", 302, {"location": "https://evil.example/"}),
    ],
)
async def test_where_the_gateway_cannot_be_asked_the_call_goes_on_unchecked_and_says_why(
    answer: Answer, tmp_path: Path
):
    async with Described(**{"ada/painter": answer}) as gateway, room_at(gateway, tmp_path) as room:
        report = await made(room, "ada/painter", options={"anything": 7})
        assert "Gateway 'replicate' could not be asked what 'ada/painter' takes: " in report.text
        assert "nothing was checked" in report.text
        assert [each.json()["input"] for each in gateway.creates] == [{"prompt": "a lighthouse", "anything": 7}]


async def test_a_gateway_that_answers_with_pages_is_asked_again_after_a_day(tmp_path: Path):
    clock = NoonClock()
    pages = Described(**{"ada/one": PAGE, "ada/two": PAGE})
    async with pages as gateway, room_at(gateway, tmp_path, clock=clock) as room:
        await planned(room, "ada/one")
        await planned(room, "ada/two")
        assert gateway.looks == ["/v1/models/ada/one"]
        clock.move(DAY_S + 1)
        await planned(room, "ada/two")
        assert gateway.looks == ["/v1/models/ada/one", "/v1/models/ada/two"]


async def test_a_description_of_before_serves_while_the_gateway_is_away(tmp_path: Path):
    clock = NoonClock()
    async with Described() as gateway, room_at(gateway, tmp_path, clock=clock) as room:
        await planned(room, "ada/painter")
        gateway.bodies["ada/painter"] = Answer({"detail": "down"}, 503)
        clock.move(10 * DAY_S)
        assert "could not be asked again now" in (await planned(room, "ada/painter")).text
        clock.move(25 * DAY_S)
        assert "nothing was checked" in (await planned(room, "ada/painter")).text


@pytest.mark.parametrize(
    ("is_official", "path", "more"),
    [
        (True, "/v1/models/ada/painter/predictions", {}),
        (False, "/v1/predictions", {"version": VERSION}),
        (None, "/v1/models/ada/painter/predictions", {}),
    ],
)
async def test_a_model_is_run_as_the_gateway_says(
    is_official: bool | None, path: str, more: Mapping[str, str], tmp_path: Path
):
    body = {**PAINTER, "is_official": is_official}
    async with Described(**{"ada/painter": body}) as gateway, room_at(gateway, tmp_path) as room:
        await made(room, "ada/painter")
        (create,) = gateway.creates
        assert create.path == path
        assert create.json() == {**more, "input": {"prompt": "a lighthouse", "num_outputs": 1}}


async def test_a_version_is_checked_against_its_own_schema_and_run_by_it(tmp_path: Path):
    version = {"id": "a" * 64, "openapi_schema": live_body({"text_prompt": text()})["latest_version"]["openapi_schema"]}
    async with Described(**{f"ada/painter/versions/{'a' * 64}": version}) as gateway:
        async with room_at(gateway, tmp_path) as room:
            await made(room, f"ada/painter:{'a' * 64}")
            refused = await made(room, f"ada/painter:{'b' * 64}")
        (create,) = gateway.creates
        assert create.json() == {"version": "a" * 64, "input": {"text_prompt": "a lighthouse"}}
        assert "has no version 'bbbbbbbb…' of 'ada/painter'" in refused.text


async def test_a_curated_model_by_another_version_is_checked_against_that_one(tmp_path: Path):
    older = live_body({"prompt": text(), "steps": whole(maximum=7)})["latest_version"]["openapi_schema"]
    name = "bytedance/sdxl-lightning-4step"
    bodies = {f"{name}/versions/{'a' * 64}": {"id": "a" * 64, "openapi_schema": older}}
    async with Described(**bodies) as gateway, room_at(gateway, tmp_path) as room:
        report = await planned(room, f"{name}:{'a' * 64}", options={"steps": 7})
        refused = await planned(room, f"{name}:{'a' * 64}", options={"scheduler": "K_EULER"})
    assert "Checked against version aaaaaaaa" in report.text
    assert report.data["inputs"] == [{"prompt": "a lighthouse", "steps": 7}]
    assert "has no option 'scheduler'" in refused.text


async def test_a_deployment_is_checked_by_the_version_that_it_runs(tmp_path: Path):
    version = {"id": VERSION, "openapi_schema": PAINTER["latest_version"]["openapi_schema"]}
    release = {"owner": "ada", "name": "fast", "current_release": {"model": "ada/painter", "version": VERSION}}
    bodies = {"deployments/ada/fast": release, f"ada/painter/versions/{VERSION}": version}
    async with Described(**bodies) as gateway, room_at(gateway, tmp_path) as room:
        await made(room, "deployments/ada/fast", count=3)
        refused = await made(room, "deployments/ada/fast", options={"num": 1})
        (create,) = gateway.creates
        assert create.path == "/v1/deployments/ada/fast/predictions"
        assert create.json() == {"input": {"prompt": "a lighthouse", "num_outputs": 3}}
        assert "has no option 'num'" in refused.text


async def test_a_gateway_without_deployments_may_describe_its_models(tmp_path: Path):
    bodies = {"deployments/ada/fast": Answer({"error": "Invalid URL"}, 404)}
    async with Described(**bodies) as gateway, room_at(gateway, tmp_path) as room:
        await planned(room, "deployments/ada/fast")
        assert "has no option 'num'" in (await planned(room, "ada/painter", options={"num": 1})).text


async def test_a_version_alone_is_refused_in_words(tmp_path: Path):
    async with Described() as gateway, room_at(gateway, tmp_path) as room:
        assert "Write it as owner/name:version." in (await made(room, VERSION)).text
        assert gateway.requests == []


async def test_a_model_that_makes_films_is_refused(tmp_path: Path):
    body = live_body({"prompt": text()}, example="https://example.com/film.mp4")
    async with Described(**{"ada/painter": body}) as gateway, room_at(gateway, tmp_path) as room:
        assert "makes no images" in (await made(room, "ada/painter")).text
        assert gateway.creates == []


async def test_arguments_whose_input_is_unclear_are_refused_with_the_reason(tmp_path: Path):
    both = {"swap_image": picture("The face"), "target_image": picture("The photo")}
    body = live_body(both, required=("swap_image", "target_image"))
    async with Described(**{"ada/painter": body}) as gateway, room_at(gateway, tmp_path) as room:
        refused = await made(room, "ada/painter", prompt="", images=("https://example.com/a.png",))
        assert "takes several images with different meanings: swap_image, target_image" in refused.text
        assert gateway.creates == []


async def test_a_price_that_nobody_knows_is_refused_under_a_limit(tmp_path: Path):
    async with Described() as gateway, room_at(gateway, tmp_path, max_usd_per_call=1.0) as room:
        report = await made(room, "ada/painter")
        assert "price of this model is unknown and there is a spending limit" in report.text
        assert gateway.creates == []


async def test_no_address_of_a_description_is_ever_fetched_and_the_key_goes_nowhere_else(tmp_path: Path):
    async with ScriptedGateway() as evil, Described() as gateway:
        url = f"{evil.base_url}/steal"
        body = {**PAINTER, "cover_image_url": url, "url": url, "default_example": {"output": f"{url}.png"}}
        gateway.bodies["ada/painter"] = body
        async with room_at(gateway, tmp_path) as room:
            await made(room, "ada/painter")
        assert evil.requests == []
        kept = "".join(each.read_text() for each in (tmp_path / "data" / "live-models").rglob("*.json"))
        assert "room-key" not in kept and evil.base_url not in kept


async def test_a_huge_description_is_not_read_whole(tmp_path: Path):
    body = {**PAINTER, "readme": "x" * 5_000_000}
    async with Described(**{"ada/painter": body}) as gateway, room_at(gateway, tmp_path) as room:
        assert "its description has more than 4 MiB" in (await planned(room, "ada/painter")).text
