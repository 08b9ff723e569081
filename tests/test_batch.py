"""Many prompts in one command, as a person gives them: from arguments, stdin and files."""

import json
import signal
from pathlib import Path

import pytest
import systems
from command_line import CommandLine, through
from fault_plan import Plan
from gateway_process import gateway_process


@pytest.fixture
def line(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


PROMPTS = b'a red fox\n\n  \n{"prompt": "a boat", "seed": 7, "count": 2, "output_format": "png"}\na red fox\n'


def test_a_batch_draws_each_line_once_and_the_same_command_again_nothing_more(line: CommandLine) -> None:
    first = line.run("generate", "-", stdin=PROMPTS)
    assert first.returncode == 0, first.stderr
    paths = first.stdout.splitlines()
    assert len(set(paths)) == 4 and all(Path(path).is_file() for path in paths)
    assert [Path(path).suffix for path in paths] == [".webp", ".png", ".png", ".webp"]
    assert "3 of 3 prompts done, 4 images saved" in first.stderr
    again = line.run("generate", "-", stdin=PROMPTS)
    assert (again.returncode, again.stdout) == (0, first.stdout)
    assert "3 of them asked before" in again.stderr
    assert line.answer("select count(*) from intents") == 3
    fresh = line.run("generate", "-", "--fresh", stdin=PROMPTS)
    assert fresh.returncode == 0 and not set(fresh.stdout.splitlines()) & set(paths)


def test_a_line_that_is_added_is_all_that_a_repeat_makes(line: CommandLine) -> None:
    file = line.folder / "prompts.txt"
    file.write_text("a fox\na boat\n", encoding="utf-8")
    first = line.run("generate", "@prompts.txt")
    file.write_text("a lighthouse\na fox\na boat\n", encoding="utf-8")
    second = line.run("generate", "@prompts.txt", "--json")
    told = json.loads(second.stdout)
    assert [each["line"] for each in told["lines"]] == [f"prompts.txt, line {row}" for row in (1, 2, 3)]
    assert told["totals"]["made_before"] == 2 and told["totals"]["done"] == 3
    assert [each["images"][0]["path"] for each in told["lines"][1:]] == first.stdout.splitlines()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'a fox\n{"prompt": "a boat", "colour": "red"}\n', "'colour'"),
        (b'a fox\n{"prompt": "a boat", "seed": "ten"}\n', "stdin, line 2: seed"),
        (b'a fox\n{"prompt": "a boat",\n', "stdin, line 2 begins with {"),
        (b'a fox\n{"prompt": "a boat", "model": "flux-schnel"}\n', "flux-schnell"),
        (b'a fox\n{"prompt": "a boat", "count": 11}\n', "count 11"),
        (b'a fox\n{"prompt": "a boat", "request_id": "latest"}\n', "latest"),
        (b'a fox\n{"prompt": "a boat", "max_usd": "much"}\n', "max_usd"),
        (b"\n  \n", "no prompt"),
        (b"\x00\x01\xff\xfe\x00", "no text"),
    ],
)
def test_one_line_that_cannot_be_used_stops_all_before_anything_is_sent(
    line: CommandLine, content: bytes, said: str
) -> None:
    done = line.run("generate", "-", stdin=content)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said.replace("max_usd", "--max-usd") in done.stderr and "Nothing was sent" in done.stderr
    assert "Traceback" not in done.stderr and done.stdout == ""
    assert line.answer("select count(*) from intents") == 0


def test_prompts_as_powershell_writes_them_and_one_that_begins_with_an_at_sign(line: CommandLine) -> None:
    (line.folder / "p.txt").write_bytes("一只狐狸\r\nein Fuchs im Öl\r\n".encode("utf-16"))
    told = json.loads(line.run("generate", "@p.txt", "@@home sweet home", "--dry-run", "--json").stdout)
    prompts = [each["inputs"][0]["prompt"] for each in told["lines"]]
    assert prompts == ["一只狐狸", "ein Fuchs im Öl", "@home sweet home"]


def test_a_prompt_without_quotation_marks_is_not_as_many_pictures_as_it_has_words(line: CommandLine) -> None:
    done = line.run("generate", "a", "red", "fox")
    assert done.returncode == 2 and '"a red fox"' in done.stderr and "Nothing was sent" in done.stderr


def test_a_file_that_is_not_there_is_said_and_not_drawn(line: CommandLine) -> None:
    done = line.run("generate", "@prompts.txt")
    assert done.returncode == 2 and "prompts.txt" in done.stderr and "@@home" in done.stderr


def test_the_bound_of_the_whole_batch_is_checked_and_asked_about_before_the_first_create(line: CommandLine) -> None:
    prompts = b"a fox\na boat\na lighthouse\n"
    with gateway_process(Plan(born_done=1.0)) as gateway:
        real = through(gateway.base_url)
        over = line.run("generate", "-", "--max-usd", "0.008", stdin=prompts, environ=real)
        assert over.returncode == 2, over.stderr
        assert "3 images of 3 prompts cost at most $0.009; --max-usd is $0.008. Nothing was sent." in over.stderr
        day = line.run("generate", "-", stdin=prompts, environ=real | {"DARKROOM_MAX_USD_PER_DAY": "0.007"})
        assert day.returncode == 2 and "DARKROOM_MAX_USD_PER_DAY" in day.stderr
        asked = line.run("generate", "-", stdin=prompts, environ=real | {"DARKROOM_CONFIRM_USD": "0.008"})
        assert asked.returncode == 2 and "--yes" in asked.stderr and "$0.009" in asked.stderr
        assert gateway.truth().creates == 0
        agreed = line.run("generate", "-", "--yes", stdin=prompts, environ=real | {"DARKROOM_CONFIRM_USD": "0.008"})
        assert agreed.returncode == 0, agreed.stderr
        assert "Charged: at most $0.009" in agreed.stderr
        repeated = line.run("generate", "-", "--max-usd", "0.001", stdin=prompts, environ=real)
        assert repeated.returncode == 0 and repeated.stdout == agreed.stdout
        assert gateway.truth().creates == 3


def test_a_refusal_that_would_meet_every_line_ends_the_batch(line: CommandLine) -> None:
    prompts = "".join(f"fox number {number}\n" for number in range(40)).encode()
    with gateway_process(Plan(script=("402",) * 40)) as gateway:
        done = line.run("generate", "-", stdin=prompts, environ=through(gateway.base_url))
        assert done.returncode == 3, done.stderr
        assert "not begun" in done.stderr and "Stopped: " in done.stderr and "again goes on" in done.stderr
        assert gateway.truth().creates <= 8
        gateway.follow(Plan(born_done=1.0))
        again = line.run("generate", "-", stdin=prompts, environ=through(gateway.base_url))
        assert again.returncode == 0 and len(again.stdout.splitlines()) == 40
        assert len(gateway.truth().predictions) == 40


def test_only_what_failed_is_made_anew_where_that_is_wanted(line: CommandLine) -> None:
    ending = b"a fox\nsandbox:oom a boat\n"
    prompts = ending + b"sandbox:slow=600 a lighthouse\n"
    first = line.run("generate", "-", stdin=ending)
    assert first.returncode == 1 and "--retry-failed" in first.stderr, first.stderr
    plain = line.run("generate", "-", "--wait", "0", stdin=prompts)
    assert plain.returncode == 4 and "--retry-failed" in plain.stderr, plain.stderr
    assert plain.stdout == first.stdout and line.answer("select count(*) from intents") == 3
    for attempts in (4, 5):
        again = line.run("generate", "-", "--retry-failed", "--wait", "0", stdin=prompts)
        assert "2 of them asked before" in again.stderr, again.stderr
        assert again.stdout == first.stdout and line.answer("select count(*) from intents") == attempts
        assert line.run("generate", "-", stdin=ending).returncode == 1  # it has failed once more
    joined = line.run("generate", "-", "--wait", "0", stdin=prompts)
    assert "3 of them asked before" in joined.stderr and line.answer("select count(*) from intents") == 5


def test_a_failure_that_was_mended_by_a_retry_counts_no_more(line: CommandLine) -> None:
    prompts = b"a fox\na boat\n"
    with gateway_process(Plan(run_s=600)) as gateway:
        real = through(gateway.base_url)
        begun = json.loads(line.run("generate", "-", "--wait", "0", "--json", stdin=prompts, environ=real).stdout)
        for each in begun["lines"]:
            assert line.run("cancel", each["id"], environ=real).returncode == 0
        assert line.run("generate", "-", stdin=prompts, environ=real).returncode == 1
        gateway.follow(Plan(born_done=1.0))
        retried = line.run("generate", "-", "--retry-failed", stdin=prompts, environ=real)
        assert retried.returncode == 0 and len(retried.stdout.splitlines()) == 2, retried.stderr
        for words in ((), ("--retry-failed",)):
            again = line.run("generate", "-", *words, stdin=prompts, environ=real)
            assert (again.returncode, again.stdout) == (0, retried.stdout)
        assert gateway.truth().creates == 4
    alone = line.run("generate", "a fox", "--retry-failed")
    assert alone.returncode == 2 and "goes with a batch" in alone.stderr


@systems.signals
def test_a_batch_that_was_stopped_goes_on_and_pays_nothing_twice(line: CommandLine) -> None:
    (line.folder / "p.txt").write_text("".join(f"fox number {number}\n" for number in range(6)), encoding="utf-8")
    with gateway_process(Plan(run_s=600)) as gateway:
        with line.begun(line.command(("generate", "@p.txt")), gateway.base_url) as process:
            line.seen_in_the_journal(process, "select count(*) >= 4 from intents where prediction_id is not null")
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=30)
        assert process.returncode == 130 and "again goes on; nothing is paid twice" in said, said
        assert "Traceback" not in said
        gateway.follow(Plan(born_done=1.0))
        running = line.run("generate", "@p.txt", "--wait", "1", environ=through(gateway.base_url))
        assert running.returncode == 4, running.stderr
        assert "2 of 6 prompts done" in running.stderr and "4 not at an end" in running.stderr
        assert len(gateway.truth().predictions) == 6


@systems.signals
def test_a_batch_whose_paths_nobody_reads_any_more_begins_no_further_prompt(line: CommandLine) -> None:
    prompts = "".join(f"fox number {number}\n" for number in range(12))
    (line.folder / "p.txt").write_text(prompts, encoding="utf-8")
    command = line.command(("generate", "@p.txt", "--at-once", "1"))
    with gateway_process(Plan(born_done=1.0, script=("", *["slow"] * 11))) as gateway:
        with line.begun(command, gateway.base_url) as process:
            assert process.stdout and process.stderr and process.stdout.readline()
            process.stdout.close()
            said = process.stderr.read()
            assert process.wait(timeout=30) == 1, said
        assert "Traceback" not in said, said
        assert "its output cannot be written (Broken pipe)" in said and "nothing is paid twice" in said
        begun = gateway.truth().creates
        assert begun < 12
        again = line.run("generate", "@p.txt", environ=through(gateway.base_url))
        assert again.returncode == 0 and len(again.stdout.splitlines()) == 12 == gateway.truth().creates
