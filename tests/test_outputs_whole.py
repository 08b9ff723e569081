"""Whether an image came to its end, by its own format."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import SVG, encoded, exif, noise, picture
from PIL import Image

from darkroom.outputs import whole
from darkroom.outputs.formats import EXTENSIONS, sniff

FRAMES = [Image.new("RGB", (30, 20), color) for color in ("red", "green", "blue")]
NESTED = b'<svg xmlns="http://www.w3.org/2000/svg"><svg><g/></svg><!-- </svg> --><text><![CDATA[</svg>]]></text></svg>'
WHOLE: dict[str, bytes] = {
    "png": noise("PNG", size=(40, 30)),
    "apng": encoded(FRAMES[0], "PNG", save_all=True, append_images=FRAMES[1:]),
    "jpeg": noise("JPEG", size=(40, 30)),
    "progressive jpeg": noise("JPEG", size=(40, 30), progressive=True),
    "jpeg with a profile and exif": picture("JPEG", icc_profile=b"\xff\xd9" * 900, exif=exif(6)),
    "jpeg with restart marks": noise("JPEG", size=(64, 64), restart_marker_blocks=1),
    "webp": noise("WEBP", size=(40, 30)),
    "lossless webp": noise("WEBP", size=(40, 30), lossless=True),
    "animated webp": encoded(FRAMES[0], "WEBP", save_all=True, append_images=FRAMES[1:]),
    "gif": picture("GIF"),
    "animated gif": encoded(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:], comment=b";" * 300),
    "avif": noise("AVIF", size=(40, 30)),
    "alpha avif": picture("AVIF", mode="RGBA"),
    "animated avif": encoded(FRAMES[0], "AVIF", save_all=True, append_images=FRAMES[1:]),
    "svg": SVG,
    "svg in svg": NESTED,
    "svg of one tag": b'<?xml version="1.0"?>\n<svg width="3" height="4"/>',
    "svg with a prefix": b'\n<?xml version="1.0"?><s:svg xmlns:s="http://www.w3.org/2000/svg"><s:g/></s:svg >',
    "svg in utf-16": '<?xml version="1.0" encoding="utf-16"?><svg><text>夜</text></svg>'.encode("utf-16"),
    "svg with an entity that XML does not know": b"<svg><text>a&nbsp;b</text></svg>",
}


def is_whole(content: bytes) -> bool:
    return whole.is_whole(content, sniff(content[:65536]) or "")


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_image_is_known(name: str) -> None:
    assert is_whole(WHOLE[name])


@pytest.mark.parametrize("name", sorted(set(WHOLE) - {"svg of one tag", "svg in utf-16"}))
@pytest.mark.parametrize(
    "added", [b"\0", b"\n<!-- made by somebody -->\n", b"\xff\xd8\xff trailing video", b"ftypmp42" * 9]
)
def test_what_follows_the_end_of_an_image_does_no_harm(name: str, added: bytes) -> None:
    assert is_whole(WHOLE[name] + added)


@pytest.mark.parametrize("name", sorted(set(WHOLE) - {"svg with an entity that XML does not know"}))
def test_an_image_that_is_cut_anywhere_is_not_whole(name: str) -> None:
    content = WHOLE[name].rstrip(b" ")
    cuts = (cut for cut in range(60, len(content)) if sniff(content[:cut]))
    assert [cut for cut in cuts if is_whole(content[:cut])] == []


def test_an_svg_that_xml_cannot_read_is_whole_with_its_last_tag() -> None:
    assert not is_whole(WHOLE["svg with an entity that XML does not know"][:-2])


@pytest.mark.parametrize("name", ["png", "jpeg", "gif", "avif"])
def test_a_header_and_an_end_without_pixels_are_not_whole(name: str) -> None:
    headers = {
        "png": WHOLE["png"][:33] + WHOLE["png"][-12:],
        "jpeg": b"\xff\xd8\xff\xd9",
        "gif": WHOLE["gif"][:13] + b"\0" * 768 + b";",
        "avif": WHOLE["avif"][: WHOLE["avif"].index(b"mdat") - 4],
    }
    assert not is_whole(headers[name])


@given(mime_type=st.sampled_from(sorted(EXTENSIONS)), start=st.integers(0, 200), rest=st.binary(max_size=400))
def test_no_bytes_make_the_check_raise(mime_type: str, start: int, rest: bytes) -> None:
    content = next(content for content in WHOLE.values() if sniff(content) == mime_type)
    whole.is_whole(content[:start] + rest, mime_type)


@pytest.mark.parametrize("encoding", ["shift_jis", "utf-7", "nonsense", "hex", "latin-1"])
def test_an_svg_in_an_encoding_that_xml_does_not_read_is_whole_with_its_last_tag(encoding: str) -> None:
    svg = f'<?xml version="1.0" encoding="{encoding}"?><svg><text>a</text></svg>'.encode()
    assert is_whole(svg) and not is_whole(svg[:-1])


def test_an_svg_of_entities_in_entities_costs_nothing() -> None:
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    assert is_whole(f'<!DOCTYPE svg [<!ENTITY a0 "x">{entities}]><svg><text>&a11;</text></svg>'.encode())
