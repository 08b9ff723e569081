"""The gallery in a real Chromium: a page of ours plays the host, every request is seen, nothing leaves the machine."""

import base64
import io
import os
import shutil
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Error,
    Frame,
    Locator,
    Page,
    Request,
    Route,
    expect,
    sync_playwright,
)

from darkroom.gateways import Gateway
from darkroom_server.gallery import gallery_html, image_hosts

HOST_PAGE = Path(__file__).with_name("gallery_host.html")
HOST_URL = "https://host.test/"
VIEW_URL = "https://view.test/gallery.html"
PICTURES_URL = "https://pictures.delivery.test/"
GATEWAY = Gateway(
    name="test",
    title="Test",
    base_url="https://api.gateway.test",
    output_hosts=("delivery.test", "*.delivery.test"),
)
PROGRAMS = frozenset({HOST_URL, VIEW_URL})
PAINTED = """async () => {
    const images = [...document.querySelectorAll('#grid img')];
    await Promise.all(images.map(image => image.decode()));
    return images.every(image => image.naturalWidth > 0 && image.checkVisibility() && image.clientHeight > 40);
}"""
TIMED = pytest.mark.parametrize("stage", [True], indirect=True, ids=["timed"])
# Chromium hears only the last list of features to be off, so Playwright's own stands here after ours. With those two
# each window loads pages of the browser's for a list below its address bar, which takes 0.9 s of work.
_OFF = (
    "WebUIOmniboxPopup,WebUIOmniboxAimPopup,"
    "AvoidUnnecessaryBeforeUnloadCheckSync,DestroyProfileOnBrowserClose,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,"
    "LensOverlay,MediaRouter,PaintHolding,ThirdPartyStoragePartitioning,AvoidCorsURLLoaderRestartOnRedirect,"
    "TcpPortRandomizationWin,OptimizationHints,NetworkTimeServiceQuerying,AimEnabled,PreconnectToSearch"
)
FLAGS = (
    f"--disable-features={_OFF}",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Every test opens a page and leaves it empty; each would have a process of its own, which takes 0.2 s of work.
    "--disable-site-isolation-trials",
    "--renderer-process-limit=1",
)


def skip_outside_ci(reason: str) -> NoReturn:
    """Nobody must have a browser to work on darkroom, but CI must."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def open_browser() -> Generator[Browser]:
    """A headless Chromium; where there is none the test is skipped, but fails in CI."""
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    # On macOS and Windows a browser is on no PATH; there playwright knows where Chrome stands.
    channel = None if program or sys.platform == "linux" else "chrome"
    if not (program or channel):
        skip_outside_ci(f"none of {', '.join(names)} is here")
    expect.set_options(timeout=20_000)  # a bound for busy machines, not a wait
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, channel=channel, args=[*FLAGS])
        yield browser
        browser.close()


@dataclass
class Stage:
    """One host page with the gallery in a frame; `requests` are the URLs asked for, `problems` the console's words."""

    page: Page
    pictures: dict[str, bytes] = field(default_factory=dict[str, bytes])
    requests: list[str] = field(default_factory=list[str])
    problems: list[str] = field(default_factory=list[str])

    @property
    def view(self) -> Frame:
        return next(frame for frame in self.page.frames if frame.url == VIEW_URL)

    def begin(self, **host: Any) -> None:
        """Load the view; `host` overrides the host's capabilities, context or answers."""
        self.page.evaluate("values => Object.assign(host, values)", host)
        self.page.evaluate("url => host.start(url)", VIEW_URL)
        self.page.wait_for_function("host.of('ui/notifications/initialized').length")

    def notify(self, method: str, params: Mapping[str, Any]) -> None:
        self.page.evaluate("([method, params]) => host.notify(method, params)", [method, params])

    def show(self, result: Mapping[str, Any]) -> None:
        """Hand the view one tool result and wait until it is drawn."""
        self.notify("tool-result", result)
        self.view.locator("main:not([data-outcome=''])").wait_for()

    def heard(self, method: str) -> list[Any]:
        """The params of every message of that method which the host got from the view."""
        return self.page.evaluate("method => host.of(method)", method)

    def calls(self, tool: str) -> list[Any]:
        """The arguments of every call of that tool which the view asked for."""
        return [call["arguments"] for call in self.heard("tools/call") if call["name"] == tool]

    def serve(self, route: Route) -> None:
        url = route.request.url
        self.requests.append(url)
        if url == HOST_URL:
            route.fulfill(content_type="text/html", body=HOST_PAGE.read_text(encoding="utf-8"))
        elif url == VIEW_URL:
            route.fulfill(content_type="text/html", body=gallery_html(), headers={"Content-Security-Policy": policy()})
        elif url in self.pictures:
            # No test is shown the picture that another one had at this address.
            route.fulfill(content_type="image/png", body=self.pictures[url], headers={"Cache-Control": "no-store"})
        else:
            route.abort()


def policy() -> str:
    """What hosts enforce: their restrictive default, opened for the resource domains of the gallery alone."""
    sources = " ".join(image_hosts(GATEWAY))
    return (
        f"default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src {sources}; "
        "connect-src 'none'; frame-src 'none'; object-src 'none'; base-uri 'self'"
    )


@contextmanager
def open_stage(browser: Browser, *, width_px: int = 760, is_timed: bool = False) -> Generator[Stage]:
    """The host page with nothing of an earlier test. Where it `is_timed`, its clock is the test's."""
    with empty_page(browser, width_px=width_px, height_px=900, is_timed=is_timed, stay_at=HOST_URL) as page:
        stage = Stage(page)
        page.route("**/*", stage.serve)
        with listening(page, stage.problems):
            if page.url != HOST_URL:
                page.goto(HOST_URL)
            if is_timed:
                page.clock.install()
            yield stage


@cache
def only_page(browser: Browser, is_timed: bool) -> Page:
    """One page for all tests, as that of a new context takes a second of work; a clock stays, and so has its own."""
    return browser.new_context(locale="en-GB", permissions=["clipboard-read", "clipboard-write"]).new_page()


@contextmanager
def empty_page(
    browser: Browser, *, width_px: int, height_px: int, is_timed: bool = False, stay_at: str = ""
) -> Generator[Page]:
    """The only page, in that size, without cookies and routes; what it shows is left unless it lies at `stay_at`.

    Whoever stays there must not mind what the page of the test before may still ask.
    """
    page = only_page(browser, is_timed)
    if not (stay_at and page.url.startswith(stay_at)):
        page.goto("about:blank")
    page.set_viewport_size({"width": width_px, "height": height_px})
    try:
        yield page
    finally:
        page.unroute_all()
        page.context.clear_cookies()


@contextmanager
def listening(
    page: Page, problems: list[str], requests: list[str] | None = None, referers: list[str] | None = None
) -> Generator[None]:
    """The console's errors are noted, the URLs asked for, and their referers. In the end no view is shown."""

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error":
            problems.append(message.text)

    def fail(error: Error) -> None:
        problems.append(str(error))

    def ask(request: Request) -> None:
        if requests is not None:
            requests.append(request.url)
        if referers is not None:
            referers.append(request.headers.get("referer", ""))

    page.on("console", hear)
    page.on("pageerror", fail)
    page.on("request", ask)
    try:
        yield
    finally:
        if page.url == HOST_URL:
            page.evaluate("host.anew()")
        page.remove_listener("console", hear)
        page.remove_listener("pageerror", fail)
        page.remove_listener("request", ask)


def press(stage: Stage, name: str) -> Locator:
    """Click the button of exactly that name."""
    button = stage.view.get_by_role("button", name=name, exact=True)
    button.click()
    return button


def wait_called(stage: Stage, tool: str, times: int) -> None:
    """Return once the view has called that tool so often."""
    count = "([tool, times]) => host.of('tools/call').filter(call => call.name === tool).length >= times"
    stage.page.wait_for_function(count, arg=[tool, times])


def wait_painted(stage: Stage, count: int) -> None:
    """Return once so many images are in the grid, each with pixels that can be seen."""
    expect(stage.view.locator("#grid img")).to_have_count(count)
    assert stage.view.evaluate(PAINTED)


def picture(width_px: int, height_px: int, color: str = "#7a5") -> bytes:
    """PNG bytes of one plain color."""
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (width_px, height_px), color).save(file, "PNG")
    return file.getvalue()


def image_block(content: bytes, mime_type: str = "image/png") -> dict[str, Any]:
    """A preview as it stands in a tool result."""
    return {"type": "image", "data": base64.b64encode(content).decode(), "mimeType": mime_type}
