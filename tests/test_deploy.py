"""The image, compose, the registry entry and the workflows: they agree with the code and are careful."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from darkroom.gateways import load_gateways
from darkroom.settings import described, variable_of
from darkroom.team_settings import described_for_teams
from darkroom_server import __version__
from darkroom_server.cli import main

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "server" / "deploy"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SETTINGS = {variable_of(name) for name in described()}


def workflow_of(path: Path) -> dict[str, Any]:
    # YAML 1.1 reads the key `on` as true.
    return {"on" if key is True else str(key): value for key, value in yaml.safe_load(path.read_text()).items()}


def steps_of(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job.get("steps", [])]


def dockerfile() -> list[str]:
    """The instructions, with continued lines joined."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def instruction(name: str) -> str:
    """What the last one of this name says."""
    return [line.partition(" ")[2] for line in dockerfile() if line.startswith(name + " ")][-1]


@pytest.fixture
def server_json() -> dict[str, Any]:
    return json.loads((DEPLOY / "server.json").read_text(encoding="utf-8"))


@pytest.fixture
def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]["darkroom"]


def test_the_registry_entry_agrees_with_the_package(server_json: dict[str, Any]) -> None:
    manifest = json.loads((ROOT / "manifest.json").read_text(encoding="utf-8"))
    package, bundle = server_json["packages"]
    assert {server_json["version"], package["version"], manifest["version"]} == {__version__}
    assert package["identifier"] == manifest["name"]
    assert server_json["description"] == manifest["description"]
    assert len(server_json["description"]) <= 100
    assert bundle["identifier"].endswith(f"/v{__version__}/darkroom-mcp.mcpb")
    assert re.fullmatch(r"[0-9a-f]{64}", bundle["fileSha256"])


def test_the_readme_proves_to_the_registry_whose_package_it_is(server_json: dict[str, Any]) -> None:
    assert f"<!-- mcp-name: {server_json['name']} -->" in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()


def test_the_registry_entry_names_settings_and_gateways_that_exist(server_json: dict[str, Any]) -> None:
    variables = {each["name"]: each for each in server_json["packages"][0]["environmentVariables"]}
    assert set(variables) <= SETTINGS
    assert variables["DARKROOM_GATEWAY"]["choices"] == list(load_gateways())
    assert [name for name, each in variables.items() if each.get("isSecret")] == ["DARKROOM_API_KEY"]


def test_the_image_runs_as_a_person_without_rights_from_compiled_code() -> None:
    user = next(at for at, line in enumerate(dockerfile()) if line == "USER app")
    stages = [at for at, line in enumerate(dockerfile()) if line.startswith("FROM ")]
    assert len(stages) == 2
    assert stages[-1] < user
    assert any("UV_COMPILE_BYTECODE=1" in line for line in dockerfile()[: stages[-1]])
    assert any("-c requirements.lock" in line for line in dockerfile()[: stages[-1]])


def test_the_image_holds_no_key_and_only_settings_that_exist() -> None:
    named = set(re.findall(r"\b(DARKROOM_\w+)=", " ".join(dockerfile())))
    assert named <= SETTINGS - {"DARKROOM_API_KEY"}


def test_the_image_gets_only_what_the_wheel_is_built_from() -> None:
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert lines[1] == "*"
    assert let_in == {"pyproject.toml", "requirements.lock", "README.md", "LICENSE", "server", "tools"}


def test_the_health_check_asks_the_port_that_is_served() -> None:
    command = json.loads(instruction("CMD"))
    port = command[command.index("--port") + 1]
    assert f"127.0.0.1:{port}/health" in instruction("HEALTHCHECK")
    assert instruction("EXPOSE") == port


def test_the_command_line_knows_the_command_of_the_image() -> None:
    command = json.loads(instruction("CMD"))
    assert json.loads(instruction("ENTRYPOINT")) == ["darkroom-mcp"]
    assert main([*command, "--help"]) == 0
    # Without a name, serving on all addresses is refused.
    assert command[command.index("--allow-host") + 1] == "localhost"


def test_compose_opens_a_port_to_this_computer_only(compose: dict[str, Any]) -> None:
    assert all(port.startswith("127.0.0.1:") for port in compose["ports"])
    assert (ROOT / "server" / "deploy" / compose["build"]["context"]).resolve() == ROOT
    assert (ROOT / compose["build"]["dockerfile"]).is_file()


def test_compose_gives_no_right_that_is_not_needed(compose: dict[str, Any]) -> None:
    assert compose["read_only"] is True
    assert compose["cap_drop"] == ["ALL"]
    assert compose["security_opt"] == ["no-new-privileges:true"]
    assert compose["volumes"] == [f"pictures:{instruction('VOLUME')}"]


def test_compose_hands_on_settings_and_holds_no_value(compose: dict[str, Any]) -> None:
    assert set(compose["environment"]) <= SETTINGS
    assert set(compose["environment"].values()) == {None}


@pytest.fixture
def team() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.team.yaml").read_text(encoding="utf-8"))["services"]


def test_only_the_proxy_of_a_team_can_be_reached(team: dict[str, Any]) -> None:
    assert [name for name, service in team.items() if "ports" in service] == ["proxy"]
    assert "name replica" in (DEPLOY / "Caddyfile").read_text(encoding="utf-8")


def test_the_programs_of_a_team_have_no_right_that_is_not_needed(team: dict[str, Any]) -> None:
    ours = [service for service in team.values() if "build" in service]
    assert len(ours) == 4
    for service in ours:
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert service["security_opt"] == ["no-new-privileges:true"]
        variables = service["environment"]
        assert {name.removeprefix("DARKROOM_").lower() for name in variables} <= {*described(), *described_for_teams()}
    assert "DARKROOM_MIGRATE_URL" not in team["replica"]["environment"] | team["worker"]["environment"]


@pytest.mark.parametrize("name", ["migrate", "replica", "worker"])
def test_the_command_line_knows_the_commands_of_a_team(team: dict[str, Any], name: str) -> None:
    assert main([*team[name]["command"], "--help"]) == 0


def test_the_programs_of_a_team_get_the_time_that_they_take_to_end(team: dict[str, Any]) -> None:
    assert (team["replica"]["stop_grace_period"], team["worker"]["stop_grace_period"]) == ("70s", "30s")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_pinned_to_a_commit_with_its_version(path: Path) -> None:
    used = re.findall(r"uses: *(.+)", path.read_text(encoding="utf-8"))
    pinned = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|\./\.github/workflows/\w+\.yml")
    assert [each for each in used if not pinned.fullmatch(each)] == []


def test_one_action_has_one_commit_everywhere() -> None:
    used = {each for path in WORKFLOWS for each in re.findall(r"uses: *(\S+@\S+)", path.read_text(encoding="utf-8"))}
    names = [each.partition("@")[0] for each in used]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_starts_without_rights_and_each_job_says_what_it_needs(path: Path) -> None:
    workflow = workflow_of(path)
    assert workflow["permissions"] == {}
    assert all("permissions" in job for job in workflow["jobs"].values())
    assert not set(workflow["on"]) & {"pull_request_target", "workflow_run"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_no_script_of_a_workflow_holds_a_value_from_outside(path: Path) -> None:
    assert [step["run"] for step in steps_of(workflow_of(path)) if "${{" in step.get("run", "")] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_checkout_keeps_no_credentials(path: Path) -> None:
    checkouts = [step for step in steps_of(workflow_of(path)) if "actions/checkout" in step.get("uses", "")]
    assert all(step["with"] == {"persist-credentials": False} for step in checkouts)


def test_every_supported_python_is_tested_on_three_systems() -> None:
    matrix = workflow_of(ROOT / ".github" / "workflows" / "test.yml")["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert [system.partition("-")[0] for system in matrix["os"]] == ["ubuntu", "macos", "windows"]


def test_only_the_publishing_jobs_of_a_release_may_write() -> None:
    jobs = workflow_of(ROOT / ".github" / "workflows" / "release.yml")["jobs"]
    writing = {name: set(job["permissions"]) for name, job in jobs.items() if "write" in job["permissions"].values()}
    assert writing == {"publish": {"id-token"}, "release": {"contents", "id-token", "attestations"}}
    assert jobs["publish"]["needs"] == "build"
    assert jobs["build"]["needs"] == "test"


def test_a_release_uploads_what_the_registry_entry_names(server_json: dict[str, Any]) -> None:
    scripts = " ".join(step.get("run", "") for step in steps_of(workflow_of(ROOT / ".github/workflows/release.yml")))
    assert f"release/{server_json['packages'][1]['identifier'].rpartition('/')[2]}" in scripts
