"""Model files of the person's own: added, overriding, and told apart from broken ones."""

import datetime
from pathlib import Path

import pytest
from mapped import DRAWN_SEED, PHOTO, REGISTRY
from pydantic import JsonValue

from darkroom.registry import ImageRequest, ModelRegistry, map_request
from darkroom.reports import Limits
from darkroom.reports.model_card import model_report

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
    request = ImageRequest(prompt="x", aspect_ratio="3:2", count=2, images=(PHOTO, PHOTO))
    sent = map_request(model, request, draw_seed=lambda: DRAWN_SEED)
    assert sent.input == {"prompt": "x", "aspect_ratio": "3:2", "num_outputs": 2, "input_images": [PHOTO, PHOTO]}
    assert sent.file_fields == ("input_images",)


ODD_NAMES = """\
name = "acme/repainter"

[[inputs]]
name = "instruction"
required = true

[[inputs]]
name = "init_image"

[[inputs]]
name = "mask"
format = "uri"
description = "Black areas are repainted, white areas are kept."

[[inputs]]
name = "num_images"
type = "integer"

[[inputs]]
name = "ddim_steps"
type = "integer"

[[inputs]]
name = "image_format"
enum = ["png", "webp"]
"""


def test_inputs_of_a_short_file_are_understood_by_the_rules_for_schemas(tmp_path: Path) -> None:
    model = folder_with(tmp_path, mine=ODD_NAMES).get("repainter")
    assert model.concepts.input_names() == {
        "prompt": "instruction", "count": "num_images", "output_format": "image_format", "steps": "ddim_steps",
        "image": "init_image", "mask": "mask",
    }  # fmt: skip
    assert (model.concepts.mask_polarity, model.tasks) == (
        "black_is_edited",
        ("text_to_image", "inpaint", "image_edit"),
    )


def test_a_mask_of_a_short_file_that_does_not_say_its_colour_stays_unmapped(tmp_path: Path) -> None:
    silent = ODD_NAMES.replace("Black areas are repainted, white areas are kept.", "The mask.")
    model = folder_with(tmp_path, mine=silent).get("repainter")
    assert model.concepts.mask == ""
    card = model_report(model, today=datetime.date(2026, 11, 25), limits=Limits())
    assert "Unclear: mask: mask does not say which colour is edited." in card.text


def test_two_inputs_that_could_be_the_count_are_left_to_the_person(tmp_path: Path) -> None:
    text = ODD_NAMES + '\n[[inputs]]\nname = "num_outputs"\ntype = "integer"\n'
    model = folder_with(tmp_path, mine=text).get("repainter")
    assert model.concepts.count == "" and "several inputs could carry it" in model.unmapped["count"]


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


def with_price(text: str) -> str:
    return f"{SHORT}\n{text}"


PRICED = with_price("""\
[price]
source = "my invoice"
date = "2026-11-01"

[[price.tiers]]
when = { aspect_ratio = "1:1" }
metric = "image_output_count"
usd = 0.02

[[price.tiers]]
when = { aspect_ratio = "3:2", input_images = "any" }
metric = "image_output_count"
usd = 0.03
""")


def test_a_price_of_ones_own_is_a_table_of_tiers(tmp_path: Path) -> None:
    table = folder_with(tmp_path, mine=PRICED).get("painter").price
    assert table is not None
    assert (table.confidence, table.source) == ("user", "my invoice")
    assert [tier.usd for tier in table.tiers] == [0.02, 0.03]


@pytest.mark.parametrize(
    ("wrong", "right", "line", "words"),
    [
        ('{ ratio = "1:1" }', '{ aspect_ratio = "1:1" }', 29, "price.tiers[0].when': 'ratio' is not one of the inputs"),
        ('ratio = "2:1"', 'ratio = "3:2"', 34, "price.tiers[1].when': '2:1' does not fit"),
        ('images = "one"', 'images = "any"', 34, "price.tiers[1].when': input_images is an image"),
        ("usd = -1", "usd = 0.03", 36, "price.tiers[1].usd': Input should be greater"),
        ('date = "2026-11-01"\ncount_input = "n"', 'date = "2026-11-01"', 27, "price.count_input': 'n' is not one of"),
        ('date = "2026-11-01"\noutput_mp_input = "n"', 'date = "2026-11-01"', 27, "output_mp_input': 'n' is not one"),
        ('date = "2026-11-01"\ncount_when = { n = 1 }', 'date = "2026-11-01"', 27, "count_when': 'n' is not one of"),
    ],
)
def test_a_price_that_does_not_fit_the_inputs_is_a_problem(
    tmp_path: Path, wrong: str, right: str, line: int, words: str
) -> None:
    problem = problem_of(tmp_path, PRICED.replace(right, wrong, 1))
    assert f"broken.toml', line {line}, field '" in problem
    assert words in problem


OLD_PRICES = with_price("""\
[[prices]]
usd = 0.02
unit = "image"
when = { aspect_ratio = "1:1" }

[[prices]]
usd = 0.05
condition = "wide"
when = { aspect_ratio = "3:2" }
source = "my invoice"
date = "2026-05-05"
confidence = "documented"
""")


def old_tiers(tmp_path: Path, text: str) -> list[tuple[float, dict[str, JsonValue]]]:
    """Price and condition of the tiers that a file in the form of version 0.1.0 leads to."""
    registry = folder_with(tmp_path, mine=text)
    assert registry.problems == ()
    table = registry.get("painter").price
    assert table is not None
    assert {tier.metric for tier in table.tiers} == {"image_output_count"}
    return [(tier.usd, tier.when) for tier in table.tiers]


def test_the_prices_of_an_older_file_become_tiers(tmp_path: Path) -> None:
    assert old_tiers(tmp_path, OLD_PRICES) == [(0.05, {"aspect_ratio": "3:2"}), (0.02, {"aspect_ratio": "1:1"})]
    table = folder_with(tmp_path, mine=OLD_PRICES).get("painter").price
    assert table is not None
    assert (table.confidence, table.source, table.date) == ("documented", "my invoice", "2026-05-05")


def test_of_two_older_prices_without_a_condition_the_dearest_counts(tmp_path: Path) -> None:
    text = with_price('[[prices]]\nusd = 0.03\n\n[[prices]]\nusd = 0.04\nconfidence = "guessed"\n')
    assert old_tiers(tmp_path, text) == [(0.04, {})]
    table = folder_with(tmp_path, mine=text).get("painter").price
    assert table is not None
    assert table.confidence == "user"
    assert "several prices" in table.doubt


def test_an_older_price_for_all_else_is_left_out_unless_it_is_the_dearest(tmp_path: Path) -> None:
    cheap = "\n[[prices]]\nusd = 0.01\n"
    assert [usd for usd, _ in old_tiers(tmp_path, OLD_PRICES + cheap)] == [0.05, 0.02]
    assert old_tiers(tmp_path, OLD_PRICES + cheap.replace("0.01", "0.09")) == [(0.09, {})]


def test_an_older_condition_that_no_input_can_meet_breaks_no_file(tmp_path: Path) -> None:
    text = with_price('[[prices]]\nusd = 0.03\nwhen = { resolution = "1K", aspect_ratio = "9:9" }\n')
    assert old_tiers(tmp_path, text) == [(0.03, {})]


def test_an_older_file_may_state_that_images_are_free(tmp_path: Path) -> None:
    assert old_tiers(tmp_path, with_price("[[prices]]\nusd = 0\n")) == [(0, {})]


def test_a_wrong_field_of_an_older_price_is_named_with_its_line(tmp_path: Path) -> None:
    problem = problem_of(tmp_path, OLD_PRICES.replace("0.05", '"cheap"'))
    assert "line 30, field 'prices[1].usd': " in problem


@pytest.mark.parametrize(
    "prices",
    [
        "[[prices]]\nusd = inf",
        '[price]\ntiers = [{ metric = "run", usd = inf }]',
        '[price]\ntypical_s = -3\ntiers = [{ metric = "second:t4", usd = 0.1 }]',
        '[price]\nmost_output_mp = nan\ntiers = [{ metric = "image_output_megapixel", usd = 0.1 }]',
        '[price]\ntiers = [{ metric = "image_output_count", usd = 0.1, units = [[4, -1]] }]',
    ],
)
def test_a_price_that_cannot_be_computed_with_is_told(tmp_path: Path, prices: str) -> None:
    assert "field 'price" in problem_of(tmp_path, f"{SHORT}\n{prices}\n")
