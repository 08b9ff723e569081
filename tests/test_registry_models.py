"""The model files: complete, coherent, readable, and each with a call that works."""

import re
import tomllib
from pathlib import Path

import pytest
from mapped import DRAWN_SEED, MASK, PHOTO, REGISTRY, every_model, request_of

import darkroom.registry
from darkroom.registry import TASKS, ImageRequest, Model, check_input, example_call, map_request
from darkroom.registry.coherence import find_incoherences
from darkroom.registry.mapping import suggestions
from darkroom.registry.price import Tier

DATA = Path(darkroom.registry.__file__).parent / "data"


def test_every_model_file_parses_and_is_coherent() -> None:
    assert len(REGISTRY) == len(list(DATA.iterdir()))
    assert [(model.name, faults) for model in every_model() if (faults := list(find_incoherences(model)))] == []


def test_every_file_is_named_like_its_model() -> None:
    assert {f"{model.name.replace('/', '--')}.toml" for model in every_model()} == {
        path.name for path in DATA.iterdir()
    }


def test_all_inputs_and_prices_of_the_files_are_there() -> None:
    facts = [tomllib.loads(path.read_text(encoding="utf-8")) for path in DATA.iterdir()]
    read = {model.name: (len(model.inputs), len(tiers_of(model))) for model in every_model()}
    assert read == {each["name"]: (len(each["inputs"]), len(each.get("price", {}).get("tiers", ()))) for each in facts}


def test_every_model_says_what_it_is_for_and_where_its_facts_come_from() -> None:
    for model in every_model():
        assert model.title and model.provider and model.best_for and model.tasks
        assert model.provenance.sources and model.docs_url.startswith("https://")
        assert model.provenance.confidence in ("verified-schema", "documented", "inferred")
        assert all(item.description for item in model.inputs)


def test_a_community_model_has_the_version_it_must_be_run_by() -> None:
    by_version = [model for model in every_model() if model.run_by == "version"]
    assert by_version
    assert all(re.fullmatch(r"[0-9a-f]{64}", model.version) for model in by_version)
    assert not any(model.version for model in every_model() if model.run_by == "model")


def tiers_of(model: Model) -> tuple[Tier, ...]:
    return model.price.tiers if model.price else ()


def test_every_price_names_its_source_and_date() -> None:
    tables = [model.price for model in every_model() if model.price is not None]
    assert all(table.source and table.date and table.confidence != "user" for table in tables)
    assert all(tier.usd > 0 for table in tables for tier in table.tiers)


def test_a_price_that_nobody_saw_is_left_out() -> None:
    assert REGISTRY.get("openai/gpt-image-1").price is None


def test_a_price_whose_reading_is_not_known_says_what_is_doubtful() -> None:
    assert all(model.price.doubt for model in every_model() if model.price and model.price.confidence == "second-hand")


def test_outputs_are_counted_by_the_input_that_asks_for_several() -> None:
    counted = [
        (model.concepts.count, model.concepts.count_requires, model.price.count_input, model.price.count_when)
        for model in every_model()
        if model.price
        and model.concepts.count
        and any(tier.metric.startswith("image_output") for tier in tiers_of(model))
    ]
    assert counted
    assert all((name, requires) == (count_input, count_when) for name, requires, count_input, count_when in counted)


def test_a_price_by_size_names_the_largest_output() -> None:
    by_size = [
        model.price
        for model in every_model()
        if model.price and any(tier.units or tier.metric == "image_output_megapixel" for tier in model.price.tiers)
    ]
    assert by_size
    assert all("most_output_mp" in table.model_fields_set for table in by_size)


def test_the_classes_that_a_price_goes_by_are_megapixels_or_follow_the_input() -> None:
    named = [(model, model.price.output_mp_input) for model in every_model() if model.price]
    values = [str(value) for model, name in named if name for value in model.inputs_by_name[name].enum]
    assert values
    assert all(re.fullmatch(r"[\d.]+( MP)?|match_input(_image)?", value) for value in values)


def test_a_price_by_time_says_how_long_a_run_takes() -> None:
    tables = [model.price for model in every_model() if any(tier.is_by_time for tier in tiers_of(model))]
    assert tables
    assert all(table.typical_s for table in tables if table)


def test_a_tier_that_only_shows_afterwards_says_by_what() -> None:
    after_only = [tier for model in every_model() for tier in tiers_of(model) if tier.after_only]
    assert after_only
    assert all(tier.criteria for tier in after_only)


def test_a_median_of_runs_is_no_fixed_price() -> None:
    table = REGISTRY.get("sdxl").price
    assert table is not None
    assert [(tier.metric, tier.is_typical) for tier in table.tiers] == [("run", True)]
    assert not table.has_bound


def test_typical_seconds_are_the_median_of_the_predictions_known() -> None:
    assert REGISTRY.get("flux-schnell").typical_s == pytest.approx((0.829 + 1.243) / 2)
    assert REGISTRY.get("sdxl").typical_s == pytest.approx((4.98 + 5.525) / 2)
    assert REGISTRY.get("nano-banana").typical_s is None


def test_no_timing_was_taken_from_a_prediction_that_never_ran() -> None:
    assert all(0 < timing.seconds < 120 for model in every_model() for timing in model.predict_s)


def test_secrets_are_marked() -> None:
    secrets = {item.name for model in every_model() for item in model.inputs if item.secret}
    assert secrets == {"openai_api_key", "hf_api_token", "civitai_api_token"}


@pytest.mark.parametrize("name", [name for name in REGISTRY.names() if name != "openai/gpt-image-1"])
def test_the_example_call_of_each_model_works(name: str) -> None:
    model = REGISTRY.get(name)
    sent = map_request(model, request_of(example_call(model)), draw_seed=lambda: DRAWN_SEED)
    assert check_input(model, sent.input) == []
    assert sent.image_count == 1


def test_only_one_model_cannot_be_called_because_it_wants_a_key() -> None:
    assert [model.name for model in every_model() if model.required_secrets] == ["openai/gpt-image-1"]


def test_the_example_call_of_an_editing_model_carries_a_placeholder_image() -> None:
    assert example_call(REGISTRY.get("flux-kontext-dev"))["images"] == [PHOTO]
    assert example_call(REGISTRY.get("flux-fill-pro"))["mask"] == MASK
    assert "images" not in example_call(REGISTRY.get("flux-schnell"))


def suggested(listed: str) -> list[Model]:
    return [REGISTRY.get(entry.partition(" ")[0]) for entry in listed.split(", ")]


def test_the_models_that_refusals_suggest_can_do_it() -> None:
    assert all("image_edit" in model.tasks for model in suggested(suggestions.EDITING))
    assert all(model.concepts.image_arity == "list" for model in suggested(suggestions.SEVERAL_IMAGES_IN))
    assert all(model.max_count > 1 for model in suggested(suggestions.SEVERAL_IMAGES_OUT))
    assert all(model.concepts.mask for model in suggested(suggestions.MASKED))
    assert all(model.output.svg for model in suggested(suggestions.VECTOR))
    assert not any(model.required_secrets for model in suggested(suggestions.WITHOUT_SECRET))


def test_the_counts_that_refusals_name_are_the_models_own() -> None:
    for entry in suggestions.SEVERAL_IMAGES_OUT.split(", "):
        name, _, count = entry.partition(" ")
        assert count == f"({REGISTRY.get(name).max_count})"


def test_each_default_model_can_do_what_it_is_chosen_for() -> None:
    for request in (
        ImageRequest(prompt="x"),
        ImageRequest(prompt="x", images=(PHOTO,)),
        ImageRequest(prompt="x", images=(PHOTO, PHOTO)),
        ImageRequest(prompt="x", images=(PHOTO,), mask=MASK),
        ImageRequest(prompt="x", output_format="svg"),
    ):
        model = REGISTRY.get(darkroom.registry.default_model_for(request))
        assert model.tier == "core"
        assert map_request(model, request, draw_seed=lambda: DRAWN_SEED).input["prompt"] == "x"


def test_the_tasks_offered_are_the_tasks_there_are() -> None:
    assert {task for model in every_model() for task in model.tasks} == set(TASKS)
