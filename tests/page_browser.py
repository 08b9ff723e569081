"""The page of `darkroom-mcp gallery` in a real Chromium; nothing is asked of anybody but its own server."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gallery_browser import empty_page, listening, skip_outside_ci
from playwright.sync_api import Browser, Page, expect

OF_COLOURS = ("color-contrast", "link-in-text-block")
AXE = Path(__file__).with_name("node_modules") / "axe-core" / "axe.min.js"


@dataclass
class Seen:
    """One page; `requests` are the URLs asked for, `problems` the console's errors."""

    page: Page
    requests: list[str] = field(default_factory=list[str])
    problems: list[str] = field(default_factory=list[str])

    def violations(self) -> list[Any]:
        """What axe has to complain about in light, and in dark of the colours, since nothing else differs there."""
        if not AXE.is_file():
            skip_outside_ci("axe-core is not here: npm install --prefix tests")
        if not self.page.evaluate("() => 'axe' in window"):
            # Through the debugger, because the page's own policy forbids every script but its own.
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = self._axe()
        self.page.emulate_media(color_scheme="dark")
        found += self._axe(*OF_COLOURS)
        self.page.emulate_media(color_scheme="light")
        return [(entry["id"], [node["html"] for node in entry["nodes"]]) for entry in found]

    def _axe(self, *rules: str) -> list[dict[str, Any]]:
        options = {"resultTypes": ["violations"]} | ({"runOnly": rules} if rules else {})
        return self.page.evaluate("options => axe.run(document, options).then(done => done.violations)", options)

    def texts(self, selector: str) -> list[str]:
        return self.page.locator(selector).all_inner_texts()


@contextmanager
def looking(
    browser: Browser, url: str, *, width_px: int = 1100, cookie: str = "", is_timed: bool = False
) -> Generator[Seen]:
    """The page once it has told how many pictures there are. `cookie` is `name=value`.

    Where it `is_timed`, its clock can be moved.
    """
    # Without its cookie the page of the test before would be refused what it asks, and the console would tell of that.
    stay_at = "" if cookie else url
    with empty_page(browser, width_px=width_px, height_px=800, is_timed=is_timed, stay_at=stay_at) as page:
        if is_timed:
            page.clock.install()
        page.emulate_media(color_scheme="light")
        if cookie:
            name, _, value = cookie.partition("=")
            page.context.add_cookies([{"name": name, "value": value, "url": url}])
        seen = Seen(page)
        with listening(page, seen.problems, seen.requests):
            page.goto(url)
            expect(page.locator("#count")).not_to_be_empty()
            yield seen


def clipboard(seen: Seen) -> str:
    return str(seen.page.evaluate("() => navigator.clipboard.readText()"))


def embedded(path: Path) -> dict[str, Any]:
    """The data in an exported page."""
    text = path.read_text(encoding="utf-8")
    return json.loads(text.split('type="application/json">', 1)[1].split("</script>", 1)[0])
