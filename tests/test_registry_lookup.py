"""Finding a model: by full and bare name, by version, by task and by words; and what an unknown name is told."""

from pathlib import Path

import pytest
from mapped import REGISTRY

from darkroom.errors import InvalidInput, UnknownModel
from darkroom.list_models import list_models
from darkroom.registry import DEFAULT_MODEL, ModelRef, ModelRegistry
from darkroom.registry.model_file import read_model_file


def unknown(name: str) -> str:
    with pytest.raises(UnknownModel) as caught:
        REGISTRY.get(name)
    assert len(caught.value.message) <= 300
    return caught.value.message


def test_a_model_is_found_by_its_full_name() -> None:
    assert REGISTRY.get("black-forest-labs/flux-schnell").name == DEFAULT_MODEL


def test_a_model_is_found_by_its_bare_name_where_that_is_unique() -> None:
    assert REGISTRY.get("flux-schnell").name == DEFAULT_MODEL


def test_capitals_and_spaces_around_a_name_do_not_matter() -> None:
    assert REGISTRY.get(" Black-Forest-Labs/FLUX-schnell ").name == DEFAULT_MODEL


def test_a_bare_name_of_two_models_is_refused_naming_both() -> None:
    message = unknown("flux-schnell-lora")
    assert "'black-forest-labs/flux-schnell-lora'" in message and "'lucataco/flux-schnell-lora'" in message
    assert REGISTRY.find("flux-schnell-lora") is None


def test_the_own_version_of_a_community_model_gives_the_same_model() -> None:
    model = REGISTRY.get("real-esrgan")
    assert REGISTRY.get(f"nightmareai/real-esrgan:{model.version}") is model


def test_another_version_is_run_by_that_version() -> None:
    model = REGISTRY.get("flux-schnell:abc123")
    assert (model.name, model.run_by, model.version) == (DEFAULT_MODEL, "version", "abc123")
    assert REGISTRY.get("flux-schnell").run_by == "model"


def test_an_unknown_model_error_names_the_closest_model() -> None:
    assert unknown("flux-schnel").startswith("Unknown model 'flux-schnel'. Closest: 'black-forest-labs/flux-schnell'")
    assert unknown("black-forest-labs/flux-schnel").endswith(
        f"list_models shows all {len(REGISTRY)}. Nothing was sent."
    )


def test_a_name_that_nothing_is_near_gets_no_invented_neighbours() -> None:
    assert unknown("zzzz") == f"Unknown model 'zzzz'. list_models shows all {len(REGISTRY)}. Nothing was sent."


def test_find_answers_none_for_an_unknown_model() -> None:
    assert REGISTRY.find("someone/something") is None
    assert REGISTRY.find("") is None


def test_search_without_words_lists_core_models_first() -> None:
    tiers = [model.tier for model in REGISTRY.search(limit=1000)]
    assert tiers == sorted(tiers) and set(tiers) == {"core", "extended"} and len(tiers) == len(REGISTRY)


def test_search_stops_at_the_limit() -> None:
    assert len(REGISTRY.search(limit=5)) == 5


def test_search_by_task_gives_only_models_of_that_task() -> None:
    found = REGISTRY.search(task="remove_background")
    assert len(found) == 5
    assert all("remove_background" in model.tasks for model in found)


def test_an_unknown_task_is_refused_naming_the_tasks() -> None:
    with pytest.raises(InvalidInput, match="upscale"):
        REGISTRY.search(task="sculpture")


def test_a_name_as_query_puts_that_model_first() -> None:
    assert REGISTRY.search("flux-redux-dev")[0].name == "black-forest-labs/flux-redux-dev"
    assert REGISTRY.search("google/nano-banana")[0].name == "google/nano-banana"


def test_models_with_more_of_the_words_come_before_core_models_with_fewer() -> None:
    found = [model.name for model in REGISTRY.search("flux redux")]
    assert found[:2] == ["black-forest-labs/flux-redux-dev", "black-forest-labs/flux-redux-schnell"]


def test_everyday_words_find_the_models_own_words() -> None:
    assert all(model.output.svg for model in REGISTRY.search("vector", limit=3))
    assert REGISTRY.search("enlarge a photo")[0].tasks[0] == "upscale"


def test_words_that_nothing_has_leave_the_models_that_draw() -> None:
    found = REGISTRY.ranked("xyzzy")
    assert not found.is_understood and all(row.model.draws_from_text for row in found.rows)


def test_a_registry_reads_nothing_until_it_is_asked(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    registry = ModelRegistry.load(folder)
    folder.mkdir()
    assert registry.problems == ()


def test_one_model_is_read_without_reading_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    read_text = Path.read_text

    def counting(path: Path, encoding: str | None = None) -> str:
        opened.append(path.name)
        return read_text(path, encoding=encoding)

    monkeypatch.setattr(Path, "read_text", counting)
    monkeypatch.setattr("darkroom.registry.catalogue._own_model", read_model_file)  # remembers nothing of other tests
    ModelRegistry.load().get("flux-schnell")
    assert opened == ["black-forest-labs--flux-schnell.toml"]


def test_a_reference_is_taken_apart_and_written_back() -> None:
    ref = ModelRef.parse("Owner/Some-Model.2:abc")
    assert (ref.owner, ref.name, ref.version, ref.full_name) == ("owner", "some-model.2", "abc", "owner/some-model.2")
    assert str(ref) == "owner/some-model.2:abc"
    assert str(ModelRef.parse("owner/name")) == "owner/name"


@pytest.mark.parametrize("text", ["", "flux", "a/b/c", "https://example.com/a", "owner/", "a/b:", "a b/c"])
def test_what_is_no_reference_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UnknownModel, match="owner/name"):
        ModelRef.parse(text)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("text in image", "ideogram-ai/ideogram-v3-turbo"),
        ("vector logo", "recraft-ai/recraft-v4-svg"),
        ("transparent background", "bria/remove-background"),
        ("fast edit", "black-forest-labs/flux-kontext-dev"),
    ],
)
def test_what_people_say_finds_the_models_that_say_it_otherwise(query: str, name: str) -> None:
    assert f"\n{name} |" in list_models(REGISTRY, query=query, limit=5).text
