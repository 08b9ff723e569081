"""The gallery in a foreign host: the MCP Inspector's web host, in a real browser, on a real server over HTTP."""

import base64
import json
import re
import secrets
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import quote, urlsplit

import pytest
from free_ports import free_port
from gallery_browser import picture
from http_process import HttpProcess, bare_environ
from node_programs import node_command, node_environ
from playwright.sync_api import Browser, Frame, Page

INSPECTOR = "@modelcontextprotocol/inspector/clients/launcher/build/index.js"
HOSTILE = "a red fox <img src=x onerror=\"document.title='hit'\">"
# What the Inspector's own page asks for; nothing of ours.
OF_THE_INSPECTOR = ("fonts.googleapis.com", "fonts.gstatic.com")


@contextmanager
def inspector(folder: Path) -> Generator[tuple[str, str]]:
    """The web host as a process; gives its address and the token that opens it."""
    port, token = free_port(), secrets.token_hex(16)
    variables = {
        "HOST": "127.0.0.1",
        "CLIENT_PORT": str(port),
        "MCP_SANDBOX_PORT": str(free_port()),
        "MCP_AUTO_OPEN_ENABLED": "false",
        "MCP_INSPECTOR_API_TOKEN": token,
    }
    with subprocess.Popen(
        node_command(INSPECTOR, "--web"),
        cwd=folder,
        env=node_environ({**bare_environ(folder), **variables}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout
        wait_for(f":{port}", process.stdout)
        # Its output is read on, so that it never blocks.
        rest = threading.Thread(target=process.stdout.read)
        rest.start()
        try:
            yield f"http://127.0.0.1:{port}/", token
        finally:
            process.terminate()
            process.wait(timeout=20)
            rest.join(timeout=20)


def wait_for(words: str, output: IO[str]) -> None:
    """Return once it has printed `words`."""
    said: list[str] = []
    for line in output:
        said.append(line)
        if words in line:
            return
    pytest.fail(f"the Inspector's web host did not start: {''.join(said)}")


def address(host: str, token: str, server_url: str) -> str:
    """The Inspector's page that connects, opens the gallery of generate_image and calls it."""
    arguments = json.dumps({"prompt": HOSTILE, "count": 4}).encode()
    packed = base64.urlsafe_b64encode(arguments).decode().rstrip("=")
    return (
        f"{host}?serverUrl={quote(server_url, safe='')}&transport=http&autoConnect={token}"
        f"&openApp=generate_image&appArgs={packed}&autoOpen={token}"
    )


def view_in(page: Page) -> Frame:
    return next(frame for frame in page.frames if frame.locator("main[data-outcome]").count())


def test_the_inspectors_web_host_shows_four_pictures_a_hostile_prompt_as_text_and_passes_pictures_both_ways(
    tmp_path: Path, browser: Browser
) -> None:
    window = browser.new_context(viewport={"width": 1400, "height": 1100})
    with HttpProcess(tmp_path) as server, inspector(tmp_path) as (host, token), window:
        page = window.new_page()
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto(address(host, token, server.url))
        page.locator('[data-testid="connection-status"][data-status="connected"]').wait_for(timeout=60_000)
        page.locator('[data-app-status="ready"]').wait_for(timeout=60_000)
        view = view_in(page)
        view.locator("main[data-outcome='succeeded']").wait_for(timeout=60_000)
        pictures = view.locator("#grid img")
        pictures.nth(3).wait_for(timeout=60_000)
        pictures.evaluate_all("images => Promise.all(images.map(image => image.decode()))")
        assert pictures.count() == 4
        assert pictures.evaluate_all("images => images.every(image => image.clientWidth > 0)")
        assert HOSTILE in view.locator("#prompt").inner_text()
        assert view.title() != "hit" and page.title() != "hit"
        view.locator("#file").set_input_files({"name": "cat.png", "mimeType": "image/png", "buffer": picture(40, 30)})
        view.locator("#added li", has_text=re.compile(r"cat\.png is upload:[0-9a-f]{24}")).wait_for(timeout=60_000)
        [kept] = (tmp_path / "data" / "uploads").iterdir()
        assert kept.read_bytes() == picture(40, 30)
        view.locator(".tile").nth(1).click()
        page.on("dialog", lambda question: question.accept())  # the Inspector asks before each download
        with page.expect_download(timeout=60_000) as download:
            view.get_by_role("button", name="Download this image").click()
        assert download.value.path().read_bytes() in {file.read_bytes() for file in (tmp_path / "images").iterdir()}
        hosts = {urlsplit(url).hostname for url in requests if url.startswith("http")}
        assert hosts <= {"127.0.0.1", "localhost", *OF_THE_INSPECTOR}
