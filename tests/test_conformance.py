"""The MCP conformance suite against the HTTP transport: the generic ones pass, those that need fixtures are listed."""

import re
import subprocess
from pathlib import Path

import pytest
from http_process import HttpProcess
from node_programs import HERE, node_command

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


@pytest.mark.parametrize("era", SUITES)
def test_every_generic_scenario_passes_and_only_the_listed_ones_fail(era: str, tmp_path: Path) -> None:
    entry, *words = SUITES[era]
    command = node_command(entry, "server", *words, "--expected-failures", str(EXPECTED_FAILURES))
    with HttpProcess(tmp_path) as server:
        done = subprocess.run(
            [*command, "--url", server.url],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=180,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    passed = set(re.findall(r"^✓ (\S+): [1-9]\d* passed, 0 failed", done.stdout, re.MULTILINE))
    assert set(REQUIRED[era].split()) - passed == set()
