"""URIs are read the same way everywhere, and odd ones give a clear result instead of an error."""

import base64
import json
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import JsonValue

from darkroom.uris import (
    TooLarge,
    data_size_bytes,
    data_uri,
    decode_data_uri,
    host_of,
    is_data_uri,
    is_loopback,
    is_loopback_url,
    is_url,
    is_web_url,
    origin_of,
    port_of,
    scheme_of,
    shorten_data_uri,
    shorten_data_uris,
)

ODD = [
    "",
    ":",
    "://",
    "http://",
    "http://[",
    "http://[::1",
    "http://[not an address]/",
    "http://]/",
    "http://host:99999/",
    "http://host:-1/",
    "http://host:port/",
    "http://host:123456789012345678901234567890/",
    "http://ho\nst/",
    "http://host\0/",
    "http://ho st/",
    "http://ho\ud800st/",
    "http://a\\@b/",
    "http://a@b@c/",
    "http://host%00/?",
    "https:/host/",
    "//host/",
    "http://" + "a" * 70_000 + "/",
    "http://" + "a@" * 35_000,
    "http://" + "a:" * 35_000,
    "http://" + "[" * 70_000,
    "x" * 70_000,
    "data:",
    "data:image/png;base64",
    "data:image/png;base64," + "%" * 70_000,
    "data:" + "," * 70_000,
    "\ud800",
]
TEXTS = st.text() | st.text(alphabet="htps:/.@[]%\\?#0129a \n\ud800", max_size=40)


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_an_odd_address_has_a_clear_result_and_never_an_error(odd: str) -> None:
    assert origin_of(odd) == "" or odd == "http://host%00/?"
    assert not is_loopback_url(odd)
    if not origin_of(odd):
        assert (host_of(odd), port_of(odd)) == ("", None)
    assert isinstance(scheme_of(odd), str) and isinstance(is_url(odd), bool)


@given(TEXTS)
@example("data:,\ud800")
@example("data:;base64,\ud800")
def test_no_text_makes_any_of_them_fail(text: str) -> None:
    for look in (scheme_of, is_url, is_web_url, origin_of, host_of, port_of, is_loopback_url, is_loopback, is_data_uri):
        look(text)
    assert data_size_bytes(text) >= 0
    assert len(shorten_data_uri(text)) <= max(len(text), 100)
    try:
        decode_data_uri("data:" + text, limit_bytes=100)
    except ValueError as error:
        assert str(error).endswith(".")


@given(
    scheme=st.sampled_from(["http", "https", "HTTPS"]),
    login=st.sampled_from(["", "user@", "user:pass@"]),
    host=st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z]{2,5})?", fullmatch=True),
    port=st.none() | st.integers(0, 65535),
    rest=st.sampled_from(["", "/", "/a:b@c", "?q=http://x", "#[", "/\n", "/" + "a" * 70_000]),
)
def test_an_origin_is_what_a_browser_would_say(scheme: str, login: str, host: str, port: int | None, rest: str) -> None:
    url = f"{scheme}://{login}{host}{'' if port is None else f':{port}'}{rest}"
    parts = urlsplit(url)
    usual = {"http": 80, "https": 443}[parts.scheme]
    shown = "" if port in (None, usual) else f":{port}"
    assert origin_of(url) == f"{scheme.lower()}://{host}{shown}"
    assert (host_of(url), port_of(url)) == (parts.hostname, usual if port is None else port)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("HTTP://LocalHost:80/x", "http://localhost"),
        ("https://host:/x", "https://host"),
        ("http://[0:0:0:0:0:0:0:1]:81", "http://[::1]:81"),
        ("https://münchen.example/", "https://münchen.example"),
        ("s3://bucket/prefix", "s3://bucket"),
    ],
)
def test_two_ways_to_write_an_origin_are_one(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST", "::ffff:127.0.0.1"])
def test_this_machine_is_known_by_its_own_addresses(host: str) -> None:
    assert is_loopback(host)
    assert is_loopback_url(f"http://[{host}]:8080/x" if ":" in host else f"http://{host}:8080/x")


@pytest.mark.parametrize(
    "host",
    [
        "",
        "0.0.0.0",
        "::",
        "example.com",
        "localhost.example.com",
        "127.0.0.1.example.com",
        "127.1",
        "2130706433",
        "10.0.0.1",
    ],
)
def test_what_may_be_another_machine_does_not_count_as_this_one(host: str) -> None:
    assert not is_loopback(host)
    assert not is_loopback_url(f"http://{host}/")
    assert not is_loopback_url(f"http://127.0.0.1@{host}/")


@pytest.mark.parametrize(
    ("text", "scheme", "url"),
    [
        ("https://host/x", "https", True),
        ("S3://bucket", "s3", True),
        ("data:image/png,x", "data", False),
        ("prediction:abc/2", "prediction", False),
        ("C:\\pictures\\a.png", "", False),
        ("C://pictures/a.png", "", False),
        ("/home/a://b", "", False),
        ("./a:b", "", False),
        ("12:30.png", "", False),
    ],
)
def test_a_scheme_is_told_from_a_path(text: str, scheme: str, url: bool) -> None:
    assert (scheme_of(text), is_url(text)) == (scheme, url)


@given(st.binary(max_size=300))
def test_a_data_uri_gives_back_what_was_put_in(content: bytes) -> None:
    spellings = [
        data_uri("image/png", content),
        f"DATA:Image/PNG;charset=utf-8;BASE64,{quote(base64.b64encode(content))}",
        f" data:image/png;base64,{base64.encodebytes(content).decode()}",
        f"data:image/png;base64,{base64.urlsafe_b64encode(content).decode().rstrip('=')}",
        f"data:image/png,{quote(content)}",
    ]
    for uri in spellings:
        assert decode_data_uri(uri, limit_bytes=300) == ("image/png", content)
        assert data_size_bytes(uri) == len(content)
        assert shorten_data_uri(uri).lower() == f"data:image/png;… ({len(content)} bytes)"
        if content:
            with pytest.raises(TooLarge):
                decode_data_uri(uri, limit_bytes=len(content) - 1)


@pytest.mark.parametrize(
    "uri", ["data:image/png;base64", "data:image/png;base64,a", "data:;base64,a$$$", "data:,\ud800"]
)
def test_a_data_uri_that_holds_no_content_is_refused_in_words(uri: str) -> None:
    with pytest.raises(ValueError, match=r"no comma|is broken\."):
        decode_data_uri(uri, limit_bytes=1000)


def test_escapes_that_would_take_long_to_decode_are_refused_unread() -> None:
    with pytest.raises(TooLarge):
        decode_data_uri("data:image/svg+xml," + "%" * 2_000_000, limit_bytes=2**30)


def test_shortening_reaches_every_data_uri_and_nothing_else() -> None:
    picture = "data:image/webp;base64," + "A" * 400
    value: JsonValue = {"images": [picture, "https://files.invalid/data:x,y"], "mask": picture, "steps": 4}
    short = "data:image/webp;… (300 bytes)"
    expected = {"images": [short, "https://files.invalid/data:x,y"], "mask": short, "steps": 4}
    assert shorten_data_uris(value) == expected


def test_a_prompt_that_begins_with_the_word_data_is_kept_whole() -> None:
    prompt = "data: a chart of penguins, in blue, very detailed"
    assert not is_data_uri(prompt)
    assert shorten_data_uri(prompt) == prompt


def test_a_data_uri_with_blanks_in_its_head_is_one_too() -> None:
    uri = "data:image/png; name=a photo.png;base64," + "A" * 400
    assert is_data_uri(uri) and shorten_data_uri(uri) == "data:image/png;… (300 bytes)"
    assert not is_data_uri("data: what base64, means")


def test_a_data_uri_without_its_comma_is_cut_too() -> None:
    assert shorten_data_uri("data:" + "A" * 1_000_000) == f"data:{'A' * 55};… (1000005 bytes)"


@given(st.recursive(TEXTS | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner)))
def test_shortening_twice_is_shortening_once(value: JsonValue) -> None:
    assert shorten_data_uris(shorten_data_uris(value)) == shorten_data_uris(value)


def test_what_is_nested_without_end_can_be_written_down() -> None:
    value: JsonValue = "end"
    for _ in range(5000):
        value = [{"inner": value}]
    assert len(json.dumps(shorten_data_uris(value))) < 2000
