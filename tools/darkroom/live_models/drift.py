"""What has changed in a model since its file was written, and what that does to a call."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from darkroom.live_models.directory import Answer, Found, Missing
from darkroom.registry import Model, ModelInput

# The old file refuses what the gateway allows; lets through what it refuses; says something that is not so any more.
Effect = Literal["wrongly refuses", "422", "silent"]
PRICE_MAY_BE_OLD = "the price may be old"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference; `input` is empty for the model as a whole."""

    input: str
    words: str
    effect: Effect


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One model beside its gateway. `note`: what is new and no drift. `problem`: why it could not be compared."""

    model: str
    changes: tuple[Change, ...] = ()
    note: str = ""
    problem: str = ""


def compare(model: Model, answer: Answer) -> Checked:
    if isinstance(answer, Missing):
        return Checked(model=model.name, changes=(Change(input="", words="is gone", effect="422"),))
    if not isinstance(answer, Found):
        if answer.words == "it has no version":
            gone = Change(input="", words="has no version any more", effect="422")
            return Checked(model=model.name, changes=(gone,))
        return Checked(model=model.name, problem=answer.words)
    found = answer.description
    changes = tuple(_changes(model, answer))
    newer = found.version if model.run_by == "version" and found.version and found.version != model.version else ""
    return Checked(
        model=model.name,
        changes=changes,
        note="; ".join(
            words
            for words, is_so in (
                (f"a newer version is {newer[:8]}", newer),
                (f"{PRICE_MAY_BE_OLD}, for what it goes by has changed", price_may_be_old(model, changes)),
            )
            if is_so
        ),
    )


def price_may_be_old(model: Model, changes: Iterable[Change]) -> bool:
    """Whether something has changed that the price goes by."""
    if (price := model.price) is None:
        return False
    names = {price.count_input, price.output_mp_input, *price.count_when}.union(*(tier.when for tier in price.tiers))
    return any(change.input in names for change in changes if change.input)


def input_changes(model: Model, live: Model) -> Iterator[Change]:
    """What has changed in the inputs."""
    now = live.inputs_by_name
    for name, item in model.inputs_by_name.items():
        if name not in now:
            yield Change(input=name, words="is gone", effect="422")
        else:
            yield from _input_changes(item, now[name])
    for name in now.keys() - model.inputs_by_name.keys():
        if now[name].required:
            yield Change(input=name, words="is new and required", effect="422")
        elif not now[name].deprecated:
            yield Change(input=name, words="is new", effect="wrongly refuses")


def _changes(model: Model, answer: Found) -> Iterator[Change]:
    found = answer.description
    if found.is_official is not None and found.is_official != (model.run_by == "model"):
        kind = "official" if found.is_official else "run by version"
        yield Change(input="", words=f"is {kind} now", effect="422")
    # "unknown" and objects say nothing of one output or several.
    if found.output in ("uri", "uri_list") and found.output != model.output.kind:
        yield Change(input="", words=f"gives {found.output} instead of {model.output.kind}", effect="silent")
    yield from input_changes(model, found.model)


def _input_changes(old: ModelInput, new: ModelInput) -> Iterator[Change]:
    name = old.name
    if new.type not in ("any", old.type):
        yield Change(input=name, words=f"is of type {new.type} instead of {old.type}", effect="422")
    if new.required and not old.required:
        yield Change(input=name, words="is required now", effect="422")
    if old.required and not new.required:
        yield Change(input=name, words="is not required any more", effect="wrongly refuses")
    yield from _value_changes(old, new)
    yield from _range_changes(old, new)
    if old.default != new.default and not new.required and not new.secret:
        yield Change(input=name, words=f"is {new.default!r} by default instead of {old.default!r}", effect="silent")
    if new.deprecated and not old.deprecated:
        yield Change(input=name, words="is deprecated", effect="silent")


def _value_changes(old: ModelInput, new: ModelInput) -> Iterator[Change]:
    if not old.enum_complete or not new.enum_complete:
        if new.enum and new.enum_complete:
            yield Change(input=old.name, words=f"takes {len(new.enum)} values that are known now", effect="silent")
        return
    more = [value for value in new.enum if value not in old.enum]
    fewer = [value for value in old.enum if value not in new.enum]
    if old.enum and not new.enum:
        yield Change(input=old.name, words="takes any value", effect="wrongly refuses")
    elif new.enum and not old.enum:
        yield Change(input=old.name, words=f"takes {len(new.enum)} values only", effect="422")
    else:
        if more:
            yield Change(input=old.name, words=f"also takes {_listed(more)}", effect="wrongly refuses")
        if fewer:
            yield Change(input=old.name, words=f"does not take {_listed(fewer)}", effect="422")


def _range_changes(old: ModelInput, new: ModelInput) -> Iterator[Change]:
    for end, sign in (("min", 1), ("max", -1)):
        before, after = getattr(old, end), getattr(new, end)
        if before == after:
            continue
        is_wider = after is None or (before is not None and (after - before) * sign < 0)
        words = f"has {end} {after} instead of {before}"
        yield Change(input=old.name, words=words, effect="wrongly refuses" if is_wider else "422")


def _listed(values: Sequence[JsonValue]) -> str:
    return ", ".join(str(value)[:40] for value in values[:5]) + (" …" if len(values) > 5 else "")
