"""The command line as a person meets it: a process of its own, the embedded sandbox behind it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import systems
from command_line import CommandLine
from fault_plan import Plan
from forking_program import DARKROOM
from PIL import Image

from darkroom_server import __version__


@pytest.fixture
def line(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


def test_generate_prints_the_path_of_a_picture_and_nothing_else_on_stdout(line: CommandLine) -> None:
    done = line.run("generate", "a lighthouse at dawn")
    assert done.returncode == 0, done.stderr
    (path,) = done.stdout.splitlines()
    with Image.open(path) as picture:
        assert picture.width > 0
    assert "Succeeded" in done.stderr
    assert "sandbox" in done.stderr


def test_generate_takes_every_argument_of_the_tool(line: CommandLine) -> None:
    done = line.run(
        *("generate", "two boats", "--model", "black-forest-labs/flux-schnell", "--aspect-ratio", "16:9"),
        *("--count", "2", "--seed", "7", "--format", "png", "--option", "go_fast=false", "--request-id", "boats-1"),
        *("--output-dir", "elsewhere", "--wait", "60", "--json"),
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["request_id"] == "boats-1"
    assert report["seed"] == 7
    paths = [Path(image["path"]) for image in report["images"]]
    assert len(paths) == 2
    assert all(path.parent == line.folder / "elsewhere" and path.suffix == ".png" for path in paths)


def test_the_same_request_id_makes_no_second_picture(line: CommandLine) -> None:
    first, second = (line.run("generate", "a fox", "--request-id", "fox") for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0)
    assert first.stdout == second.stdout


def test_a_picture_that_the_person_names_may_be_read_wherever_it_lies(line: CommandLine) -> None:
    Image.new("RGB", (64, 64), "teal").save(line.folder / "teal.png")
    done = line.run("generate", "make it night", "--image", "teal.png")
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("generate", "a fox", "--model", "flux-schnel"), "flux-schnell"),
        (("generate", "a fox", "--aspect-ratio", "wide"), "aspect_ratio"),
        (("generate", "a fox", "--option", "steps"), "name=value"),
        (("generate", "a fox", "--option", "no_such_input=1"), "no_such_input"),
        (("generate", "a fox", "--colour", "red"), "--colour"),
        (("generate",), "prompt"),
        (("show", "?"), "no prediction id"),
        (("models", "--task", "no-such-task"), "no-such-task"),
        (("models", "black-forest-labs/flux-schnel"), "flux-schnell"),
        (("sandbox", "--profile", "nowhere"), "nowhere"),
    ],
)
def test_bad_input_ends_with_2(line: CommandLine, words: tuple[str, ...], said: str) -> None:
    done = line.run(*words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_setting_ends_with_2_and_names_the_variable(line: CommandLine) -> None:
    done = line.run("generate", "a fox", environ={"DARKROOM_MAX_USD_PER_DAY": "lots"})
    assert done.returncode == 2
    assert "DARKROOM_MAX_USD_PER_DAY" in done.stderr


def test_a_failed_prediction_ends_with_1(line: CommandLine) -> None:
    done = line.run("generate", "sandbox:nsfw a fox")
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout == ""


def test_a_gateway_that_cannot_be_reached_ends_with_3(line: CommandLine) -> None:
    nobody = {"DARKROOM_GATEWAY": "custom", "DARKROOM_BASE_URL": "http://127.0.0.1:9", "DARKROOM_API_KEY": "k" * 20}
    done = line.run("show", "abcdefgh12345678", environ=nobody)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_prediction_that_still_runs_ends_with_4_and_can_be_picked_up_and_cancelled(line: CommandLine) -> None:
    started = line.run("generate", "sandbox:slow=50 a fox", "--wait", "0", "--json")
    assert started.returncode == 4, started.stderr
    name = json.loads(started.stdout)["id"]
    assert line.run("show", name).returncode == 4
    cancelled = line.run("cancel", name, "--json")
    assert cancelled.returncode == 0, cancelled.stderr
    assert json.loads(cancelled.stdout)["status"] == "canceled"


def test_a_running_prediction_comes_with_the_command_that_picks_it_up(line: CommandLine) -> None:
    done = line.run("generate", "sandbox:slow=50 a fox", "--wait", "0")
    assert "darkroom-mcp show" in done.stderr
    assert done.stdout == ""


def test_what_was_never_sent_is_not_said_to_go_on_at_the_gateway(line: CommandLine) -> None:
    line.run("generate", "sandbox:429=100 a fox", "--wait", "0")
    done = line.run("generate", "a boat", "--wait", "0")
    assert done.returncode == 4 and "nothing sent yet" in done.stderr and "darkroom-mcp show" in done.stderr
    assert "goes on with it" not in done.stderr


def test_show_latest_finds_the_saved_picture_again(line: CommandLine) -> None:
    made = line.run("generate", "a fox")
    shown = line.run("show", "latest")
    assert (shown.returncode, shown.stdout) == (0, made.stdout)


def test_history_lists_what_was_made_and_sums_it_up(line: CommandLine) -> None:
    made = json.loads(line.run("generate", "a very red fox", "--json").stdout)
    told = line.run("history")
    assert told.returncode == 0, told.stderr
    assert made["id"] in told.stdout
    assert "a very red fox" in told.stdout
    assert "1 prediction, 1 image saved" in told.stdout
    listed = json.loads(line.run("history", "--json").stdout)
    assert listed["predictions"][0]["paths"] == [made["images"][0]["path"]]
    assert listed["totals"]["stored_count"] == 1


def test_models_searches_and_describes(line: CommandLine) -> None:
    assert "black-forest-labs/flux-schnell" in line.run("models", "flux", "--limit", "60").stdout
    card = line.run("models", "flux-schnell").stdout
    assert "--aspect-ratio (" in card and "darkroom-mcp generate -m black-forest-labs/flux-schnell" in card
    assert json.loads(line.run("models", "flux", "--json").stdout)["models"]


def test_models_words_its_hint_for_a_terminal(line: CommandLine) -> None:
    told = line.run("models", "text in image").stdout
    hint = told.splitlines()[-1]
    assert "list_models" not in told and "darkroom-mcp models " in hint
    assert line.run(*hint.partition("darkroom-mcp ")[2].rstrip(".").split()).returncode == 0


def test_nothing_is_created_where_no_image_could_be_saved(line: CommandLine) -> None:
    (line.folder / "file").write_text("not a folder")
    blocked = {"DARKROOM_OUTPUT_DIR": str(line.folder / "file" / "x")}
    done = line.run("generate", "a lighthouse", environ=blocked)
    assert done.returncode != 0 and done.stdout == ""
    assert "DARKROOM_OUTPUT_DIR" in done.stderr and "Nothing was sent" in done.stderr
    assert "0 predictions" in line.run("history", environ=blocked).stdout


@pytest.mark.parametrize("command", [("generate", "a fox"), ("show", "latest"), ("cancel", "latest")])
@pytest.mark.parametrize("wrong", [{"DARKROOM_GATEWAY": "nobody"}, {"DARKROOM_DATA_DIR": "/proc/none"}])
def test_json_is_printed_too_where_the_settings_are_wrong(
    line: CommandLine, command: tuple[str, ...], wrong: dict[str, str]
) -> None:
    done = line.run(*command, "--json", environ=wrong)
    told = json.loads(done.stdout)
    assert (done.returncode, told["outcome"], told["charged"]["verdict"]) == (2, "refused", "no")
    assert next(iter(wrong.values())) in told["error"]["message"] and done.stderr == ""


def test_doctor_says_that_the_sandbox_is_in_use_and_how_to_leave_it(line: CommandLine) -> None:
    done = line.run("doctor")
    assert done.returncode == 0, done.stdout
    assert "REPLICATE_API_TOKEN" in done.stdout
    assert str(line.folder / "data") in done.stdout


def test_doctor_names_the_variable_of_the_key_and_masks_the_key(line: CommandLine) -> None:
    key = "canary-0123456789-canary"
    away = {"DARKROOM_GATEWAY": "custom", "DARKROOM_BASE_URL": "http://127.0.0.1:9", "DARKROOM_API_KEY": key}
    done = line.run("doctor", environ=away)
    assert done.returncode == 1
    assert "DARKROOM_API_KEY" in done.stdout
    assert "!!  Answer" in done.stdout
    assert key not in done.stdout + done.stderr


def test_doctor_reports_a_wrong_setting_and_a_folder_that_cannot_be_written(line: CommandLine) -> None:
    (line.folder / "file").write_text("not a folder")
    done = line.run("doctor", environ={"DARKROOM_WAIT_SECONDS": "x", "DARKROOM_OUTPUT_DIR": str(line.folder / "file")})
    assert done.returncode == 1
    assert "!!  Settings: DARKROOM_WAIT_SECONDS" in done.stdout
    assert "!!  Images" in done.stdout


def test_a_data_folder_that_cannot_be_written_is_said_in_words(line: CommandLine) -> None:
    (line.folder / "file").write_text("not a folder")
    blocked = {"DARKROOM_DATA_DIR": str(line.folder / "file" / "data")}
    done = line.run("generate", "a lighthouse", environ=blocked)
    assert done.returncode == 2
    assert "DARKROOM_DATA_DIR" in done.stderr and "Traceback" not in done.stderr
    checked = line.run("doctor", environ=blocked)
    assert checked.returncode == 1 and not checked.stderr
    assert "!!  Answer: The data folder" in checked.stdout and "!!  Journal" in checked.stdout


@pytest.mark.parametrize(("words", "code"), [(("history",), 0), (("generate", "a fox"), 0), (("doctor",), 1)])
def test_a_journal_that_was_set_aside_is_told_by_the_command_that_found_it(
    line: CommandLine, words: tuple[str, ...], code: int
) -> None:
    (line.folder / "data").mkdir()
    (line.folder / "data" / "journal.sqlite3").write_bytes(b"no journal at all" * 100)
    done = line.run(*words)
    assert done.returncode == code, done.stdout + done.stderr
    assert "journal.sqlite3.corrupt-" in done.stdout + done.stderr
    assert "corrupt-" not in line.run(*words).stderr


@pytest.mark.parametrize("name", ["latest", "  ", "prediction:fox"])
def test_a_request_id_that_could_not_be_found_again_ends_with_2(line: CommandLine, name: str) -> None:
    done = line.run("generate", "a fox", "--request-id", name)
    assert done.returncode == 2 and "Choose another name" in done.stderr


def test_help_names_every_command_and_the_version_is_printed(line: CommandLine) -> None:
    told = line.run("--help").stdout
    assert all(
        word in told for word in ("generate", "show", "history", "cancel", "models", "doctor", "sandbox", "serve")
    )
    assert "darkroom-mcp install CLIENT" in " ".join(told.split())
    assert line.run("--version").stdout.strip() == __version__


def test_without_arguments_and_without_a_terminal_it_serves_and_leaves_at_the_end_of_stdin(line: CommandLine) -> None:
    done = line.run()
    assert (done.returncode, done.stdout) == (0, "")
    assert "Traceback" not in done.stderr


@systems.terminals
def test_a_person_in_a_terminal_gets_a_short_help_without_arguments(line: CommandLine) -> None:
    import pty

    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            line.command(()), env=line.environ, stdin=theirs, capture_output=True, text=True, timeout=60, check=False
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 0
    assert "generate" in done.stdout


_HAS_AN_ID = "select count(*) from intents where prediction_id is not null"


@systems.signals
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_ctrl_c_and_its_like_stop_waiting_and_say_how_to_pick_it_up(line: CommandLine, name: str) -> None:
    """The prediction is in the journal before the signal is sent, so there is an id to be told."""
    number = int(getattr(signal, name))
    code, said = line.stopped(number, Plan(run_s=600), _HAS_AN_ID)
    assert code == 128 + number, said
    assert "darkroom-mcp show" in said
    assert "Traceback" not in said


@systems.signals
def test_ctrl_c_before_the_gateway_has_answered_says_that_it_may_run(line: CommandLine) -> None:
    is_sent = "select count(*) from intents where state = 'sent'"
    code, said = line.stopped(signal.SIGINT, Plan(script=("stall after",), stall_s=600), is_sent)
    assert code == 130, said
    assert "has not answered yet: it may run and be billed" in said and "darkroom-mcp show" in said
    assert "goes on with it" not in said


@systems.signals
def test_a_command_whose_sigint_is_ignored_still_ends_with_sigterm_and_tells_the_id(line: CommandLine) -> None:
    """As a shell starts what it runs in the background."""
    command = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", sys.executable, *DARKROOM, "generate", "a fox"]
    code, said = line.stopped(signal.SIGTERM, Plan(run_s=600), _HAS_AN_ID, command)
    assert code == 143 and "darkroom-mcp show" in said and "Traceback" not in said, said
