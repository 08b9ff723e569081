"""SVG becomes pixels in the decoding process: whatever a document says, nothing outside of it is read."""

import base64
import shutil
from pathlib import Path

import anyio
import pytest
from pictures import SVG, encoded, opened
from PIL import Image

from darkroom.outputs.decoding import SVG_PX, Rendered, render_image

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("kept_decoders")]
HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="120" height="80">'
    '<rect width="120" height="80" fill="white"/>'
)
RED = (255, 0, 0)
RED_RECT = '<rect fill="red" width="9" height="9"/>'


async def drawn(document: str | bytes, svg_px: int = 256) -> Rendered:
    """In a size that is drawn and read soon, unless that matters."""
    content = document if isinstance(document, bytes) else document.encode()
    with anyio.fail_after(40):
        made = await render_image("drawn", content, svg_px=svg_px)
    assert isinstance(made, Rendered), made
    return made


async def refused(document: str | bytes, *, timeout_s: float = 15.0) -> str:
    content = document if isinstance(document, bytes) else document.encode()
    with anyio.fail_after(40):
        made = await render_image("drawn", content, timeout_s=timeout_s)
    assert isinstance(made, str)
    return made


def has_red(made: Rendered) -> bool:
    colours = opened(made.content).convert("RGB").getcolors(1_000_000)
    assert colours
    return any(colour == RED for _, colour in colours)


async def test_a_drawing_becomes_a_png_whose_longer_side_has_2048_pixels() -> None:
    made = await render_image("drawn", SVG)
    assert isinstance(made, Rendered)
    assert (made.mime_type, made.width_px, made.height_px, made.is_transparent) == ("image/png", 2048, 1366, False)
    assert opened(made.content).size == (2048, 1366)


async def test_ground_that_is_not_painted_stays_transparent() -> None:
    assert (await drawn(SVG.replace(b'width="120"', b'width="60"'))).is_transparent


async def test_text_is_drawn_with_the_fonts_of_this_computer_or_said_to_be_missing() -> None:
    made = await drawn(f'{HEAD}<text x="9" y="60" font-size="50" fill="red">Hi</text></svg>')
    is_drawn = has_red(made)
    assert is_drawn or made.flaw == "its text, as no font was found on this computer"
    assert is_drawn or "DejaVu" not in await installed_fonts()


async def installed_fonts() -> str:
    """Their families as fontconfig lists them, nothing where it is missing."""
    if shutil.which("fc-list") is None:
        return ""
    return (await anyio.run_process(["fc-list", ":", "family"])).stdout.decode()


@pytest.fixture
def red_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret.png"
    path.write_bytes(encoded(Image.new("RGB", (50, 50), "red"), "PNG"))
    return path


INNER = (
    "%3Csvg xmlns='http://www.w3.org/2000/svg' width='50' height='50'%3E"
    "%3Cimage href='{path}' width='50' height='50'/%3E%3C/svg%3E"
)
REFERENCES = {
    "a path": '<image width="50" height="50" xlink:href="{path}"/>',
    "an href of SVG 2": '<image width="50" height="50" href="{path}"/>',
    "a file URI": '<image width="50" height="50" href="file://{path}"/>',
    "leading spaces": '<image width="50" height="50" href=" \t{path}"/>',
    "character references": '<image width="50" height="50" href="&#47;{path}"/>',
    "a pattern": '<pattern id="p" width="9" height="9"><image width="9" height="9" href="{path}"/></pattern>'
    '<rect width="50" height="50" fill="url(#p)"/>',
    "a filter": '<filter id="f"><feImage href="{path}"/></filter><rect width="50" height="50" filter="url(#f)"/>',
    "a use": '<use href="{path}"/><use href="{path}#a"/>',
    "an inner document": f'<image width="50" height="50" href="data:image/svg+xml,{INNER}"/>',
    "plain text as an image": f'<image width="50" height="50" href="data:text/plain,{INNER}"/>',
    "a style sheet": '<style>@import url("{path}"); .a {{ fill: url("{path}") }}</style><rect class="a" width="9"/>',
    "text beside it": '<text y="40">a</text><image width="50" height="50" xlink:href="{path}"/>',
}


@pytest.mark.parametrize("name", list(REFERENCES))
async def test_no_file_of_this_computer_is_drawn(name: str, red_file: Path) -> None:
    made = await drawn(f"{HEAD}{REFERENCES[name].format(path=red_file)}</svg>")
    assert not has_red(made)


async def test_no_file_is_drawn_through_an_entity_or_another_prefix(red_file: Path) -> None:
    entity = f'<!DOCTYPE svg [<!ENTITY p "{red_file}">]>{HEAD}<image width="50" height="50" href="&p;"/></svg>'
    assert not has_red(await drawn(entity))
    external = f'<!DOCTYPE svg [<!ENTITY p SYSTEM "{red_file}">]>{HEAD}<text>&p;</text></svg>'
    assert not has_red(await drawn(external))
    prefixed = (
        '<s:svg xmlns:s="http://www.w3.org/2000/svg" xmlns:q="http://www.w3.org/1999/xlink" width="50" height="50">'
        f'<s:image q:href="{red_file}" width="50" height="50"/></s:svg>'
    )
    assert not has_red(await drawn(prefixed))


async def test_it_is_said_that_something_outside_was_left_out() -> None:
    made = await drawn(f'{HEAD}<image width="5" height="5" href="https://example.com/a.png"/></svg>')
    assert made.flaw == "what lies in other files or on the web"
    linked = await drawn(f'{HEAD}<a href="https://example.com"><rect width="5" height="5"/></a></svg>')
    assert linked.flaw == ""


async def test_pixels_inside_the_document_are_drawn() -> None:
    inside = base64.b64encode(encoded(Image.new("RGB", (50, 50), "red"), "PNG")).decode()
    assert has_red(await drawn(f'{HEAD}<image width="50" height="50" href="data:image/png;base64,{inside}"/></svg>'))


async def test_entities_that_only_save_letters_are_written_out() -> None:
    document = f'<!DOCTYPE svg [<!ENTITY c "#ff0000">]>{HEAD}<rect width="50" height="50" fill="&c;"/></svg>'
    assert has_red(await drawn(document))


async def test_a_script_and_foreign_html_are_left_out() -> None:
    document = f"{HEAD}<script>while(1){{}}</script><foreignObject><b>x</b></foreignObject>{RED_RECT}</svg>"
    assert has_red(await drawn(document))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
async def test_other_encodings_are_read(encoding: str) -> None:
    document = f'<?xml version="1.0" encoding="{encoding}"?>{HEAD}<rect fill="red" width="9" height="9"/></svg>'
    assert has_red(await drawn(document.encode(encoding)))


async def test_a_document_without_a_name_space_is_drawn() -> None:
    assert has_red(await drawn('<svg width="50" height="40"><rect width="20" height="20" fill="red"/></svg>'))


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [("1e9", "1e9", (2048, 2048)), ("1", "100000", (1, 2048)), ("0.001", "0.001", (2048, 2048))],
)
async def test_no_size_is_too_large_or_too_small(width: str, height: str, size: tuple[int, int]) -> None:
    made = await drawn(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"><path d="M0 0H9"/></svg>', SVG_PX
    )
    assert (made.width_px, made.height_px) == size


def nested(levels: int, opening: str = "<g>", closing: str = "</g>") -> str:
    return f"{HEAD}{opening * levels}<rect/>{closing * levels}</svg>"


LAUGHS = "".join(f'<!ENTITY a{level} "{f"&a{level - 1};" * 10}">' for level in range(1, 10))
USES = "".join(f'<g id="u{level}">{f"<use href={chr(34)}#u{level - 1}{chr(34)}/>" * 10}</g>' for level in range(1, 12))


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (f'<!DOCTYPE svg [<!ENTITY a0 "ha">{LAUGHS}]>{HEAD}<text>&a9;</text></svg>', "it is damaged: its XML cannot"),
        (f'{HEAD}<g id="u0"><rect/></g>{USES}<use href="#u11"/></svg>', "it is an SVG, and it has too many parts"),
        (nested(100_000), "it is nested more than 150 deep"),
        (f"{HEAD}<rect", "it is damaged: its XML cannot be read"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'>\xff\xfe\x00</svg>", "it is damaged: its XML cannot be read"),
        ('<svg xmlns="http://www.w3.org/2000/svg" width="0" height="0"/>', "it is an SVG, and its size is not known"),
    ],
)
async def test_what_cannot_be_drawn_is_said_in_words(document: str | bytes, words: str) -> None:
    assert (await refused(document)).startswith(words)


async def test_groups_as_deep_as_they_may_be_are_drawn() -> None:
    await drawn(nested(148, '<g opacity="0.9">'), SVG_PX)


@pytest.mark.parametrize(
    "part",
    [
        '<filter id="f"><feTurbulence baseFrequency="0.9" numOctaves="1000000"/></filter>',
        '<filter id="f"><feGaussianBlur stdDeviation="1e6"/></filter>'
        + '<rect filter="url(#f)" width="90" height="9"/>' * 400,
    ],
)
async def test_a_drawing_that_never_ends_is_stopped(part: str) -> None:
    document = f'{HEAD}{part}<rect filter="url(#f)" width="90" height="50"/></svg>'
    assert await refused(document, timeout_s=0.5) == "decoding it took longer than 0.5 s"


async def test_loops_of_references_are_ended() -> None:
    for document in (
        f'{HEAD}<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g></svg>',
        f'{HEAD}<pattern id="p" width="9" height="9"><rect fill="url(#p)" width="9" height="9"/></pattern>'
        '<rect fill="url(#p)" width="50" height="50"/></svg>',
        f'{HEAD}<mask id="m"><rect mask="url(#m)" width="9" height="9"/></mask><g mask="url(#m)">{RED_RECT}</g></svg>',
    ):
        with anyio.fail_after(40):
            assert await render_image("drawn", document.encode())
