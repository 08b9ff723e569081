"""Where pictures go from the command line, and how long it stays for them."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import systems
from command_line import CommandLine, through
from fault_plan import Plan
from forking_program import DARKROOM
from gateway_process import gateway_process
from PIL import Image


@pytest.fixture
def line(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


def test_a_file_gets_the_picture_in_the_format_of_its_ending_and_is_never_overwritten_unasked(
    line: CommandLine,
) -> None:
    made = line.run("generate", "a fox", "-o", "new/fox.png")
    assert made.stdout.splitlines() == [str(line.folder / "new" / "fox.png")]
    with Image.open(made.stdout.strip()) as picture:
        assert picture.format == "PNG"
    before = Path(made.stdout.strip()).read_bytes()
    taken = line.run("generate", "a boat", "-o", "new/fox.png")
    assert taken.returncode == 2 and "Nothing was sent" in taken.stderr and "--force" in taken.stderr
    assert Path(made.stdout.strip()).read_bytes() == before
    assert line.answer("select count(*) from intents") == 1
    assert line.run("generate", "a boat", "-o", "new/fox.png", "--force").returncode == 0
    assert Path(made.stdout.strip()).read_bytes() != before


def test_a_template_names_each_picture_and_a_prompt_leads_nowhere_else(line: CommandLine) -> None:
    prompts = b'../../etc/passwd\n{"prompt": "two boats", "count": 2, "seed": 7}\n'
    done = line.run("generate", "-", "-o", "out/{index:03}-{prompt}-{seed}-{model}.png", stdin=prompts)
    assert done.returncode == 0, done.stderr
    first, *boats = [Path(each) for each in done.stdout.splitlines()]
    assert first.parent == line.folder / "out" and first.name.startswith("001-etc-passwd-")
    assert [each.name for each in boats] == ["002-two-boats-7-flux-schnell.png", "003-two-boats-7-flux-schnell.png"]


@pytest.mark.parametrize("name", ["{where}.png", "{index", "{0}.png", "{index.real}.png", "{prompt:9d}.png"])
def test_a_name_with_an_unknown_field_is_refused_before_anything_is_sent(line: CommandLine, name: str) -> None:
    done = line.run("generate", "a fox", "-o", name)
    assert done.returncode == 2, done.stderr
    assert "{" in done.stderr and "index, seed, model, id, prompt" in done.stderr and "Traceback" not in done.stderr


def test_several_pictures_under_one_name_are_numbered_and_a_folder_takes_them_as_they_are(line: CommandLine) -> None:
    two = line.run("generate", "a fox", "-n", "2", "-o", "fox.png")
    assert [Path(each).name for each in two.stdout.splitlines()] == ["fox-1.png", "fox-2.png"]
    (line.folder / "folder").mkdir()
    assert Path(line.run("generate", "a fox", "-o", "folder").stdout.strip()).parent == line.folder / "folder"


@systems.not_root
def test_a_folder_that_cannot_be_written_is_said_before_anything_is_sent(line: CommandLine) -> None:
    (line.folder / "closed").mkdir(mode=0o500)
    done = line.run("generate", "a fox", "-o", "closed/fox.png")
    assert done.returncode == 2 and "Nothing was sent" in done.stderr


def test_a_file_in_the_way_of_the_folder_is_said_before_anything_is_sent(line: CommandLine) -> None:
    (line.folder / "file").write_text("no folder")
    done = line.run("generate", "a fox", "-o", "file/fox.png")
    assert done.returncode == 2 and "Nothing was sent" in done.stderr and "Traceback" not in done.stderr


@systems.linux
def test_open_hands_the_picture_to_the_viewer_of_the_system(line: CommandLine) -> None:
    viewer = line.folder / "bin" / "xdg-open"
    viewer.parent.mkdir()
    viewer.write_text(f'#!/bin/sh\necho "$@" > {line.folder}/opened\n')
    viewer.chmod(viewer.stat().st_mode | stat.S_IXUSR)
    path = f"{viewer.parent}{os.pathsep}{line.environ['PATH']}"
    done = line.run("generate", "a fox", "--open", environ={"PATH": path})
    assert done.returncode == 0, done.stderr
    process = subprocess.Popen(("sleep", "30"), text=True)  # something to wait on while the viewer writes
    try:
        for _ in range(100):
            if (line.folder / "opened").exists() and (line.folder / "opened").read_text():
                break
            try:
                process.wait(timeout=0.05)
            except subprocess.TimeoutExpired:
                continue
    finally:
        process.kill()
        process.wait()
    assert (line.folder / "opened").read_text().strip() == done.stdout.strip()


def test_two_of_three_pictures_are_no_success_and_both_paths_are_printed(line: CommandLine) -> None:
    done = line.run("generate", "sandbox:partial two foxes", "-n", "3")
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 2 and "Partial: 2 of 3" in done.stderr
    assert line.run("show", "latest").returncode == 1


def test_quiet_prints_paths_alone_and_what_went_wrong(line: CommandLine) -> None:
    fine = line.run("generate", "a fox", "--quiet")
    assert (fine.returncode, fine.stderr) == (0, "") and Path(fine.stdout.strip()).is_file()
    bad = line.run("generate", "sandbox:nsfw a fox", "-q")
    assert bad.returncode == 1 and bad.stderr


def test_the_command_stays_until_the_file_can_be_fetched(line: CommandLine) -> None:
    with gateway_process(Plan(born_done=1.0, files="500")) as gateway:
        with line.begun(line.command(("generate", "a fox")), gateway.base_url) as process:
            line.seen_in_the_journal(process, "select count(*) from images where problem <> ''")
            gateway.follow(Plan(born_done=1.0))
            paths, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
        assert Path(paths.strip()).is_file() and "Nothing fetches it" not in said


def test_a_file_that_cannot_be_fetched_in_time_is_said_with_the_command_that_fetches_it(line: CommandLine) -> None:
    with gateway_process(Plan(born_done=1.0, files="500")) as gateway:
        done = line.run("generate", "a fox", "--wait", "3", environ=through(gateway.base_url))
        assert done.returncode == 4 and "Nothing fetches it until darkroom runs again" in done.stderr
        assert done.stderr.count("WARNING") == 1, done.stderr
        gateway.follow(Plan(born_done=1.0))
        command = done.stderr.rpartition("darkroom-mcp ")[2].split()
        shown = line.run(*command, environ=through(gateway.base_url))
        assert shown.returncode == 0 and Path(shown.stdout.strip()).is_file(), shown.stderr


@systems.linux
def test_the_path_is_printed_where_nothing_can_be_told_beside(line: CommandLine) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        command = line.command(("generate", "a fox"))
        done = subprocess.run(command, env=line.environ, stdout=subprocess.PIPE, stderr=full, text=True)
    assert done.returncode == 0 and Path(done.stdout.strip()).is_file(), done.stdout


@systems.linux
@pytest.mark.parametrize("words", [("generate", "a fox"), ("generate", "a fox", "--json"), ("history",), ("models",)])
def test_an_answer_that_cannot_be_written_is_said_in_words(line: CommandLine, words: tuple[str, ...]) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(line.command(words), env=line.environ, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "The answer cannot be written (No space left on device)" in done.stderr


@systems.shell_scripts
@pytest.mark.parametrize(
    ("words", "code", "out"),
    [(("generate", "a fox"), 0, "a-fox"), (("generate", "-"), 2, ""), (("history",), 0, "time")],
)
def test_streams_that_are_closed_take_everything_and_give_nothing(
    line: CommandLine, words: tuple[str, ...], code: int, out: str
) -> None:
    command = ["sh", "-c", 'exec "$@" 2>&- <&-', "sh", sys.executable, *DARKROOM, *words]
    done = subprocess.run(command, env=line.environ, stdout=subprocess.PIPE, text=True)
    assert done.returncode == code and out in done.stdout
