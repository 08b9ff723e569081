import json
import re
import tomllib
from pathlib import Path
from typing import Any, cast

import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from PIL import Image

from darkroom.gateways import load_gateways
from darkroom.settings import Settings, described, variable_of
from darkroom_server import __version__

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r'(?:src="|\]\()([^)"\s]+)')
FILLED_IN_BY_HOSTS = re.compile(r"\$\{user_config\.(\w+)\}")


@pytest.fixture
def manifest() -> dict[str, Any]:
    return json.loads((ROOT / "manifest.json").read_text(encoding="utf-8"))


@pytest.fixture
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_manifest_agrees_with_the_package(manifest: dict[str, Any], project: dict[str, Any]) -> None:
    assert (manifest["name"], manifest["version"]) == (project["project"]["name"], __version__)
    assert manifest["compatibility"]["runtimes"]["python"] == project["project"]["requires-python"]
    assert manifest["license"] == project["project"]["license"]


def test_every_question_of_the_bundle_reaches_a_setting(manifest: dict[str, Any]) -> None:
    environ = cast("dict[str, str]", manifest["server"]["mcp_config"]["env"])
    asked = {found[1] for text in environ.values() if (found := FILLED_IN_BY_HOSTS.fullmatch(text))}
    assert asked == set(manifest["user_config"])
    known = {variable_of(name) for name in described()}
    assert {name for name in environ if name.startswith("DARKROOM_")} <= known


def test_the_question_for_the_gateway_names_each_one(manifest: dict[str, Any]) -> None:
    words = f"One of: {', '.join(load_gateways())}. Empty: the sandbox."
    assert manifest["user_config"]["gateway"]["description"] == words


def test_no_question_of_the_bundle_is_required_and_each_has_a_default(manifest: dict[str, Any]) -> None:
    assert all(not each["required"] and "default" in each for each in manifest["user_config"].values())


def test_the_defaults_of_the_bundle_are_settings_without_a_problem(manifest: dict[str, Any]) -> None:
    defaults = {name: each["default"] for name, each in manifest["user_config"].items()}
    environ = {
        name: FILLED_IN_BY_HOSTS.sub(lambda found: defaults[found[1]], text)
        for name, text in manifest["server"]["mcp_config"]["env"].items()
    }
    assert Settings.read_or_problem(environ | {"HOME": "/home/somebody"}).problem is None


def test_the_files_that_the_manifest_names_exist(manifest: dict[str, Any]) -> None:
    assert all((ROOT / name).is_file() for name in (manifest["icon"], manifest["server"]["entry_point"]))


def test_the_icon_is_a_square_of_512_pixels(manifest: dict[str, Any]) -> None:
    with Image.open(ROOT / manifest["icon"]) as icon:
        assert (icon.format, icon.size) == ("PNG", (512, 512))


def test_the_bundle_leaves_out_nothing_that_it_needs() -> None:
    ignored = (ROOT / ".mcpbignore").read_text(encoding="utf-8").split()
    assert not {"uv.lock", "pyproject.toml", "README.md", "LICENSE", "server/", "tools/"} & set(ignored)


def test_the_lock_holds_no_address() -> None:
    assert "://" not in (ROOT / "requirements.lock").read_text(encoding="utf-8")


def test_the_lock_pins_every_dependency_within_its_range(project: dict[str, Any]) -> None:
    pins = _pins((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    for requirement in _requirements(project):
        assert Version(pins[requirement.name.lower()]) in requirement.specifier, requirement


def test_every_pin_of_the_lock_carries_a_hash() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pinned = [number for number, line in enumerate(lines) if not line.startswith(" ")]
    assert all(lines[number + 1].strip().startswith("--hash=sha256:") for number in pinned)


def test_no_lock_with_addresses_is_tracked() -> None:
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    assert {"uv.lock", "package-lock.json"} <= set(ignored)


def test_the_version_is_the_same_everywhere(manifest: dict[str, Any]) -> None:
    plugin = json.loads((ROOT / "server/skill/.claude-plugin/plugin.json").read_text(encoding="utf-8"))
    assert {manifest["version"], plugin["version"]} == {__version__}


def test_the_changelog_begins_with_what_is_next_and_dates_this_version() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert re.fullmatch(rf"{re.escape(__version__)} \(20\d\d-\d\d-\d\d\)", headings[1])


def test_the_readme_on_the_package_index_links_to_the_files_of_its_version(project: dict[str, Any]) -> None:
    """There it stands by itself; the build rewrites what points into the repository."""
    text = before = (ROOT / "README.md").read_text(encoding="utf-8")
    for each in project["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(each["pattern"], each["replacement"], text)
    shown = text.replace("$HFPR_VERSION", __version__)
    assert [link for link in LINK.findall(shown) if not link.startswith(("https://", "#"))] == []
    ours = re.findall(rf"https://[\w.]+/OWNER/darkroom/(?:blob/)?v{re.escape(__version__)}/([^)\"#]+)", shown)
    assert len(ours) == len([link for link in LINK.findall(before) if "://" not in link and link[0] != "#"])
    assert len(ours) > 10 and all((ROOT / name).exists() for name in ours)


def test_a_release_puts_its_owner_into_every_address(project: dict[str, Any]) -> None:
    workflow = (ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8")
    [named] = re.findall(r'sed -i -e "s\|OWNER/darkroom\|[^"]+" (.+)', workflow)
    assert named.split() == ["README.md", "pyproject.toml"]
    assert 's/OWNER/$GITHUB_REPOSITORY_OWNER/g" server/deploy/server.json' in workflow
    assert all("OWNER/darkroom" in address for address in project["project"]["urls"].values())


def test_the_pages_come_with_the_source_and_not_with_the_program(project: dict[str, Any]) -> None:
    built = project["tool"]["hatch"]["build"]["targets"]
    assert {"/server", "/tests", "/CHANGELOG.md"} <= set(built["sdist"]["include"])
    assert not any((ROOT / package / "docs").exists() for package in built["wheel"]["packages"])
    assert "docs/" in (ROOT / ".mcpbignore").read_text(encoding="utf-8").split()


def _requirements(project: dict[str, Any]) -> list[Requirement]:
    table = project["project"]
    listed: list[str] = [*table["dependencies"], *project["dependency-groups"]["dev"]]
    for extra in table["optional-dependencies"].values():
        listed += extra
    return [Requirement(text) for text in listed]


def _pins(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", lock, flags=re.MULTILINE))
