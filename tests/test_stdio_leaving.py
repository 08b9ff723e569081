"""The stdio server in a process of its own, and every way in which it can be left."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import systems
from fault_plan import Plan
from gateway_process import GatewayProcess, gateway_process
from stdio_host import Host, HostOfAnInterpreter

pytestmark = systems.signals


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayProcess]:
    with gateway_process(Plan(run_s=600)) as gateway:
        yield gateway


@pytest.fixture
def host(request: pytest.FixtureRequest, tmp_path: Path, gateway: GatewayProcess) -> Iterator[Host]:
    """Of an interpreter: each signal, each moment and each stream meets one, and elsewhere the server is a fork."""
    host = getattr(request, "param", HostOfAnInterpreter)(tmp_path, **gateway.settings)
    yield host
    host.close()


def test_the_server_answers_and_leaves_with_0_at_the_end_of_stdin(host: Host) -> None:
    assert host.greet()["result"]["serverInfo"]["name"] == "darkroom"
    host.stdin.close()
    assert host.end() == (0, "")


@pytest.mark.parametrize(
    ("host", "number", "code"),
    [(HostOfAnInterpreter, signal.SIGTERM, 143), (Host, signal.SIGINT, 130)],
    indirect=["host"],
)
def test_a_signal_ends_an_idle_server_without_a_traceback(host: Host, number: int, code: int) -> None:
    host.greet()
    host.process.send_signal(number)
    assert host.end() == (code, "")


@pytest.mark.parametrize(
    ("host", "number", "code"),
    [(Host, signal.SIGTERM, 143), (HostOfAnInterpreter, signal.SIGINT, 130)],
    indirect=["host"],
)
def test_a_signal_in_the_middle_of_a_call_ends_the_server_without_a_traceback(
    host: Host, number: int, code: int
) -> None:
    host.greet()
    host.begin_a_long_call()
    host.process.send_signal(number)
    left, said = host.end()
    assert left == code
    assert "Traceback" not in said


@pytest.mark.parametrize("host", [Host], indirect=True)
def test_a_host_that_closes_stdout_but_not_stdin_is_left_too(host: Host) -> None:
    host.greet()
    host.stdout.close()
    left, said = host.end()
    assert left == 0
    assert "Traceback" not in said


def test_a_host_that_dies_in_the_middle_of_a_call_is_left(host: Host) -> None:
    host.greet()
    host.begin_a_long_call()
    host.stdout.close()
    host.stdin.close()
    left, said = host.end()
    assert left == 0
    assert "Traceback" not in said


def test_a_wrong_setting_does_not_keep_the_server_from_listing_its_tools(tmp_path: Path) -> None:
    host = Host(tmp_path, DARKROOM_MAX_USD_PER_DAY="lots")
    try:
        host.greet()
        host.send("tools/list", {}, 2)
        assert {tool["name"] for tool in host.receive()["result"]["tools"]} >= {"generate_image", "get_prediction"}
        host.send("tools/call", {"name": "generate_image", "arguments": {"prompt": "a fox"}}, 3)
        result = host.receive()["result"]
        assert result["isError"] is True
        assert "DARKROOM_MAX_USD_PER_DAY" in result["content"][0]["text"]
    finally:
        host.close()


def test_a_large_message_passes_the_relay_whole(tmp_path: Path) -> None:
    host = Host(tmp_path)
    try:
        host.greet()
        prompt = "x" * 3_000_000
        host.send("tools/call", {"name": "generate_image", "arguments": {"prompt": prompt}}, 2)
        assert host.receive()["id"] == 2
    finally:
        host.close()
