"""Image references of the assistant become what a gateway accepts."""

import base64
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

import anyio
import pytest
from pictures import SECRET_PLACE, SVG, bomb, encoded, exif, noise, opened, picture
from PIL import Image, ImageOps
from pydantic import JsonValue

from darkroom.errors import InvalidInput, OutputError
from darkroom.images import ImageState, StoredFile, StoredImage
from darkroom.outputs.inputs import InputResolver, Resolved
from darkroom.registry import MappedInput
from darkroom.setting_folders import input_folders

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("kept_decoders")]

EARLIER = "rrr4z55ocneqzikepnug6xezpe"


@dataclass
class World:
    """What lies around the resolver: stored files, known predictions, a files API, and what was sent to it."""

    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    images: dict[tuple[str, int], StoredImage] = field(default_factory=dict[tuple[str, int], StoredImage])
    web: dict[str, bytes] = field(default_factory=dict[str, bytes])
    uploads: list[tuple[bytes, str, str]] = field(default_factory=list[tuple[bytes, str, str]])
    fetched: list[str] = field(default_factory=list[str])

    async def read(self, file: StoredFile) -> bytes:
        if file.location not in self.files:
            raise OutputError("The image is no longer there.")
        return self.files[file.location]

    async def lookup(self, prediction_id: str, index: int) -> StoredImage | None:
        return self.images.get((prediction_id, index))

    async def fetch(self, url: str) -> bytes:
        self.fetched.append(url)
        if url not in self.web:
            raise OutputError("The link died.")
        return self.web[url]

    async def upload(self, content: bytes, name: str, mime_type: str) -> str:
        self.uploads.append((content, name, mime_type))
        return f"https://files.example/{len(self.uploads)}"

    def keep(self, index: int, content: bytes | None, **facts: str) -> None:
        """Let output number `index` of the earlier prediction be known, and saved where there is content."""
        image = StoredImage(prediction_id=EARLIER, index=index, url=facts.get("url", "https://out.example/1.png"))
        if content is not None:
            stored = StoredFile(
                location=f"/out/{index}", mime_type="", width_px=0, height_px=0, size_bytes=0, sha256=""
            )
            image = replace(image, state=ImageState.STORED, file=stored)
            self.files[stored.location] = content
        self.images[EARLIER, index] = image


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def resolver(world: World) -> InputResolver:
    return InputResolver(read=world.read, lookup=world.lookup, fetch=world.fetch)


async def resolved(resolver: InputResolver, reference: JsonValue, **facts: bool) -> Resolved:
    """The resolved input whose `image` is this reference: a mask with `is_mask`, to be inverted with `inverts`."""
    mapped = MappedInput(
        input={"prompt": "x", "image": reference},
        file_fields=("image",),
        mask_field="image" if facts.get("is_mask") else "",
        invert_mask=facts.get("inverts", False),
    )
    with anyio.fail_after(60):
        return await resolver.resolve(mapped)


async def refusal(resolver: InputResolver, reference: JsonValue, **facts: bool) -> str:
    with pytest.raises(InvalidInput) as caught:
        await resolved(resolver, reference, **facts)
    assert len(caught.value.message) <= 300
    assert caught.value.field
    return caught.value.message


def data_uri(content: bytes, mime_type: str = "image/png") -> str:
    return f"data:{mime_type};base64,{base64.b64encode(content).decode()}"


def sent(result: Resolved) -> tuple[str, bytes]:
    """The type and the bytes of the data URI that stands in the input."""
    value = result.input["image"]
    assert isinstance(value, str)
    header, _, payload = value.partition(",")
    return header.removeprefix("data:").removesuffix(";base64"), base64.b64decode(payload)


async def test_https_urls_are_passed_on_unfetched_and_lists_keep_their_shape(
    world: World, resolver: InputResolver
) -> None:
    urls: list[JsonValue] = ["https://a.example/1.png?x=1", "HTTPS://b.example/2"]
    result = await resolved(resolver, urls)
    assert result.input == {"prompt": "x", "image": urls}
    assert (await resolved(resolver, urls[0])).input["image"] == urls[0]
    assert world.fetched == []


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("http://a.example/1.png", "only https"),
        ("http://127.0.0.1/1.png", "only https"),
        ("https://", "no host"),
        ("https://a.example/1 .png", "spaces"),
        ("https://a.example/\x1b[31m", "control characters"),
        ("ftp://a.example/1.png", "'ftp:' is not taken"),
        ("javascript:alert(1)", "'javascript:' is not taken"),
        ("prediction:", "prediction:ID"),
        ("prediction:abc/0", "prediction:ID"),
        ("prediction:abc/x", "prediction:ID"),
        ("data:image/png;base64", "no comma"),
        ("data:image/png;base64,%%%", "base64 is broken"),
        ("data:image/png;base64,", "nothing (0 bytes)"),
        ("data:text/html,<html><body>", "a web page"),
        ("/etc/passwd", "files of this machine are not read here"),
        ("picture.png", "files of this machine are not read here"),
    ],
)
async def test_other_references_are_refused_in_words(resolver: InputResolver, reference: str, words: str) -> None:
    message = await refusal(resolver, reference)
    assert words in message
    assert message.isprintable()
    with pytest.raises(InvalidInput) as caught:  # a dry run says the same
        await resolver.try_out(MappedInput(input={"image": reference}, file_fields=("image",)))
    assert caught.value.message == message


async def test_http_is_taken_from_loopback_only_where_that_is_allowed(resolver: InputResolver) -> None:
    near = replace(resolver, allow_loopback_http=True)
    for url in ("http://127.0.0.1:80/1.png", "http://[::1]/1.png", "http://localhost:1/x"):
        assert (await resolved(near, url)).input["image"] == url
    assert "only https" in await refusal(near, "http://10.0.0.1/1.png")


@pytest.mark.parametrize("content", [picture("PNG"), picture("JPEG"), picture("WEBP")])
async def test_a_data_uri_is_sent_on_with_the_type_of_its_content(resolver: InputResolver, content: bytes) -> None:
    mime_type, result = sent(await resolved(resolver, data_uri(content, "text/plain")))
    assert mime_type == Image.MIME[str(opened(content).format)]
    assert opened(result).convert("RGB").tobytes() == opened(content).convert("RGB").tobytes()


async def test_a_percent_encoded_data_uri_is_read_too(resolver: InputResolver) -> None:
    reference = f"data:image/png,{quote(picture())}"
    assert sent(await resolved(resolver, reference))[0] == "image/png"


async def test_a_drawing_is_sent_as_png_and_noted(resolver: InputResolver) -> None:
    made = await resolved(resolver, data_uri(SVG))
    mime_type, content = sent(made)
    assert (mime_type, opened(content).size) == ("image/png", (2048, 1366))
    assert made.notes == ("image is an SVG: it was sent as PNG of 2048 x 1366 px.",)


async def test_a_drawing_that_cannot_be_drawn_is_refused_with_the_reason(resolver: InputResolver) -> None:
    words = await refusal(resolver, data_uri(b'<svg xmlns="http://www.w3.org/2000/svg"><rect></svg>'))
    assert "cannot be used: it is damaged: its XML cannot be read." in words


async def test_a_drawing_may_be_a_mask(resolver: InputResolver) -> None:
    mask = data_uri(b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="4" height="8"/></svg>')
    mime_type, content = sent(await resolved(resolver, mask, is_mask=True, inverts=True))
    assert mime_type == "image/png" and opened(content).mode == "L"


async def test_a_bomb_is_refused_by_its_header(resolver: InputResolver) -> None:
    assert "176 million pixels" in await refusal(resolver, data_uri(bomb(16_000, 11_000)))


async def test_too_many_bytes_are_refused(resolver: InputResolver) -> None:
    small = replace(resolver, max_bytes=2**20)
    assert "larger than 1 MiB" in await refusal(small, data_uri(noise(size=(700, 700))))
    assert "larger than 1 MiB" in await refusal(small, data_uri(b"\0" * 4_000_000))


async def test_an_earlier_image_is_sent_from_its_saved_file(world: World, resolver: InputResolver) -> None:
    world.keep(0, picture(color=(1, 2, 3)))
    world.keep(1, picture(color=(4, 5, 6)))
    first = sent(await resolved(resolver, f"prediction:{EARLIER}"))[1]
    second = sent(await resolved(resolver, f"prediction:{EARLIER}/2"))[1]
    assert (opened(first).getpixel((0, 0)), opened(second).getpixel((0, 0))) == ((1, 2, 3), (4, 5, 6))


async def test_an_earlier_image_that_is_not_saved_yet_is_sent_by_its_link(
    world: World, resolver: InputResolver
) -> None:
    world.keep(0, None)
    assert (await resolved(resolver, f"prediction:{EARLIER}")).input["image"] == "https://out.example/1.png"
    world.keep(0, None, url=data_uri(picture()))
    assert sent(await resolved(resolver, f"prediction:{EARLIER}"))[0] == "image/png"


async def test_an_earlier_image_that_cannot_be_had_is_refused_with_the_reason(
    world: World, resolver: InputResolver
) -> None:
    assert "no image 3 of a prediction" in await refusal(resolver, f"prediction:{EARLIER}/3")
    world.keep(0, None, url="http://sandbox.darkroom.invalid/1.png")
    assert "Call get_prediction" in await refusal(resolver, f"prediction:{EARLIER}")
    world.keep(0, picture())
    world.files.clear()
    assert "no longer there" in await refusal(resolver, f"prediction:{EARLIER}")
    world.images[EARLIER, 0] = replace(world.images[EARLIER, 0], state=ImageState.EXPIRED, file=None)
    assert "died before it was saved" in await refusal(resolver, f"prediction:{EARLIER}")


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "AVIF"])
async def test_metadata_is_dropped_unless_it_shall_be_kept(resolver: InputResolver, format_name: str) -> None:
    content = picture(format_name, exif=exif())
    assert SECRET_PLACE in content
    _, result = sent(await resolved(resolver, data_uri(content)))
    assert SECRET_PLACE not in result
    assert opened(result).size == opened(content).size
    keeping = replace(resolver, keep_metadata=True)
    assert sent(await resolved(keeping, data_uri(content)))[1] == content


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP"])
async def test_an_image_on_its_side_is_turned_before_its_metadata_goes(
    resolver: InputResolver, format_name: str
) -> None:
    sideways = Image.new("RGB", (60, 30), "red")
    sideways.paste("blue", (0, 0, 30, 30))
    _, result = sent(await resolved(resolver, data_uri(encoded(sideways, format_name, exif=exif(6)))))
    assert SECRET_PLACE not in result
    assert opened(result).size == (30, 60)
    top = opened(result).convert("RGB").getpixel((15, 8))
    assert isinstance(top, tuple)
    assert top[2] > 200 > top[0]


async def test_a_large_image_goes_through_the_files_api(world: World, resolver: InputResolver) -> None:
    content = noise("JPEG", size=(600, 600), quality=95, exif=exif())
    result = await resolved(replace(resolver, upload=world.upload), data_uri(content))
    assert result.input["image"] == "https://files.example/1"
    ((uploaded, name, mime_type),) = world.uploads
    assert (name, mime_type) == ("image.jpg", "image/jpeg")
    assert SECRET_PLACE not in uploaded
    assert opened(uploaded).size == (600, 600)


async def test_a_small_image_is_not_uploaded(world: World, resolver: InputResolver) -> None:
    await resolved(replace(resolver, upload=world.upload), data_uri(picture()))
    assert world.uploads == []


async def test_without_a_files_api_a_large_image_is_shrunk_with_a_note(resolver: InputResolver) -> None:
    result = await resolved(resolver, [data_uri(noise("PNG", size=(900, 900)))])
    images = result.input["image"]
    assert isinstance(images, list)
    assert isinstance(images[0], str)
    assert len(base64.b64decode(images[0].partition(",")[2])) <= 256_000
    (note,) = result.notes
    assert note.startswith("image[0] was shrunk from 900 x 900, 2.4 MB to ")
    assert "256 kB" in note


async def test_an_image_beside_a_mask_keeps_its_size_when_it_is_shrunk(resolver: InputResolver) -> None:
    mapped = MappedInput(
        input={"image": data_uri(noise(size=(420, 420))), "mask": "https://a.example/mask.png"},
        file_fields=("image", "mask"),
        mask_field="mask",
    )
    result = await resolver.resolve(mapped)
    assert opened(sent(result)[1]).size == (420, 420)
    mapped = replace(mapped, input={**mapped.input, "image": data_uri(noise(size=(1000, 1000)))})
    with pytest.raises(InvalidInput, match="cannot be made smaller than 256,000 bytes"):
        await resolver.resolve(mapped)


async def test_a_large_mask_is_sent_as_a_gray_png_of_the_same_size(resolver: InputResolver) -> None:
    mask = Image.new("RGB", (1500, 1500), "black")
    mask.paste("white", (100, 100, 900, 1000))
    content = encoded(mask, "PNG", compress_level=0)
    mime_type, result = sent(await resolved(resolver, data_uri(content), is_mask=True))
    assert (mime_type, opened(result).mode, opened(result).size) == ("image/png", "L", (1500, 1500))


async def test_a_mask_that_stays_too_large_is_refused_with_the_limit(resolver: InputResolver) -> None:
    message = await refusal(resolver, data_uri(noise(size=(900, 900))), is_mask=True)
    assert message.startswith("mask is too large (900 x 900, ")
    assert "256 kB" in message


@pytest.mark.parametrize("format_name", ["PNG", "JPEG"])
async def test_a_mask_is_inverted_where_the_model_edits_black(resolver: InputResolver, format_name: str) -> None:
    mask = Image.new("L", (32, 32), 255)
    mask.paste(0, (0, 0, 16, 32))
    result = await resolved(resolver, data_uri(encoded(mask, format_name)), is_mask=True, inverts=True)
    mime_type, content = sent(result)
    assert mime_type == "image/png"
    assert opened(content).tobytes() == ImageOps.invert(mask).tobytes()
    assert any("inverted" in note for note in result.notes)


async def test_a_mask_behind_a_url_is_fetched_only_to_be_inverted(world: World, resolver: InputResolver) -> None:
    url = "https://a.example/mask.png"
    world.web[url] = picture(mode="L", color=255)
    assert (await resolved(resolver, url, is_mask=True)).input["image"] == url
    mask = MappedInput(input={"mask": url}, file_fields=("mask",), mask_field="mask", invert_mask=True)
    assert await resolver.try_out(mask) == ()
    assert world.fetched == []
    _, content = sent(await resolved(resolver, url, is_mask=True, inverts=True))
    assert opened(content).getextrema() == (0, 0)
    assert "cannot be fetched. The link died." in await refusal(
        resolver, "https://a.example/gone.png", is_mask=True, inverts=True
    )
    assert "give it as a file" in await refusal(replace(resolver, fetch=None), url, is_mask=True, inverts=True)


async def test_a_damaged_image_that_must_be_decoded_is_refused(resolver: InputResolver) -> None:
    message = await refusal(resolver, data_uri(picture("PNG")[:60]))
    assert "damaged" in message


async def test_fields_that_hold_no_text_are_left_alone(resolver: InputResolver) -> None:
    assert (await resolved(resolver, None)).input["image"] is None


def test_the_default_folders_never_open_the_whole_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_DESKTOP_DIR", str(home))
    monkeypatch.setenv("XDG_DOWNLOAD_DIR", str(home / "Downloads"))
    monkeypatch.setenv("XDG_PICTURES_DIR", "/")
    folders = input_folders(tmp_path / "out")
    assert folders[0] == tmp_path / "out"
    assert home not in folders
    assert Path("/") not in folders
    assert tmp_path not in folders
