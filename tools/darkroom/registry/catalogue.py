"""All models one can call: the ones that come with darkroom, and the files a person adds or overrides them with."""

from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path

from pydantic import JsonValue

from darkroom.errors import InvalidInput, SettingsError, UnknownModel
from darkroom.model_tasks import TASKS
from darkroom.registry.model import Model
from darkroom.registry.model_file import read_model_file
from darkroom.registry.search import Found, rank
from darkroom.spelling import closest

_DATA = Path(__file__).parent / "data"
_LONGEST_QUERY = 1000


class ModelRegistry:
    """The models by name, task and words. Reads a file when it is first needed; darkroom's own are read once."""

    def __init__(self, user_dir: Path | None = None) -> None:
        self._user_dir = user_dir

    @classmethod
    def load(cls, user_dir: Path | None = None) -> "ModelRegistry":
        """A registry with the models of `user_dir` (`*.toml`) added; nothing is read yet."""
        return cls(user_dir)

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the person's own files, naming file, line and field; those models are left out."""
        return self._user[1]

    def names(self) -> tuple[str, ...]:
        """Every full name, sorted."""
        return tuple(sorted(_own_files().keys() | self._user_models.keys()))

    def __len__(self) -> int:
        return len(self.names())

    def get(self, name: str) -> Model:
        """The model of this name: full or bare where that is unique, with or without a version.

        A version that is not the registry's own gives the same model run by that version.

        Raises: UnknownModel, naming the closest ones.
        """
        model = self.find(name)
        if model is None:
            raise UnknownModel(self._unknown_words(name))
        return model

    def find(self, name: str) -> Model | None:
        """As `get`, but None where there is no such model, or where a bare name fits several."""
        wanted, _, version = name.strip().partition(":")
        full_names = self._full_names(wanted.lower())
        if len(full_names) != 1:
            return None
        model = self._model(full_names[0])
        return model.at_version(version) if version else model

    def typical_s(self, name: str) -> float | None:
        """The seconds that a run of the model usually takes; None where nobody knows."""
        model = self.find(name)
        return model.typical_s if model else None

    def defaults(self, name: str) -> dict[str, JsonValue]:
        """A model's own input defaults, as far as they are known."""
        model = self.find(name)
        return model.with_defaults({}) if model else {}

    def closest(self, name: str, limit: int = 3) -> tuple[str, ...]:
        """Full names that are spelt most like this one, closest first; empty where nothing is near."""
        wanted = name.strip().lower().partition(":")[0]
        # The right name beside a wrong owner is the nearest there is.
        if same := self._full_names(wanted) or self._full_names(wanted.rpartition("/")[2]):
            return same[:limit]
        spellings = {full.partition("/")[2]: full for full in self.names()} if "/" not in wanted else {}
        spellings |= {full: full for full in self.names()}
        near = closest(wanted, spellings, limit=limit * 2)
        near += [spelling for spelling in spellings if wanted and wanted in spelling]
        return tuple(dict.fromkeys(spellings[spelling] for spelling in near))[:limit]

    def search(self, query: str = "", task: str = "any", limit: int = 20) -> tuple[Model, ...]:
        """The best of `ranked`."""
        return tuple(row.model for row in self.ranked(query, task).rows[: max(limit, 0)])

    def ranked(self, query: str = "", task: str = "any") -> Found:
        """The models for a task ("any" for all) that can do what the words wish, best first.

        Raises: InvalidInput for a task that does not exist, or more than 1,000 characters of words.
        """
        if len(query) > _LONGEST_QUERY:
            words = f"query has {len(query):,} characters, and at most {_LONGEST_QUERY:,} are searched."
            raise InvalidInput(f"{words} Give a few words, such as 'text in image'. Nothing was sent.", field="query")
        if task not in ("any", *TASKS):
            raise InvalidInput(f"Unknown task {task[:40]!r}. Tasks: any, {', '.join(TASKS)}.", field="task")
        models = [model for model in map(self._model, self.names()) if task == "any" or task in model.tasks]
        return rank(models, query, has_task=task != "any")

    @cached_property
    def _user(self) -> tuple[dict[str, Model], tuple[str, ...]]:
        """What the person's own folder gave, and what was wrong in it."""
        return _read_user_dir(self._user_dir) if self._user_dir is not None else ({}, ())

    @property
    def _user_models(self) -> dict[str, Model]:
        return self._user[0]

    def _model(self, full_name: str) -> Model:
        if full_name in self._user_models:
            return self._user_models[full_name]
        return _own_model(_own_files()[full_name])

    def _full_names(self, wanted: str) -> tuple[str, ...]:
        if "/" in wanted:
            return (wanted,) if wanted in self._user_models or wanted in _own_files() else ()
        return tuple(name for name in self.names() if name.partition("/")[2] == wanted)

    def _unknown_words(self, name: str) -> str:
        wanted = name.strip().partition(":")[0]
        if several := self._full_names(wanted.lower()):
            words = f"{wanted!r} is the name of several models: {', '.join(map(repr, several))}."
            return f"{words} Give the full name. Nothing was sent."
        near = self.closest(name)
        hint = f" Closest: {', '.join(map(repr, near))}." if near else ""
        return f"Unknown model {name[:80]!r}.{hint} list_models shows all {len(self)}. Nothing was sent."


@cache
def _own_files() -> Mapping[str, Path]:
    return {path.stem.replace("--", "/", 1): path for path in _DATA.glob("*.toml")}


_own_model = cache(read_model_file)  # darkroom's own files stay as they are, and models are frozen


def _read_user_dir(folder: Path) -> tuple[dict[str, Model], tuple[str, ...]]:
    if not folder.is_dir():
        return {}, (f"The models folder '{folder}' does not exist.",)
    models: dict[str, Model] = {}
    problems: list[str] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            model = read_model_file(path)
        except SettingsError as error:
            problems.append(error.message)
            continue
        if model.name in models:
            words = f"another file in this folder has '{model.name}' already."
            problems.append(f"Model file '{path}', field 'name': {words}")
            continue
        models[model.name] = model
    return models, tuple(problems)
