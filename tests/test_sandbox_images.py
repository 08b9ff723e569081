"""What the sandbox paints: size, format and content of its files, all of it fetched over its own endpoints."""

import base64
from itertools import combinations
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from pictures import encoded, opened
from PIL import Image, ImageChops, ImageDraw, ImageOps, ImageStat
from sandbox_server import HandClock, sandbox_client

from darkroom.registry import ModelRegistry
from darkroom_server.sandbox import SandboxOptions

pytestmark = pytest.mark.anyio

REGISTRY = ModelRegistry.load()
SCHNELL = "black-forest-labs/flux-schnell"
SUBJECTS = """
fox cat dog rabbit penguin horse unicorn bird car robot rocket astronaut house castle lighthouse boat balloon kite tree
flower leaf mushroom saxophone door box
"""


def data_uri(image: Image.Image) -> str:
    return f"data:image/png;base64,{base64.b64encode(encoded(image, 'PNG')).decode()}"


def photo(size: tuple[int, int] = (192, 128)) -> Image.Image:
    """A red disc on grey."""
    image = Image.new("RGB", size, (200, 200, 200))
    ImageDraw.Draw(image).ellipse((size[0] * 0.3, size[1] * 0.2, size[0] * 0.7, size[1] * 0.9), fill=(200, 30, 30))
    return image


def mask() -> Image.Image:
    """White in the left half."""
    image = Image.new("L", (192, 128))
    image.paste(255, (0, 0, 96, 128))
    return image


async def finished(client: httpx.AsyncClient, clock: HandClock, model: str, input: dict[str, Any]) -> dict[str, Any]:
    entry = REGISTRY.get(model)
    path = f"/v1/models/{model}/predictions" if entry.run_by == "model" else "/v1/predictions"
    body: dict[str, Any] = {"input": input} if entry.run_by == "model" else {"version": entry.version, "input": input}
    created = await client.post(path, json=body)
    assert created.status_code == 201, created.text
    clock.move(10)
    return (await client.get(f"/v1/predictions/{created.json()['id']}")).json()


async def painted(model: str, input: dict[str, Any]) -> list[bytes]:
    """The files of one prediction; what is larger than 512 x 512 px is painted coarsely."""
    clock = HandClock()
    async with sandbox_client(SandboxOptions(clock=clock, registry=REGISTRY, painted_px=512 * 512)) as client:
        output = (await finished(client, clock, model, input))["output"]
        urls: list[str] = [output] if isinstance(output, str) else output
        return [(await client.get(url)).content for url in urls]


async def image_of(model: str, input: dict[str, Any]) -> Image.Image:
    image = opened((await painted(model, input))[0])
    image.load()
    return image


async def image_for(prompt: str) -> Image.Image:
    """512 x 512 px, RGB, without the caption's band at the foot."""
    input = {"prompt": prompt, "seed": 1, "megapixels": "0.25", "output_format": "png"}
    return (await image_of(SCHNELL, input)).convert("RGB").crop((0, 0, 512, 460))


def changed(first: Image.Image, second: Image.Image) -> float:
    """Percentage of pixels that plainly differ."""
    counts = ImageChops.difference(first, second).convert("L").histogram()
    return 100 * sum(counts[12:]) / sum(counts)


@pytest.mark.parametrize(
    ("model", "input", "size"),
    [
        (SCHNELL, {}, (1024, 1024)),
        (SCHNELL, {"aspect_ratio": "16:9", "megapixels": "0.25"}, (688, 384)),
        ("black-forest-labs/flux-2-pro", {"resolution": "0.5 MP", "aspect_ratio": "1:1"}, (720, 720)),
        ("black-forest-labs/flux-1.1-pro", {"aspect_ratio": "custom", "width": 512, "height": 768}, (512, 768)),
        ("black-forest-labs/flux-1.1-pro", {"aspect_ratio": "1:1", "width": 512, "height": 768}, (1024, 1024)),
        ("black-forest-labs/flux-2-klein-4b", {"output_megapixels": "2"}, (1440, 1440)),
        ("google/imagen-4", {"image_size": "2K"}, (2048, 2048)),
        ("ideogram-ai/ideogram-v3-turbo", {"resolution": "512x1536"}, (512, 1536)),
        ("recraft-ai/recraft-v3", {"size": "1365x1024"}, (1365, 1024)),
        ("runwayml/gen4-image", {"resolution": "720p", "aspect_ratio": "16:9"}, (1280, 720)),
        ("wan-video/wan-2.7-image-pro", {"size": "1280*720"}, (1280, 720)),
    ],
)
async def test_the_size_follows_ratio_size_class_and_exact_size(
    model: str, input: dict[str, Any], size: tuple[int, int]
):
    assert (await image_of(model, {"prompt": "x", **input})).size == size


async def test_match_input_image_takes_the_shape_of_the_image():
    input = {"prompt": "x", "input_image": data_uri(photo((600, 300)))}
    image = await image_of("black-forest-labs/flux-kontext-pro", input)
    assert image.width / image.height == pytest.approx(2.0, abs=0.03)


@pytest.mark.parametrize(("switch", "count"), [({}, 1), ({"sequential_image_generation": "auto"}, 3)])
async def test_several_seedream_images_need_their_switch(switch: dict[str, str], count: int):
    input = {"prompt": "x", "max_images": 3, "size": "1K", **switch}
    assert len(await painted("bytedance/seedream-4", input)) == count


@pytest.mark.parametrize(("asked", "given"), [("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP")])
async def test_the_file_is_of_the_format_asked_for(asked: str, given: str):
    image = await image_of(SCHNELL, {"prompt": "a fox", "output_format": asked, "megapixels": "0.25"})
    assert image.format == given
    assert image.size == (512, 512)


async def test_vector_models_give_svg_with_prompt_and_mark():
    content = (await painted("recraft-ai/recraft-v3-svg", {"prompt": "a <boat> & sail", "size": "1024x1024"}))[0]
    root = ElementTree.fromstring(content)
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert root.attrib["viewBox"] == "0 0 1024 1024"
    assert words == ["a <boat> & sail", "sandbox"]


async def test_the_same_prompt_and_seed_give_the_same_bytes_and_another_seed_others():
    input = {"prompt": "a quiet lake", "megapixels": "0.25"}
    first, again, other = [(await painted(SCHNELL, {**input, "seed": seed}))[0] for seed in (7, 7, 8)]
    assert first == again
    assert first != other


async def test_the_images_of_one_prediction_differ():
    input = {"prompt": "a quiet lake", "megapixels": "0.25", "num_outputs": 4, "seed": 1}
    assert len(set(await painted(SCHNELL, input))) == 4


async def test_every_subject_stands_out_from_its_ground_and_no_two_are_alike():
    setting = "in a plain studio at noon"
    empty = await image_for(setting)
    images = {subject: await image_for(f"{subject} {setting}") for subject in SUBJECTS.split()}
    assert {subject: image for subject, image in images.items() if changed(image, empty) < 0.3} == {}
    alike = [pair for pair in combinations(images, 2) if changed(images[pair[0]], images[pair[1]]) < 1]
    assert alike == []


@pytest.mark.parametrize("subject", ["fox", "car", "door", "kite"])
async def test_a_subject_has_the_colour_that_the_prompt_gives_it(subject: str):
    red, blue = [await image_for(f"a {color} {subject}, plain studio, noon") for color in ("red", "blue")]
    red_mean, blue_mean = ImageStat.Stat(red).mean, ImageStat.Stat(blue).mean
    assert red_mean[0] > blue_mean[0] + 0.5
    assert red_mean[2] < blue_mean[2] - 0.5


async def test_as_many_are_painted_as_the_prompt_says():
    empty, one, three = [await image_for(f"{words}plain studio, noon") for words in ("", "a leaf, ", "three leaves, ")]
    assert changed(three, empty) > 1.3 * changed(one, empty)


async def test_text_asked_for_stands_along_the_top():
    plain, poster = [await image_for(f"studio, noon{words}") for words in ("", ", text: BLUE HOUR, Friday")]
    box = ImageChops.difference(plain, poster).getbbox()
    assert box is not None
    assert box[3] < 200


async def test_the_prompts_words_choose_the_light():
    night, day = [await image_for(f"a lake {words}") for words in ("at night", "on a sunny day")]
    assert sum(ImageStat.Stat(night).mean) < sum(ImageStat.Stat(day).mean) - 120


async def test_the_weather_prefix_is_not_painted():
    plain, prefixed = [await image_for(f"{prefix}a lighthouse") for prefix in ("", "sandbox:cold=1 ")]
    assert plain == prefixed


async def test_the_caption_is_drawn_at_the_foot_only():
    first, second = [
        await image_of(SCHNELL, {"prompt": f"studio, noon{words}", "megapixels": "0.25", "output_format": "png"})
        for words in ("", " and more")
    ]
    box = ImageChops.difference(first, second).getbbox()
    assert box is not None
    assert box[1] > 450


@pytest.mark.parametrize("prompt", ["x" * 500, "灯台", "word " * 6000, "a\nb\tc", 'text: "" ,,,', '"' * 9])
async def test_any_prompt_can_be_painted(prompt: str):
    assert (await image_of(SCHNELL, {"prompt": prompt, "megapixels": "0.25"})).size == (512, 512)


@pytest.mark.parametrize(("width", "height"), [(256, 1280), (1280, 256)])
async def test_every_ground_can_be_painted_in_every_shape(width: int, height: int):
    for words in (
        "a fox by the sea",
        "a lake in fog",
        "snowy mountains",
        "a forest",
        "a house",
        "a robot",
        "a lighthouse",
    ):
        image = await image_of("bytedance/sdxl-lightning-4step", {"prompt": words, "width": width, "height": height})
        assert image.size == (width, height)


async def test_an_edit_keeps_the_shape_and_changes_the_colours():
    input = {"prompt": "make it night", "input_image": data_uri(photo()), "output_format": "png"}
    image = await image_of("black-forest-labs/flux-kontext-pro", input)
    assert image.width / image.height == pytest.approx(1.5, abs=0.03)
    assert image.getpixel((image.width // 2, image.height // 2)) != (200, 30, 30)


@pytest.mark.parametrize(
    ("model", "more", "is_left_painted"),
    [("black-forest-labs/flux-fill-pro", {}, True), ("ideogram-ai/ideogram-v2", {"aspect_ratio": "3:2"}, False)],
)
async def test_only_the_masked_half_is_repainted_whether_white_or_black_marks_it(
    model: str, more: dict[str, str], is_left_painted: bool
):
    input = {"prompt": "a forest", "image": data_uri(photo()), "mask": data_uri(mask()), **more}
    image = (await image_of(model, input)).convert("RGB")
    before = ImageOps.fit(photo(), image.size)
    middle = image.width // 2
    left, right = (0, 0, middle - 8, image.height), (middle + 8, 0, *image.size)
    painted, kept = (left, right) if is_left_painted else (right, left)
    assert changed(image.crop(kept), before.crop(kept)) < 5
    assert changed(image.crop(painted), before.crop(painted)) > 50


@pytest.mark.parametrize(
    ("model", "factor", "size"),
    [
        ("nightmareai/real-esrgan", {"scale": 3}, (576, 384)),
        ("topazlabs/image-upscale", {"upscale_factor": "4x"}, (768, 512)),
    ],
)
async def test_an_upscaler_enlarges_by_its_factor(model: str, factor: dict[str, Any], size: tuple[int, int]):
    assert (await image_of(model, {"image": data_uri(photo()), **factor})).size == size


async def test_a_background_remover_leaves_the_subject_on_alpha():
    image = await image_of("bria/remove-background", {"image": data_uri(photo())})
    assert image.mode == "RGBA"
    assert image.getchannel("A").getpixel((3, 3)) == 0
    assert image.getchannel("A").getpixel((96, 70)) == 255


async def test_an_outpaint_grows_the_canvas_around_the_image():
    input = {"image": data_uri(photo()), "prompt": "a", "outpaint": "Zoom out 2x", "output_format": "png"}
    image = await image_of("black-forest-labs/flux-fill-pro", input)
    assert image.size == (384, 256)
    assert image.getpixel((192, 128)) == (200, 30, 30)


async def test_an_image_that_is_its_own_mask_is_repainted_and_not_lost():
    image = data_uri(photo())
    input = {"prompt": "a forest", "image": image, "mask": image, "output_format": "png"}
    assert (await image_of("black-forest-labs/flux-fill-pro", input)).size != (1024, 1024)


async def test_an_uploaded_file_and_an_earlier_output_are_used_as_images():
    clock = HandClock()
    async with sandbox_client(SandboxOptions(clock=clock, registry=REGISTRY)) as client:
        file = ("photo.png", encoded(photo((300, 100)), "PNG"), "image/png")
        uploaded = await client.post("/v1/files", files={"content": file})
        reference = uploaded.json()["urls"]["get"]
        for _ in range(2):
            body = await finished(client, clock, "nightmareai/real-esrgan", {"image": reference, "scale": 2})
            reference = body["output"]
        image = opened((await client.get(reference)).content)
    assert image.size == (1200, 400)


@pytest.mark.parametrize("reference", ["https://example.com/photo.jpg", "data:image/png;base64,AAAA", "data:,x", "?"])
async def test_an_image_that_is_elsewhere_or_broken_is_painted_instead(reference: str):
    image = await image_of("bria/remove-background", {"image": reference})
    assert image.mode == "RGBA"
