"""Looking back from the command line: filters, sums, a picture that tells how it was made."""

import csv
import io
import json
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import systems
from command_line import CommandLine, through
from fault_plan import Plan
from gateway_process import gateway_process
from jsonschema import Draft202012Validator
from pydantic import JsonValue

from darkroom_server.cli.schema import Command, schema_of
from darkroom_server.shell_commands import command_for


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """With four predictions: two foxes, a boat that failed, and a formula."""
    line = CommandLine(tmp_path_factory.mktemp("history"))
    prompts = (
        b'a red fox in snow\n{"prompt": "ein Fuchs im \xc3\x96l, red", "model": "google/imagen-4"}\n'
        b"sandbox:nsfw a boat\n=1+1\n"
    )
    made = line.run("generate", "-", stdin=prompts)
    assert made.returncode == 1 and len(made.stdout.splitlines()) == 3, made.stderr
    return line


@pytest.fixture
def copy(line: CommandLine, tmp_path: Path) -> CommandLine:
    """The same in a folder of its own."""
    return CommandLine(shutil.copytree(line.folder, tmp_path / "copy"))


def prompts(line: CommandLine, *words: str) -> set[str]:
    done = line.run("history", "--json", *words)
    assert done.returncode == 0, done.stderr
    return {each["prompt"] for each in json.loads(done.stdout)["predictions"]}


FOX, OIL, BOAT, FORMULA = "a red fox in snow", "ein Fuchs im Öl, red", "sandbox:nsfw a boat", "=1+1"


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--find", "red"), {FOX, OIL}),
        (("--find", "ÖL red"), {OIL}),
        (("--find", "snow fox"), {FOX}),
        (("--find", "=1+1"), {FORMULA}),
        (("--find", "prompt"), set[str]()),
        (("--model", "IMAGEN"), {OIL}),
        (("--model", "%"), set[str]()),
        (("--status", "failed"), {BOAT}),
        (("--status", "succeeded", "--find", "fox"), {FOX}),
        (("--since", "today"), {FOX, OIL, BOAT, FORMULA}),
        (("--since", "1h", "--status", "failed"), {BOAT}),
        (("--since", "9999-01-01"), set[str]()),
    ],
)
def test_history_finds_what_fits_all_of_it(line: CommandLine, words: tuple[str, ...], found: set[str]) -> None:
    assert prompts(line, *words) == found


@pytest.mark.parametrize("words", [("--since", "soon"), ("--since", "2026-13-01"), ("--status", "happy")])
def test_a_filter_that_means_nothing_is_refused_with_what_is_allowed(line: CommandLine, words: tuple[str, ...]) -> None:
    done = line.run("history", *words)
    assert done.returncode == 2 and "Allowed" in done.stderr and "Traceback" not in done.stderr


def test_history_stands_in_columns_with_paths_and_sums(line: CommandLine) -> None:
    told = line.run("history", "--find", "fox").stdout.splitlines()
    assert told[0].split() == ["time", "status", "cost", "images", "model", "prompt", "path", "id"]
    start = told[0].index("prompt")
    assert told[1][start:].startswith(FOX) and ".webp" in told[1]
    assert told[-1] == "1 of 1 prediction found; charged nothing."


def test_csv_is_read_back_whole_and_holds_no_formula(line: CommandLine) -> None:
    rows = list(csv.DictReader(io.StringIO(line.run("history", "--csv").stdout)))
    assert {row["prompt"] for row in rows} == {"'" + FORMULA, BOAT, OIL, FOX}
    assert all(Path(row["paths"]).is_file() for row in rows if row["prompt"] == FOX)


def test_money_of_what_was_found_is_summed_up(tmp_path: Path) -> None:
    line = CommandLine(tmp_path)
    with gateway_process(Plan(born_done=1.0)) as gateway:
        real = through(gateway.base_url)
        line.run("generate", "-", stdin=b"a fox\na second fox\na boat\n", environ=real)
        found = line.run("history", "--find", "fox", "-n", "1", environ=real)
    assert "1 of 2 predictions found; charged at most $0.006 for 2 whose cost is not settled." in found.stdout


def test_a_picture_tells_how_it_was_made_wherever_it_lies(line: CommandLine) -> None:
    (told,) = json.loads(line.run("history", "--json", "--find", "snow").stdout)["predictions"]
    copy = line.folder / "renamed.webp"
    shutil.copy(told["paths"][0], copy)
    for file in (told["paths"][0], str(copy)):
        shown = line.run("show", file)
        assert (shown.returncode, shown.stdout.strip()) == (0, told["paths"][0]), shown.stderr
        assert f"Prompt: {FOX}" in shown.stderr and f"seed {told['seed']}" in shown.stderr
    (line.folder / "other.webp").write_bytes(copy.read_bytes() + b"x")
    other = line.run("show", "other.webp")
    assert other.returncode == 2 and "was not made here" in other.stderr


@systems.shell_scripts
def test_the_command_that_is_told_makes_the_same_picture_again(tmp_path: Path) -> None:
    line = CommandLine(tmp_path)
    hard = """it's "here" $HOME; `ls` \\ %s"""
    program = shlex.join(line.command([]))
    made = in_shell(f"{program} generate {shlex.quote(hard)} --seed 7 --format png --option output_quality=90", line)
    again = line.run("show", made).stderr.rpartition("Again: ")[2].strip()
    done = in_shell(again.replace("darkroom-mcp", program, 1), line)
    assert done != made
    is_same = Path(done).read_bytes() == Path(made).read_bytes()
    assert is_same


def in_shell(script: str, line: CommandLine) -> str:
    """What it prints."""
    done = subprocess.run(
        ["sh", "-c", script], env=line.environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_prompt_that_looks_like_an_option_or_a_file_stays_a_prompt(tmp_path: Path) -> None:
    line = CommandLine(tmp_path)
    for prompt in ("--help me", "@home"):
        words = shlex.split(command_for({"prompt": prompt}))[1:]
        told = json.loads(line.run(*words[:1], "--dry-run", "--json", *words[1:]).stdout)
        assert told["inputs"][0]["prompt"] == prompt


def faults(schema: dict[str, Any], told: JsonValue) -> list[str]:
    """What is wrong with it by the schema."""
    validator: Any = Draft202012Validator(schema)
    return [error.message for error in validator.iter_errors(told)]


OUTPUTS: tuple[tuple[Command, tuple[str, ...]], ...] = (
    ("generate", ("generate", "a fox", "--json")),
    ("generate", ("generate", "a fox", "--json", "--dry-run")),
    ("generate", ("generate", "a fox", "--json", "-m", "no-such-model")),
    ("generate", ("generate", "a fox in snow", "a boat on sea", "--json", "-o", "{index}-{id}.png")),
    ("generate", ("generate", "a fox in snow", "a boat on sea", "--json", "--dry-run")),
    ("show", ("show", "latest", "--json")),
    ("show", ("show", "today", "--json")),
    ("cancel", ("cancel", "latest", "--json")),
    ("history", ("history", "--json")),
    ("history", ("history", "--json", "--find", "fox")),
    ("models", ("models", "logo", "--json")),
    ("models", ("models", "flux-schnell", "--json")),
)


@pytest.mark.parametrize(("command", "words"), OUTPUTS)
def test_json_is_as_its_published_schema_says(copy: CommandLine, command: Command, words: tuple[str, ...]) -> None:
    line = copy  # some of the commands add to it
    assert not faults(schema_of(command), json.loads(line.run(*words).stdout))


def test_the_schema_is_printed_and_refuses_something_else(line: CommandLine) -> None:
    printed = json.loads(line.run("schema", "history").stdout)
    assert printed == schema_of("history")
    assert faults(printed, {"predictions": [{"id": 1}], "totals": {}})


def test_a_shell_completes_commands_and_models(tmp_path: Path) -> None:
    line = CommandLine(tmp_path)

    def offered(typed: str, place: int) -> str:
        asked = {"_DARKROOM_MCP_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(place)}
        return line.run(environ=asked).stdout

    assert "generate" in offered("darkroom-mcp gen", 1)
    assert "flux-schnell" in offered("darkroom-mcp generate -m flux-sch", 3).split()
    assert "black-forest-labs/flux-schnell" in offered("darkroom-mcp history --model black-f", 3).split()


def test_models_stand_in_columns_and_the_exit_codes_in_the_help(line: CommandLine) -> None:
    told = line.run("models", "logo", "-n", "3").stdout.splitlines()
    assert any(row.split()[:1] == ["model"] and "USD an image" in row for row in told)
    assert " | " not in "".join(told)
    assert "Exit codes" in line.run("--help").stdout
