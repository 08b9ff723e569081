"""`import darkroom`: what a program gets, in the sandbox."""

import doctest
import inspect
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
import systems
from fault_plan import Plan
from forking_program import python_command
from gateway_process import gateway_process

import darkroom
from darkroom import blocking, errors, room
from darkroom.charges import Verdict
from darkroom.reports import Outcome
from darkroom.settings import described

pytestmark = pytest.mark.usefixtures("empty_home")

ODD: list[dict[str, Any]] = [
    {"model": "no-such-model"},
    {"model": 7},
    {"prompt": None, "count": 0},
    {"count": "a few"},
    {"count": True, "seed": 1.5},
    {"seed": -(10**400)},
    {"width": float("nan"), "height": 512},
    {"images": 3},
    {"images": [object()]},
    {"images": b"no image"},
    {"images": "~/no such file.png"},
    {"mask": ["a.png"]},
    {"model_options": {"steps": object()}},
    {"model_options": ["steps"]},
    {"wait_seconds": -1},
    {"wait_seconds": float("nan")},
    {"wait_seconds": float("inf")},
    {"wait_seconds": "60"},
    {"max_usd": float("nan")},
    {"max_usd": 10**5000},
    {"wait_seconds": 10**5000},
    {"count": 10**5000},
    {"model_options": {"steps": 10**5000}},
    {"max_usd": "1"},
    {"request_id": "latest"},
    {"request_id": 7},
    {"like": "no-such-id"},
    {"images": [None]},
    {"images": b""},
    {"images": [b"\xff" * 20_000_000]},
    {"mask": b"\x89PNG"},
]


def test_a_report_advises_what_a_program_can_do() -> None:
    report = darkroom.generate("sandbox:slow=60 a fox", wait_seconds=0)
    assert report.outcome is Outcome.RUNNING
    assert f"darkroom.get('{report.id}', wait_seconds=" in report.text and "darkroom.get(" in str(report.data["next"])
    with pytest.raises(errors.UnknownModel) as caught:
        darkroom.generate("a fox", model="flux-schnel")
    told = report.text + str(report.data["next"]) + caught.value.message
    assert not re.search(r"get_prediction|generate_image|list_models|the user", told), told


def test_one_line_makes_a_picture_and_says_where_it_lies_and_what_it_cost(empty_home: Path) -> None:
    told: list[str] = []
    report = darkroom.generate("a lighthouse at dawn", on_progress=lambda percent, words: told.append(words))
    assert [path.parent for path in report.paths] == [empty_home / "pictures"] and report.paths[0].is_file()
    assert (report.images[0].width_px, report.images[0].height_px) == (1024, 1024)
    assert report.charged.verdict is Verdict.NO and report.charged.usd == 0.0
    assert report.text.startswith("Succeeded: 1 image") and not report.is_error and told
    assert darkroom.get(report.id).paths == darkroom.get(report.request_id).paths == report.paths


@pytest.mark.anyio
async def test_the_one_line_works_where_a_loop_runs_as_in_a_notebook() -> None:
    report = darkroom.generate("a lighthouse", images=[])
    assert report.outcome is Outcome.SUCCEEDED and report.paths


def test_what_is_still_running_is_found_again_in_the_next_room() -> None:
    with gateway_process(Plan(run_s=600)) as gateway:
        place: Any = {"gateway": "replicate", "base_url": gateway.base_url, "api_key": "r8_nobody"}
        report = darkroom.generate("a lighthouse", wait_seconds=0, **place)
        assert report.outcome is Outcome.RUNNING and not report.paths and not report.is_error
        gateway.end_all()
        assert darkroom.get(report.id, wait_seconds=60, **place).paths


def test_a_failed_prediction_is_a_report_because_it_may_have_cost() -> None:
    report = darkroom.generate("sandbox:oom a lighthouse")
    assert report.is_error and report.outcome is Outcome.FAILED and report.id and not report.paths


def test_a_cancel_is_no_error() -> None:
    report = darkroom.generate("sandbox:slow=60 a lighthouse", wait_seconds=0)
    assert "cancel" in darkroom.cancel(report.id).text


@pytest.mark.anyio
async def test_nothing_odd_is_sent_and_each_is_told_what_is_wrong() -> None:
    async with darkroom.open() as opened:
        for arguments in ODD:
            given: Any = {"prompt": "a lighthouse", **arguments}
            with pytest.raises(errors.InvalidRequest) as told:
                await opened.generate(**given)
            assert len(told.value.message) <= 300, arguments
        misspelt: Any = {"aspect_ration": "1:1"}
        with pytest.raises(TypeError, match="aspect_ration"):
            await opened.generate("a lighthouse", **misspelt)
        assert "no prediction" in (await opened.get("recent")).text.lower()


@pytest.mark.anyio
async def test_pictures_are_given_as_bytes_as_paths_and_as_images_of_a_report() -> None:
    async with darkroom.open() as opened:
        first = await opened.generate("a lighthouse")
        relative = first.paths[0].relative_to(Path.cwd())
        for given in (first.images[0], [relative], str(relative), first.paths[0].read_bytes()):
            assert (await opened.generate("at night", images=given)).paths


@pytest.mark.anyio
async def test_several_calls_run_at_once_in_one_room() -> None:
    made: list[darkroom.PredictionReport] = []
    async with darkroom.open() as opened, anyio.create_task_group() as tasks:

        async def make(number: int) -> None:
            made.append(await opened.generate(f"lighthouse {number}"))

        for number in range(3):
            tasks.start_soon(make, number)
    assert len({path for report in made for path in report.paths}) == 3


@pytest.mark.anyio
async def test_an_error_of_the_program_leaves_the_room_as_it_is_and_a_closed_room_says_so() -> None:
    rooms: list[darkroom.Room] = []
    with pytest.raises(ZeroDivisionError):
        async with darkroom.open() as opened:
            rooms.append(opened)
            _ = 1 / 0
    with pytest.raises(errors.DarkroomClosed, match="closed"):
        await rooms[0].get("latest")


def test_arguments_count_more_than_variables_and_those_more_than_the_file(
    empty_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = empty_home / ".config" / "darkroom" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text('output_dir = "~/of-the-file"\nmax_usd_per_day = -1\n', encoding="utf-8")
    with pytest.raises(errors.SettingsError, match=r"config\.toml"):
        darkroom.generate("a lighthouse")
    monkeypatch.setenv("DARKROOM_MAX_USD_PER_DAY", "many")
    with pytest.raises(errors.SettingsError, match="DARKROOM_MAX_USD_PER_DAY is 'many'"):
        darkroom.generate("a lighthouse")
    wrong: Any = "few"
    with pytest.raises(errors.SettingsError, match="argument max_usd_per_day is 'few'"):
        darkroom.generate("a lighthouse", max_usd_per_day=wrong)
    report = darkroom.generate("a lighthouse", max_usd_per_day=None, output_dir=Path("given"))
    assert report.paths[0].parent == empty_home / "given"


@pytest.mark.anyio
async def test_an_unknown_setting_is_told_the_closest_one() -> None:
    misspelt: Any = {"max_usd_a_day": 3}
    with pytest.raises(errors.SettingsError, match="argument max_usd_a_day .* Closest: max_usd_per_day"):
        async with darkroom.open(**misspelt):
            pass


@pytest.mark.parametrize(
    "given", [{"api_key": b"r8_secret"}, {"proxy": ["a,r8_secret"]}, {"output_dir": 3}, {"input_dirs": ["a", 3]}]
)
def test_a_setting_of_a_wrong_type_is_refused_and_no_key_is_shown(given: Any) -> None:
    with pytest.raises(errors.SettingsError, match=f"argument {next(iter(given))} cannot be of type") as told:
        darkroom.generate("a lighthouse", **given)
    assert "r8_secret" not in str(told.value)


def test_none_is_not_given_and_progress_may_be_async() -> None:
    told: list[float] = []

    async def tell(percent: float, words: str) -> None:
        told.append(percent)

    none: Any = dict.fromkeys(
        ("model", "images", "mask", "aspect_ratio", "like", "wait_seconds", "max_usd", "request_id")
    )
    assert darkroom.generate("a lighthouse", on_progress=tell, **none).paths and told


def test_threads_may_make_pictures_at_once() -> None:
    with ThreadPoolExecutor(3) as threads:
        made = list(threads.map(darkroom.generate, ["one lighthouse", "two lighthouses", "three lighthouses"]))
    assert len({report.paths[0] for report in made}) == 3


def test_the_arguments_are_written_down_alike_in_every_place() -> None:
    made_by = set(inspect.signature(room.Room.generate).parameters) - {"self", "prompt"}
    settings = set(room.SettingArguments.__annotations__)
    assert set(blocking.GenerateArguments.__annotations__) == made_by | settings
    assert not made_by & settings and settings <= set(described())


def test_models_are_found_by_words_and_by_name() -> None:
    found = darkroom.models.search("cheap photo", sort="price", max_usd=0.01, limit=5)
    assert len(found) == 5 and darkroom.models.get("flux-schnell").name == "black-forest-labs/flux-schnell"
    with pytest.raises(errors.UnknownModel, match="flux-schnell"):
        darkroom.models.get("flux-schnel")
    with pytest.raises(errors.InvalidInput, match="task"):
        darkroom.models.search(task="dance")
    with pytest.raises(errors.InvalidInput, match="Unknown sort 'cheapest'. Allowed: best, price, speed"):
        darkroom.models.search(sort=cast("Any", "cheapest"))


def test_the_examples_in_the_docstrings_run() -> None:
    run = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    examples = [
        example
        for thing in (darkroom.generate, darkroom.models.search)
        for example in doctest.DocTestFinder().find(thing, globs={"darkroom": darkroom})
    ]
    assert sum(len(example.examples) for example in examples) == 4
    assert all(run.run(example).failed == 0 for example in examples)


def test_importing_it_loads_nothing_until_something_is_used() -> None:
    script = "import sys, darkroom; print(*sorted({name.split('.')[0] for name in sys.modules}), dir(darkroom))"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert {"pydantic", "anyio", "httpx", "mcp", "PIL", "sqlite3"} & set(answer.stdout.split()) == set()
    assert all(name in answer.stdout for name in (*darkroom.__all__, "open"))


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'generat'"):
        getattr(darkroom, "generat")  # noqa: B009  # the type checker knows that it is not there


@systems.signals
def test_ctrl_c_leaves_and_the_picture_is_found_again_and_paid_once() -> None:
    script = (
        "import darkroom, os, signal\n"
        "stop = lambda percent, words: 'starting' in words and os.kill(os.getpid(), signal.SIGINT)\n"
        "try: darkroom.generate('sandbox:slow=1 a lighthouse', on_progress=stop)\n"
        "except KeyboardInterrupt: print('left')\n"
        "print(len(darkroom.get('latest', wait_seconds=60).paths), darkroom.get('recent').data['found'])\n"
    )
    run = python_command(os.environ, "-c", script)
    answer = subprocess.run(run, capture_output=True, text=True, timeout=120, check=False)
    assert answer.stdout.split() == ["left", "1", "1"], answer.stderr


@pytest.mark.parametrize("page", ["README.md", "server/docs/python.md"])
def test_the_examples_of_the_pages_run(page: str, empty_home: Path) -> None:
    text = (Path(__file__).resolve().parent.parent / page).read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    examples = [example for example in examples if "import darkroom" in example]
    strict = "import warnings; warnings.simplefilter('error')\n"
    runs = [python_command(os.environ, "-c", strict + example) for example in examples]
    if page.endswith("python.md"):
        runs[0] = [sys.executable, "-W", "error", "-c", examples[0]]  # which also has to load all without a warning
    assert runs
    for run in runs:
        done = subprocess.run(run, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0 and done.stdout and not done.stderr, done.stderr
