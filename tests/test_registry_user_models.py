"""Model files of the person's own: added, overriding, and told apart from broken ones."""

from pathlib import Path

import pytest
from mapped import DRAWN_SEED, PHOTO, REGISTRY

from darkroom.registry import ImageRequest, ModelRegistry, map_request

SHORT = """\
name = "acme/painter"

[[inputs]]
name = "prompt"
required = true

[[inputs]]
name = "aspect_ratio"
enum = ["1:1", "3:2"]
default = "1:1"

[[inputs]]
name = "num_outputs"
type = "integer"
min = 1
max = 2

[[inputs]]
name = "input_images"
type = "array"
items = { type = "string", format = "uri" }
max_items = 3
"""


def folder_with(tmp_path: Path, **files: str) -> ModelRegistry:
    for stem, text in files.items():
        (tmp_path / f"{stem}.toml").write_text(text, encoding="utf-8")
    return ModelRegistry.load(tmp_path)


def problem_of(tmp_path: Path, text: str) -> str:
    registry = folder_with(tmp_path, broken=text, good=SHORT)
    assert registry.find("acme/painter") is not None
    (problem,) = registry.problems
    return problem


def test_a_name_and_inputs_are_enough_for_a_model_of_ones_own(tmp_path: Path) -> None:
    registry = folder_with(tmp_path, mine=SHORT)
    model = registry.get("painter")
    assert (model.title, model.provider, model.tier, model.run_by) == ("painter", "acme", "extended", "model")
    assert model.tasks == ("text_to_image", "image_edit")
    assert registry.problems == ()
    assert registry.names() == tuple(sorted([*REGISTRY.names(), model.name]))


def test_the_usual_input_names_carry_the_usual_concepts(tmp_path: Path) -> None:
    model = folder_with(tmp_path, mine=SHORT).get("acme/painter")
    request = ImageRequest(prompt="x", aspect_ratio="16:9", count=2, images=(PHOTO, PHOTO))
    sent = map_request(model, request, draw_seed=lambda: DRAWN_SEED)
    assert sent.input == {"prompt": "x", "aspect_ratio": "3:2", "num_outputs": 2, "input_images": [PHOTO, PHOTO]}
    assert sent.file_fields == ("input_images",)


def test_a_stated_concept_map_is_taken_as_it_is(tmp_path: Path) -> None:
    text = SHORT.replace("[[inputs]]", '[concepts]\nprompt = "prompt"\n\n[[inputs]]', 1)
    model = folder_with(tmp_path, mine=text).get("acme/painter")
    assert model.concepts.aspect_ratio == ""


def test_a_version_makes_it_a_model_run_by_version(tmp_path: Path) -> None:
    model = folder_with(tmp_path, mine=SHORT.replace("\n\n", '\nversion = "abc"\n\n', 1)).get("painter")
    assert (model.run_by, model.version) == ("version", "abc")


def test_a_users_file_overrides_the_model_of_the_same_name(tmp_path: Path) -> None:
    registry = folder_with(tmp_path, mine=SHORT.replace("acme/painter", "black-forest-labs/flux-schnell"))
    assert registry.get("flux-schnell").max_count == 2
    assert registry.names() == REGISTRY.names()


def test_a_models_folder_that_is_missing_is_a_problem_in_words(tmp_path: Path) -> None:
    registry = ModelRegistry.load(tmp_path / "nowhere")
    assert registry.problems == (f"The models folder '{tmp_path / 'nowhere'}' does not exist.",)
    assert registry.names() == REGISTRY.names()


def test_broken_toml_is_named_by_file_line_and_field_and_the_others_load(tmp_path: Path) -> None:
    problem = problem_of(tmp_path, SHORT.replace('default = "1:1"', "default = 1:1"))
    assert problem.startswith(f"Model file '{tmp_path / 'broken.toml'}', line 10, field 'default': ")


def test_a_file_that_breaks_off_is_named_by_its_last_line(tmp_path: Path) -> None:
    problem = problem_of(tmp_path, SHORT + "enum = [")
    assert f"line {len(SHORT.splitlines()) + 1}, field 'enum'" in problem


@pytest.mark.parametrize(
    ("wrong", "right", "line", "field"),
    [
        ('"acme/other"\ntier = "best"', '"acme/painter"', 2, "tier"),
        ('type = "whole"', 'type = "integer"', 14, "inputs[2].type"),
        ("max_item = 3", "max_items = 3", 22, "inputs[3].max_item"),
        ('format = "uri", kind = 1', 'format = "uri"', 21, "inputs[3].items.kind"),
        ('default = "2:1"', 'default = "1:1"', 10, "inputs[1].default"),
        ("min = 5", "min = 1", 15, "inputs[2].min"),
        ('name = "prompt"\nenum_complete = "perhaps"', 'name = "aspect_ratio"', 9, "inputs[1].enum_complete"),
    ],
)
def test_a_wrong_field_is_named_with_its_line(tmp_path: Path, wrong: str, right: str, line: int, field: str) -> None:
    problem = problem_of(tmp_path, SHORT.replace(right, wrong, 1))
    assert f"broken.toml', line {line}, field '{field}': " in problem


def test_a_missing_name_is_named_as_a_field_of_the_first_line(tmp_path: Path) -> None:
    assert "line 1, field 'name': Field required" in problem_of(tmp_path, SHORT.partition("\n")[2])


def test_an_input_without_a_name_is_named_by_the_line_of_its_table(tmp_path: Path) -> None:
    problem = problem_of(tmp_path, SHORT.replace('name = "num_outputs"\n', ""))
    assert "line 12, field 'inputs[2].name'" in problem


def test_an_input_that_is_there_twice_is_a_problem(tmp_path: Path) -> None:
    problem = problem_of(tmp_path, SHORT.replace('"num_outputs"', '"prompt"'))
    assert "line 13, field 'inputs[2].name': input 'prompt' is there twice" in problem


def test_a_concept_that_points_nowhere_is_a_problem(tmp_path: Path) -> None:
    problem = problem_of(tmp_path, SHORT.replace("\n\n", '\n\n[concepts]\nseed = "noise"\n\n', 1))
    assert "line 4, field 'concepts.seed': 'noise' is not one of the inputs" in problem


def test_two_files_with_the_same_model_are_a_problem_and_the_first_counts(tmp_path: Path) -> None:
    registry = folder_with(tmp_path, a=SHORT, b=SHORT.replace("max = 2", "max = 3"))
    assert registry.get("painter").max_count == 2
    assert "b.toml" in registry.problems[0]


def test_a_file_that_is_no_text_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "picture.toml").write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in ModelRegistry.load(tmp_path).problems[0]
