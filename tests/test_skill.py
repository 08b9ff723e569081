"""The skill and the plugin: they tell of tools and arguments that exist, and land where they are looked for."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from mcp import Client

from darkroom.model_tasks import TASKS
from darkroom.settings import Settings
from darkroom_server import __version__
from darkroom_server.app import create_server
from darkroom_server.cli import main
from darkroom_server.install.entries import REFERRED
from darkroom_server.install.skill import skill_text

pytestmark = pytest.mark.anyio

PLUGIN = Path(__file__).resolve().parent.parent / "server" / "skill"
CALL = re.compile(r"\b(generate_image|get_prediction|list_models)\(([^()]*)\)")
ARGUMENT = re.compile(r"(\w+)=")
# `like` and `previews` come with other changes; once they are there, this mark is to go.
# Words in the same type as arguments, which are none.
OTHER_WORDS = {"uvx", "prediction", "upload", "prompt"}


async def schemas() -> dict[str, dict[str, Any]]:
    async with Client(create_server(Settings.read_or_problem({}))) as client:
        tools = (await client.list_tools()).tools
    return {tool.name: tool.input_schema["properties"] for tool in tools}


async def test_every_call_in_the_skill_is_one_that_the_tools_take() -> None:
    known = await schemas()
    calls = CALL.findall(skill_text())
    assert {name for name, _ in calls} == set(known)
    for name, arguments in calls:
        unknown = set(ARGUMENT.findall(re.sub(r'"[^"]*"', '""', arguments))) - set(known[name])
        assert unknown == set(), f"{name} has no {unknown}"


async def test_every_argument_in_the_skill_exists() -> None:
    known = {argument for each in (await schemas()).values() for argument in each}
    named = set(re.findall(r"`([a-z_]+)(?:=[^`]*)?`", skill_text())) - set(await schemas()) - OTHER_WORDS
    assert named <= known


def test_every_task_in_the_skill_exists() -> None:
    named = set(re.findall(r'task="(\w+)"', skill_text()))
    assert named and named <= set(TASKS)


def test_the_skill_is_as_agent_skills_want_it() -> None:
    _, front, body = skill_text().split("---\n", 2)
    about = yaml.safe_load(front)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", about["name"]) and len(about["name"]) <= 64
    assert 0 < len(about["description"]) <= 1024
    assert len(about["compatibility"]) <= 500
    assert len(skill_text().splitlines()) <= 150 and body.strip()


def test_the_plugin_holds_the_skill_and_starts_the_server_as_install_does() -> None:
    plugin = json.loads((PLUGIN / ".claude-plugin/plugin.json").read_text(encoding="utf-8"))
    market = json.loads((PLUGIN / ".claude-plugin/marketplace.json").read_text(encoding="utf-8"))
    assert plugin["version"] == __version__
    assert [(PLUGIN / folder / "SKILL.md").is_file() for folder in plugin["skills"]] == [True]
    assert [(PLUGIN / each["source"] / ".claude-plugin/plugin.json").is_file() for each in market["plugins"]] == [True]
    assert [each["name"] for each in market["plugins"]] == [plugin["name"]]
    [server] = plugin["mcpServers"].values()
    assert server["args"] == ["darkroom-mcp"]
    assert server["env"] == {name: f"${{{name}:-}}" for name in REFERRED}


# Installing; that what is installed starts is held in test_install_start.py


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for folder in ("home", "project"):
        (tmp_path / folder).mkdir()
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "home"


def test_the_skill_lands_in_the_persons_folder_once(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = home / ".claude/skills/darkroom/SKILL.md"
    assert main(["install", "claude-code", "--skill", "--no-check"]) == 0
    said = capfd.readouterr()
    assert file.read_text(encoding="utf-8") == skill_text()
    assert f"Wrote the skill: {file}" in said.err and said.out.startswith("claude mcp add ")
    assert main(["install", "claude-code", "--skill", "--no-check"]) == 0
    assert f"Already there: {file}" in capfd.readouterr().err
    assert [path.name for path in file.parent.iterdir()] == ["SKILL.md"]


def test_a_project_gets_the_skill_beside_its_entry(home: Path) -> None:
    assert main(["install", "claude-code", "--project", "--skill", "--no-check"]) == 0
    project = home.parent / "project"
    assert (project / ".claude/skills/darkroom/SKILL.md").is_file() and (project / ".mcp.json").is_file()
    assert list(home.iterdir()) == []


def test_a_text_that_the_person_changed_is_kept_beside_it_and_said(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = home / ".claude/skills/darkroom/SKILL.md"
    file.parent.mkdir(parents=True)
    file.write_text("mine", encoding="utf-8")
    assert main(["install", "claude-code", "--skill", "--no-check"]) == 0
    [copy] = file.parent.glob("SKILL.md.bak-*")
    assert copy.read_text(encoding="utf-8") == "mine"
    assert f"There was another text, perhaps changed by you: {copy}" in capfd.readouterr().err
    assert file.read_text(encoding="utf-8") == skill_text()


def test_a_client_without_skills_is_refused_and_nothing_is_written(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["install", "zed", "--skill"]) == 2
    assert "Zed has no folder for skills that is known here" in capfd.readouterr().err
    assert list(home.iterdir()) == []


def test_print_shows_the_skill_and_writes_nothing(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["install", "claude-code", "--skill", "--print"]) == 0
    assert capfd.readouterr().out == skill_text()
    assert list(home.iterdir()) == []
