"""The model files: complete, coherent, readable, and each with a call that works."""

import re
import tomllib
from pathlib import Path

import pytest
from mapped import DRAWN_SEED, MASK, PHOTO, REGISTRY, every_model, request_of
from pydantic import JsonValue

import darkroom.registry
from darkroom.registry import TASKS, ImageRequest, Model, check_input, example_call, map_request
from darkroom.registry.coherence import find_incoherences
from darkroom.registry.mapping import suggestions

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
    read = {model.name: (len(model.inputs), len(model.prices)) for model in every_model()}
    assert read == {each["name"]: (len(each["inputs"]), len(each.get("prices", ()))) for each in facts}


def test_every_model_says_what_it_is_for_and_where_its_facts_come_from() -> None:
    for model in every_model():
        assert model.title and model.provider and model.best_for and model.tasks
        assert model.sources and model.docs_url.startswith("https://")
        assert model.confidence in ("verified-schema", "documented", "inferred")
        assert all(item.description for item in model.inputs)


def test_a_community_model_has_the_version_it_must_be_run_by() -> None:
    by_version = [model for model in every_model() if model.run_by == "version"]
    assert by_version
    assert all(re.fullmatch(r"[0-9a-f]{64}", model.version) for model in by_version)
    assert not any(model.version for model in every_model() if model.run_by == "model")


def test_every_price_names_its_source_and_date() -> None:
    assert all(price.source and price.date and price.usd > 0 for model in every_model() for price in model.prices)


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


@pytest.mark.parametrize(("side_px", "usd"), [(512, 0.03), (1024, 0.06), (1448, 0.12), (2048, 0.24)])
def test_an_exact_size_costs_what_its_megapixels_cost(side_px: int, usd: float) -> None:
    model = REGISTRY.get("black-forest-labs/flux-2-flex")
    input: dict[str, JsonValue] = {"prompt": "a kite", "aspect_ratio": "custom", "width": side_px, "height": side_px}
    assert model.estimate_usd(input, 1) == usd
