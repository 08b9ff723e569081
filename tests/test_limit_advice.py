"""What a limit says beside its refusal: a model or setting that does the same, and what a name may have meant."""

from pathlib import Path

import pytest
from test_costs import client_of, creates, generate

from darkroom.registry import ModelRegistry

pytestmark = pytest.mark.anyio

PHOTO = "https://example.com/photo.jpg"
REGISTRY = ModelRegistry.load()


def named(text: str) -> str:
    """The model that the advice names."""
    return text.partition("Nothing was sent. ")[2].partition("'")[2].partition("'")[0]


@pytest.mark.parametrize(
    ("model", "task", "arguments"),
    [
        ("recraft-ai/recraft-v4-pro-svg", "text_to_svg", {}),
        ("bria/remove-background", "remove_background", {"prompt": "", "images": [PHOTO]}),
        ("black-forest-labs/flux-fill-pro", "inpaint", {"images": [PHOTO], "mask": PHOTO}),
        ("google/nano-banana-pro", "image_edit", {"images": [PHOTO]}),
        ("google/imagen-4-ultra", "text_to_image", {}),
    ],
)
async def test_a_cheaper_model_does_the_same_or_none_is_named(
    tmp_path: Path, model: str, task: str, arguments: dict[str, object]
) -> None:
    async with client_of(tmp_path) as (client, origin):
        for max_usd in (0.0001, 0.002, 0.01, 0.03):
            text, report = await generate(client, model=model, max_usd=max_usd, **arguments)
            if report["outcome"] != "invalid":
                continue
            if "can do this" in text:
                other = REGISTRY.get(named(text))
                assert task in other.tasks and other.output.svg == REGISTRY.get(model).output.svg, text
                assert "Choose a lower quality" not in text
        assert await creates(origin) <= 3


async def test_a_vector_model_is_not_answered_with_one_of_pixels(tmp_path: Path) -> None:
    async with client_of(tmp_path) as (client, _):
        text, _ = await generate(client, model="recraft-ai/recraft-v4-pro-svg", max_usd=0.01)
        assert text.partition("Nothing was sent. ")[2].startswith("Ask the user."), text
        text, _ = await generate(client, model="recraft-ai/recraft-v4-pro-svg", max_usd=0.1)
        assert "svg' can do this for at most $0.0" in text


async def test_lettering_is_not_answered_with_a_model_that_cannot_spell(tmp_path: Path) -> None:
    async with client_of(tmp_path) as (client, _):
        asked = {"model": "ideogram-ai/ideogram-v3-quality", "prompt": "a poster with the words 'Grand Opening'"}
        text, _ = await generate(client, **asked, max_usd=0.004)
        assert "flux-schnell" not in text
        text, _ = await generate(client, **asked, max_usd=0.05)
        assert "can do this" in text and any(word in REGISTRY.get(named(text)).best_for for word in ("ext", "ettering"))


async def test_fewer_images_or_the_cheaper_model_that_fits_them_all(tmp_path: Path) -> None:
    async with client_of(tmp_path) as (client, _):
        text, _ = await generate(client, model="black-forest-labs/flux-dev", count=4, max_usd=0.06)
    assert "at most 2. Nothing was sent. Ask for fewer images. '" in text
    assert "an image. Else ask the user." in text


async def test_two_sums_that_differ_do_not_look_the_same(tmp_path: Path) -> None:
    async with client_of(tmp_path) as (client, _):
        text, _ = await generate(client, max_usd=0.00299999)
    assert "1 image costs at most $0.003; max_usd is $0.00299999: not even one" in text


@pytest.mark.parametrize("is_dry", [True, False])
async def test_a_misspelt_model_of_unknown_price_is_told_the_closest_first(tmp_path: Path, is_dry: bool) -> None:
    async with client_of(tmp_path, gateway="deerapi", max_usd_per_day="1") as (client, origin):
        for name in ("black-forest-labs/flux-schnel", "bfl/flux-schnell"):
            text, report = await generate(client, model=name, dry_run=is_dry)
            assert report["outcome"] == "invalid", text
            closest = f"'{name}' is not in the registry. Closest: 'black-forest-labs/flux-schnell'"
            assert 0 <= text.find(closest) < text.find("DARKROOM_ALLOW_UNKNOWN_PRICE"), text
        assert await creates(origin) == 0


async def test_a_dry_run_of_a_misspelt_model_names_the_closest(tmp_path: Path) -> None:
    async with client_of(tmp_path, gateway="deerapi") as (client, _):
        text, _ = await generate(client, model="black-forest-labs/flux-schnel", dry_run=True)
    assert (
        "Note: 'black-forest-labs/flux-schnel' is not in the registry. Closest: 'black-forest-labs/flux-schnell'"
        in text
    )
