"""The MCP conformance suite against the HTTP transport: the generic ones pass, those that need fixtures are listed."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from caddy_server import behind_caddy, needs_caddy
from free_ports import free_port
from http_process import HttpProcess
from issuer_server import open_issuer
from node_programs import HERE, node_command
from postgres_server import PostgresServer
from team_server import Team, open_team

EXPECTED_FAILURES = HERE / "conformance_expected.yml"
SUITES = {
    "2025-11-25": ("@modelcontextprotocol/conformance/dist/index.js", "--suite", "all"),
    "2026-07-28": ("conformance-next/dist/index.js", "--requirements", "2026-07-28"),
}
# Those that look at what every server has. tools-call-simple-text and -error pass only because their tool is unknown.
REQUIRED = {
    "2025-11-25": """server-initialize ping completion-complete tools-list resources-list prompts-list
        server-sse-multiple-streams dns-rebinding-protection""",
    "2026-07-28": """completion-complete tools-list resources-list prompts-list caching http-header-validation
        sep-2164-resource-not-found dns-rebinding-protection server-sse-multiple-streams
        input-required-result-unsupported-methods input-required-result-ignore-extra-params""",
}

# What is tried in one session only; a team's replicas keep none, so that any of them answers any request.
IN_A_SESSION = {"2025-11-25": frozenset({"server-sse-multiple-streams"}), "2026-07-28": frozenset[str]()}


@pytest.mark.parametrize("era", SUITES)
def test_every_generic_scenario_passes_and_only_the_listed_ones_fail(era: str, tmp_path: Path) -> None:
    with HttpProcess(tmp_path) as server:
        conforms(era, server.url, tmp_path)


@pytest.fixture(scope="module")
def team(running_postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    folder = tmp_path_factory.mktemp("team")
    with open_issuer() as issuer, open_team(running_postgres, issuer, folder, has_worker=False) as team:
        yield team


@needs_caddy
@pytest.mark.parametrize("era", SUITES)
def test_it_is_so_with_a_token_at_a_replica_of_a_team(era: str, team: Team, tmp_path: Path) -> None:
    replica, token = int(team.origin.rpartition(":")[2]), team.token("ada")
    with behind_caddy(tmp_path, free_port(), [replica], token) as origin:
        conforms(era, f"{origin}/mcp", tmp_path, but=IN_A_SESSION[era])


def conforms(era: str, url: str, folder: Path, but: frozenset[str] = frozenset()) -> None:
    """All scenarios pass that are not listed, `but` for these."""
    entry, *words = SUITES[era]
    expected = folder / "expected.yml"
    expected.write_text(
        EXPECTED_FAILURES.read_text("utf-8") + "".join(f"  - {each}\n" for each in sorted(but)), "utf-8"
    )
    command = node_command(entry, "server", *words, "--expected-failures", str(expected))
    done = subprocess.run(
        [*command, "--url", url],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    passed = set(re.findall(r"^✓ (\S+): [1-9]\d* passed, 0 failed", done.stdout, re.MULTILINE))
    assert set(REQUIRED[era].split()) - passed == but
