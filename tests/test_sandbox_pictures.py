"""What the sandbox paints: size, format and content of its files."""

import base64
import io
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from PIL import Image, ImageChops, ImageDraw, ImageStat
from sandbox_server import HandClock, sandbox_client

from darkroom.registry import ModelRegistry
from darkroom_server.sandbox import SandboxOptions
from darkroom_server.sandbox.output_spec import output_spec, image_count
from darkroom_server.sandbox.painter.caption import captioned, fitted
from darkroom_server.sandbox.painter.compose import GROUNDS, compose
from darkroom_server.sandbox.painter.palette import PALETTES
from darkroom_server.sandbox.painter.pixels import resized
from darkroom_server.sandbox.painter.raster import rasterise
from darkroom_server.sandbox.painter.subjects import SUBJECTS

pytestmark = pytest.mark.anyio

REGISTRY = ModelRegistry.load()


def data_uri(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def photo(size: tuple[int, int] = (192, 128)) -> Image.Image:
    """A red disc on grey."""
    image = Image.new("RGB", size, (200, 200, 200))
    ImageDraw.Draw(image).ellipse((size[0] * 0.3, size[1] * 0.2, size[0] * 0.7, size[1] * 0.9), fill=(200, 30, 30))
    return image


def mask(size: tuple[int, int] = (192, 128)) -> Image.Image:
    """White in the left half."""
    image = Image.new("L", size)
    image.paste(255, (0, 0, size[0] // 2, size[1]))
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
    clock = HandClock()
    async with sandbox_client(SandboxOptions(clock=clock)) as client:
        output = (await finished(client, clock, model, input))["output"]
        urls: list[str] = [output] if isinstance(output, str) else output
        return [(await client.get(url)).content for url in urls]


async def picture(model: str, input: dict[str, Any]) -> Image.Image:
    image = Image.open(io.BytesIO((await painted(model, input))[0]))
    image.load()
    return image


@pytest.mark.parametrize(
    ("model", "input", "size"),
    [
        ("black-forest-labs/flux-schnell", {}, (1024, 1024)),
        ("black-forest-labs/flux-schnell", {"aspect_ratio": "16:9", "megapixels": "0.25"}, (688, 384)),
        ("black-forest-labs/flux-2-pro", {"resolution": "0.5 MP", "aspect_ratio": "1:1"}, (720, 720)),
        ("black-forest-labs/flux-1.1-pro", {"aspect_ratio": "custom", "width": 512, "height": 768}, (512, 768)),
        ("black-forest-labs/flux-1.1-pro", {"aspect_ratio": "1:1", "width": 512, "height": 768}, (1024, 1024)),
        ("bytedance/sdxl-lightning-4step", {"width": 640, "height": 1280}, (640, 1280)),
        ("bytedance/seedream-4", {"size": "1K", "aspect_ratio": "4:3"}, (1184, 880)),
        ("google/imagen-4", {"image_size": "2K"}, (2048, 2048)),
        ("ideogram-ai/ideogram-v3-turbo", {"resolution": "512x1536"}, (512, 1536)),
        ("recraft-ai/recraft-v3", {"size": "1365x1024"}, (1365, 1024)),
        ("recraft-ai/recraft-v3", {"aspect_ratio": "2:1"}, (1456, 720)),
        ("runwayml/gen4-image", {"resolution": "720p", "aspect_ratio": "16:9"}, (1280, 720)),
        ("wan-video/wan-2.7-image-pro", {"size": "1280*720"}, (1280, 720)),
        ("prunaai/wan-2.2-image", {"megapixels": 1, "aspect_ratio": "1:1"}, (1024, 1024)),
    ],
)
async def test_the_frame_follows_ratio_size_class_and_exact_size(
    model: str, input: dict[str, Any], size: tuple[int, int]
):
    frame = output_spec(REGISTRY.get(model), input, None)
    assert (frame.width_px, frame.height_px) == size


async def test_match_input_image_takes_the_shape_of_the_image():
    frame = output_spec(REGISTRY.get("black-forest-labs/flux-kontext-pro"), {}, (600, 300))
    assert frame.ratio == pytest.approx(2.0, abs=0.03)


async def test_several_seedream_images_need_their_switch():
    seedream = REGISTRY.get("bytedance/seedream-4")
    assert image_count(seedream, {"max_images": 3}) == 1
    assert image_count(seedream, {"max_images": 3, "sequential_image_generation": "auto"}) == 3


@pytest.mark.parametrize(("asked", "given"), [("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP")])
async def test_the_file_is_of_the_format_asked_for(asked: str, given: str):
    image = await picture(
        "black-forest-labs/flux-schnell", {"prompt": "a fox", "output_format": asked, "megapixels": "0.25"}
    )
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
    first, again, other = [
        (await painted("black-forest-labs/flux-schnell", {**input, "seed": seed}))[0] for seed in (7, 7, 8)
    ]
    assert first == again
    assert first != other


async def test_the_images_of_one_prediction_differ():
    input = {"prompt": "a quiet lake", "megapixels": "0.25", "num_outputs": 4, "seed": 1}
    images = await painted("black-forest-labs/flux-schnell", input)
    assert len(set(images)) == 4


async def test_the_prompts_words_choose_the_colours():
    def brightness(prompt: str) -> float:
        return ImageStat.Stat(rasterise(compose(prompt, 1, 0, 1.0), 96, 96).convert("L")).mean[0]

    assert brightness("a lake at night") < brightness("a lake on a sunny day") - 40


async def test_the_weather_prefix_is_not_painted():
    plain, prefixed = [
        (await painted("black-forest-labs/flux-schnell", {"prompt": prompt, "seed": 3, "megapixels": "0.25"}))[0]
        for prompt in ("a lighthouse", "sandbox:cold=1 a lighthouse")
    ]
    assert plain == prefixed


async def test_the_caption_is_drawn_at_the_foot_only():
    blank = Image.new("RGB", (400, 300), (90, 120, 150))
    box = ImageChops.difference(blank, captioned(blank, "a lighthouse at dawn")).getbbox()
    assert box is not None
    assert box[1] > 200


@pytest.mark.parametrize("caption", ["", "x" * 500, "灯台", "word " * 200, "a\nb\tc"])
async def test_any_caption_fits(caption: str):
    assert captioned(Image.new("RGB", (120, 80)), caption).size == (120, 80)


async def test_a_prompt_as_long_as_a_book_is_measured_in_few_short_steps():
    measured: list[int] = []

    def length_px(line: str) -> float:
        measured.append(len(line))
        return len(line) * 8.0

    assert fitted("a very long tale " * 2000, length_px, 400.0) == "a very long tale a very long tale a very long …"
    assert len(measured) < 20
    assert max(measured) <= 410


@pytest.mark.parametrize("ratio", [0.125, 0.33, 1.0, 3.0, 8.0])
async def test_every_ground_can_be_painted_in_every_shape(ratio: float):
    for ground in GROUNDS.values():
        image = rasterise(compose(ground.split()[0], 5, 0, ratio), max(16, round(64 * ratio)), 64)
        assert image.height == 64


async def test_every_subject_and_palette_can_be_painted():
    for word in (*SUBJECTS, *PALETTES):
        assert rasterise(compose(f"a {word}", 2, 0, 1.5), 96, 64).size == (96, 64)


async def test_an_edit_keeps_the_shape_and_changes_the_colours():
    source = photo()
    image = await picture(
        "black-forest-labs/flux-kontext-pro",
        {"prompt": "make it night", "input_image": data_uri(source), "output_format": "png"},
    )
    assert image.width / image.height == pytest.approx(1.5, abs=0.03)
    assert image.getpixel((image.width // 2, image.height // 2)) != (200, 30, 30)


async def test_only_white_is_repainted_where_white_is_edited():
    image = await picture(
        "black-forest-labs/flux-fill-pro",
        {"prompt": "a forest", "image": data_uri(photo()), "mask": data_uri(mask()), "output_format": "png"},
    )
    changed = ImageChops.difference(image.convert("RGB"), photo()).getbbox()
    assert changed is not None
    assert changed[2] <= 96


async def test_only_black_is_repainted_where_black_is_edited():
    image = await picture(
        "ideogram-ai/ideogram-v2",
        {"prompt": "a forest", "image": data_uri(photo()), "mask": data_uri(mask()), "aspect_ratio": "3:2"},
    )
    left, right = (
        image.crop((0, 0, image.width // 2 - 8, image.height)),
        image.crop((image.width // 2 + 8, 0, *image.size)),
    )
    plain = resized(photo(), image.size)
    same = ImageChops.difference(left, plain.crop((0, 0, image.width // 2 - 8, image.height)))
    other = ImageChops.difference(right, plain.crop((image.width // 2 + 8, 0, *image.size)))
    assert sum(ImageStat.Stat(same).mean) < 6 < sum(ImageStat.Stat(other).mean)


async def test_an_upscaler_enlarges_by_its_factor():
    image = await picture("nightmareai/real-esrgan", {"image": data_uri(photo()), "scale": 3})
    assert image.size == (576, 384)


async def test_an_upscale_factor_may_be_words():
    image = await picture("topazlabs/image-upscale", {"image": data_uri(photo()), "upscale_factor": "4x"})
    assert image.size == (768, 512)


async def test_a_background_remover_leaves_the_subject_on_alpha():
    image = await picture("bria/remove-background", {"image": data_uri(photo())})
    assert image.mode == "RGBA"
    assert image.getchannel("A").getpixel((3, 3)) == 0
    assert image.getchannel("A").getpixel((96, 70)) == 255


async def test_an_outpaint_grows_the_canvas_around_the_picture():
    input = {"image": data_uri(photo()), "prompt": "a", "outpaint": "Zoom out 2x", "output_format": "png"}
    image = await picture("black-forest-labs/flux-fill-pro", input)
    assert image.size == (384, 256)
    assert image.getpixel((192, 128)) == (200, 30, 30)


async def test_an_uploaded_file_and_an_earlier_output_are_used_as_images():
    clock = HandClock()
    async with sandbox_client(SandboxOptions(clock=clock)) as client:
        buffer = io.BytesIO()
        photo((300, 100)).save(buffer, "PNG")
        uploaded = await client.post("/v1/files", files={"content": ("photo.png", buffer.getvalue(), "image/png")})
        reference = uploaded.json()["urls"]["get"]
        for _ in range(2):
            body = await finished(client, clock, "nightmareai/real-esrgan", {"image": reference, "scale": 2})
            reference = body["output"]
        image = Image.open(io.BytesIO((await client.get(reference)).content))
    assert image.size == (1200, 400)


@pytest.mark.parametrize("reference", ["https://example.com/photo.jpg", "data:image/png;base64,AAAA", "data:,x", "?"])
async def test_an_image_that_is_elsewhere_or_broken_is_painted_instead(reference: str):
    image = await picture("bria/remove-background", {"image": reference})
    assert image.mode == "RGBA"
