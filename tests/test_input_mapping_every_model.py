"""What holds for every model and any request: it is mapped to an input the model takes, or refused in words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapped import DRAWN_SEED, MASK, PHOTO, REGISTRY
from rounds import rounds

from darkroom.errors import InvalidInput
from darkroom.registry import ImageRequest, Model, check_input, map_request
from darkroom.registry.mapping.ratios import read_ratio

names = st.sampled_from(REGISTRY.names())
sides = st.one_of(st.just(0), st.integers(min_value=-5, max_value=5000))
requests = st.builds(
    ImageRequest,
    prompt=st.sampled_from(["", "a lighthouse"]),
    images=st.sampled_from([(), (PHOTO,), (PHOTO, PHOTO)]),
    mask=st.sampled_from(["", MASK]),
    aspect_ratio=st.sampled_from(["", "1:1", "16:9", "5:7", "9:21", "match_input_image", "custom", "wide"]),
    width=sides,
    height=sides,
    count=st.integers(min_value=0, max_value=16),
    seed=st.integers(min_value=-2, max_value=2**33),
    negative_prompt=st.sampled_from(["", "fog"]),
    output_format=st.sampled_from(["auto", "png", "jpg", "webp", "svg", "gif"]),
)


def with_a_picture_where_needed(model: Model, request: ImageRequest) -> ImageRequest:
    needs_mask = any(item.name == model.concepts.mask and item.required for item in model.inputs)
    return ImageRequest(
        prompt="a lighthouse",
        images=(PHOTO,) if model.needs_image else (),
        mask=MASK if needs_mask else "",
        aspect_ratio=request.aspect_ratio,
        count=request.count,
        output_format=request.output_format,
    )


@settings(max_examples=rounds(100), deadline=None)
@given(name=names, request=requests)
def test_any_request_is_mapped_to_what_the_model_takes_or_refused_in_words(name: str, request: ImageRequest) -> None:
    model = REGISTRY.get(name)
    try:
        sent = map_request(model, request, draw_seed=lambda: DRAWN_SEED)
    except InvalidInput as refusal:
        assert len(refusal.message) <= 300
        assert refusal.message.endswith("Nothing was sent.")
        assert refusal.field
        return
    assert check_input(model, sent.input) == []
    assert set(sent.file_fields) <= set(sent.input)
    assert sent.image_count == request.count
    assert all(len(note) <= 300 for note in sent.notes)
    assert (sent.seed is None) == (not model.concepts.seed)


@settings(max_examples=rounds(100), deadline=None)
@given(
    name=names,
    ratio=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    picture=st.booleans(),
)
def test_any_aspect_ratio_is_sent_as_it_is_or_refused_with_those_there_are(
    name: str, ratio: tuple[int, int], picture: bool
) -> None:
    model = REGISTRY.get(name)
    if model.required_secrets:
        return
    asked = ImageRequest(aspect_ratio=f"{ratio[0]}:{ratio[1]}", output_format="auto")
    try:
        sent = map_request(model, with_a_picture_where_needed(model, asked), draw_seed=lambda: DRAWN_SEED)
    except InvalidInput as refusal:
        assert refusal.field == "aspect_ratio"
        assert "Allowed: " in refusal.message or "too narrow" in refusal.message
        return
    assert check_input(model, sent.input) == []
    shape = read_ratio(str(sent.input.get(model.concepts.aspect_ratio, "")))
    assert shape is None or shape == pytest.approx(ratio[0] / ratio[1], rel=0.031)


@settings(max_examples=rounds(50), deadline=None)
@given(name=names, count=st.integers(1, 40))
def test_any_count_can_be_split_into_predictions_that_the_model_takes(name: str, count: int) -> None:
    model = REGISTRY.get(name)
    parts = model.split_count(count)
    assert sum(parts) == count
    assert all(1 <= part <= model.max_count for part in parts)


@settings(max_examples=rounds(50), deadline=None)
@given(name=names, option=st.text(min_size=1, max_size=400))
def test_an_unknown_option_of_any_spelling_is_refused_briefly(name: str, option: str) -> None:
    model = REGISTRY.get(name)
    if option in model.inputs_by_name or model.required_secrets:
        return
    request = with_a_picture_where_needed(model, ImageRequest())
    request = ImageRequest(prompt="x", images=request.images, mask=request.mask, options={option: 1})
    try:
        map_request(model, request, draw_seed=lambda: DRAWN_SEED)
        raise AssertionError("an unknown option was sent")
    except InvalidInput as refusal:
        assert refusal.field == option
        assert len(refusal.message) <= 300


@settings(max_examples=rounds(50), deadline=None)
@given(data=st.data())
def test_every_default_of_every_model_is_an_option_it_takes(data: st.DataObject) -> None:
    model = REGISTRY.get(data.draw(names))
    items = [item for item in model.inputs if item.default is not None and not item.is_file and not item.applies_when]
    if not items or model.required_secrets:
        return
    item = data.draw(st.sampled_from(items))
    base = with_a_picture_where_needed(model, ImageRequest())
    asked = ImageRequest(
        prompt="" if item.name == model.concepts.prompt else base.prompt,
        images=base.images,
        mask=base.mask,
        options={item.name: item.default},
    )
    sent = map_request(model, asked, draw_seed=lambda: DRAWN_SEED)
    assert sent.input[item.name] == item.default
