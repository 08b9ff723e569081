"""The gallery as a file: small, closed, and with a policy that names exactly where images come from."""

import re

from darkroom.gateways import Gateway, load_gateways
from darkroom_server.gallery import GALLERY_URI, gallery_html, image_hosts


def gateway(base_url: str, *output_hosts: str) -> Gateway:
    return Gateway(name="one", title="One", base_url=base_url, output_hosts=output_hosts)


def test_the_gallery_is_one_file_without_anything_from_elsewhere() -> None:
    html = gallery_html()
    assert html.startswith("<!doctype html>")
    assert set(re.findall(r"https?://[^'\"\s)]+", html)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|eval\(|\bsrc=|@import|fetch\(", html)
    assert GALLERY_URI == "ui://darkroom/gallery.html"


def test_the_gallery_stays_small() -> None:
    assert len(gallery_html().encode()) < 44_000


def test_the_policy_lists_data_the_gateway_and_the_hosts_that_images_may_come_from() -> None:
    assert image_hosts(load_gateways()["replicate"]) == ["data:", "https://api.replicate.com", "https:"]
    narrow = gateway("https://gw.example", "cdn.example", "*.cdn.example")
    assert image_hosts(narrow) == ["data:", "https://gw.example", "https://cdn.example", "https://*.cdn.example"]


def test_a_gateway_on_plain_http_adds_no_host_of_its_own() -> None:
    assert image_hosts(gateway("http://127.0.0.1:8000")) == ["data:"]


def test_a_gateway_that_may_answer_from_anywhere_opens_https_only() -> None:
    assert image_hosts(gateway("https://gw.example", "*")) == ["data:", "https://gw.example", "https:"]


def test_each_host_is_listed_once() -> None:
    twice = gateway("https://gw.example/path", "gw.example", "cdn.example", "cdn.example")
    assert image_hosts(twice) == ["data:", "https://gw.example", "https://cdn.example"]
