"""The pages for administrators of a team: what they have one write, ask and run fits the files and the database."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from caddy_server import OLDEST
from pages import Page
from postgres_server import PostgresServer

DEPLOY = Path(__file__).resolve().parent.parent / "server" / "deploy"
OPERATIONS, TENANTS = (Page(f"server/docs/{name}.md") for name in ("teams-operations", "teams-tenants"))


@pytest.fixture
def services() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.team.yaml").read_text(encoding="utf-8"))["services"]


def test_what_one_writes_beside_the_compose_file_is_what_it_asks_for() -> None:
    wanted = set(re.findall(r"\$\{(\w+):\?\}", (DEPLOY / "compose.team.yaml").read_text(encoding="utf-8")))
    assert set(re.findall(r"^ {8}([A-Z_]+)=", OPERATIONS.text, re.MULTILINE)) == wanted


def test_the_roles_of_the_page_are_those_of_the_script() -> None:
    def statements(text: str) -> list[str]:
        found = re.findall(r"^ *((?:CREATE|REVOKE|GRANT) [^;]+);", text, re.MULTILINE)
        return [re.sub(r"PASSWORD \S+", "PASSWORD", each) for each in found]

    script = DEPLOY / "team_roles.sh"
    assert statements(OPERATIONS.text) == statements(script.read_text(encoding="utf-8")) != []
    # Without the right to be run it would be read into the shell of the image, which `set -u` ends.
    assert script.stat().st_mode & 0o111


def test_nothing_begins_before_the_roles_are_there(services: dict[str, Any]) -> None:
    asked = services["database"]["healthcheck"]["test"]
    assert asked[asked.index("-h") + 1] == "127.0.0.1"  # by its socket alone it listens while team_roles.sh runs
    assert services["migrate"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    for name in ("replica", "worker"):
        assert services[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}


def test_the_proxy_is_new_enough_for_its_file(services: dict[str, Any]) -> None:
    [version] = re.findall(r"^caddy:(\d+)\.(\d+)$", services["proxy"]["image"])
    assert tuple(map(int, version)) >= OLDEST[:2]
    oldest = ".".join(map(str, OLDEST))
    assert f"Caddy {oldest} or newer" in OPERATIONS.text
    assert f"Caddy {oldest} or newer" in (DEPLOY / "Caddyfile").read_text(encoding="utf-8")


def test_the_services_that_the_pages_name_exist(services: dict[str, Any]) -> None:
    named = re.findall(r"(?:run --rm|--scale|--no-deps|ps --quiet) (\w+)", OPERATIONS.text)
    assert len(named) >= 6 and set(named) <= set(services)


def test_what_the_runbook_asks_the_database_can_be_asked(postgres: PostgresServer) -> None:
    asked = re.findall(r"`(SELECT [^`]+)`", OPERATIONS.text)
    asked += re.findall(r"^ {4}(SELECT [^;]+);", TENANTS.text, re.MULTILINE)
    assert len(asked) >= 5
    for statement in asked:
        postgres.execute(statement)
