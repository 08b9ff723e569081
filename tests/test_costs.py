"""Money as an assistant and a person meet it: the sandbox plays a paid gateway, clients and terminals are real."""

import json
import os
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import anyio
import httpx
import pytest
import systems
from anyio import to_thread
from forking_program import darkroom_command, run_darkroom
from mcp import Client
from mcp.types import CallToolResult, TextContent
from PIL import Image
from sandbox_server import sandbox_server

from darkroom.settings import Settings
from darkroom_server.app import create_server

pytestmark = pytest.mark.anyio

SCHNELL = "black-forest-labs/flux-schnell"


def settings_of(folder: Path, origin: str, **changes: str) -> dict[str, str]:
    return {
        "DARKROOM_GATEWAY": "replicate",
        "DARKROOM_BASE_URL": origin,
        "DARKROOM_API_KEY": "r8_nobody",
        "DARKROOM_DATA_DIR": str(folder / "data"),
        "DARKROOM_OUTPUT_DIR": str(folder / "pictures"),
        **{f"DARKROOM_{name.upper()}": value for name, value in changes.items()},
    }


@asynccontextmanager
async def client_of(folder: Path, **changes: str) -> AsyncGenerator[tuple[Client, str]]:
    with anyio.fail_after(60):
        async with sandbox_server() as origin:
            server = create_server(Settings.read(settings_of(folder, origin, **changes)))
            async with Client(server) as client:
                yield client, origin


async def generate(client: Client, **arguments: Any) -> tuple[str, dict[str, Any]]:
    result = await client.call_tool("generate_image", {"prompt": "a lighthouse", "model": SCHNELL, **arguments})
    return text_of(result), cast("dict[str, Any]", (result.meta or {})["darkroom/report"])


def text_of(result: CallToolResult) -> str:
    assert isinstance(result.content[0], TextContent)
    return result.content[0].text


async def creates(origin: str) -> int:
    async with httpx.AsyncClient() as http:
        return len((await http.get(f"{origin}/v1/predictions")).json()["results"])


# The receipt


async def test_what_it_cost_is_computed_from_the_gateways_figures_and_kept_everywhere(tmp_path: Path) -> None:
    async with client_of(tmp_path, max_usd_per_day="0.6") as (client, _):
        text, report = await generate(client, count=2)
    line = "Charged: about $0.006 (computed from the gateway's figures); $0.594 of $0.60 is left today."
    assert line in text.splitlines()
    assert report["charged"] == {"verdict": "yes", "usd": 0.006, "basis": "computed"}
    assert report["predictions"][0]["cost_usd"] == 0.006
    sidecars = [json.loads(path.read_text()) for path in (tmp_path / "pictures").glob("*.json")]
    assert [(each["cost_usd"], each["cost_basis"]) for each in sidecars] == [(0.006, "computed")] * 2
    history = await run(tmp_path, "history", "--json")
    assert json.loads(history.stdout)["predictions"][0]["charged"]["usd"] == 0.006


async def test_a_partial_success_costs_what_was_made(tmp_path: Path) -> None:
    async with client_of(tmp_path) as (client, _):
        _, report = await generate(client, prompt="sandbox:partial a lighthouse", count=4)
    made = len(report["images"])
    assert 0 < made < 4
    assert report["charged"] == {"verdict": "yes", "usd": round(0.003 * made, 6), "basis": "computed"}


async def test_a_failed_run_gives_its_reservation_back(tmp_path: Path) -> None:
    async with client_of(tmp_path, max_usd_per_day="0.004") as (client, _):
        text, report = await generate(client, prompt="sandbox:oom a lighthouse")
        assert report["charged"]["verdict"] == "no" and "Charged: nothing (Replicate states" in text
        text, _ = await generate(client)
        assert text.startswith("Succeeded")


async def test_input_images_and_megapixels_are_in_the_bound_and_in_the_receipt(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.new("RGB", (1500, 1500), "teal").save(pictures / "large.png")
    arguments = {"model": "black-forest-labs/flux-2-pro", "images": [str(pictures / "large.png")]}
    async with client_of(tmp_path, input_dirs=str(pictures)) as (client, _):
        _, planned = await generate(client, **arguments, dry_run=True)
        _, made = await generate(client, **arguments)
    assert planned["price_usd"] == pytest.approx(0.015 + 3 * 0.015 + 0.015)
    assert made["charged"]["basis"] == "computed" and made["charged"]["usd"] <= planned["price_usd"]


async def test_a_refusal_charges_nothing_and_says_so(tmp_path: Path) -> None:
    async with client_of(tmp_path) as (client, _):
        for arguments in ({"count": 3, "width": 7}, {"model": "nobody"}, {"prompt": "sandbox:402 a lighthouse"}):
            text, report = await generate(client, **arguments)
            assert report["charged"] == {"verdict": "no", "usd": 0.0, "basis": "none"}
            assert "Charged: nothing." in text.splitlines()


async def test_what_still_runs_is_charged_at_most_its_bound(tmp_path: Path) -> None:
    async with client_of(tmp_path) as (client, _):
        text, report = await generate(client, prompt="sandbox:slow=50 a lighthouse", wait_seconds=0)
        assert report["charged"] == {"verdict": "at_most", "usd": 0.003, "basis": "estimated"}
        assert "Charged: at most $0.003 (by the price list; it still runs)." in text.splitlines()


# Before paying


async def test_a_dry_run_shows_everything_and_sends_and_writes_nothing(tmp_path: Path) -> None:
    async with client_of(tmp_path, max_usd_per_day="0.6") as (client, origin):
        text, report = await generate(client, model="", count=4, dry_run=True, request_id="wish")
        assert await creates(origin) == 0
        found = await client.call_tool("get_prediction", {"id": "latest"})
    assert text.startswith(f"Dry run: nothing was sent. 4 images by {SCHNELL} (the usual one for this, of known price)")
    assert '"prompt": "a lighthouse"' in text and "Price: at most $0.012." in text
    assert "Charged: nothing; $0.60 of $0.60 is left today." in text.splitlines()
    assert report["inputs"][0]["num_outputs"] == 4 and report["charged"]["verdict"] == "no"
    assert "There is no prediction yet" in text_of(found)


async def test_a_dry_run_of_what_a_limit_refuses_says_so(tmp_path: Path) -> None:
    async with client_of(tmp_path, max_usd_per_call="0.01") as (client, _):
        text, report = await generate(client, count=4, dry_run=True)
    assert report["outcome"] == "invalid"
    assert "4 images cost at most $0.012; the user's limit for a call is $0.01" in text and "at most 3." in text


async def test_max_usd_refuses_before_anything_is_sent_and_says_how_many_fit(tmp_path: Path) -> None:
    async with client_of(tmp_path) as (client, origin):
        text, report = await generate(client, count=10, max_usd=0.02)
        assert "10 images cost at most $0.03; max_usd is $0.02: at most 6. Nothing was sent." in text
        assert report["outcome"] == "invalid" and await creates(origin) == 0
        text, _ = await generate(client, count=6, max_usd=0.02)
        assert text.startswith("Succeeded") and await creates(origin) == 2


async def test_max_usd_holds_for_a_repeat_that_would_send(tmp_path: Path) -> None:
    async with client_of(tmp_path) as (client, origin):
        text, _ = await generate(client, prompt="sandbox:402 a lighthouse", request_id="wish")
        assert text.startswith("Refused") and await creates(origin) == 0
        text, _ = await generate(client, prompt="sandbox:402 a lighthouse", request_id="wish", max_usd=0.001)
        assert "max_usd is $0.001: not even one" in text


async def test_an_unknown_price_is_refused_under_max_usd(tmp_path: Path) -> None:
    async with client_of(tmp_path) as (client, origin):
        text, _ = await generate(client, model="attic/ink-pro", max_usd=1)
        assert "price of this model is unknown" in text and await creates(origin) == 0


async def test_the_automatic_choice_under_a_limit_is_of_known_price_and_is_told(tmp_path: Path) -> None:
    default = {"default_model": "tencentarc/gfpgan-of-nobody"}
    async with client_of(tmp_path, max_usd_per_day="0.6", **default) as (client, _):
        text, report = await generate(client, model="")
    assert report["model"] == SCHNELL
    assert f"Note: no model was named; '{SCHNELL}' was taken: the usual one for this, of known price." in text


async def test_list_models_marks_what_the_limit_refuses_and_shows_what_is_left(tmp_path: Path) -> None:
    async with client_of(tmp_path, max_usd_per_day="0.1") as (client, _):
        await generate(client)
        result = await client.call_tool("list_models", {"limit": 100})
    assert "The user's limits: $0.097 of $0.10 is left today." in text_of(result)
    rows = {line.partition(" |")[0]: line for line in text_of(result).splitlines()}
    assert "over the limit with its defaults" in rows["google/nano-banana-pro"]
    assert "over the limit" not in rows[SCHNELL]
    assert any("| unknown: refused while a limit is set" in row for row in rows.values())


async def test_a_price_that_was_read_long_ago_is_called_stale(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    price = '[price]\ndate = "2024-05"\nsource = "a list"\nconfidence = "second-hand"\n'
    tier = '[[price.tiers]]\nmetric = "image_output_count"\nusd = 0.01\n'
    (models / "old.toml").write_text(f'name = "ada/old"\n[[inputs]]\nname = "prompt"\n{price}{tier}')
    async with client_of(tmp_path, models_dir=str(models)) as (client, _):
        text, _ = await generate(client, model="ada/old", dry_run=True)
        found = await client.call_tool("list_models", {"model": "ada/old"})
    assert "Note: the price of 'ada/old' is stale: read 2024-05." in text.splitlines()
    assert "$0.01 an image (second-hand 2024-05, stale: it may have changed)" in text_of(found)


# The command line


async def run(folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("DARKROOM_")}
    own = {"DARKROOM_DATA_DIR": str(folder / "data"), "DARKROOM_OUTPUT_DIR": str(folder / "pictures")}
    return await to_thread.run_sync(
        lambda: run_darkroom(words, {**kept, **own, "HOME": str(folder), **environ}, folder)
    )


async def test_a_dry_run_on_the_command_line_prints_the_plan(tmp_path: Path) -> None:
    done = await run(tmp_path, "generate", "a fox", "--dry-run")
    assert done.returncode == 0 and done.stdout.startswith("Dry run: nothing was sent."), done.stderr


@pytest.mark.parametrize(("words", "is_made"), [((), False), (("--yes",), True)])
async def test_without_a_terminal_a_costly_call_needs_yes(
    tmp_path: Path, words: tuple[str, ...], is_made: bool
) -> None:
    async with sandbox_server() as origin:
        environ = settings_of(tmp_path, origin, confirm_usd="0.001")
        done = await run(tmp_path, "generate", "a fox", *words, **environ)
        assert (done.returncode == 0) is is_made, done.stderr
        assert await creates(origin) == int(is_made)
    assert is_made or "--yes" in done.stderr


@systems.terminals
@pytest.mark.parametrize(("answer", "is_made"), [("y", True), ("n", False), ("", False)])
async def test_in_a_terminal_the_person_is_asked(tmp_path: Path, answer: str, is_made: bool) -> None:
    async with sandbox_server() as origin:
        environ = os.environ | settings_of(tmp_path, origin, confirm_usd="0.001") | {"HOME": str(tmp_path)}
        code, screen = await to_thread.run_sync(
            lambda: _typed(darkroom_command(environ, "generate", "a fox"), environ, answer)
        )
        assert (code == 0) is is_made, screen
        assert f"Make 1 image by {SCHNELL} for at most $0.003? [y/N]" in " ".join(screen.split())
        assert await creates(origin) == int(is_made)


def _typed(command: list[str], environ: dict[str, str], answer: str) -> tuple[int, str]:
    """Run a command in a terminal, type one line, and give its exit code and what it showed."""
    import pty

    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ, close_fds=True) as process:
        os.close(theirs)
        os.write(ours, f"{answer}\n".encode())
        shown = bytearray()
        try:
            while piece := os.read(ours, 4096):
                shown += piece
        except OSError:  # the other end is closed
            pass
        code = process.wait(timeout=60)
    os.close(ours)
    return code, shown.decode(errors="replace")
