"""Images, masks and shapes that have to fit each other, and results that are not what was asked for."""

import base64
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest
from fault_gateway import FaultGateway
from fault_plan import Plan
from open_rooms import room_at
from pictures import opened, picture
from rows import ID, intent

from darkroom.darkroom import Darkroom
from darkroom.dry_run import dry_run
from darkroom.errors import InvalidInput
from darkroom.generate_image import generate_image
from darkroom.get_prediction import get_prediction
from darkroom.images import ImageState, StoredFile, StoredImage, WantedOutput
from darkroom.outputs.inputs import InputResolver
from darkroom.registry import ImageRequest, MappedInput
from darkroom.reports import PredictionReport, output_notes
from darkroom.uris import data_uri

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("kept_decoders")]

INPAINTER = ImageRequest(prompt="a hat", model="black-forest-labs/flux-fill-pro")
INVERTING = "ideogram-ai/ideogram-v3-turbo"
UPSCALER = "nightmareai/real-esrgan"


@pytest.fixture
async def gateway() -> AsyncGenerator[FaultGateway]:
    async with FaultGateway(Plan(run_s=0)) as gateway:
        yield gateway


@pytest.fixture
async def room(gateway: FaultGateway, tmp_path: Path) -> AsyncGenerator[Darkroom]:
    async with room_at(gateway, tmp_path, input_dirs=(tmp_path,)) as room:
        yield room


def image(width: int, height: int, **facts: str) -> str:
    return data_uri("image/png", picture(size=(width, height), **facts))


async def ask(room: Darkroom, request: ImageRequest) -> PredictionReport:
    return await generate_image(room, request, wait_s=20)


def decoded(value: object) -> bytes:
    return base64.b64decode(str(value).partition(",")[2])


# Masks


@pytest.mark.parametrize("model", [INPAINTER.model, INVERTING])
async def test_a_mask_of_another_shape_is_refused_with_both_sizes(
    room: Darkroom, gateway: FaultGateway, model: str, tmp_path: Path
) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(picture(size=(120, 80)))
    wish = replace(INPAINTER, model=model, images=(str(path),), mask=image(50, 50, mode="L"))
    for report in (await ask(room, wish), await dry_run(room, wish)):
        assert report.outcome == "invalid" and "mask is 50 x 50, its image 120 x 80" in report.text
        assert "othing was sent" in report.text
    assert gateway.truth.creates == 0


@pytest.mark.parametrize(("width", "height"), [(60, 40), (240, 160), (121, 81)])
@pytest.mark.parametrize("model", [INPAINTER.model, INVERTING])
async def test_a_mask_of_another_size_is_scaled_to_its_image_with_a_note(
    room: Darkroom, gateway: FaultGateway, model: str, width: int, height: int
) -> None:
    wish = replace(INPAINTER, model=model, images=(image(120, 80),), mask=image(width, height, mode="L"))
    note = f"The mask was scaled from {width} x {height} to 120 x 80, the size of its image."
    assert note in (await dry_run(room, wish)).text
    report = await ask(room, wish)
    assert report.outcome == "succeeded" and note in report.text
    assert opened(decoded(gateway.truth.predictions[0].input["mask"])).size == (120, 80)


async def test_a_mask_keeps_its_edges_and_what_is_white_when_it_grows(room: Darkroom, gateway: FaultGateway) -> None:
    from PIL import Image

    half = Image.new("L", (2, 2), 0)
    half.putpixel((0, 0), 255)
    half.putpixel((0, 1), 255)
    mask = data_uri("image/png", _png(half))
    await ask(room, replace(INPAINTER, images=(image(64, 64),), mask=mask))
    sent = opened(decoded(gateway.truth.predictions[0].input["mask"])).convert("L")
    assert sent.getpixel((31, 10)) == 255 and sent.getpixel((32, 10)) == 0


def _png(image: "object") -> bytes:
    from pictures import encoded
    from PIL.Image import Image

    assert isinstance(image, Image)
    return encoded(image, "PNG")


async def test_a_mask_of_a_photo_on_its_side_is_measured_as_it_is_seen(room: Darkroom, gateway: FaultGateway) -> None:
    from pictures import exif

    sideways = data_uri("image/jpeg", picture("JPEG", size=(120, 80), exif=exif(6)))
    report = await ask(room, replace(INPAINTER, images=(sideways,), mask=image(80, 120, mode="L")))
    assert report.outcome == "succeeded" and "scaled" not in report.text


async def test_a_mask_is_not_measured_against_an_image_that_is_not_fetched(
    room: Darkroom, gateway: FaultGateway
) -> None:
    wish = replace(INPAINTER, images=("https://example.com/photo.png",), mask=image(50, 50, mode="L"))
    assert (await ask(room, wish)).outcome == "succeeded"


async def test_a_mask_in_the_options_is_measured_too(room: Darkroom, gateway: FaultGateway) -> None:
    wish = replace(INPAINTER, images=(image(120, 80),), options={"mask": image(50, 50, mode="L")})
    assert "mask is 50 x 50" in (await ask(room, wish)).text and gateway.truth.creates == 0


# Shapes of models that follow their image


async def test_a_shape_that_a_model_cannot_give_its_image_is_refused(room: Darkroom, gateway: FaultGateway) -> None:
    wish = ImageRequest(model=UPSCALER, images=(image(64, 64),), aspect_ratio="16:9")
    report = await ask(room, wish)
    assert "keeps the shape of its image, 64x64, so 16:9 is not possible" in report.text
    assert gateway.truth.creates == 0


async def test_a_shape_that_the_image_has_anyway_is_no_fault(room: Darkroom, gateway: FaultGateway) -> None:
    wish = ImageRequest(model=UPSCALER, images=(image(160, 90),), aspect_ratio="16:9")
    assert (await ask(room, wish)).outcome == "succeeded"


# Results


async def test_an_upscale_that_is_smaller_than_asked_is_noted_then_and_later(
    room: Darkroom, gateway: FaultGateway
) -> None:
    report = await ask(room, ImageRequest(model=UPSCALER, images=(image(64, 48),), options={"scale": 4}))
    assert "image 1: asked for 4x (256x192), got " in report.text
    assert "asked for 4x (256x192)" in (await get_prediction(room, str(report.data["id"]))).text


async def test_an_exact_size_that_did_not_come_is_noted(room: Darkroom, gateway: FaultGateway) -> None:
    wish = ImageRequest(prompt="a fox", model="black-forest-labs/flux-1.1-pro", width=512, height=512)
    assert "image 1: asked for 512x512, got " in (await ask(room, wish)).text


async def test_a_format_that_did_not_come_is_noted_and_one_that_came_is_not(
    room: Darkroom, gateway: FaultGateway
) -> None:
    wish = ImageRequest(prompt="a fox", model="recraft-ai/recraft-v3")
    assert "asked for webp, got png" in (await ask(room, replace(wish, output_format="webp"))).text
    assert "asked for" not in (await ask(room, replace(wish, output_format="png"))).text


@pytest.mark.parametrize(
    ("wanted", "size", "words"),
    [
        (WantedOutput(width_px=4096, height_px=4096, scale=4), (3072, 3072), "asked for 4x (4096x4096), got 3.0x"),
        (WantedOutput(width_px=4096, height_px=4096, scale=4), (4096, 4096), ""),
        (WantedOutput(width_px=4096, height_px=4096, scale=4), (4090, 4090), ""),
        (WantedOutput(width_px=4096, height_px=4096, scale=4), (8192, 8192), ""),
        (WantedOutput(width_px=1024, height_px=1024), (1024, 1000), "asked for 1024x1024, got 1024x1000"),
        (WantedOutput(width_px=1024, height_px=1024), (0, 0), ""),
        (WantedOutput(), (7, 7), ""),
        (WantedOutput(format="jpg"), (7, 7), "asked for jpg, got png"),
    ],
)
def test_a_result_is_measured_by_what_was_asked(wanted: WantedOutput, size: tuple[int, int], words: str) -> None:
    file = StoredFile(
        location="/x.png", mime_type="image/png", width_px=size[0], height_px=size[1], size_bytes=1, sha256=""
    )
    images = [
        StoredImage(prediction_id=ID, index=index, url="", state=ImageState.STORED, file=file) for index in range(2)
    ]
    notes = list(output_notes([replace(intent(), wanted=wanted, images=tuple(images))]))
    assert [words in note and note.startswith("image 1, 2: ") for note in notes] == ([True] if words else [])


async def test_a_mask_that_is_fetched_because_it_must_be_inverted_is_measured_too() -> None:
    async def fetch(url: str) -> bytes:
        return picture(size=(50, 50), mode="L")

    async def nothing(*facts: object) -> None:
        return None

    async def unread(file: StoredFile) -> bytes:
        raise AssertionError(file)

    mapped = MappedInput(
        input={"image": image(120, 80), "mask": "https://example.com/mask.png"},
        file_fields=("image", "mask"),
        mask_field="mask",
        invert_mask=True,
        mask_size=(120, 80),
    )
    with pytest.raises(InvalidInput, match="mask is 50 x 50, its image 120 x 80"):
        await InputResolver(read=unread, lookup=nothing, fetch=fetch).resolve(mapped)
