"""README.md says what the code does: generated sections are current, commands run, quoted errors exist."""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCED = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]
OURS = [line.removeprefix("uv run ") for line in FENCED if line.startswith("uv run darkroom-mcp")]


def sections() -> ModuleType:
    """server/deploy/readme_sections.py, which is a script and in no package."""
    spec = spec_from_file_location("readme_sections", ROOT / "server" / "deploy" / "readme_sections.py")
    assert spec and spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_sections_are_what_the_code_gives() -> None:
    assert sections().rendered(README) == README, "run: python server/deploy/readme_sections.py"


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


def test_doctor_is_content_with_the_sandbox(tmp_path: Path) -> None:
    assert run("darkroom-mcp doctor", tmp_path).returncode == 0


@pytest.mark.parametrize(
    "words", [words for words in re.findall(r"^### `(.+)`$", README, re.MULTILINE) if "ENOENT" not in words]
)
def test_the_errors_quoted_as_headings_exist(words: str) -> None:
    known = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tools").rglob("*.py"))
    known += "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "server").rglob("*.py"))
    joined = re.sub(r'"\s*\n\s*f?"', "", known)
    for part in words.split(": "):
        assert part.removeprefix("DARKROOM_API_KEY ") in joined, part


def test_the_example_model_of_the_readme_loads(tmp_path: Path) -> None:
    from darkroom.registry import ImageRequest, ModelRegistry

    [example] = [block for block in re.findall(r"```toml\n(.*?)```", README, re.DOTALL) if "acme/" in block]
    (tmp_path / "acme--painter.toml").write_text(example, encoding="utf-8")
    registry = ModelRegistry.load(tmp_path)
    mapped = registry.get("acme/painter").input_for(
        ImageRequest(prompt="x", aspect_ratio="3:2", count=2), draw_seed=lambda: 1
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
