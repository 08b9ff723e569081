"""README.md says what the code does: it is short, its first commands run, and what is generated is current."""

import json
import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import anyio
import pytest
from forking_program import python_command
from pages import PAGES, README, ROOT, Page, bare_environ, run_each
from sandbox_server import sandbox_server

from darkroom_server.install.links import one_click_links
from darkroom_server.sandbox import SandboxOptions

KEY_REFUSED = "refused the key from"
TROUBLE = Page("server/docs/trouble.md")


def sections() -> ModuleType:
    """server/deploy/readme_sections.py, which is a script and in no package."""
    spec = spec_from_file_location("readme_sections", ROOT / "server" / "deploy" / "readme_sections.py")
    assert spec and spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_sections_are_what_the_code_gives() -> None:
    made = sections()
    assert set(made.SECTIONS) <= {page.name for page in PAGES}
    for page in PAGES:
        assert made.rendered(page.name, page.text) == page.text, "run: python server/deploy/readme_sections.py"


def test_a_lost_section_is_named() -> None:
    page = Page("server/docs/tools.md")
    with pytest.raises(ValueError, match="server/docs/tools.md has no section 'tools'"):
        sections().rendered(page.name, page.text.replace("<!-- tools:begin -->", ""))


def test_the_readme_is_read_in_five_minutes() -> None:
    assert len(README.text.splitlines()) <= 200


def test_the_first_screen_says_what_it_is_how_to_install_it_and_what_it_costs() -> None:
    screen = README.text.partition("## Try it")[0]
    assert len(screen.splitlines()) <= 36
    wanted = ("server/assets/conversation.png", "(#install)", "(#what-it-costs)", "(#why-this-one)")
    assert [words for words in wanted if words not in screen] == []
    links = re.findall(r"\[Add to [^]]+\]\(([^)]+)\)", screen)
    assert len(links) == 3 and set(links) <= set(one_click_links().values())


def test_the_comparison_has_six_rows_and_a_cross_for_us_too() -> None:
    table = README.text.partition("## Why this one")[2].partition("## ")[0]
    rows = [line.split("|")[1:-1] for line in table.splitlines() if line.startswith("| ") and "---" not in line][1:]
    assert len(rows) == 6 and {len(row) for row in rows} == {6}
    assert sum("✘" in row[1] for row in rows) >= 2
    assert "As of 20" in table


def test_the_picture_of_the_readme_is_small() -> None:
    from PIL import Image

    path = ROOT / "server/assets/conversation.png"
    with Image.open(path) as picture:
        assert picture.format == "PNG" and picture.width >= 600
    assert path.stat().st_size < 100_000


def test_the_two_commands_can_be_pasted() -> None:
    assert 'pip install uv && uv run darkroom-mcp generate "a lighthouse at dawn"' in README.shell_lines()
    assert "pip install uv && uv run --extra test pytest" in README.shell_lines()


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert "\npip install uv && uv run --extra test pytest" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_first_command_makes_a_picture_and_prints_where_it_lies(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("darkroom-mcp")
    environ = bare_environ() | {"HOME": str(tmp_path)}
    command = python_command(environ, str(program), "generate", "a lighthouse at dawn")
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    saved = Path(done.stdout.strip())
    assert done.returncode == 0 and saved.is_file() and tmp_path in saved.parents


def test_the_number_of_models_is_told_as_it_is() -> None:
    from darkroom.registry import ModelRegistry

    told = f"{len(ModelRegistry.load())} "
    manifest = (ROOT / "manifest.json").read_text(encoding="utf-8")
    assert f"{told}models are described" in Page("server/docs/models.md").text and f"{told}curated models" in manifest


def test_the_size_of_the_tools_is_told_as_it_is() -> None:
    tools = json.loads((ROOT / "tests/snapshots/tools.json").read_text(encoding="utf-8"))
    size_bytes = len(json.dumps(tools, ensure_ascii=False, separators=(",", ":")).encode())
    assert f"ours takes {size_bytes / 1000:.0f}." in README.text


@pytest.mark.parametrize("words", re.findall(r"^### `(.+)`$", TROUBLE.text, re.MULTILINE))
def test_the_messages_in_the_headings_exist(words: str) -> None:
    if words in ("externally-managed-environment", "spawn uvx ENOENT", KEY_REFUSED):
        return  # of pip, of a host, and held below
    known = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tools").rglob("*.py"))
    known += "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "server").rglob("*.py"))
    joined = re.sub(r'"\s*\n\s*f?"', "", known)
    for part in words.split(": "):
        assert part.removeprefix("DARKROOM_API_KEY ") in joined, part


@pytest.mark.anyio
async def test_a_wrong_key_is_refused_in_the_words_of_its_heading(tmp_path: Path) -> None:
    assert f"### `{KEY_REFUSED}`" in TROUBLE.text
    async with sandbox_server(SandboxOptions(key="the-right-one")) as origin:
        given = {"DARKROOM_BASE_URL": origin, "DARKROOM_API_KEY": "wrong"}
        [(code, words)] = await anyio.to_thread.run_sync(lambda: run_each([["doctor"]], tmp_path, environ=given))
    assert code == 1 and f"{KEY_REFUSED} DARKROOM_API_KEY" in words
