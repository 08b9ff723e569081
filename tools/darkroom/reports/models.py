"""What list_models answers: a compact table of models; one model's card is in model_card.py."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from pydantic import JsonValue

from darkroom.errors import DarkroomError
from darkroom.registry import Model, Sort
from darkroom.reports.amounts import seconds, usd
from darkroom.reports.prediction_data import said_by
from darkroom.reports.price_words import Limits, price_cell, price_data

_ORDERS: dict[Sort, str] = {"best": "best first", "price": "cheapest first", "speed": "fastest first"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReport:
    """`text` for the assistant, `data` for programs: `{"models": [...], "shown", "known", "problems"}`.

    `sources` are lines for a person who wants to know where the facts of one model come from; `head` and `tail` are
    those of the lines of `text` that stand before and after a table.
    """

    text: str
    data: dict[str, JsonValue]
    is_error: bool = False
    sources: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    tail: tuple[str, ...] = ()

    def with_problems(self, problems: Sequence[str]) -> "ModelReport":
        """The same report with more that the user should hear of."""
        earlier = cast("list[JsonValue]", self.data["problems"])
        lines = [f"Problem: {problem}" for problem in problems]
        text, tail = "\n".join([self.text, *lines]), (*self.tail, *lines)
        return replace(self, text=text, tail=tail, data={**self.data, "problems": [*earlier, *problems]})


def refused_models(error: DarkroomError) -> ModelReport:
    """Why list_models has nothing to show."""
    words = said_by(error)
    return ModelReport(text=words, data={"models": [], "problems": [words]}, is_error=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What was looked for, and what there is of it.

    `words` repeat the question; `able` models can do it, of `known`; an image of those in `over` may cost more than
    `max_usd` US dollars. `is_understood` False: no word said anything about models.
    """

    words: str
    is_understood: bool
    order: Sort
    able: int
    known: int
    over: frozenset[str] = frozenset()
    max_usd: float = 0.0


def table_report(models: Sequence[Model], *, sought: Sought, problems: Sequence[str], limits: Limits) -> ModelReport:
    """One line a model: name, tasks, price and seconds, what it is best for; what a limit refuses is marked."""
    more = max(sought.able - len(models), 0)
    head = [f'No model fits {sought.words}; {sought.known} are known. Try other words, or task "any".']
    tail: list[str] = []
    table: list[str] = []
    if models:
        unclear = f"No word of {sought.words} tells models apart; these can draw it."
        head = [*([] if sought.is_understood else [unclear]), _head(len(models), sought), *limit_lines(limits)]
        table = ["name | tasks | USD an image, usual seconds | best for"]
        table += [_row(model, sought, limits) for model in models]
        tail = [f"… and {more} more can do it: a higher limit shows them."] if more else []
        tail.append(f'Inputs and an example call of one: list_models(model="{models[0].name}").')
    rows: list[JsonValue] = [
        {**row_data(model, limits), "is_over_max_usd": model.name in sought.over} for model in models
    ]
    data: dict[str, JsonValue] = {"models": rows, "shown": len(rows), "more": more, "known": sought.known}
    data |= {"problems": [], "left_today_usd": limits.day.left_usd if limits.day else None}
    text = "\n".join([*head, *table, *tail])
    return ModelReport(text=text, data=data, head=tuple(head), tail=tuple(tail)).with_problems(problems)


def limit_lines(limits: Limits, models: Sequence[Model] = ()) -> list[str]:
    """What is left of the person's limits, and what that means for one model."""
    if not limits.words:
        return []
    refused = " With its defaults one image of it would be refused." if any(map(limits.refuse, models)) else ""
    return [f"The user's limits: {limits.words}.{refused}"]


def _head(shown: int, sought: Sought) -> str:
    about = f" for {sought.words}" if sought.words else ""
    dear = f"; those that may cost more than {usd(sought.max_usd)} an image last" if sought.over else ""
    return f"{shown} of {sought.known} models{about}, {_ORDERS[sought.order]}{dear}."


def _row(model: Model, sought: Sought, limits: Limits) -> str:
    price = price_cell(model)
    price += f" (may cost more than {usd(sought.max_usd)})" if model.name in sought.over else ""
    if limits.refuse(model):
        is_unknown = price_cell(model) == "unknown"
        price += ": refused while a limit is set" if is_unknown else " (over the limit with its defaults)"
    run = f", {seconds(model.typical_s)}" if model.typical_s else ""
    return " | ".join((model.name, ", ".join(model.tasks), price + run, model.best_for))


def row_data(model: Model, limits: Limits) -> dict[str, JsonValue]:
    """The same facts for programs."""
    return {
        "name": model.name,
        "title": model.title,
        "tier": model.tier,
        "tasks": list(model.tasks),
        "best_for": model.best_for,
        **price_data(model, limits),
        "typical_s": model.typical_s,
        "max_count": model.max_count,
        "takes_images": model.edits,
    }
