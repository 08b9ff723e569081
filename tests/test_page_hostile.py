"""Prompts, models and names of strangers on the page and in the exported file: shown as they are, and doing nothing."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from forking_program import run_darkroom
from hostile_words import HOSTILE_WORDS
from http_process import bare_environ
from page_browser import clipboard, embedded, looking
from page_rooms import Made, PageProcess, fill, stray
from playwright.sync_api import Browser, expect

WORDS = (
    "<img src=x onerror=\"document.title='pwned'\">",
    "</script><script>document.title='pwned'</script><!--",
    "<!-- style --><!-- data --><!-- script -->",
    "</title></style><svg onload=document.title='pwned'>",
    "\"><iframe srcdoc='<script>parent.document.title=1</script>'>",
    "javascript:document.title='pwned'",
    "'; rm -rf ~; echo '",
    "$(touch pwned) `touch pwned` \\",
    "--help",
    "\x1b]52;c;cm0gLXJmIH4K\x07 and a\nnew line\r\n\u202egnp.exe",
    "\ud83d\ude00\u0000 \ufffe",
    "half of a character \ud800",
)
# How many large views there are, up to the first one with more than words.
SHOW_EACH = """async () => {
    const shown = new Set(), about = document.getElementById('about');
    while (document.querySelector('dialog').open && !about.querySelector('script, img, iframe, [onload]')) {
        const place = about.querySelector('.top').textContent;
        if (shown.has(place)) break;
        shown.add(place);
        document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true}));
        await new Promise(requestAnimationFrame);
    }
    return shown.size;
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("hostile")
    words = [text.encode("utf-8", "replace").decode() for text in (*WORDS, *HOSTILE_WORDS)]
    fill(made, [Made(prompt=text, model=text[:100]) for text in words])
    for number, text in enumerate(WORDS):
        told = dict.fromkeys(("prompt", "model", "seed", "gateway", "cost_usd", "created_at"), text)
        stray(made, f"stray-{number}", {**told, "request": {text: text, "options": {text: [text]}}})
    return made


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[PageProcess]:
    with PageProcess(folder) as served:
        yield served


def test_on_the_page_they_are_only_words(browser: Browser, server: PageProcess) -> None:
    with looking(browser, server.url) as seen:
        expect(seen.page.locator("#count")).to_have_text(f"{2 * len(WORDS) + len(HOSTILE_WORDS)} pictures")
        seen.page.locator(".tile").first.click()
        expect(seen.page.get_by_role("dialog")).to_be_visible()
        assert seen.page.evaluate(SHOW_EACH) == 2 * len(WORDS) + len(HOSTILE_WORDS)
        seen.page.keyboard.press("Escape")
        seen.page.get_by_role("button", name="Spending").click()
        seen.page.get_by_role("button", name="All time").click()
        assert seen.page.title() == "darkroom"
        assert seen.problems == []
        assert {url for url in seen.requests if not url.startswith((server.url, "data:"))} == set()


def test_the_copied_command_is_one_for_every_shell(browser: Browser, server: PageProcess) -> None:
    commands = [each["command"] for each in server.pictures() if each["name"].startswith("stray")]
    assert len(commands) == len(WORDS)
    for command in commands:
        words = shlex.split(command)
        assert words[:2] == ["darkroom-mcp", "generate"]
        # No prompt is read as an option, nor as the name of a file of prompts.
        assert (words[-2] == "--" or not words[-1].startswith("-")) and not re.match("@[^@]", words[-1])
        assert command.isprintable() or "\n" not in command and "\x1b" not in command and "\r" not in command
    with looking(browser, server.url) as seen:
        seen.page.locator("#words").fill("rm -rf ~; echo")
        expect(seen.page.locator("#count")).to_contain_text("2 of ")
        seen.page.locator(".tile").last.click()
        seen.page.get_by_role("button", name="Copy command").click()
        expect(seen.page.locator("#voice")).to_have_text("Copied")
        assert shlex.split(clipboard(seen))[-1] == WORDS[6]


def test_in_the_exported_file_they_are_only_words(browser: Browser, folder: Path) -> None:
    target = folder / "pictures of <b>'\" é.html"
    done = run_darkroom(["gallery", "--export", str(target)], bare_environ(folder), folder)
    assert (done.returncode, done.stdout) == (0, f"{target}\n")
    assert str(folder) not in target.read_text(encoding="utf-8")
    with looking(browser, target.as_uri()) as seen:
        count = 2 * len(WORDS) + len(HOSTILE_WORDS)
        expect(seen.page.locator("#count")).to_have_text(f"{count} pictures")
        expect(seen.page.locator(".tile img.is-here").first).to_be_visible()
        seen.page.locator(".tile").first.click()
        expect(seen.page.get_by_role("button", name="Copy prompt")).to_be_visible()
        expect(seen.page.get_by_role("button", name="Show in folder")).to_have_count(0)
        assert seen.violations() == []
        assert seen.page.title() == "darkroom"
        assert seen.problems == []
        assert {url for url in seen.requests if not url.startswith(("data:", target.as_uri()))} == set()
    assert len(embedded(target)["pictures"]) == count


def test_a_file_that_cannot_be_written_is_told(folder: Path) -> None:
    done = run_darkroom(["gallery", "--export", str(folder / "nowhere" / "page.html")], bare_environ(folder), folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "cannot be written (No such file or directory)" in done.stderr
