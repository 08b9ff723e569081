"""README.md says what the code does: generated sections are current, commands run, quoted errors exist."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import anyio
import pytest
from sandbox_server import sandbox_server

from darkroom_server.sandbox import SandboxOptions

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCED = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]
COMMANDS = [line.removeprefix("uv run ") for line in FENCED if line.startswith("uv run darkroom-mcp")]
INSTALLS = [command for command in COMMANDS if command.startswith("darkroom-mcp install")]
OURS = [command for command in COMMANDS if command not in INSTALLS]
KEY_REFUSED = "refused the key from"


def sections() -> ModuleType:
    """server/deploy/readme_sections.py, which is a script and in no package."""
    spec = spec_from_file_location("readme_sections", ROOT / "server" / "deploy" / "readme_sections.py")
    assert spec and spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_sections_are_what_the_code_gives() -> None:
    assert sections().rendered(README) == README, "run: python server/deploy/readme_sections.py"


def test_the_table_of_a_teams_settings_is_what_the_code_gives() -> None:
    made = sections()
    text = made.TEAMS.read_text(encoding="utf-8")
    assert made.rendered(text, made.TEAM_SECTIONS) == text, "run: python server/deploy/readme_sections.py"


def test_a_lost_section_is_named() -> None:
    with pytest.raises(ValueError, match="no section 'tools'"):
        sections().rendered(README.replace("<!-- tools:begin -->", ""))


def test_the_two_commands_can_be_pasted() -> None:
    assert 'pip install uv && uv run darkroom-mcp generate "a lighthouse at dawn"' in FENCED
    assert "pip install uv && uv run --extra test pytest" in FENCED


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert "\npip install uv && uv run --extra test pytest" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_first_command_makes_a_picture_and_prints_where_it_lies(tmp_path: Path) -> None:
    done = run('darkroom-mcp generate "a lighthouse at dawn"', tmp_path)
    saved = Path(done.stdout.strip())
    assert done.returncode == 0 and saved.is_file() and tmp_path in saved.parents


def test_the_other_commands_of_the_readme_run(tmp_path: Path) -> None:
    assert len(OURS) >= 4
    for command in OURS:
        done = run(command, tmp_path)
        assert done.returncode == 0, (command, done.stderr)
        assert done.stdout.strip(), command


def test_the_install_commands_of_the_readme_run(tmp_path: Path) -> None:
    """That an entry starts is held in test_install_start.py."""
    assert len(INSTALLS) >= 11
    for command in INSTALLS:
        done = run(f"{command} --no-check", tmp_path)
        assert done.returncode == 0, (command, done.stderr)
    assert "r8_your_key" in (tmp_path / ".cursor" / "mcp.json").read_text()


def test_the_number_of_models_is_told_as_it_is() -> None:
    from darkroom.registry import ModelRegistry

    told = f"{len(ModelRegistry.load())} "
    manifest = (ROOT / "manifest.json").read_text(encoding="utf-8")
    assert f"{told}models are described" in README and f"{told}curated models" in manifest


def test_every_prompt_and_resource_that_the_readme_names_exists() -> None:
    from darkroom_server import resources

    [named] = re.findall(r"There are five prompts \((.*?)\)", README, re.DOTALL)
    resource_code = Path(str(resources.__file__)).read_text()
    prompts = tomllib.loads(Path(str(resources.__file__)).with_name("prompts.toml").read_text(encoding="utf-8"))
    assert [prompt["title"].lower() for prompt in prompts.values()] == [
        " ".join(each.split()).lower() for each in named.split(", ")
    ]
    assert re.findall(r'resource\(\s*"(\w+)://', resource_code) == [*["prediction"] * 3, *["models"] * 2]


def test_doctor_is_content_with_the_sandbox(tmp_path: Path) -> None:
    assert run("darkroom-mcp doctor", tmp_path).returncode == 0


@pytest.mark.parametrize(
    "words",
    [
        words
        for words in re.findall(r"^### `(.+)`$", README, re.MULTILINE)
        if "ENOENT" not in words and words != KEY_REFUSED
    ],
)
def test_the_errors_quoted_as_headings_exist(words: str) -> None:
    known = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tools").rglob("*.py"))
    known += "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "server").rglob("*.py"))
    joined = re.sub(r'"\s*\n\s*f?"', "", known)
    for part in words.split(": "):
        assert part.removeprefix("DARKROOM_API_KEY ") in joined, part


@pytest.mark.anyio
async def test_a_wrong_key_is_refused_in_the_words_of_its_heading(tmp_path: Path) -> None:
    assert f"### `{KEY_REFUSED}`" in README
    async with sandbox_server(SandboxOptions(key="the-right-one")) as origin:
        wrong = f"DARKROOM_BASE_URL={origin} DARKROOM_API_KEY=wrong"
        done = await anyio.to_thread.run_sync(run, f"{wrong} darkroom-mcp doctor", tmp_path)
    assert done.returncode == 1 and f"{KEY_REFUSED} DARKROOM_API_KEY" in done.stdout


def test_the_example_model_of_the_readme_loads(tmp_path: Path) -> None:
    from darkroom.registry import ImageRequest, ModelRegistry, map_request

    [example] = [block for block in re.findall(r"```toml\n(.*?)```", README, re.DOTALL) if "acme/" in block]
    (tmp_path / "acme--painter.toml").write_text(example, encoding="utf-8")
    registry = ModelRegistry.load(tmp_path)
    mapped = map_request(
        registry.get("acme/painter"), ImageRequest(prompt="x", aspect_ratio="3:2", count=2), draw_seed=lambda: 1
    )
    assert not registry.problems
    assert mapped.input == {"prompt": "x", "aspect_ratio": "3:2", "num_outputs": 2}


def test_every_file_that_the_readme_points_to_exists() -> None:
    linked = re.findall(r'(?:src="|\]\()((?!https?:)[^)"#]+)', README)
    assert linked and all((ROOT / name).exists() for name in linked)


def run(command: str, home: Path) -> subprocess.CompletedProcess[str]:
    """A command of ours as a person types it, in an empty home folder, without any key."""
    scripts = Path(sys.executable).parent
    environ = {"PATH": f"{scripts}{os.pathsep}{os.defpath}", "HOME": str(home), "PYTHONUTF8": "1"}
    shell = shutil.which("sh")
    assert shell
    return subprocess.run([shell, "-c", command], env=environ, capture_output=True, text=True, timeout=60, check=False)
