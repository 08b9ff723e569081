"""What a prediction costs before and after it ran: tiers, megapixels, counts, and what is not known."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue
from rounds import rounds

from darkroom.charges import Basis
from darkroom.gateways.envelopes import ended as held_to_the_end
from darkroom.predictions import Metrics, Prediction, PredictionStatus
from darkroom.pricing import estimate, price_range, receipt
from darkroom.registry import Model, ModelInput, ModelRegistry, check_input

REGISTRY = ModelRegistry.load()
MODELS = [REGISTRY.get(name) for name in REGISTRY.names()]
PRICED = [model for model in MODELS if model.price]
BOUNDED = [model for model in PRICED if model.price and model.price.has_bound]
PHOTO = "https://example.org/photo.png"
_ONE_MEGAPIXEL: dict[str, Any] = {"image_output_megapixel_count": 1, "image_input_megapixel_count": 0}
_LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def ended(
    status: PredictionStatus = PredictionStatus.SUCCEEDED, predict_s: float | None = None, **figures: Any
) -> Prediction:
    counts = {name: float(value) for name, value in figures.items() if not isinstance(value, str)}
    words = {name: value for name, value in figures.items() if isinstance(value, str)}
    return Prediction(id="p" * 20, status=status, metrics=Metrics(predict_s=predict_s, counts=counts, words=words))


# Before


@pytest.mark.parametrize(
    ("name", "input", "most_usd", "usual_usd"),
    [
        ("flux-schnell", {"num_outputs": 4}, 0.012, 0.012),
        ("flux-1.1-pro", {}, 0.04, 0.04),
        ("gpt-image-2", {"quality": "low", "number_of_images": 10}, 0.12, 0.12),
        ("gpt-image-2", {"number_of_images": 10}, 1.28, 1.28),
        ("gpt-image-2.5-flare", {}, 0.25, 0.25),
        ("nano-banana-2", {"resolution": "4K"}, 0.151, 0.151),
        ("nano-banana-pro", {"resolution": "4K", "allow_fallback_model": True}, 0.3, 0.3),
        ("flux-2-pro", {}, 0.03, 0.03),
        ("flux-2-pro", {"resolution": "0.5 MP"}, 0.03, 0.03),
        ("flux-2-pro", {"resolution": "4 MP"}, 0.075, 0.075),
        ("flux-2-pro", {"aspect_ratio": "custom", "width": 2048, "height": 1040}, 0.06, 0.06),
        ("flux-2-pro", {"resolution": "match_input_image"}, 0.075, 0.03),
        ("flux-2-klein-4b", {"output_megapixels": "4"}, 0.004, 0.004),
        ("z-image-turbo", {"width": 1440, "height": 1024}, 0.005, 0.005),
        ("seedream-4", {"sequential_image_generation": "auto", "max_images": 7}, 0.21, 0.21),
        ("seedream-4", {"max_images": 7}, 0.03, 0.03),
        ("ideogram-4-5", {"quality": "high"}, 0.1, 0.1),
        ("ideogram-4-5", {"quality": "high", "images": [PHOTO]}, 0.22, 0.22),
        ("ideogram-character", {"rendering_speed": "Turbo"}, 0.1, 0.1),
    ],
)
def test_the_dearest_tier_that_the_inputs_allow_is_the_bound(
    name: str, input: dict[str, JsonValue], most_usd: float, usual_usd: float
) -> None:
    found = estimate(REGISTRY.get(name), input)
    assert (found.most_usd, found.usual_usd, found.is_bound) == (most_usd, usual_usd, True)


def test_input_images_count_with_their_own_megapixels_and_unknown_ones_with_the_most() -> None:
    model = REGISTRY.get("flux-2-pro")
    input: dict[str, JsonValue] = {"input_images": ["/a.png", "/b.png"]}
    known = estimate(model, input, {"/a.png": (1500, 1500), "/b.png": (64, 64)})
    assert known.most_usd == pytest.approx(0.015 + 0.015 * (3 + 1) + 0.015)
    unknown = estimate(model, {"input_images": [PHOTO]})
    assert model.price and unknown.most_usd == pytest.approx(0.03 + 0.015 * model.price.most_input_mp)
    assert unknown.usual_usd == pytest.approx(0.045)


def test_an_output_that_follows_the_input_counts_as_the_input_where_its_size_is_known() -> None:
    input: dict[str, JsonValue] = {"resolution": "match_input_image", "input_images": ["/a.png"]}
    found = estimate(REGISTRY.get("flux-2-pro"), input, {"/a.png": (1400, 1400)})
    assert found.most_usd == pytest.approx(0.015 + 0.015 * 2 + 0.015 * 2)


def test_an_upscaler_counts_units_of_what_comes_out() -> None:
    model = REGISTRY.get("topazlabs/image-upscale")
    assert estimate(model, {"image": "/a.png", "upscale_factor": "6x"}, {"/a.png": (1000, 1000)}).most_usd == 0.16
    assert estimate(model, {"image": PHOTO, "upscale_factor": "2x"}).most_usd == pytest.approx(17 * 0.08)


def test_a_model_billed_by_time_has_a_usual_price_and_no_bound() -> None:
    found = estimate(REGISTRY.get("851-labs/background-remover"), {"image": PHOTO})
    assert not found.is_bound and found.usual_usd == pytest.approx(0.000405)
    assert found.most_usd == pytest.approx(2.5 * 0.000405, abs=1e-6)


def test_a_model_without_a_price_has_no_estimate() -> None:
    assert estimate(REGISTRY.get("tencentarc/gfpgan"), {}).most_usd is None


def test_a_quality_that_no_tier_names_counts_as_the_dearest() -> None:
    model = REGISTRY.get("gpt-image-2")
    assert estimate(model, {"quality": "ultra"}).most_usd == 0.128


def own(tiers: str) -> Model:
    """A model of the person's own that draws up to two images, with these tiers."""
    count = {"name": "num_outputs", "type": "integer", "min": 1, "max": 2}
    price = tomllib.loads(f"tiers = [{tiers}]")
    return Model.model_validate({"name": "acme/painter", "inputs": ({"name": "prompt"}, count), "price": price})


@pytest.mark.parametrize(
    ("tiers", "usd"),
    [
        ('{metric="image_output_count", usd=0}', 0.0),
        ('{metric="second:t4", usd=0}', 0.0),
        ('{metric="run", usd=0.01}, {metric="second:t4", usd=0.001}', None),
    ],
)
def test_a_price_of_nothing_is_known_and_a_price_of_unknown_seconds_is_not(tiers: str, usd: float | None) -> None:
    found = estimate(own(tiers), {})
    assert (found.most_usd, found.usual_usd) == (usd, usd)
    assert price_range(own(tiers)) == (None if usd is None else (usd, usd))


# After


@pytest.mark.parametrize(
    ("name", "input", "figures", "usd"),
    [
        ("flux-1.1-pro", {}, {"image_output_count": 1, "predict_s": 3}, 0.04),
        ("flux-2-pro", {}, {"image_output_megapixel_count": 1, "image_input_megapixel_count": 0}, 0.03),
        ("flux-2-pro", {}, {"image_output_megapixel_count": 1, "image_input_megapixel_count": 3}, 0.075),
        ("flux-2-pro", {}, {"image_output_megapixel_count": 1}, None),
        ("flux-schnell", {"num_outputs": 4}, {"image_output_count": 3}, 0.009),
        ("flux-schnell", {"num_outputs": 4}, {"predict_s": 0.8}, None),
        ("nano-banana-pro", {"resolution": "2K"}, {"image_output_count": 1, "resolution_target": "2K"}, 0.15),
        ("nano-banana-pro", {"resolution": "2K"}, {"image_output_count": 1, "resolution_target": "fallback"}, 0.035),
        ("ideogram-character", {"rendering_speed": "Quality"}, {"image_output_count": 1}, 0.2),
        ("gpt-image-2", {"quality": "high"}, {"image_output_count": 2}, 0.256),
        (
            "flux-2-dev",
            {},
            {"image_output_megapixel_count": 1, "image_input_megapixel_count": 0, "model_variant": "REGULAR"},
            0.014,
        ),
        ("851-labs/background-remover", {}, {"predict_s": 1.8}, 0.000405),
        ("philz1337x/clarity-upscaler", {}, {"predict_s": 47.92}, 0.055108),
    ],
)
def test_the_receipt_follows_what_the_gateway_measured(
    name: str, input: dict[str, JsonValue], figures: dict[str, Any], usd: float | None
) -> None:
    found = receipt(REGISTRY.get(name), input, ended(**figures))
    assert found.usd == (usd if usd is None else pytest.approx(usd, abs=1e-6))
    assert found.basis is (Basis.NONE if usd is None else Basis.COMPUTED)
    assert bool(found.doubt) is (usd is None)


def test_a_failed_run_of_an_official_model_costs_nothing_as_far_as_is_stated() -> None:
    found = receipt(REGISTRY.get("flux-schnell"), {}, ended(PredictionStatus.FAILED, predict_s=0.4))
    assert found.usd == 0 and "Replicate states" in found.doubt


def test_figures_that_are_not_billed_leave_a_failed_run_free() -> None:
    found = receipt(REGISTRY.get("flux-schnell"), {}, ended(PredictionStatus.FAILED, input_token_count=12))
    assert found.usd == 0


def test_a_failed_run_that_is_billed_by_time_costs_its_time() -> None:
    found = receipt(REGISTRY.get("851-labs/background-remover"), {}, ended(PredictionStatus.CANCELED, predict_s=2))
    assert found.usd == pytest.approx(0.00045) and found.doubt


def test_a_failed_run_with_a_price_a_run_is_open() -> None:
    assert receipt(REGISTRY.get("flux-2-pro"), {}, ended(PredictionStatus.FAILED)).usd is None


def test_an_aborted_run_never_began() -> None:
    assert receipt(None, {}, ended(PredictionStatus.ABORTED)).usd == 0


@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("flux-schnell", {"image_output_count": 0}),
        ("flux-2-pro", {"image_output_megapixel_count": 0, "image_input_megapixel_count": 0}),
        ("851-labs/background-remover", {"predict_s": 0}),
    ],
)
def test_figures_of_nothing_beside_a_picture_are_no_figures(name: str, figures: dict[str, Any]) -> None:
    made = replace(ended(**figures), output=(PHOTO,))
    assert receipt(REGISTRY.get(name), {}, made).usd is None
    assert receipt(REGISTRY.get("flux-2-pro"), {}, ended(predict_s=0, **_ONE_MEGAPIXEL)).usd == 0.03


def test_a_canceled_run_that_left_a_picture_is_not_called_free() -> None:
    canceled = replace(ended(PredictionStatus.CANCELED, predict_s=0.4), output=(PHOTO,))
    found = receipt(REGISTRY.get("flux-schnell"), {}, canceled)
    assert found.usd is None and "without output" not in found.doubt


def test_a_foreign_prediction_is_priced_by_the_input_that_the_gateway_echoes() -> None:
    seen = Prediction(
        id="p" * 20,
        status=PredictionStatus.SUCCEEDED,
        input={"quality": "low"},
        metrics=Metrics(counts={"image_output_count": 1}),
    )
    assert receipt(REGISTRY.get("gpt-image-2"), {}, seen).usd == 0.012


# For every model


def values_of(item: ModelInput) -> st.SearchStrategy[JsonValue]:
    if item.is_file and item.type == "array":
        images = st.sampled_from(["/small.png", "/large.png", PHOTO])
        return st.lists(images, max_size=item.max_items or 4).map(lambda each: [*each])
    if item.is_file:
        return st.sampled_from(["/small.png", "/large.png", PHOTO])
    if item.enum:
        return st.sampled_from(item.enum)
    low, high = item.min or 0, item.max if item.max is not None else 4096
    by_type: dict[str, st.SearchStrategy[JsonValue]] = {
        "boolean": st.booleans(),
        "integer": st.integers(math.ceil(low), math.floor(high)),
        "number": st.floats(low, high),
        "array": st.just([]),
        "string": st.just("words"),
    }
    return by_type[item.type]


@st.composite
def runs(draw: st.DrawFn) -> tuple[Model, dict[str, JsonValue], dict[str, tuple[int, int]], Prediction]:
    """A bounded model, a valid input of it, the sizes known before, and what a gateway may say it made of that."""
    model = draw(st.sampled_from(BOUNDED))
    taken = [item for item in model.inputs if item.required or draw(st.booleans())]
    input = {item.name: draw(values_of(item)) for item in taken}
    assert check_input(model, input) == []
    sizes = {"/small.png": (640, 480), "/large.png": (2100, 1400)}
    photo_mp = draw(st.floats(0.01, model.price.most_input_mp)) if model.price else 0.0
    figures = _figures(draw, model, model.with_defaults(input), sizes, photo_mp)
    return model, input, sizes, replace(ended(**figures), completed_at=_LONG_AGO)


def _figures(
    draw: st.DrawFn,
    model: Model,
    seen: Mapping[str, JsonValue],
    sizes: Mapping[str, tuple[int, int]],
    photo_mp: float,
) -> dict[str, Any]:
    assert model.price
    table = model.price
    images = [
        each
        for item in model.inputs
        if model.holds_image(item)
        for each in _listed(seen.get(item.name))
        if isinstance(each, str)
    ]
    pixels = [math.prod(sizes[each]) if each in sizes else photo_mp * 2**20 for each in images]
    count = seen.get(table.count_input or model.concepts.count)
    wanted = table.count_when or model.concepts.count_requires
    most = count if isinstance(count, int) and all(seen.get(k) == v for k, v in wanted.items()) else 1
    outputs = draw(st.integers(0, max(most, 1)))
    said = [tier.criteria for tier in table.tiers if tier.criteria and _applies(tier.when, seen)]
    return {
        "image_output_count": outputs,
        "image_output_megapixel_count": outputs * math.ceil(_output_mp(draw, model, seen, pixels)),
        "image_input_megapixel_count": sum(math.ceil(each / 2**20) for each in pixels),
        "image_input_count": len(images),
        "unspecified_billing_metric": outputs * _units(model, seen, pixels),
        **(draw(st.sampled_from(said)) if said and draw(st.booleans()) else {}),
    }


def _output_mp(draw: st.DrawFn, model: Model, seen: Mapping[str, JsonValue], pixels: list[float]) -> float:
    """Megapixels of one output as the input allows them, by rules of the test's own."""
    assert model.price
    concepts = model.concepts
    is_custom = all(seen.get(name) == value for name, value in concepts.custom_size_requires.items())
    width, height = seen.get(concepts.width), seen.get(concepts.height)
    if is_custom and isinstance(width, int) and isinstance(height, int):
        return width * height / 2**20
    named = str(seen.get(model.price.output_mp_input, "")).removesuffix(" MP")
    if named.replace(".", "").isdigit():
        return float(named)
    if named == "match_input_image" and pixels:
        return min(max(pixels) / 2**20, model.price.most_output_mp)
    return draw(st.floats(0.01, model.price.most_output_mp))


def _units(model: Model, seen: Mapping[str, JsonValue], pixels: list[float]) -> int:
    assert model.price
    steps = next((tier.units for tier in model.price.tiers if tier.units), ())
    factor = {"2x": 2, "4x": 4, "6x": 6}.get(str(seen.get("upscale_factor")), 1)
    megapixels = sum(pixels) * factor**2 / 1e6
    return next((count for limit, count in steps if megapixels <= limit), steps[-1][1] if steps else 0)


def _listed(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else [value]


def _applies(when: Mapping[str, JsonValue], seen: Mapping[str, JsonValue]) -> bool:
    return all(seen.get(name) == value for name, value in when.items())


@settings(max_examples=rounds(100))
@given(runs())
def test_no_receipt_is_above_the_bound(
    run: tuple[Model, dict[str, JsonValue], dict[str, tuple[int, int]], Prediction],
) -> None:
    model, input, sizes, prediction = run
    bound = estimate(model, input, sizes)
    assert bound.is_bound and bound.most_usd is not None and bound.usual_usd is not None
    assert bound.usual_usd <= bound.most_usd + 1e-9
    found = receipt(model, input, prediction)
    assert found.usd is not None and found.usd <= bound.most_usd + 1e-9, model.name


def test_every_price_has_a_range_and_the_defaults_an_estimate() -> None:
    for model in PRICED:
        prices = price_range(model)
        assert prices and 0 < prices[0] <= prices[1], model.name
        assert estimate(model, {}).most_usd, model.name


def test_a_held_answer_does_not_say_by_which_tier_it_is_billed() -> None:
    shown = Prediction(id="p" * 20, status=PredictionStatus.PROCESSING, output=(PHOTO,))
    input: dict[str, JsonValue] = {"resolution": "1K", "allow_fallback_model": True}
    assert receipt(REGISTRY.get("nano-banana-pro"), input, held_to_the_end(shown, 3.0)).basis is Basis.NONE
    assert receipt(REGISTRY.get("flux-schnell"), {}, held_to_the_end(shown, 3.0)).usd == 0.003
