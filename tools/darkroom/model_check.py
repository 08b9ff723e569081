"""The registry beside its gateway: what has changed, and a file of one's own from what the gateway says."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

import anyio

from darkroom.darkroom import Darkroom
from darkroom.errors import GatewayUnreachable, UnknownModel
from darkroom.gateways.model_answers import NotTold
from darkroom.live_models.drift import Checked, compare
from darkroom.live_models.model_text import model_text
from darkroom.registry import ModelRef

_AT_ONCE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCheck:
    """What became of each model that was asked for."""

    rows: tuple[Checked, ...]

    @property
    def exit_code(self) -> int:
        """0 where all is the same, 1 where something has changed, 2 where nothing could be asked or something not."""
        if any(row.problem for row in self.rows):
            return 2
        return 1 if any(row.changes for row in self.rows) else 0


async def check_models(darkroom: Darkroom, names: Sequence[str]) -> ModelCheck:
    """Each of these (all without names) is asked for anew, four at a time. Raises: UnknownModel."""
    models = [darkroom.registry.get(name) for name in names or darkroom.registry.names()]
    rows: dict[str, Checked] = {}
    slots = anyio.CapacityLimiter(_AT_ONCE)

    async def check(index: int) -> None:
        async with slots:
            model = models[index]
            answer = await darkroom.live.find(ModelRef.parse(model.name), is_fresh=True)
            rows[model.name] = compare(model, answer)

    async with anyio.create_task_group() as tasks:
        for index in range(len(models)):
            tasks.start_soon(check, index)
    return ModelCheck(rows=tuple(rows[model.name] for model in models))


async def model_file_text(darkroom: Darkroom, name: str) -> str:
    """A model file in TOML of what the gateway says, ready to edit.

    Raises: UnknownModel where there is none; GatewayUnreachable where the gateway does not tell.
    """
    ref = ModelRef.parse(name)
    answer = await darkroom.live.find(ref, is_fresh=True)
    gateway = darkroom.gateway.name
    if isinstance(answer, NotTold):
        if answer.is_missing:
            raise UnknownModel(f"Gateway '{gateway}' has no model '{ref}'.")
        raise GatewayUnreachable(f"Gateway '{gateway}' does not describe '{ref}': {answer.words}.", gateway=gateway)
    curated = darkroom.registry.find(ref.full_name)
    return model_text(answer, curated, gateway=gateway, today=str(datetime.date.today()))
