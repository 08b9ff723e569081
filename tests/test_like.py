"""`like`: an earlier prediction as it was asked for, with what is given beside it changed."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest
from fault_gateway import FaultGateway
from fault_plan import Plan
from likes import EDITOR, FOX, ask, inputs, like, made, photo, refused
from open_rooms import room_at
from pydantic import JsonValue

from darkroom.darkroom import Darkroom
from darkroom.dry_run import dry_run
from darkroom.generate_image import generate_image
from darkroom.journal import NewIntent
from darkroom.registry import ImageRequest

pytestmark = pytest.mark.anyio


@pytest.fixture
async def gateway() -> AsyncGenerator[FaultGateway]:
    async with FaultGateway(Plan(run_s=0)) as gateway:
        yield gateway


@pytest.fixture
async def room(gateway: FaultGateway, tmp_path: Path) -> AsyncGenerator[Darkroom]:
    async with room_at(gateway, tmp_path, input_dirs=(tmp_path,)) as room:
        yield room


# What is taken over, and what gives way


async def test_all_is_taken_over_but_what_is_given(room: Darkroom, gateway: FaultGateway) -> None:
    id = await made(room, FOX)
    report = await ask(room, like(id, prompt="a badger"))
    first, second = inputs(gateway)
    assert second == {**first, "prompt": "a badger"}
    assert f"all of '{id}' was taken over but prompt; seed {first['seed']} was kept" in report.text
    assert f"replaced the old one ('a fox'): give the whole prompt, or images=['prediction:{id}']" in report.text
    assert "replaced the old one" not in (await ask(room, like(id, seed=7))).text


async def test_a_chain_of_likes_keeps_everything(room: Darkroom, gateway: FaultGateway) -> None:
    id = await made(room, replace(FOX, seed=7))
    id = await made(room, like(id, prompt="a badger"))
    await made(room, like(f"prediction:{id}", aspect_ratio="1:1"))
    assert inputs(gateway)[2] == {
        **inputs(gateway)[0],
        "prompt": "a badger",
        "aspect_ratio": "1:1",
    }


async def test_another_seed_makes_another_image_of_the_same_wish(room: Darkroom, gateway: FaultGateway) -> None:
    id = await made(room, FOX)
    await made(room, like(id, seed=5))
    first, second = inputs(gateway)
    assert second == {**first, "seed": 5}


async def test_options_merge_by_name_and_none_takes_one_away(room: Darkroom, gateway: FaultGateway) -> None:
    id = await made(room, replace(FOX, options={"megapixels": "0.25", "go_fast": False}))
    await made(room, like(id, options={"megapixels": None, "output_quality": 50}))
    sent = inputs(gateway)[1]
    assert "megapixels" not in sent and sent["go_fast"] is False and sent["output_quality"] == 50


async def test_an_argument_wins_over_an_earlier_option_of_the_same_meaning(
    room: Darkroom, gateway: FaultGateway
) -> None:
    id = await made(room, ImageRequest(prompt="a fox", model=FOX.model, options={"aspect_ratio": "16:9", "seed": 4}))
    await made(room, like(id, aspect_ratio="1:1"))
    assert inputs(gateway)[1] == {**inputs(gateway)[0], "aspect_ratio": "1:1"}
    await made(room, like(id, seed=9))
    assert inputs(gateway)[2] == {**inputs(gateway)[0], "seed": 9}


async def test_an_option_wins_over_an_earlier_argument_of_the_same_meaning(
    room: Darkroom, gateway: FaultGateway
) -> None:
    id = await made(room, FOX)
    await made(room, like(id, options={"aspect_ratio": "1:1"}))
    await made(room, like(id, options={"aspect_ratio": None}))
    assert inputs(gateway)[1]["aspect_ratio"] == "1:1" and "aspect_ratio" not in inputs(gateway)[2]


async def test_a_seed_taken_away_is_drawn_anew(room: Darkroom, gateway: FaultGateway) -> None:
    id = await made(room, replace(FOX, seed=5))
    await made(room, like(id, options={"seed": None}))
    assert isinstance(inputs(gateway)[1]["seed"], int) and inputs(gateway)[1]["seed"] != 5


async def test_a_shape_gives_way_to_any_other(room: Darkroom, gateway: FaultGateway) -> None:
    id = await made(room, ImageRequest(prompt="a fox", model="black-forest-labs/flux-1.1-pro", aspect_ratio="16:9"))
    await made(room, like(id, width=512, height=512))
    assert inputs(gateway)[1] | {"seed": 0} == {
        "prompt": "a fox",
        "aspect_ratio": "custom",
        "width": 512,
        "height": 512,
        "seed": 0,
    }


async def test_as_many_images_as_before_unless_a_count_is_given(room: Darkroom, gateway: FaultGateway) -> None:
    id = await made(room, replace(FOX, count=3))
    await made(room, like(id, prompt="a badger"))
    await made(room, like(id, prompt="a badger", has_count=True))
    await made(room, like(id, count=2))
    assert [each.get("num_outputs", 1) for each in inputs(gateway)] == [3, 3, 1, 2]


async def test_one_of_several_predictions_comes_with_its_own_seed(room: Darkroom, gateway: FaultGateway) -> None:
    wish = ImageRequest(prompt="a fox", model="black-forest-labs/flux-1.1-pro", count=3, seed=10)
    id = await made(room, wish, "foxes")
    await made(room, like("foxes/2", prompt="a badger"))
    await made(room, like(f"{id}/3", prompt="a badger"))
    await made(room, like(inputs_id(gateway, 12), prompt="an owl"))
    assert [each["seed"] for each in inputs(gateway)[3:]] == [11, 12, 12]
    assert "there is no image 4, only 3" in await refused(room, gateway, like("foxes/4", prompt="x"))


def inputs_id(gateway: FaultGateway, seed: int) -> str:
    return next(each.id for each in gateway.truth.predictions if each.input["seed"] == seed)


async def test_a_whole_request_is_made_again_with_as_many_predictions(room: Darkroom, gateway: FaultGateway) -> None:
    wish = ImageRequest(prompt="a fox", model="black-forest-labs/flux-1.1-pro", count=2, seed=10)
    id = await made(room, wish)
    await made(room, like(id, prompt="a badger"))
    assert sorted(int(str(each["seed"])) for each in inputs(gateway)) == [10, 10, 11, 11]


async def test_one_image_of_a_batch_is_told_to_share_its_seed(room: Darkroom, gateway: FaultGateway) -> None:
    id = await made(room, replace(FOX, count=2, options={"num_outputs": 2}))
    report = await ask(room, like(f"{id}/2", prompt="a badger"))
    assert inputs(gateway)[1].get("num_outputs", 1) == 1
    assert f"'{id}/2' is one of 2 drawn together" in report.text


# Another model


async def test_another_model_takes_what_it_knows_and_is_said_what_it_does_not(
    room: Darkroom, gateway: FaultGateway
) -> None:
    id = await made(room, replace(FOX, options={"megapixels": "0.25", "go_fast": False}))
    report = await ask(room, like(id, model="black-forest-labs/flux-1.1-pro"))
    sent = inputs(gateway)[1]
    assert "go_fast" not in sent and sent["seed"] == inputs(gateway)[0]["seed"] and sent["aspect_ratio"] == "16:9"
    assert "'black-forest-labs/flux-1.1-pro' has no option 'megapixels', 'go_fast', so it was left out" in report.text


async def test_what_another_model_does_not_offer_is_refused_as_in_any_call(
    room: Darkroom, gateway: FaultGateway
) -> None:
    id = await made(room, replace(FOX, aspect_ratio="21:9"))
    assert "21:9" in await refused(room, gateway, like(id, model="google/imagen-4"))


async def test_the_same_model_by_its_short_name_is_no_change(room: Darkroom, gateway: FaultGateway) -> None:
    id = await made(room, FOX)
    assert "the same image again" in await refused(room, gateway, like(id, model="flux-schnell"))


async def test_a_version_of_its_own_is_kept(room: Darkroom, gateway: FaultGateway) -> None:
    wish = ImageRequest(model="somebody/unlisted:0123abcd", options={"prompt": "a fox", "steps": 3})
    id = await made(room, wish)
    await made(room, like(id, options={"steps": 4}))
    assert inputs(gateway)[1] == {"prompt": "a fox", "steps": 4}
    [first, second] = [await room.journal.find(each.id) for each in gateway.truth.predictions]
    assert first and second and first.version == second.version == "0123abcd"


# The same image


async def test_nothing_changed_is_refused_with_the_path_and_how_to_get_another(
    room: Darkroom, gateway: FaultGateway
) -> None:
    report = await ask(room, FOX)
    id, path = str(report.data["id"]), report.intents[0].images[0].file
    text = await refused(room, gateway, like(id, prompt="a fox"))
    assert path and path.location in text
    assert f"another seed than {inputs(gateway)[0]['seed']}" in text


async def test_nothing_changed_while_it_runs_is_told_where_it_stands(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(run_s=3600)
    async with room_at(gateway, tmp_path) as room:
        report = await generate_image(room, FOX, wait_s=0)
        text = await refused(room, gateway, like(str(report.data["id"])))
    assert "it is still " in text and "get_prediction with id" in text


async def test_a_refused_wish_may_be_repeated_as_it_is(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(script=("402",), run_s=0)
    async with room_at(gateway, tmp_path) as room:
        assert (await ask(room, FOX, "fox")).outcome == "refused"
        assert (await ask(room, like("fox"))).outcome == "succeeded"


@pytest.mark.parametrize("text", ["latest", "prediction:latest", "prediction:latest/2"])
async def test_latest_is_not_taken_because_it_moves(room: Darkroom, gateway: FaultGateway, text: str) -> None:
    await made(room, FOX)
    assert "Give the id instead" in await refused(room, gateway, like(text, prompt="x"))


@pytest.mark.parametrize("text", ["nobody", "nobody/2", "/", "a/0", "💥", "x" * 5000, "' OR 1=1 --", "prediction:"])
async def test_an_unknown_one_is_refused(room: Darkroom, gateway: FaultGateway, text: str) -> None:
    told = await refused(room, gateway, like(text, prompt="x"))
    assert "is no prediction that was made here" in told and len(told) < 500


async def test_one_that_was_only_looked_up_is_refused_in_words(room: Darkroom, gateway: FaultGateway) -> None:
    from darkroom.get_prediction import get_prediction
    from darkroom.predictions import Prediction

    place = NewIntent(gateway=room.gateway.name, origin=room.gateway.origin, model="", input={})
    await room.work.adopt(Prediction(id="somebodyelses0000000000000"), place)
    await get_prediction(room, "somebodyelses0000000000000")
    text = await refused(room, gateway, like("somebodyelses0000000000000", prompt="x"))
    assert "was not made through darkroom" in text


# Secrets, other gateways, repeats, limits


async def test_a_secret_is_refused_by_name_unless_it_is_given_again(room: Darkroom, gateway: FaultGateway) -> None:
    secret: dict[str, JsonValue] = {"prompt": "a fox", "hf_token": "canary-key-0815"}
    id = await made(room, ImageRequest(model="somebody/unlisted", options=secret))
    text = await refused(room, gateway, like(id, options={"prompt": "a badger"}))
    assert "model_options['hf_token'] of" in text and "is a secret and is not kept" in text
    await made(room, like(id, options={"prompt": "a badger", "hf_token": "canary-key-0815"}))
    await made(room, like(id, options={"hf_token": None}))
    assert inputs(gateway)[1]["hf_token"] == "canary-key-0815" and "hf_token" not in inputs(gateway)[2]


async def test_one_of_another_gateway_goes_to_the_gateway_in_use_now(gateway: FaultGateway, tmp_path: Path) -> None:
    async with room_at(gateway, tmp_path) as room:
        id = await made(room, FOX)
    async with FaultGateway(Plan(run_s=0), seed=8) as other, room_at(other, tmp_path) as room:
        report = await ask(room, like(id, prompt="a badger"))
        assert report.outcome == "succeeded" and "was made through gateway" in report.text
        assert inputs(other)[0] == {**inputs(gateway)[0], "prompt": "a badger"}


async def test_the_same_request_id_with_the_same_changes_is_the_same(
    room: Darkroom, gateway: FaultGateway, tmp_path: Path
) -> None:
    path = photo(tmp_path)
    id = await made(room, ImageRequest(prompt="a hat", model=EDITOR, images=(path,)))
    await made(room, like(id, prompt="a scarf"), "scarf")
    Path(path).unlink()
    report = await ask(room, like(id, prompt="a scarf"), "scarf")
    assert report.outcome == "succeeded" and len(inputs(gateway)) == 2
    assert (await ask(room, like(id, prompt="a coat"), "scarf")).outcome == "invalid"


async def test_a_dry_run_shows_what_would_be_sent(room: Darkroom, gateway: FaultGateway) -> None:
    id = await made(room, FOX)
    report = await dry_run(room, like(id, prompt="a badger"))
    assert report.outcome == "planned" and '"prompt": "a badger"' in report.text
    assert "was taken over but prompt" in report.text and len(inputs(gateway)) == 1
    assert "the same image again" in (await dry_run(room, like(id))).text


async def test_a_limit_counts_what_is_taken_over(room: Darkroom, gateway: FaultGateway) -> None:
    id = await made(room, replace(FOX, count=4))
    report = await generate_image(room, like(id, prompt="a badger"), wait_s=5, max_usd=0.005)
    assert report.outcome == "invalid" and "4 images" in report.text and len(inputs(gateway)) == 1


async def test_an_unlisted_model_takes_another_prompt(room: Darkroom, gateway: FaultGateway) -> None:
    id = await made(room, ImageRequest(model="somebody/unlisted", options={"prompt": "a fox", "steps": 3}))
    await made(room, like(id, prompt="a badger"))
    await made(room, like(id, options={"prompt": "an owl"}))
    assert inputs(gateway)[1:] == [{"prompt": "a badger", "steps": 3}, {"prompt": "an owl", "steps": 3}]


def test_as_many_as_before_and_one_are_two_wishes() -> None:
    assert like("a").to_json()["count"] == 0
    assert like("a", has_count=True).to_json()["count"] == ImageRequest().to_json()["count"] == 1


async def test_drawn_seeds_of_several_predictions_are_all_kept(room: Darkroom, gateway: FaultGateway) -> None:
    id = await made(room, ImageRequest(prompt="a fox", model="black-forest-labs/flux-1.1-pro", count=3))
    await made(room, like(id, prompt="a badger"))
    seeds = [each["seed"] for each in inputs(gateway)]
    assert len(set(map(str, seeds[:3]))) == 3 and sorted(map(str, seeds[:3])) == sorted(map(str, seeds[3:]))
