"""The server behind `darkroom-mcp gallery`: who may ask, what is answered, and what nobody gets."""

import hashlib
import http.client
import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import systems
from page_rooms import Made, PageProcess, fill, stray
from pictures import SVG, opened, picture

SCRIPTED = SVG.replace(b"<rect", b"<script>fetch('http://evil.test')</script><rect")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("page")
    drawing = Made(content=SCRIPTED, mime_type="image/svg+xml", days_ago=1)
    fill(made, [Made(), drawing, Made(days_ago=2, prompt="gone")])[2].unlink()
    stray(made, "stray")
    # A file manager that only notes what it is asked to show.
    program = made / "bin" / "xdg-open"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$#" "$1" > "{made}/opened.part"\nmv "{made}/opened.part" "$0.did"\n'
    )
    program.chmod(0o755)
    return made


@pytest.fixture(scope="module")
def page(folder: Path) -> Iterator[PageProcess]:
    # A gateway that cannot be used: the page needs none.
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    with PageProcess(folder, PATH=path, DARKROOM_GATEWAY="nonsense") as served:
        yield served


def test_the_address_is_on_this_computer_with_a_secret_in_its_path(page: PageProcess) -> None:
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", page.url)
    answer = page.get("")
    assert answer.status_code == 200 and answer.text.startswith("<!doctype html>")


def test_every_answer_keeps_the_secret_from_others(page: PageProcess) -> None:
    answer = page.get("")
    policy = answer.headers["content-security-policy"]
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    for path in ("version", "nothing", "image/nothing"):
        other = page.get(path)
        assert "sandbox" in other.headers["content-security-policy"]
        assert other.headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize(
    "path", ["", "/", "/pictures", "/favicon.ico", "/secret/", "//", "/%2e%2e/", "/\u00e9/version"]
)
def test_without_the_secret_there_is_nothing(page: PageProcess, path: str) -> None:
    answer = page.ask("GET", page.origin + path)
    assert answer.status_code == 404
    assert answer.text == "There is nothing here.\n"


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.test"},
        {"host": "127.0.0.1"},
        {"host": "localhost.evil.test:80"},
        {"origin": "http://evil.test"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site", "sec_fetch_mode": "no-cors", "sec_fetch_dest": "image"},
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "iframe"},
    ],
    ids=str,
)
def test_a_request_of_another_site_gets_nothing(page: PageProcess, headers: dict[str, str]) -> None:
    assert page.get("version", **headers).status_code == 404
    assert page.get("version").status_code == 200


def test_a_second_host_header_gets_nothing(page: PageProcess) -> None:
    address = urlsplit(str(page.url))
    asked = http.client.HTTPConnection(address.netloc, timeout=20)
    asked.putrequest("GET", f"{address.path}version", skip_host=True)
    asked.putheader("Host", "evil.test")
    asked.putheader("Host", address.netloc)
    asked.endheaders()
    assert asked.getresponse().status in (400, 404)
    asked.close()


def test_a_link_from_elsewhere_opens_the_page(page: PageProcess) -> None:
    opening = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    assert page.get("", **opening).status_code == 200


@pytest.mark.parametrize(
    "id",
    [
        "..%2f..%2fdata%2fjournal.sqlite3",
        "../../data/journal.sqlite3",
        "%2e%2e/%2e%2e/etc/passwd",
        "file-../../etc/passwd",
        "/etc/passwd",
        "journal.sqlite3",
        "picture00000",
        "00000000000000000000000000-1",
        "%00",
        "\u202e",
    ],
)
@pytest.mark.parametrize("kind", ["image", "thumbnail"])
def test_no_name_leads_to_another_file(page: PageProcess, kind: str, id: str) -> None:
    address = urlsplit(str(page.url))
    asked = http.client.HTTPConnection(address.netloc, timeout=20)
    asked.request("GET", f"{address.path}{kind}/{id.encode('ascii', 'backslashreplace').decode()}")
    answer = asked.getresponse()
    assert answer.status == 404
    assert len(answer.read()) < 200
    asked.close()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_nothing_but_reveal_can_be_done(page: PageProcess, method: str) -> None:
    assert page.ask(method, f"{page.url}version", origin=page.origin).status_code in (404, 405)


def test_all_pictures_are_told_with_how_they_were_made(page: PageProcess, folder: Path) -> None:
    newest, *_, stranger = page.pictures()
    assert newest["prompt"] == "a lighthouse at dawn" and newest["seed"] == "7"
    assert newest["command"] == "darkroom-mcp generate --like picture00000"
    assert newest["cost"] == "$0.003 (by the gateway's own log)"
    assert newest["location"] == str(folder / "images" / "picture-0.png")
    assert stranger["prompt"] == "the stray stray"
    assert stranger["command"] == "darkroom-mcp generate -m black-forest-labs/flux-schnell --seed 3 'the stray stray'"


def test_pictures_come_in_pieces(page: PageProcess) -> None:
    first = page.get("pictures?limit=2").json()
    rest = page.get(f"pictures?limit=2&after={first['next']}").json()
    assert [len(first["pictures"]), len(rest["pictures"]), rest["next"]] == [2, 1, ""]


@pytest.mark.parametrize("asked", ["limit=x", "limit=-1", "limit=99999999999", "limit=0", "after=%00", "after=nobody"])
def test_odd_pieces_are_no_fault(page: PageProcess, asked: str) -> None:
    assert page.get(f"pictures?{asked}").status_code == 200


def test_images_and_thumbnails_are_pictures(page: PageProcess, folder: Path) -> None:
    pictures = page.pictures()
    whole = page.get(f"image/{pictures[0]['id']}")
    assert whole.headers["content-type"] == "image/png"
    assert whole.content == (folder / "images" / "picture-0.png").read_bytes()
    small = page.get(f"thumbnail/{pictures[-1]['id']}")
    assert opened(small.content).size == (60, 90)


def test_a_drawing_is_sent_as_pixels(page: PageProcess) -> None:
    [drawing] = [each for each in page.pictures() if each["type"] == "SVG"]
    for kind in ("image", "thumbnail"):
        answer = page.get(f"{kind}/{drawing['id']}")
        assert answer.headers["content-type"] in ("image/png", "image/webp", "image/jpeg")
        assert b"script" not in answer.content


def test_a_file_that_is_gone_is_told_in_words(page: PageProcess) -> None:
    [gone] = [each for each in page.pictures() if each["prompt"] == "gone"]
    answer = page.get(f"image/{gone['id']}")
    assert answer.status_code == 404
    assert "it was moved or deleted" in answer.json()["problem"]


def test_reveal_opens_the_folder_and_takes_no_other_site(page: PageProcess, folder: Path) -> None:
    picture_id = page.pictures()[0]["id"]
    address = f"{page.url}reveal/{picture_id}"
    for headers in ({}, {"origin": "http://evil.test"}, {"origin": page.origin, "sec_fetch_site": "cross-site"}):
        assert page.ask("POST", address, **headers).status_code == 404
    assert page.ask("GET", address).status_code in (404, 405)
    assert page.ask("POST", address, origin=page.origin).json() == {"problem": ""}
    assert page.written(folder / "bin" / "xdg-open.did").splitlines() == ["1", str(folder / "images")]


def test_thumbnails_are_kept_for_their_owner_alone(page: PageProcess, folder: Path) -> None:
    first = page.get(f"thumbnail/{page.pictures()[0]['id']}")
    kept = [path for path in (folder / "data" / "thumbnails").glob("*/*") if path.read_bytes() == first.content]
    assert len(kept) == 1
    assert stat.S_IMODE(kept[0].stat().st_mode) == 0o600


def test_a_sidecar_with_the_hash_of_another_image_spoils_no_thumbnail(tmp_path: Path) -> None:
    white, black = (picture("PNG", size=(90, 60), color=color) for color in ("white", "black"))
    fill(tmp_path, [Made(content=white)])
    with PageProcess(tmp_path) as page:
        mine = page.pictures()[0]
        sha256 = hashlib.sha256(white).hexdigest()
        about = {"name": "forged.png", "mime_type": "image/png", "sha256": sha256, "size_bytes": 1}
        stray(tmp_path, "forged", {"file": about}, content=black)
        forged = next(each for each in page.pictures() if each["name"] == "forged.png")
        assert opened(page.get(f"thumbnail/{forged['id']}").content).convert("L").getpixel((5, 5)) == 0
        assert opened(page.get(f"thumbnail/{mine['id']}").content).convert("L").getpixel((5, 5)) == 255


def test_broken_sidecars_harm_nothing(tmp_path: Path) -> None:
    fill(tmp_path, [Made()])
    images = tmp_path / "images"
    odd = {
        "list": "[]",
        "deep": "[" * 100_000,
        "text": "no json",
        "empty": "",
        "nothing": "{}",
        "away": json.dumps({"file": {"name": "../data/journal.sqlite3", "sha256": "a" * 64}}),
        "absolute": json.dumps({"file": {"name": "/etc/passwd", "sha256": "a" * 64}}),
        "missing": json.dumps({"file": {"name": "missing.png", "sha256": "a" * 64}}),
    }
    for name, text in odd.items():
        (images / f"{name}.json").write_text(text)
    (images / "link.json").symlink_to("/etc/passwd")
    (images / "folder.json").mkdir()
    wrong = {"prompt": ["a", {"b": 1}], "seed": 1e400, "model": 7, "created_at": 5, "cost_usd": float("nan")}
    stray(tmp_path, "wrong", {**wrong, "request": [1], "total_s": float("inf")})
    (images / "pointing.png").symlink_to("/etc/passwd")
    (images / "pointing.json").write_text(json.dumps({"file": {"name": "pointing.png", "sha256": "b" * 64}}))
    with PageProcess(tmp_path) as page:
        told = {each["name"]: each for each in page.pictures()}
        assert told.keys() == {"picture-0.png", "wrong.png", "pointing.png"}
        assert page.get(f"image/{told['pointing.png']['id']}").status_code == 404
        assert page.get(f"thumbnail/{told['wrong.png']['id']}").status_code == 200


def test_without_any_picture_the_page_is_there(tmp_path: Path) -> None:
    with PageProcess(tmp_path) as page:
        assert page.pictures() == []
        assert page.get("").status_code == 200


def test_the_version_changes_when_a_picture_comes(tmp_path: Path) -> None:
    fill(tmp_path, [Made()])
    with PageProcess(tmp_path) as page:
        before = page.get("version").json()
        assert page.get("version").json() == before
        fill(tmp_path, [Made(prompt="a second one")], first=1)
        assert page.get("version").json() != before
        assert len(page.pictures()) == 2


def test_a_setting_that_cannot_be_used_is_named_and_the_page_is_there(tmp_path: Path) -> None:
    with PageProcess(tmp_path, DARKROOM_GATEWAY="nonsense") as page:
        assert page.get("").status_code == 200
        code, told = page.interrupt()
    assert code == 0 and "nonsense" in told.splitlines()[0]


@systems.signals
def test_ctrl_c_ends_it_without_a_word_too_many(tmp_path: Path) -> None:
    with PageProcess(tmp_path) as page:
        assert page.get("version").status_code == 200
        assert page.interrupt() == (0, "Ctrl-C ends it.\n")


@systems.linux
def test_the_browser_gets_an_address_that_works_once(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "xdg-open"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nprintf "%s" "$1" > "$0.part"\nmv "$0.part" "$0.did"\n')
    program.chmod(0o755)
    with PageProcess(tmp_path, "--open", PATH=f"{program.parent}{os.pathsep}{os.environ['PATH']}") as page:
        address = page.written(program.with_name("xdg-open.did"))
        assert page.url.rstrip("/").rpartition("/")[2] not in address
        first = page.ask("GET", address)
        assert (first.status_code, page.origin + first.headers["location"]) == (303, page.url)
        assert page.ask("GET", address).status_code == 404
