"""Two hosts with a server each, on one journal: a person who stops one call stops nothing that the other waits for."""

import sqlite3
from pathlib import Path

from fault_plan import Plan
from gateway_process import gateway_process
from stdio_host import Host


def ask(host: Host) -> None:
    params = {"name": "generate_image", "arguments": {"prompt": "a fox", "wait_seconds": 30}}
    host.send("tools/call", params, 2)


def joined_count(folder: Path) -> int:
    connection = sqlite3.connect(folder / "data" / "journal.sqlite3")
    try:
        return connection.execute("SELECT count(*) FROM intents WHERE joined_at IS NOT NULL").fetchone()[0]
    finally:
        connection.close()


def test_a_person_who_stops_a_joined_call_leaves_what_another_host_waits_for(tmp_path: Path) -> None:
    with gateway_process(Plan(run_s=600)) as gateway:
        variables = {"DARKROOM_GATEWAY": "replicate", "DARKROOM_BASE_URL": gateway.base_url, "DARKROOM_API_KEY": "r8_x"}
        first, second = Host(tmp_path, **variables), Host(tmp_path, **variables)
        try:
            for host in (first, second):
                host.greet()
            ask(first)
            gateway.until("predictions")
            connection = sqlite3.connect(tmp_path / "data" / "journal.sqlite3")
            connection.execute("UPDATE intents SET called_at = called_at - 5")  # the retry comes 5 s later
            connection.commit()
            connection.close()
            ask(second)
            while not joined_count(tmp_path):
                assert second.is_running
            second.send("notifications/cancelled", {"requestId": 2, "reason": "AbortError: user pressed Esc"})
            second.send("ping", {}, 3)
            while second.receive().get("id") != 3:
                pass
            second.stdin.close()
            second.end()  # what it does about the cancel is done
            gateway.end_all()
            while (message := first.receive()).get("id") != 2:
                pass
            assert message["result"]["content"][0]["text"].startswith("Succeeded")
            assert not gateway.truth().cancels and len(gateway.truth().predictions) == 1
        finally:
            first.close()
            second.close()
